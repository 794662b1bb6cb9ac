"""Journeys under a million waiting runs: what a fact costs beside them, how late timers are, and live facts while an outage's timers drain.

`python -m bench.journeys`. Those who wait stand in one journey, whose wait is followed by a branch and an end, so no timer needs a letter: it
is timers that are measured, not the sender. They are written past the log by the orchestrator's own code (bench/seeded/waiting.py), and
each run is checked to have ended once, at the instant for which it was due.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench import journey_cost
from bench.calibration import score
from bench.installation import Installation, Watch, installation, introduce, rest, watching
from bench.listening import told_since
from bench.live_segments import ORDER, VIEW
from bench.load import Load, orders
from bench.pipeline import latencies, percentile
from bench.processes import cpu_seconds, spent
from bench.results import named, record
from bench.seeded.waiting import JOURNEY, NAME, Writer, book_of, connected, run_of, waiting
from deploy.local import run
from deploy.local.supervision import Supervisor
from runtime import people
from runtime.kafka import Place
from schemas.facts import decode as decode_fact
from schemas.ids import derive
from schemas.messages import decode_decision, decode_intent
from schemas.topics import DECISIONS, FACTS, messages
from services.orchestrator.domain.book import Book

# By partition, as its index goes.
OLDEST = """
SELECT min((SELECT min(p.due_at) FROM person p WHERE p.partition = mine.partition)) FROM generate_series(0, $1::int - 1) AS mine (partition)
"""
PARTS = ("cost", "timers", "drain")
RUNS = 1_000_000
RATE, SECONDS = 2000, 60.0  # timers a second, and for so long
LIVE = 50.0  # orders a second meanwhile
CALM_S = 20.0  # of the same orders while nothing is due
OUTAGE_MS = 600_000  # they fell due over the last so many
LEAST_LEAD_S, WRITTEN_PER_S = 20.0, 4_000  # to make and to write those who fall due
CUSTOMERS = 2_000  # people whose orders are live
DUE_FROM, OVERDUE_FROM = 10_000_000, 20_000_000  # numbers of people
ORCHESTRATOR = "orchestrator-1"
INTENTS = messages("email", "service").name
SOURCE = "default"  # whose the facts of the first write key are
MOST_S = 1800.0
SAY_S = 5.0


def documents() -> list[dict[str, Any]]:
    fork = {"id": "kind", "if_data": [{"path": "event.category", "op": "eq", "value": "cat_1"}], "then": "end", "else": "end"}
    asked = {"brand": "shop", "reentry": {"mode": "always"}, "steps": [fork, {"id": "end", "end": True}]}
    receipt = {
        "key": "receipt", "brand": "shop", "reentry": {"mode": "always"}, "steps": [{"id": "send", "template": "receipt", "class": "service"}],
        "trigger": {"event": ORDER, "where": [{"path": "mail", "op": "eq", "value": True}]},
    }  # fmt: skip
    bodies: dict[str, list[dict[str, Any]]] = {
        "brand": [{"key": "shop", "name": "Shop"}],
        "template": [{"key": "receipt", "brand": "shop", "subject": "R {{ event.n }}", "text": "thanks"}],
        "journey": [JOURNEY, receipt, {"key": "ordered", "trigger": {"event": ORDER}, **asked},
                    {"key": "viewed", "trigger": {"event": VIEW}, **asked}],
    }  # fmt: skip
    return [{"kind": kind, "body": body} for kind, found in bodies.items() for body in found]


async def journeys(runs: int = RUNS, seconds: float = SECONDS, parts: Sequence[str] = PARTS) -> None:
    """runs: that wait, and that are due at once. seconds: of timers at 2,000 a second."""
    async with installation(documents=documents()) as found, AsyncExitStack() as stack:
        await introduce(found, Load(CUSTOMERS, "even"))
        await rest(found)
        watch = await stack.enter_async_context(watching(found))
        connection = await stack.enter_async_context(connected(found.database_url))
        bench = _Bench(found, watch, connection, await book_of(connection))
        if "cost" in parts:
            await journey_cost.cost(found, watch, connection, bench.book, runs)
        if "timers" in parts:
            await bench.timers(RATE, seconds)
        if "drain" in parts:
            await bench.drain(runs)


@dataclass
class _Bench:
    found: Installation
    watch: Watch
    connection: Any
    book: Book
    ordered: int = 0  # so far

    @property
    def writer(self) -> Writer:
        return Writer(self.connection, self.watch.partitions)

    async def timers(self, rate: int, seconds: float) -> None:
        """So many fall due each second, with all services up: from the due instant until the orchestrator told the end of the run."""
        count = round(rate * seconds)
        await self.watch.caught_up(MOST_S)
        await rest(self.found)
        start = round((time.time() + LEAST_LEAD_S + count / WRITTEN_PER_S) * 1000)
        due = {DUE_FROM + n: start + n * 1000 // rate for n in range(count)}
        since, calibration = await self._ends(DECISIONS.name), score()
        await self.writer.write(list(due), lambda number: waiting(self.book, number, due[number]), "to fall due")
        if time.time() * 1000 > start:
            raise RuntimeError("it took too long to make and to write those who are to fall due")
        await asyncio.sleep(start / 1000 - time.time())
        before = cpu_seconds(self.found.home)
        print(f"timers: {count:,} fall due within {seconds:.0f} s", flush=True)
        await asyncio.sleep(seconds)
        await self._fired(start + round(seconds * 1000))
        used = spent(before, cpu_seconds(self.found.home))
        left = await self._left(since, due)
        late = [one.told_at - due[number] for number, one in left.items()]
        more = {
            "p50_ms": round(percentile(late, 0.5)), "most_ms": round(max(late)), "rate": rate, "cpu_us": _per(used, count),
            "waiting_beside": await self._waiting(), "calibration": calibration,
        }  # fmt: skip
        record("journey.timer_late_p99_ms", round(percentile(late, 0.99)), f"ms at {rate:,} timers/s", count, **more)

    async def drain(self, runs: int) -> None:
        """All are due as the orchestrator comes back from an outage; orders of others come in meanwhile."""
        await self.watch.caught_up(MOST_S)
        await rest(self.found)
        calm = await self._calm()
        supervisor = Supervisor(self.found.home)
        supervisor.stop_program(ORCHESTRATOR)
        while supervisor.states()[ORCHESTRATOR]["statename"] != "STOPPED":  # noqa: ASYNC110  (it tells nobody)
            await asyncio.sleep(0.1)
        base = round(time.time() * 1000) - OUTAGE_MS
        due = {OVERDUE_FROM + n: base + n * OUTAGE_MS // runs for n in range(runs)}
        await self.writer.write(list(due), lambda number: waiting(self.book, number, due[number]), "overdue")
        await self.connection.execute("VACUUM ANALYZE person")
        await self.connection.execute("CHECKPOINT")
        since, calibration, load = await self._before(), score(), Load(CUSTOMERS)
        await asyncio.to_thread(run.up, self.found.settings, lambda _: None, [ORCHESTRATOR])
        await self._begun(since[DECISIONS.name])
        before, begun = cpu_seconds(self.found.home), time.perf_counter()
        async with orders(self.found.poster(), CUSTOMERS, LIVE, self.ordered) as load.mails:
            await self._fired(base + OUTAGE_MS, "drain", OUTAGE_MS)
        took = time.perf_counter() - begun
        used = spent(before, cpu_seconds(self.found.home))
        times, left = await self._times(load, since), await self._left(since[DECISIONS.name], due)
        more = {
            **times.said(), "orders_per_s": LIVE, "calm": calm, "runs": runs, "drain_s": round(took, 1), "timers_per_s": round(_rate(left)),
            "out_of_order": out_of_order({n: left[n].round for n in left}, due), "cpu_us_a_timer": _per(used, runs), "calibration": calibration,
        }  # fmt: skip
        record("journey.live_p99_ms_during_drain", more["p99_ms"], "ms, 2xx to intent", len(times.intents), **more)
        record(f"journey.drain_{named(runs)}_s", more["drain_s"], "s", runs, **more)

    async def _calm(self) -> dict[str, int]:
        """The same orders while nothing is due."""
        since, load = await self._before(), Load(CUSTOMERS)
        async with orders(self.found.poster(), CUSTOMERS, LIVE, self.ordered) as load.mails:
            await asyncio.sleep(CALM_S)
        times = await self._times(load, since)
        calm = {"orders": len(times.intents), **times.said()}
        print(json.dumps({"calm": calm}), flush=True)
        return calm

    async def _before(self) -> dict[str, dict[Place, int]]:
        return {topic: await self._ends(topic) for topic in (FACTS.name, INTENTS, DECISIONS.name)}

    async def _times(self, load: Load, since: Mapping[str, Mapping[Place, int]]) -> "_Times":
        """Of each order. Raises RuntimeError where one has no intent."""
        self.ordered = max(load.mails) + 1
        await self.watch.caught_up(MOST_S)
        posted = {derive(SOURCE, f"o-{number}"): at * 1000 for number, at in load.mails.items()}
        facts: dict[str, float] = {}
        async for one in told_since(self.found, FACTS.name, since[FACTS.name]):
            if (fact := decode_fact(one.value or b"").id) in posted:
                facts.setdefault(fact, one.timestamp - posted[fact])
        intents: dict[str, float] = {}
        async for one in told_since(self.found, INTENTS, since[INTENTS]):
            if (fact := decode_intent(one.value or b"").occurrence) in posted:
                intents.setdefault(fact, one.timestamp - posted[fact])
        if missing := len(posted) - len(intents):
            raise RuntimeError(f"{missing} of {len(posted)} orders have no intent")
        return _Times(list(facts.values()), list(intents.values()), latencies(self.found, load))

    # ---- those who wait

    async def _ends(self, topic: str) -> dict[Place, int]:
        return await self.watch.reader.ends([(topic, partition) for partition in range(self.watch.partitions)])

    async def _waiting(self) -> int:
        return int(await self.connection.fetchval("SELECT count(*) FROM person WHERE due_at IS NOT NULL"))

    async def _begun(self, since: Mapping[Place, int]) -> None:
        """The first of those who are due have been told of."""
        while await self._ends(DECISIONS.name) == since:  # noqa: ASYNC110  (another process's topic)
            await asyncio.sleep(0.05)

    async def _fired(self, upto: int, told: str = "", span: int = 1) -> None:
        """Nobody is due any more who was by an instant (ms). With a name it tells how far it has come in the last `span` ms before."""
        begun = said = time.perf_counter()
        while await people.is_due(self.connection, range(self.watch.partitions), upto):
            await asyncio.sleep(0.2)
            if (now := time.perf_counter()) - begun > MOST_S:
                raise RuntimeError(f"timers are still due after {MOST_S:.0f} s")
            if told and now - said >= SAY_S:
                said = now
                oldest = await self.connection.fetchval(OLDEST, self.watch.partitions)
                share = min(1.0, 1 - (upto - (oldest or upto)) / span)
                print(f"{told}: about {share:.0%} after {now - begun:.0f} s", flush=True)

    async def _left(self, since: Mapping[Place, int], due: Mapping[int, int]) -> "dict[int, _Left]":
        """How each of these ended. Raises RuntimeError unless each did, once, at its instant."""
        await self.watch.caught_up(MOST_S)
        of, found = {run_of(number, at): number for number, at in due.items()}, dict[int, _Left]()
        async for one in told_since(self.found, DECISIONS.name, since):
            told = decode_decision(one.value or b"")
            number = of.get(told.occurrence) if told.document == NAME and told.verdict == "left" else None
            if number is None:
                continue
            if number in found or told.received_at != due[number] or told.seq is None:
                raise RuntimeError(f"a run that was due at {due[number]} ended at {told.received_at}, or twice")
            found[number] = _Left(one.timestamp, told.seq.offset)
        if len(found) != len(due):
            raise RuntimeError(f"{len(found)} of {len(due)} runs ended")
        return found


class _Times(NamedTuple):
    """ms from the 2xx of orders: until profile gave the fact to Kafka, the orchestrator its intent, and until the letter was there."""

    facts: list[float]
    intents: list[float]
    letters: list[float]

    def said(self) -> dict[str, int]:
        return {
            "p50_ms": round(percentile(self.intents, 0.5)), "p99_ms": round(percentile(self.intents, 0.99)), "most_ms": round(max(self.intents)),
            "fact_p50_ms": round(percentile(self.facts, 0.5)), "fact_p99_ms": round(percentile(self.facts, 0.99)),
            "letter_p99_ms": round(percentile(self.letters, 0.99)),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Left:
    """When (ms) Kafka was given the word that a run is over, and in which of the rounds of timers it was decided."""

    told_at: int
    round: int


def out_of_order(rounds: Mapping[int, int], due: Mapping[int, int]) -> int:
    """How many were decided in a later round than somebody who was due after them."""
    latest: dict[int, int] = {}
    for number, turn in rounds.items():
        latest[turn] = max(latest.get(turn, 0), due[number])
    before, bound = dict[int, int](), 0
    for turn in sorted(latest):
        before[turn], bound = bound, max(bound, latest[turn])
    return sum(due[number] < before[turn] for number, turn in rounds.items())


def _rate(left: Mapping[int, _Left]) -> float:
    told = [one.told_at for one in left.values()]
    return len(told) * 1000 / max(1, max(told) - min(told))


def _per(used: Mapping[str, float], count: int) -> dict[str, float]:
    """us a piece, by program."""
    return {program: round(seconds * 1e6 / count, 1) for program, seconds in used.items() if program != "other"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.journeys")
    parser.add_argument("--runs", type=int, default=RUNS, help="that wait, and that are due at once after the outage")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of timers at 2,000 a second")
    parser.add_argument("--only", choices=PARTS, help="one of them")
    chosen = parser.parse_args()
    asyncio.run(journeys(chosen.runs, chosen.seconds, (chosen.only,) if chosen.only else PARTS))


if __name__ == "__main__":
    main()
