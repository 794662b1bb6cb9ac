"""The launch of a campaign to everybody, with all services up: first mail, all verdicts, and service mail meanwhile.

OTKLIK_PEOPLE (389,000) says how many people there are. The campaign's audience is asked about before it starts, as it is with a campaign
that is scheduled: seconds count from the instant of its start. Service mail is measured while people are decided about and while the sender
drains the mailing, for five minutes at most.
"""

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench.calibration import score
from bench.installation import Installation, Watch, installation, introduce, rest, watching
from bench.load import Load, orders
from bench.pipeline import all_mails, percentile
from bench.processes import cpu_seconds, spent
from bench.results import named, record

AHEAD_S = 5.0  # from the publication until the start, at the least
ASKED = "SELECT count(*) FROM orchestrator.mark WHERE starts_with(topic, '~campaign.') AND next_offset > 0"
DECIDED = "SELECT count(*) FROM orchestrator.recipient WHERE verdict <> ''"
# Of twelve rows, so that it can be asked often: how many letters went to the sender, and of how many it has told.
GONE = (
    "SELECT coalesce(bool_and(chosen AND NOT open), false) AS closed, coalesce(sum(issued), 0)::bigint AS issued, "
    "coalesce(sum(settled), 0)::bigint AS settled FROM orchestrator.launch_partition"
)
ORDERS = 10.0  # a second, meanwhile
WATCHED_S = 300.0  # from the start on, while the mailing drains
MOST_S = 900.0
SAY_S = 10.0
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
        await introduce(found, Load(people, "even"))
        await rest(found)
        async with watching(found) as watch:
            start = await _launch(found, watch, people)
            calibration, load = score(), Load(people)
            await asyncio.sleep(max(0.0, start - time.time()))
            before = cpu_seconds(found.home)
            async with orders(found.poster(), people, ORDERS) as load.mails:
                decided, settled = await _until_decided(watch, people, start)
                used = spent(before, cpu_seconds(found.home))
                drained = await _until_drained(watch, start)
            late = sorted(await all_mails(found, load))
            beside = await watch.connection.fetchrow(GONE)
        more = {"calibration": calibration, "cpu_s": used, "settled_then": settled}
        record("campaign.first_mail_s", round(_first(found.arrivals, start) - start, 3), "s", people, calibration=calibration)
        record(f"campaign.verdicts_{named(people)}_s", round(decided, 1), "s", people, **more)
        if missing := len(load.mails) - len(late):
            raise RuntimeError(f"{missing} service mails did not come")
        more = {
            "calibration": calibration,
            "p50_ms": round(percentile(late, 0.5)),
            "most_ms": round(late[-1]),
            "drained_s": drained,
            "of_the_mailing": dict(beside),
        }
        record("campaign.service_p99_ms", round(percentile(late, 0.99)), "ms, 2xx to letter", len(late), **more)


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


async def _until_decided(watch: Watch, people: int, start: float) -> tuple[float, int]:
    """Seconds from the start until everybody had a verdict, and of how many letters the sender had told by then."""
    said = 0.0
    while True:
        gone = await watch.connection.fetchrow(GONE)
        passed = time.time() - start
        if gone["issued"] >= people or gone["closed"]:
            break
        if passed > MOST_S:
            raise RuntimeError(f"only {gone['issued']} of {people} were decided about within {MOST_S} s")
        if passed - said >= SAY_S:
            said = passed
            print(f"campaign: {gone['issued']:,} of {people:,} decided, {gone['settled']:,} gone, {passed:.0f} s", flush=True)
        await asyncio.sleep(0.2)
    if (decided := await watch.connection.fetchval(DECIDED)) != people:
        raise RuntimeError(f"{decided} of {people} have a verdict, and no more is to come")
    return passed, gone["settled"]


async def _until_drained(watch: Watch, start: float) -> float | None:
    """Seconds from the start until the sender had told of every letter; None: it goes on, and was watched for long enough."""
    said = time.time()
    while (passed := time.time() - start) < WATCHED_S:
        gone = await watch.connection.fetchrow(GONE)
        if gone["settled"] >= gone["issued"]:
            return round(passed, 1)
        if time.time() - said >= SAY_S:
            said = time.time()
            print(f"campaign: {gone['settled']:,} of {gone['issued']:,} letters gone, {passed:.0f} s", flush=True)
        await asyncio.sleep(0.5)
    return None


def _arrivals(path: Path) -> list[tuple[str, float]]:
    rows = (line.split() for line in path.read_text().splitlines())
    return [(name, float(at)) for name, at in rows]


def _first(path: Path, start: float) -> float:
    return min(at for name, at in _arrivals(path) if name == "-" and at >= start)


def main() -> None:
    asyncio.run(campaign(PEOPLE))


if __name__ == "__main__":
    main()
