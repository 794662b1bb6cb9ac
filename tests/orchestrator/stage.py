"""The orchestrator's handlers on a real database, without a log: what stands in topics is given to them, what they emit is kept on commit.

Two instances share the base; any of them may take any batch, be killed before the commit, or run at the same time as the other.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from runtime import definitions
from runtime.batch import At, Emit, Item, Tx
from runtime.db import TRANSIENT, Again, Database
from runtime.migrate import migrate
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, PROFILE_MERGED, Fact, encode
from schemas.ids import derive, partition_of
from schemas.memberships import Membership
from schemas.messages import Decision, Intent, decode_decision, decode_intent
from services.orchestrator.handler import Handler
from services.orchestrator.handler.news import Glance
from services.orchestrator.settings import OrchestratorSettings
from tests.orchestrator.mailing import AUDIENCE
from tests.orchestrator.world import T0

PARTITIONS = 3
TABLES = "person, mark, recipient, launch_partition, pilot, launch_report, definition, definition_current"
_glance = msgspec.json.Decoder(Glance).decode


class Killed(Exception):  # noqa: N818
    """The process ended before its commit."""


class Stage:
    """intents, decisions: what was committed, in order."""

    def __init__(self, database: str, ahead: int = 1000) -> None:
        self.config = Settings(kafka="", DATABASE_URL=database, partitions=PARTITIONS)
        self.db = Database(self.config, "orchestrator", size=6)
        self.ahead = ahead

    async def open(self) -> "Stage":
        await migrate(self.config, "runtime", "runtime.clocksql")
        await migrate(self.config, "orchestrator", "runtime.sql", "services.orchestrator.migrations")
        await self.db.open()
        return self

    async def begin(self, *documents: Published) -> None:
        """Everything anew, with these documents in force."""
        self.handlers = [Handler(PARTITIONS, OrchestratorSettings(campaign_ahead=self.ahead)) for _ in range(2)]
        self.intents: list[Intent] = []
        self.decisions: list[Decision] = []
        self.now, self._numbers, self._rounds = T0, 0, 0
        async with self.db.transaction() as connection:
            await connection.execute(f"TRUNCATE {TABLES}")
        await self.publish(*documents)

    async def publish(self, *documents: Published) -> None:
        items = [Item(("definitions", 0), n, document, b"", None, None, self.now) for n, document in enumerate(documents)]
        async with self.db.transaction() as connection:
            await definitions.store(connection, items)

    async def audience(self, *names: str, apart: int = 0, answered: bool = True) -> list[str]:
        """People of these names; all but the last `apart` of them belong to the audience."""
        profiles = [derive("person", name) for name in names]
        items = [
            self._told(who, PROFILE_CHANGED, identifiers=(f"email:{name}@shop.example",), bucketing_id=who, bucketed_at=1)
            for who, name in zip(profiles, names, strict=True)
        ]
        items += [self._stands(who) for who in profiles[: len(profiles) - apart]]
        await self.batch(*items, *(self._marks(AUDIENCE, 1) if answered else ()))
        return profiles

    async def fact(self, profile: str, kind: str, **more: Any) -> None:
        await self.batch(self._told(profile, kind, **more))

    async def stands(self, profile: str, change: Any = "entered") -> None:
        await self.batch(self._stands(profile, change))

    async def answered(self, *partitions: int) -> None:
        """The segmenter has asked everybody of these partitions."""
        await self.batch(*self._marks(AUDIENCE, 1, partitions))

    async def passed(self) -> None:
        """The segmenter has handled all facts so far."""
        await self.batch(*self._marks("facts", self._number()))

    def _told(self, profile: str, kind: str, **more: Any) -> Item:
        given = {"brand": "shop", "source": "site", "occurred_at": self.now, "received_at": self.now}
        raw = encode(Fact(id=self._id(), type=kind, profile=profile, **given, **more))
        return self._item("facts", profile, _glance(raw), raw)

    def _stands(self, profile: str, change: Any = "entered") -> Item:
        news = Membership(
            type=change, received_at=self.now, id=self._id(), profile=profile, segment=AUDIENCE, at=self.now, why="backfill"
        )
        return self._item("memberships", profile, news)

    def _marks(self, topic: str, offset: int, partitions: Sequence[int] = range(PARTITIONS)) -> list[Item]:
        marks = [Membership(type="mark", received_at=self.now, topic=topic, partition=p, offset=offset) for p in partitions]
        return [Item(("memberships", mark.partition), self._number(), mark, b"", None, None, self.now) for mark in marks]

    async def merge(self, winner: str, loser: str) -> None:
        properties = {"winner": winner, "loser": loser}
        await self.fact(winner, PROFILE_MERGED, properties=properties)

    async def erase(self, profile: str) -> None:
        await self.fact(profile, PROFILE_ERASED, properties={"act": "act", "others": []})

    async def verdict(self, intent: Intent, verdict: Any, rule: str = "") -> None:
        await self.batch(self.told(intent, verdict, rule, intent.attempt))

    def told(self, intent: Intent, verdict: Any, rule: str, attempt: int) -> Item:
        """What the sender says of it."""
        told = Decision(
            id=self._id(), brand="shop", profile=intent.profile, verdict=verdict, by="sender", received_at=self.now, rule=rule,
            document=intent.document, version=intent.version, step=intent.step, occurrence=intent.occurrence, intent=intent.id,
            attempt=attempt, message_class=intent.message_class,
        )  # fmt: skip
        return self._item("decisions", intent.profile, told)

    # ---- transactions

    async def batch(self, *items: Item) -> None:
        async def work(handler: Handler, tx: Tx) -> Sequence[Emit]:
            return await handler(tx, items)

        await self._transact(0, work)

    async def fire(
        self, which: int = 0, partitions: Sequence[int] = range(PARTITIONS), *, limit: int = 2, killed: bool = False
    ) -> int:
        """A round of timers of these partitions; 0: nothing is due."""
        handler = self.handlers[which]
        async with self.db.connection() as connection:
            if not await handler.due(connection, partitions, self.now):
                return 0
        count = 0

        async def work(handler: Handler, tx: Tx) -> Sequence[Emit]:
            nonlocal count
            self._rounds += 1
            fired = await handler.fire(tx, {p: At(f"timers-{p}", 0, self._rounds) for p in partitions}, limit)
            count = fired.count
            return fired.emits

        await self._transact(which, work, killed=killed)
        return count

    async def both(self, limit: int = 2) -> None:
        """Both instances at once, each of the mind that all partitions are its own."""
        await asyncio.gather(self.fire(0, limit=limit), self.fire(1, limit=limit))

    async def rest(self) -> None:
        """Until nothing is due."""
        for _ in range(500):
            if not await self.fire(0) and not await self.fire(1):
                return
        raise AssertionError("the walk does not end")

    async def _transact(self, which: int, work: Callable[[Handler, Tx], Any], *, killed: bool = False) -> None:
        handler = self.handlers[which]
        while True:
            try:
                async with self.db.transaction() as connection:
                    revision = await connection.fetchval("SELECT revision FROM definition_revision")
                    emits = await work(handler, Tx(connection, self.now, revision, "orchestrator", {}))
                    if killed:
                        raise Killed
                break
            except Killed:
                self.handlers[which] = Handler(PARTITIONS, OrchestratorSettings(campaign_ahead=self.ahead))
                return
            except (Again, *TRANSIENT):
                continue
        await handler.committed()
        for emit in emits:
            if emit.topic == "decisions":
                self.decisions.append(decode_decision(emit.value))
            elif emit.topic.startswith("messages."):
                self.intents.append(decode_intent(emit.value))

    async def rows(self) -> list[dict[str, Any]]:
        async with self.db.connection() as connection:
            found = await connection.fetch("SELECT id::text AS id, verdict, rule, due, partition FROM recipient ORDER BY id")
        return [dict(row) for row in found]

    def _item(self, topic: str, profile: str, value: Any, raw: bytes = b"") -> Item:
        return Item((topic, partition_of(profile, PARTITIONS)), self._number(), value, raw, None, None, self.now)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _id(self) -> str:
        return derive("stage", self._number())
