"""Preview of conditions while people type: six shapes of questions and a tree of ten conditions, parameters drawn anew each time, asked
over HTTP of a whole installation that holds a seeded history, while facts flow in.

`python -m bench --only segments`: 20 million facts of 389,000 people; with `--large` 100 million of a million as well.
"""

import asyncio
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from bench.calibration import score
from bench.installation import Installation, installation, rest, still, watching
from bench.load import Load, at_rate
from bench.processes import cpu_seconds, spent
from bench.results import record
from bench.seeded.history import CATEGORIES, DAY, EVENTS, PLANS, Drawn, History, call
from bench.seeded.loading import Installed, load
from bench.seeded.log import begin_at
from runtime.settings import Settings
from schemas import audience as a
from schemas.topics import FACTS, MEMBERSHIPS, PARTITIONS

EVERYBODY: dict[str, Any] = {"kind": "all", "of": []}
AT_REST = """
SELECT (SELECT filling = 0 AND revision = (SELECT revision FROM segmenter.definition_revision) FROM segmenter.plan)
    AND (SELECT count(*) FROM segmenter.sweep WHERE done) = %d AS yes
"""
PLACES = "SELECT topic, partition, next_offset FROM warehouse.watermark WHERE topic IN ('%s', '%s')"
FIGURES = {20_000_000: "segment.preview_p95_ms_20m", 100_000_000: "segment.preview_p95_ms_100m"}


@dataclass(frozen=True)
class Typing:
    """people: side by side; pause_s: from an answer to a person's next question, on average; questions: of each shape, of all of them;
    rate: facts a second that flow in meanwhile.
    """

    people: int = 5
    pause_s: float = 0.3
    questions: int = 100
    rate: float = 1000


class Answered(NamedTuple):
    """Milliseconds: until the answer was here, and what the service says that it took of them, without waiting for its turn."""

    whole: float
    own: float


class Flow(Load):
    """What people of the history do now. Nobody is mailed."""

    def __init__(self, history: History) -> None:
        super().__init__(history.people, spread="even")

    def _event(self, _now: str, _mailed: dict[int, float]) -> str:
        number, dice = next(self._number), self._random
        at = int(time.time() * 1000)
        drawn = Drawn(number, next(self._drawn), EVENTS[dice.randrange(100)], at, dice.randrange(1, 500_000), dice.randrange(CATEGORIES),
                      dice.randrange(500), dice.randrange(1, 6))  # fmt: skip
        return json.dumps(call(drawn, message=f"now{number}"))


async def segments(people: int, facts: int, typing: Typing, *, states: bool = True) -> None:
    """states: with the rows of the segmenter for all that was done; without them a base is loaded in half the time."""
    async with installation() as found:
        history = History(people, facts, int(time.time() * 1000))
        seconds = await loaded(found, history, states=states)
        headers = {"Authorization": f"Bearer {found.api_key}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{found.settings.port}", headers=headers, timeout=600) as client:
            before, start = cpu_seconds(found.home), time.perf_counter()
            await _built(client, people)
            built = {
                "index_s": round(time.perf_counter() - start, 1),
                "index_cpu_s": spent(before, cpu_seconds(found.home)).get("audience"),
            }
            await rest(found, 3600)
            await _ask(
                client, Typing(typing.people, 0, typing.people), {}
            )  # the first question of a process finds nothing in memory
            measured = await _measure(found, client, history, typing)
    times = measured.pop("times")
    every = [one.whole for of in times.values() for one in of]
    shaped = {name: _shaped(of) for name, of in sorted(times.items())}
    size = {"people": people, "facts": facts, "typing": typing.people, "pause_s": typing.pause_s}
    record(FIGURES.get(facts, f"segment.preview_p95_ms_{facts}"), percentile(every, 0.95), "ms", len(every), p50=round(statistics.median(every), 1),
           shapes=shaped, load=seconds, **size, **built, **measured)  # fmt: skip


def _shaped(times: Sequence[Answered]) -> dict[str, float]:
    whole, own = [one.whole for one in times], [one.own for one in times]
    return {"p50": round(statistics.median(whole), 1), "p95": percentile(whole, 0.95), "own_p50": round(statistics.median(own), 1),
            "own_p95": percentile(own, 0.95)}  # fmt: skip


async def loaded(found: Installation, history: History, *, states: bool) -> dict[str, float]:
    """The history is where the services keep it, and the log goes on behind it."""
    while not (await found.query(AT_REST % PARTITIONS))[0]["yes"]:  # noqa: ASYNC110  (what is published is taken in by the segmenter)
        await asyncio.sleep(0.2)
    async with watching(found) as watch:
        await watch.caught_up(60)
    async with still(found):
        seconds = await load(history, Installed(found.database_url, found.home / "lake", PARTITIONS, states))
        start = time.perf_counter()
        rows = await found.query(PLACES % (FACTS.name, MEMBERSHIPS.name))
        await begin_at(Settings(kafka=found.settings.kafka), {(row["topic"], row["partition"]): row["next_offset"] for row in rows})
        return {**seconds, "log_s": round(time.perf_counter() - start, 1)}


