"""The pump goes on: whatever comes in while it waits for the database, and when the database goes away."""

import asyncio
from types import SimpleNamespace

import pytest

from services.sender.delivery import Delivery, Job
from tests.support.live import until


def job(channel: str) -> Job:
    return Job(SimpleNamespace(channel=channel, message_class="service"), "person", b"")


async def everything(_channel: str, wanted: int) -> int:
    return wanted


@pytest.fixture
async def delivery():
    made = Delivery()
    made._context = SimpleNamespace(clock=SimpleNamespace(last_known_ms=lambda: 0))
    made._channels = {name: SimpleNamespace(connections=4) for name in ("email", "sms")}
    made._rates = SimpleNamespace(take=everything)
    return made


async def pumped(delivery: Delivery, enough) -> None:
    pump = asyncio.create_task(delivery.run())
    try:
        await until(lambda: pump.done() or enough(), 5)
        assert not pump.done(), pump.exception()
    finally:
        pump.cancel()


async def test_the_first_message_of_a_channel_may_come_while_another_is_prepared(delivery):
    prepared = []

    async def prepare(jobs):
        prepared.extend(one.intent.channel for one in jobs)
        if len(prepared) == 1:
            delivery.put(job("sms"))  # another batch commits
        return []

    delivery._prepare = prepare
    delivery.put(job("email"))
    await pumped(delivery, lambda: prepared == ["email", "sms"])


async def test_a_database_that_goes_away_costs_no_message(delivery):
    tries = []

    async def prepare(jobs):
        tries.append([one.intent.channel for one in jobs])
        if len(tries) == 1:
            raise ConnectionError("the server closed the connection")
        return []

    delivery._prepare = prepare
    delivery.put(job("email"))
    await pumped(delivery, lambda: tries == [["email"], ["email"]])
