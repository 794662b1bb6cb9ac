"""Segments live: fact to membership, facts a second, flips by time alone, and live facts beside a million pending flips.

One process of the segmenter, on the two cores that Kafka, PostgreSQL and this bench have too; 200 segments of all kinds. Who is there
is written past the log, with states as the service writes them.
"""

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import listening, live_segments, states
from bench.backlog import Backlog, facts_into, stopped
from bench.calibration import score
from bench.histories import Person, crowd, fact, history
from bench.installation import Installation, Watch, installation, introduce, rest, watching
from bench.live_segments import ADD, ORDER, VIEW
from bench.load import Load, at_rate
from bench.pipeline import percentile
from bench.processes import cpu_seconds, spent
from bench.results import record
from deploy.local.supervision import Supervisor
from runtime.kafka import create_topics
from runtime.settings import Settings
from schemas.ids import derive
from schemas.topics import BY_NAME
from services.segmenter.domain import live as domain
from services.segmenter.domain.plan import Plan
from services.segmenter.domain.state import State, encode

SHARES = {"page": 60, VIEW: 20, "identify": 10, ORDER: 10}  # those of bench/load.py
MINUTE, HOUR = 60_000, 3_600_000
PENDING = 1_000_000
LEAD_MS = 90_000  # to make and to write those who are to fall due
SOURCE = "default"  # whose the facts of the first write key are
SERVICES = ("ingest", "profile", "segmenter", "warehouse", "gateway")


async def live(seconds: float = 60, people: int = 20_000) -> None:
    states.sizes(people)
    async with installation(SERVICES, live_segments.everything()) as found, _watching(found) as watch:
        await _settled(watch)
        await _latency(found, seconds)
        await _alone(found, ("ingest", "profile", "warehouse"))
        bench = await _Bench.of(found, watch)
        await bench.write_people(people)
        plain = [await bench.backlog() for _ in range(3)]
        flips = await bench.flips()
        await bench.write_pending(PENDING)
        laden = [await bench.backlog() for _ in range(3)]
        more = {"stored": await states.stored(watch.connection), "pending": PENDING}
        late = await bench.flips()
    _record(plain, laden, flips, late, more)


def _record(plain: list[dict[str, Any]], laden: list[dict[str, Any]], flips: Any, late: Any, more: dict[str, Any]) -> None:
    best, beside = (max(runs, key=lambda run: float(run["facts_per_s"])) for runs in (plain, laden))
    record("segment.facts_per_s", best["facts_per_s"], "facts/s, one process", best["facts"], runs=plain)
    record("segment.facts_per_s_1m_pending", beside["facts_per_s"], "facts/s, one process", beside["facts"], runs=laden, **more)
    cost = [min(run["cpu_us"] for run in runs) for runs in (plain, laden)]
    record(
        "segment.cost_1m_pending_over_none", round(cost[1] / cost[0], 3), "ratio of CPU-us per fact", beside["facts"], cpu_us=cost
    )
    more |= {"run": late, "without_pending": flips}
    record("segment.flips_per_s", late["flips_per_s"], "flips/s, one process", late["flips"], **more)
    record("segment.flip_late_p99_ms", late["late_p99_ms"], "ms at 1,000 flips/s", late["flips"], **more)


@asynccontextmanager
async def _watching(found: Installation) -> AsyncIterator[Watch]:
    """Of topics whose services do not run there are none yet."""
    await create_topics(Settings(kafka=found.settings.kafka, DATABASE_URL=found.database_url), list(BY_NAME.values()))
    async with watching(found) as watch:
        yield watch


async def _settled(watch: Watch) -> None:
    """Everybody stands under the plan, and what conditions ask of the time before has been read from the lake."""
    question = (
        "SELECT p.filling = 0 AND p.number > 0 AND p.revision = (SELECT revision FROM segmenter.definition_revision) "
        "AND (SELECT count(*) FROM segmenter.sweep s WHERE s.revision = p.number AND s.done) >= $1 FROM segmenter.plan p"
    )
    while not await watch.connection.fetchval(question, watch.partitions):  # noqa: ASYNC110  (another process's table)
        await asyncio.sleep(0.2)


# ---- fact to membership


class Followed(Load):
    """Every fact's 2xx is kept: `mails` has the instant by the number of the fact."""

    _made = 0

    def _event(self, now: str, mailed: dict[int, float]) -> str:
        self._made += 1  # as the number of the next one
        mailed[self._made - 1] = 0.0
        return super()._event(now, {})


async def _latency(found: Installation, seconds: float, rate: float = 1000) -> None:
    """At 1,000 facts/s by HTTP, from the 2xx of a fact's batch to its entries and exits in the topic."""
    load = Followed(5_000, seed=3)
    await introduce(found, load)
    await rest(found)
    load.mails = {}
    before, calibration = cpu_seconds(found.home), score()
    async with listening.to_memberships(found) as heard, watching(found) as watch:
        await at_rate(load, found.poster(), rate, seconds, 20)
        await watch.caught_up(60)
        used = spent(before, cpu_seconds(found.home))
        accepted = {derive(SOURCE, f"{load.seed}-{number}"): at for number, at in load.mails.items()}
        times = [
            (at - accepted[one.cause]) * 1000 for one, at in heard.so_far.values() if one.why == "fact" and one.cause in accepted
        ]
    more = {"calibration": calibration, "facts": load.sent, "cpu_us": {k: round(v * 1e6 / load.sent, 1) for k, v in used.items()}}
    record("segment.live_p50_ms", round(percentile(times, 0.5), 1), "ms, 2xx to membership", len(times), **more)
    record("segment.live_p99_ms", round(percentile(times, 0.99), 1), "ms, 2xx to membership", len(times), **more)


