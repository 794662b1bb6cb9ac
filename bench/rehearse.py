"""A journey rehearsed over the last 90 days of a seeded history, with others and a rule in force: `python -m bench.rehearse`.

Both services that work on it count: the figure is the time until the report is there, and their CPU seconds stand beside it.
"""

import argparse
import asyncio
import json
import time
from typing import Any

import httpx

from bench.calibration import score
from bench.installation import Installation, installation
from bench.processes import cpu_seconds, spent
from bench.results import named, record
from bench.seeded.history import BRAND, DAY, History
from bench.segments import loaded

SERVICES = ("gateway", "profile", "segmenter", "orchestrator", "warehouse")
A_YEAR_EACH = 51  # facts of a person, as 20 million of 389,000
VIEWED = {"kind": "did", "event": "Product Viewed", "value": 3, "within": 30 * DAY}
RECENT = {"kind": "did", "event": "Order Completed", "within": 90 * DAY}


def _send(step: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "template": "letter", **more}


BASKET = {
    "key": "basket", "brand": BRAND, "trigger": {"event": "Product Added"}, "reentry": {"mode": "after", "after": "1d"},
    "audience": {"kind": "reachable", "channel": "email"}, "goal": {"event": "Order Completed"},
    "steps": [
        {"id": "bought", "until": {"fact": {"event": "Order Completed"}}, "at_most": "2h", "then": "end", "else": "keen"},
        {"id": "keen", "if": VIEWED, "then": "half", "else": "one"},
        {"id": "half", "split": [{"name": "sent", "share": 90, "then": "one"}, {"name": "kept", "share": 10, "control": True, "then": "one"}]},
        _send("one"), {"id": "pause", "wait": "2d"}, _send("two", **{"class": "mass"}), {"id": "end", "end": True},
    ],
}  # fmt: skip
VIEWS = {
    "key": "views", "brand": BRAND, "trigger": {"event": "Product Viewed"}, "reentry": {"mode": "after", "after": "7d"},
    "steps": [{"id": "pause", "wait": "6h"}, {"id": "recent", "if": RECENT, "then": "thanks", "else": "offer"},
              _send("thanks", next="end"), _send("offer"), {"id": "end", "end": True}],
}  # fmt: skip
RULE = {
    "key": "house", "exclusive_day": ["triggered", "mass"], "quiet_hours": {"from": "21:00", "to": "09:00"},
    "caps": [{"name": "two a week", "class": "triggered", "most": 2, "per": "week"}],
    "manager_only": {"kind": "attribute", "name": "plan", "op": "eq", "value": "team"},
}  # fmt: skip
DOCUMENTS = [
    {"kind": "brand", "body": {"key": BRAND, "name": BRAND, "time_zone": "Europe/London"}},
    {"kind": "template", "body": {"key": "letter", "brand": BRAND, "subject": "hello", "text": "hello"}},
    {"kind": "journey", "body": VIEWS},
    {"kind": "rule", "body": RULE},
]


async def rehearse(people: int, facts: int, runs: int) -> None:
    """facts: of a year, of all of them."""
    async with installation(only=SERVICES, documents=DOCUMENTS) as found:
        history = History(people, facts, int(time.time() * 1000))
        await loaded(found, history, states=False)
        headers = {"Authorization": f"Bearer {found.api_key}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{found.settings.port}", headers=headers, timeout=60) as client:
            (await client.put("/api/journeys/basket", json=BASKET)).raise_for_status()
            took = [await _once(found, client, history) for _ in range(runs)]
    seconds, more = min(took, key=lambda one: one[0])
    record(
        f"journey.rehearse_{named(people)}_90d_s",
        seconds,
        "s",
        people,
        facts_of_a_year=facts,
        all_s=[one for one, _ in took],
        **more,
    )


async def _once(found: Installation, client: httpx.AsyncClient, history: History) -> tuple[float, dict[str, Any]]:
    calibration, before, start = score(), cpu_seconds(found.home), time.perf_counter()
    answer = await client.post("/api/journeys/basket/rehearse", json={"until": history.until, "most": history.people})
    answer.raise_for_status()
    job: dict[str, Any] = answer.json()
    while job["state"] in ("waiting", "running"):
        await asyncio.sleep(0.1)  # what is watched is another process: there is no event to wait for
        job = (await client.get(f"/api/rehearsals/{job['id']}")).json()
    took = round(time.perf_counter() - start, 2)
    if job["state"] != "done":
        raise RuntimeError(json.dumps({name: job[name] for name in ("state", "why")}))
    report = job["report"]
    used = spent(before, cpu_seconds(found.home))
    told = {"played": report["people"]["played"], "entered": report["entrants"]["runs"], "sent": report["messages"]["sent"],
            "documents": report["documents"], "displaced": report["displaced"]}  # fmt: skip
    return took, {
        "cpu_s": used,
        "cpu_of_both_s": round(used["orchestrator"] + used["segmenter"], 2),
        "calibration": calibration,
        **told,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.rehearse")
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--facts", type=int, help="of a year; as dense as the history of the segments' bench by default")
    parser.add_argument("--runs", type=int, default=3, help="of which the best counts")
    chosen = parser.parse_args()
    asyncio.run(rehearse(chosen.people, chosen.facts or chosen.people * A_YEAR_EACH, chosen.runs))


if __name__ == "__main__":
    main()
