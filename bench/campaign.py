"""The launch of a campaign to everybody, with all services up: first mail, all verdicts, and service mail meanwhile.

OTKLIK_PEOPLE (389,000) says how many people there are. The campaign's audience is asked about before it starts, as it is with a campaign
that is scheduled: seconds count from the instant of its start.
"""

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench.installation import Installation, Watch, installation, introduce, rest, watching
from bench.load import ORDER, Load, Poster
from bench.processes import cpu_seconds, spent
from bench.results import named, record

AHEAD_S = 5.0  # from the publication until the start, at the least
ASKED = "SELECT count(*) FROM orchestrator.mark WHERE starts_with(topic, '~campaign.') AND next_offset > 0"
DECIDED = "SELECT count(*) FILTER (WHERE verdict <> '') AS decided, count(*) FILTER (WHERE verdict = 'accepted') AS accepted FROM orchestrator.recipient"
ORDERS_S = 0.1  # between two of them
MOST_S = 900.0
PEOPLE = int(os.environ.get("OTKLIK_PEOPLE", "389000"))


def documents() -> list[dict[str, Any]]:
    receipt = {
        "key": "receipt", "brand": "shop", "reentry": {"mode": "always"}, "trigger": {"event": "Order Completed"},
        "steps": [{"id": "send", "template": "receipt", "class": "service"}],
    }  # fmt: skip
    bodies = {
        "brand": [{"key": "shop", "name": "Shop"}],
        "template": [
            {"key": "receipt", "brand": "shop", "subject": "R {{ event.n }}", "text": "thanks"},
            {"key": "news", "brand": "shop", "subject": "News", "text": "Hello {{ profile.name }} {{ unsubscribe_url }}"},
        ],
        "journey": [receipt],
    }
    return [{"kind": kind, "body": body} for kind, found in bodies.items() for body in found]


async def campaign(people: int) -> None:
    async with installation(documents=documents()) as found:
        load = Load(people, "even")
        await introduce(found, load)
        await rest(found)
        async with watching(found) as watch:
            start = await _launch(found, watch, people)
            before = cpu_seconds(found.home)
            ordering = asyncio.create_task(_orders(found.poster(), people, start))
            await asyncio.sleep(max(0.0, start - time.time()))
            decided = await _until_decided(watch, people, start)
            used = spent(before, cpu_seconds(found.home))
            accepted = (await watch.connection.fetchrow(DECIDED))["accepted"]
            ordering.cancel()
            posted = await ordering
            await watch.caught_up(MOST_S)
        more = {"cpu": used, "accepted_then": accepted}
        record("campaign.first_mail_s", round(_first(found.arrivals, start) - start, 3), "s", people)
        record(f"campaign.verdicts_{named(people)}_s", round(decided, 1), "s", people, **more)
        late = _lateness(found.arrivals, posted)
        record("campaign.service_p99_ms", round(late[int(len(late) * 0.99)] * 1000), "ms", len(late))


async def _launch(found: Installation, watch: Watch, people: int) -> float:
    """Publish it to start some seconds later; when it does (s), once the segmenter has answered everywhere."""
    headers = {"Authorization": f"Bearer {found.api_key}"}
    begun = time.time()
    wait = AHEAD_S + people / 5_000
    start = round(begun + wait)
    body = {
        "brand": "shop", "template": "news", "audience": {"kind": "reachable", "channel": "email"},
        "start": {"at": datetime.fromtimestamp(start, UTC).isoformat()},
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{found.settings.port}", timeout=60, headers=headers) as client:
        for method, path, sent in (("PUT", "", body), ("POST", "/publish", {})):
            answer = await client.request(method, f"/api/campaigns/news{path}", json=sent)
            answer.raise_for_status()
    while await watch.connection.fetchval(ASKED) < watch.partitions:  # noqa: ASYNC110  (another process tells the base)
        await asyncio.sleep(0.1)
    if time.time() > start:
        raise RuntimeError(f"the audience was answered only after {time.time() - begun:.1f} s, later than the start")
    return start


async def _orders(poster: Poster, people: int, start: float) -> dict[int, float]:
    """Orders of one person after the other from the start on, until cancelled: number -> when it was answered (s)."""
    posted: dict[int, float] = {}
    number = 0
    try:
        await asyncio.sleep(max(0.0, start - time.time()))
        while True:
            now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"
            item = ORDER % (f"o-{number}", number * 7919 % people, now, f"o-{number}", 10, number, "true", "false")
            await poster.post("/v1/batch", f'{{"batch":[{item}],"sentAt":"{now}"}}'.encode())
            posted[number] = time.time()
            number += 1
            await asyncio.sleep(ORDERS_S)
    except asyncio.CancelledError:
        return posted


async def _until_decided(watch: Watch, people: int, start: float) -> float:
    """Seconds from the start until everybody had a verdict."""
    while True:
        decided = (await watch.connection.fetchrow(DECIDED))["decided"]
        passed = time.time() - start
        if decided >= people:
            return passed
        if passed > MOST_S:
            raise RuntimeError(f"only {decided} of {people} were decided about within {MOST_S} s")
        await asyncio.sleep(0.5)


def _arrivals(path: Path) -> list[tuple[str, float]]:
    rows = (line.split() for line in path.read_text().splitlines())
    return [(name, float(at)) for name, at in rows]


def _first(path: Path, start: float) -> float:
    return min(at for name, at in _arrivals(path) if name == "-" and at >= start)


def _lateness(path: Path, posted: dict[int, float]) -> list[float]:
    """From the 2xx to the arrival (s), in order; a mail that never came fails."""
    came = {int(name): at for name, at in _arrivals(path) if name != "-"}
    if missing := [number for number in posted if number not in came]:
        raise RuntimeError(f"{len(missing)} service mails did not come")
    return sorted(came[number] - at for number, at in posted.items())


def main() -> None:
    asyncio.run(campaign(PEOPLE))


if __name__ == "__main__":
    main()