# ---- the segmenter alone


async def _alone(found: Installation, others: tuple[str, ...]) -> None:
    await stopped(Supervisor(found.home), [f"{name}-1" for name in others])


@dataclass
class _Bench:
    found: Installation
    watch: Watch
    plan: Plan
    config: Settings
    people: list[Person] = field(default_factory=list)
    rounds: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    async def of(cls, found: Installation, watch: Watch) -> "_Bench":
        number = await watch.connection.fetchval("SELECT number FROM segmenter.plan")
        config = Settings(kafka=found.settings.kafka, DATABASE_URL=found.database_url)
        return cls(found, watch, states.plan_of(live_segments.conditions(), number), config)

    async def write_people(self, count: int, different: int = 1000) -> None:
        """So many people with the histories of a thousand, each of which some share."""
        now = round(time.time() * 1000)
        whole = [states.lived(history(person, now), self.plan, now) for person in crowd(different)]
        rows = [(encode(state), state.due_at) for state in whole]
        self.people = list(crowd(count))
        await states.write(
            self.watch.connection,
            [(person.profile, *rows[person.number % different]) for person in self.people],
            self.watch.partitions,
        )
        await self.watch.connection.execute("ANALYZE segmenter.person")

    async def backlog(self, facts: int = 60_000) -> dict[str, Any]:
        """Facts are written to the topic while the segmenter is stopped; then it starts and handles them."""
        run = await Backlog(self.found.home, self.watch.connection, "segmenter").measured(facts, lambda: self._produce(facts))
        print(json.dumps({"run": run}), flush=True)
        return run

    async def _produce(self, count: int) -> None:
        dice, turn = random.Random(9), next(self.rounds)
        weights = [1 / (rank + 10) ** 0.9 for rank in range(len(self.people))]
        drawn = dice.choices(self.people, weights, k=count)
        kinds = dice.choices(list(SHARES), list(SHARES.values()), k=count)
        at = round(time.time() * 1000)
        told = (
            (person.profile, fact(person, f"{turn}-{number}", at, kind, dice))
            for number, (person, kind) in enumerate(zip(drawn, kinds, strict=True))
        )
        await facts_into(self.config, self.watch.partitions, told)

    # ---- flips

    def _left(self, due: int) -> State:
        """Of somebody who has put something into his basket, so that time alone moves him at `due` (ms), for the first time."""
        at = due - 30 * MINUTE
        return domain.decide(State(), fact(Person(0, 1), "basket", at, ADD, random.Random(1)), at, self.plan).state

    async def write_pending(self, count: int, different: int = 1000) -> None:
        """People whom time moves in an hour at the earliest, evenly over a day."""
        base = round(time.time() * 1000) + HOUR
        kept = [self._left(base + step * 24 * HOUR // different) for step in range(different)]
        rows = [(encode(state), state.due_at) for state in kept]
        for start in range(0, count, 50_000):
            portion = [(derive("bench-pending", n), *rows[n % different]) for n in range(start, min(count, start + 50_000))]
            await states.write(self.watch.connection, portion, self.watch.partitions)
        await self.watch.connection.execute("VACUUM ANALYZE segmenter.person")
        await self.watch.connection.execute("CHECKPOINT")

    async def flips(self, rate: int = 1000, seconds: int = 20) -> dict[str, Any]:
        """1,000 fall due each second: how late they are told; then as many at once: how many are told a second."""
        count, calibration = rate * seconds, score()
        start = round(time.time() * 1000) + LEAD_MS
        coming = self._who_fall_due([start + n * 1000 // rate for n in range(count)])
        overdue = self._who_fall_due([start - MINUTE] * count)
        async with listening.to_memberships(self.found) as heard:
            await states.write(self.watch.connection, coming, self.watch.partitions)
            if time.time() * 1000 > start:
                raise RuntimeError(f"it took more than {LEAD_MS} ms to make and write those who are to fall due")
            before = cpu_seconds(self.found.home)
            steady = [at * 1000 - one.at for one, at in await heard.of({profile for profile, _, _ in coming})]
            used = spent(before, cpu_seconds(self.found.home))
            await states.write(self.watch.connection, overdue, self.watch.partitions)
            arrived = [at for _, at in await heard.of({profile for profile, _, _ in overdue})]
        run = {
            "flips": count, "late_p50_ms": round(percentile(steady, 0.5)), "late_p99_ms": round(percentile(steady, 0.99)),
            "late_max_ms": round(max(steady)), "flips_per_s": round(count / (max(arrived) - min(arrived))),
            "cpu_us": {k: round(v * 1e6 / count, 1) for k, v in used.items()}, "calibration": calibration,
        }  # fmt: skip
        print(json.dumps({"run": run}), flush=True)
        return run

    def _who_fall_due(self, instants: list[int]) -> list[states.Row]:
        turn = next(self.rounds)
        of = {due: self._left(due) for due in set(instants)}
        rows = {due: (encode(state), state.due_at) for due, state in of.items()}
        return [(derive("bench-due", turn, number), *rows[due]) for number, due in enumerate(instants)]
