"""Quiet in live time, where a service has several processes: each of them knows its own calls alone."""

import dataclasses
from contextlib import AsyncExitStack, asynccontextmanager

from runtime import health, presence
from runtime.process import secret
from runtime.service import Service
from runtime.serving import serving
from tests.conftest import free_ports
from tests.gateway.conftest import open_site
from tests.support.live import running, until


@asynccontextmanager
async def processes(config, *services):
    """A process of its own for each of the services, with an admin port that its neighbours can ask. Yields their addresses."""
    addresses = []
    async with AsyncExitStack() as stack:
        for service, port in zip(services, free_ports(len(services)), strict=True):
            settings = config.model_copy(update={"admin_port_own": port})
            (context,) = await stack.enter_async_context(running(settings, service))
            await until(context.ready.is_set)
            await stack.enter_async_context(serving(health.app([context], secret(config)), "127.0.0.1", port, context.stopping))
            addresses.append(f"http://127.0.0.1:{port}")
        yield addresses


async def test_what_the_second_process_has_under_way_counts(config):
    calls = ["a call"]

    async def calling():
        return bool(calls)

    idle = Service(name="sender")
    async with (
        processes(config, idle, dataclasses.replace(idle, busy=calling)) as (first, second),
        open_site(config, sender=first) as site,  # one address for all of them, as a Kubernetes Service is
    ):
        await until(lambda: _live(site, [first, second]))
        await site.relayed()
        told = (await site.http.get("/api/quiet")).json()
        assert (told["quiet"], told["busy"]) == (False, {"sender": ["under way"]})
        calls.clear()
        assert (await site.http.get("/api/quiet")).json()["quiet"] is True


async def test_a_process_that_does_not_answer_may_be_calling(config):
    async with processes(config, Service(name="sender")) as (first,), open_site(config, sender=first) as site:
        await until(lambda: _live(site, [first]))
        await site.relayed()
        (hung,) = (f"http://127.0.0.1:{port}" for port in free_ports(1))
        async with site.context.db.transaction() as connection:
            await connection.execute(presence.SAY, "sender", hung, presence.wall_ms())
        told = (await site.http.get("/api/quiet")).json()
        assert (told["quiet"], told["busy"]) == (False, {"sender": ["a process does not answer"]})
        async with site.context.db.transaction() as connection:  # long silent: it was killed
            await connection.execute(presence.SAY, "sender", hung, presence.wall_ms() - 2 * presence.GONE_MS)
        assert (await site.http.get("/api/quiet")).json()["quiet"] is True


async def test_who_ends_in_good_order_is_gone_at_once(config):
    async with open_site(config) as site:
        async with processes(config, Service(name="sender")) as (first,):
            await until(lambda: _live(site, [first]))
        assert "sender" not in await presence.live(site.context.db)


async def _live(site, addresses):
    return (await presence.live(site.context.db)).get("sender") == sorted(addresses)
