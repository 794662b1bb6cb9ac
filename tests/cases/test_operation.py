"""What an operator sees of a running installation: is it alive and ready, and how far behind is who."""

import re
from itertools import product

import httpx

from deploy.local.programs import services
from tests.support.installation import Installation
from tests.support.live import until
from tests.support.shop import HOUR, Shop, journey, send, template

LINE = re.compile(r'otklik_(\w+)\{[^}]*service="(\w+)"[^}]*\} (\S+)')
READERS = ("profile", "segmenter", "orchestrator", "sender", "warehouse")
EACH = ("lag_records", "lag_seconds", "batch_rows_count", "stage_seconds_count", "outbox_rows", "outbox_age_seconds")


async def told(installation: Installation) -> dict[tuple[str, str], float]:
    """(name, service) -> the sum over its other labels, of all processes; each of them is alive and ready."""
    found: dict[tuple[str, str], float] = {}
    async with httpx.AsyncClient(trust_env=False) as client:
        for program in services(installation.settings):
            base = f"http://127.0.0.1:{program.ports[0][0]}"
            for probe in ("livez", "readyz"):
                assert (await client.get(f"{base}/{probe}")).status_code == 200, (program.name, probe)
            for name, service, value in LINE.findall((await client.get(f"{base}/metrics")).text):
                found[name, service] = found.get((name, service), 0.0) + float(value)
    return found


async def test_every_service_is_ready_and_tells_how_far_it_is(shop: Shop):
    b = shop.brand
    later = ({"id": "hour", "wait": "1h"}, send("later", b, **{"class": "service"}))
    await shop.publish(template("later", b), journey("later", b, "Asked", *later))
    before = await told(shop.installation)
    await shop.post(shop.is_("ann"), *(shop.did("ann", "Asked", number=n) for n in range(9)))
    await shop.installation.log.write("facts.raw", "broken", b"{")
    await shop.until(shop.now + HOUR)

    async def at_rest() -> dict[tuple[str, str], float] | None:
        found = await told(shop.installation)
        waits = sum(found.get((name, service), 0) for name, service in product(("lag_records", "outbox_rows"), READERS))
        return None if waits or found.get(("timers_fired_total", "orchestrator")) == fired else found

    fired = before.get(("timers_fired_total", "orchestrator"))
    after = await until(at_rest)  # each looks at itself every few seconds
    assert [pair for pair in product(EACH, READERS) if pair not in after] == []

    def grown(name: str, service: str) -> float:
        return after.get((name, service), 0.0) - before.get((name, service), 0.0)

    assert grown("records_total", "profile") >= 10
    assert grown("dead_letters_total", "profile") == 1
    assert grown("timers_fired_total", "orchestrator") == 1
    assert "timers_late_seconds" in {name for name, service in after if service == "orchestrator"}
