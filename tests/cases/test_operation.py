"""What an operator sees of a running installation: is it alive and ready, and how far behind is who."""

import re

import httpx

from deploy.local.programs import services
from tests.support.installation import Installation
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
    after = await told(shop.installation)
    assert all((name, service) in after for name in EACH for service in READERS)
    assert all(after["lag_records", service] == after["outbox_rows", service] == 0 for service in READERS)

    def grown(name: str, service: str) -> float:
        return after.get((name, service), 0.0) - before.get((name, service), 0.0)

    assert grown("records_total", "profile") >= 10
    assert grown("dead_letters_total", "profile") == 1
    assert grown("timers_fired_total", "orchestrator") == 1
    assert "timers_late_seconds" in {name for name, service in after if service == "orchestrator"}