async def _built(client: httpx.AsyncClient, people: int) -> None:
    """Until the index has the whole lake."""
    while True:
        answer = await client.post("/api/segments/preview", json={"condition": EVERYBODY})
        if answer.status_code == 200 and answer.json()["count"] >= people:
            return
        await asyncio.sleep(0.2)


async def _measure(found: Installation, client: httpx.AsyncClient, history: History, typing: Typing) -> dict[str, Any]:
    """While facts flow in: times by shape, and what that took."""
    calibration, before, start = score(), cpu_seconds(found.home), time.perf_counter()
    flow, times = Flow(history), dict[str, list[Answered]]()
    flowing = asyncio.create_task(at_rate(flow, found.poster(), typing.rate, 36_000, 50)) if typing.rate else None
    try:
        await _ask(client, typing, times)
    finally:
        took = time.perf_counter() - start
        used = spent(before, cpu_seconds(found.home))
        if flowing is not None:
            flowing.cancel()
            await asyncio.wait({flowing})
    return {
        "times": times,
        "seconds": round(took, 1),
        "facts_per_s": round(flow.sent / took),
        "cpu_s": used,
        "calibration": calibration,
    }


async def _ask(client: httpx.AsyncClient, typing: Typing, times: dict[str, list[Answered]]) -> None:
    """Each person asks about each shape equally often, in an order of his own. times: by shape, brought up."""

    async def types(number: int) -> None:
        dice = random.Random(number)
        draw = shapes(dice)
        asked = [name for name in draw for _ in range(typing.questions // typing.people)]
        dice.shuffle(asked)
        for name in asked:
            await asyncio.sleep(dice.uniform(0.5, 1.5) * typing.pause_s)
            times.setdefault(name, []).append(await _timed(client, a.dump(draw[name]())))

    await asyncio.gather(*(types(number) for number in range(typing.people)))


async def _timed(client: httpx.AsyncClient, condition: Mapping[str, Any]) -> Answered:
    start = time.perf_counter()
    answer = await client.post("/api/segments/preview", json={"condition": condition})
    took = (time.perf_counter() - start) * 1000
    answer.raise_for_status()
    return Answered(took, answer.json()["took_ms"])


def shapes(dice: random.Random) -> dict[str, Callable[[], a.Condition]]:
    """By the letters of the reference: what is asked, drawn anew at each call."""

    def did(event: str, days: int, **more: Any) -> a.Did:
        return a.Did(event=event, within=days * DAY + dice.randrange(DAY), **more)

    def plan() -> a.Attribute:
        return a.Attribute(name="plan", op="eq", value=dice.choice(PLANS))

    def average() -> a.Average:
        return a.Average(event="Order Completed", of="total.minor", op="ge", value=dice.randrange(300_000, 450_000))

    def six() -> a.Condition:
        viewed = a.Filter(path="category", op="eq", value=f"cat_{dice.randrange(CATEGORIES)}")
        score_ = a.Attribute(name="score", op="ge", value=dice.randrange(1000))
        parts = (plan(), score_, did("Product Viewed", 30, where=(viewed,)), a.Not(of=did("Order Completed", dice.randrange(30, 60))),
                 did("Email Opened", 90, value=dice.randrange(2, 5)), a.Reachable(channel="email"))  # fmt: skip
        return a.All(of=parts)

    def ten() -> a.Condition:
        return a.All(of=(six(), a.AnyOf(of=(did("Signed In", dice.randrange(5, 90)), average(), did("Checkout Started", 60))), a.Not(
            of=did("Email Link Clicked", dice.randrange(3, 30)))))  # fmt: skip

    return {
        "a": lambda: a.All(of=(plan(), a.Attribute(name="score", op="lt", value=dice.randrange(1000)))),
        "b": lambda: did("Order Completed", dice.randrange(60, 120), value=2),
        "c": lambda: a.Since(
            event="Product Added", without=a.Happening(event="Order Completed"), within=dice.randrange(10, 20) * DAY
        ),
        "d": lambda: a.All(of=(a.Not(of=did("Signed In", dice.randrange(20, 60))), plan())),
        "e": average,
        "f": six,
        "ten": ten,
    }


def percentile(times: Sequence[float], share: float) -> float:
    return round(sorted(times)[min(len(times) - 1, int(len(times) * share))], 1)
