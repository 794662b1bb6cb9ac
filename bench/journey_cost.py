"""What a fact costs the orchestrator beside people who wait in a journey, and without them: the same facts, in turns.

The orchestrator has two tables of people that take turns: one of those of whom the facts are, who wait for nothing, and one of all who wait,
the same people among them. Facts lie in the topic as it starts, so it is busy until they are handled.
"""

import asyncio
import json
import random
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

from bench.backlog import Backlog, facts_into, stopped
from bench.histories import Person, fact
from bench.installation import Installation, Watch
from bench.live_segments import ORDER, VIEW
from bench.results import named, record
from bench.seeded.waiting import Writer, met, profile_of, waiting
from deploy.local import run
from deploy.local.supervision import Supervisor
from runtime.settings import Settings
from services.orchestrator.domain.book import Book

SHARES = {
    "page": 60,
    VIEW: 20,
    "identify": 10,
    ORDER: 10,
}  # those of bench/load.py; each view and each order begins a run and ends it
FACTS = 60_000  # of a turn; the other services read them too, when they are back
PEOPLE = 20_000  # of whom they are
TURNS = 3  # of each
DAY = 86_400_000
NAME = "orchestrator-1"
# The table as the service's migrations made it, for the other people; nobody else has one of this name.
MAKE = "CREATE TABLE person_aside (LIKE person INCLUDING ALL)"
SETTINGS = "SELECT unnest(reloptions) FROM pg_class WHERE oid = 'person'::regclass"
SWAP = """
ALTER TABLE person RENAME TO person_swapped;
ALTER TABLE person_aside RENAME TO person;
ALTER TABLE person_swapped RENAME TO person_aside
"""


async def cost(found: Installation, watch: Watch, connection: Any, book: Book, runs: int) -> None:
    """All other services stand still; afterwards they run again, and those who wait are there."""
    supervisor = Supervisor(found.home)
    names = [name for name in supervisor.states() if name not in ("kafka", "postgres")]
    await stopped(supervisor, names)
    bench = _Cost(found, watch, connection, book, supervisor)
    await bench.fill(runs)
    took: dict[str, list[dict[str, Any]]] = {"none": [], "waiting": []}
    for turn in range(TURNS + 1):
        for which, done in took.items():
            one = await bench.backlog(which, turn)
            if turn:  # the first finds caches empty, and people who have met none of the journeys
                done.append(one)
    await bench.to("waiting")
    await connection.execute("DROP TABLE person_aside")
    await asyncio.to_thread(run.up, found.settings, lambda _: None, names)
    _record(took, runs)


def _record(took: dict[str, list[dict[str, Any]]], runs: int) -> None:
    def ratio(what: str) -> float:
        none, beside = (statistics.median(float(one[what]) for one in took[which]) for which in ("none", "waiting"))
        return round(beside / none, 3)

    more = {
        "orchestrator_alone": ratio("orchestrator_us"), "facts_per_s_ratio": ratio("facts_per_s"),
        "cpu_us": {which: statistics.median(one["cpu_us"] for one in done) for which, done in took.items()},
        "facts_per_s": {which: statistics.median(one["facts_per_s"] for one in done) for which, done in took.items()},
        "runs": took,
    }  # fmt: skip
    unit = "ratio of CPU-us of orchestrator and PostgreSQL a fact, medians"
    size = "1m" if runs == 1_000_000 else named(runs)
    record(f"journey.cost_growth_{size}_runs", ratio("cpu_us"), unit, FACTS * TURNS, waiting=runs, **more)


@dataclass
class _Cost:
    found: Installation
    watch: Watch
    connection: Any
    book: Book
    supervisor: Supervisor
    known: list[int] = field(default_factory=list)  # of whom the facts are
    at: str = "none"

    async def fill(self, runs: int) -> None:
        """Everybody into his table. Those who wait do so for months, and those of whom the facts are stand evenly among them."""
        step = max(1, runs // PEOPLE)
        self.known = list(range(0, runs, step))[:PEOPLE]
        now, writer = round(time.time() * 1000), Writer(self.connection, self.watch.partitions)
        await self.connection.execute(MAKE)
        for one in await self.connection.fetch(SETTINGS):
            await self.connection.execute(f"ALTER TABLE person_aside SET ({one[0]})")
        await self.connection.execute("INSERT INTO person_aside SELECT * FROM person")
        await writer.write(self.known, lambda number: met(self.book, number, now), "of whom facts are")
        await self._vacuumed()
        await self.to("waiting")
        due = [now + 60 * DAY + number * DAY // 1000 % (90 * DAY) for number in range(runs)]
        await writer.write(range(runs), lambda number: waiting(self.book, number, due[number]), "waiting")
        await self._vacuumed()

    async def _vacuumed(self) -> None:
        await self.connection.execute("VACUUM ANALYZE person")
        await self.connection.execute("CHECKPOINT")

    async def to(self, which: str) -> None:
        """The orchestrator stands still."""
        if which != self.at:
            await stopped(self.supervisor, [NAME])
            await self.connection.execute(SWAP)
            self.at = which

    async def backlog(self, which: str, turn: int) -> dict[str, Any]:
        """The facts of a turn are written to the topic while the orchestrator is stopped; then it starts and handles them."""

        async def prepare() -> None:
            await self.to(which)
            await self._produce(turn)

        done = await Backlog(self.found.home, self.connection, "orchestrator").measured(FACTS, prepare)
        cpu = done["cpu_us_by_program"]
        done |= {"waiting": which, "turn": turn, "orchestrator_us": cpu["orchestrator"], "postgres_us": cpu["postgres"]}
        print(json.dumps({"run": done}), flush=True)
        return done

    async def _produce(self, turn: int) -> None:
        """The same facts of a turn each time."""
        dice, at = random.Random(turn), round(time.time() * 1000)
        drawn, kinds = dice.choices(self.known, k=FACTS), dice.choices(list(SHARES), list(SHARES.values()), k=FACTS)
        told = (
            (profile_of(who), fact(Person(who, 1), f"{turn}-{number}", at, kind, dice))
            for number, (who, kind) in enumerate(zip(drawn, kinds, strict=True))
        )
        config = Settings(kafka=self.found.settings.kafka, DATABASE_URL=self.found.database_url)
        await facts_into(config, self.watch.partitions, told)
