"""One rehearsal: what people did, from the lake, and where they would have stood, from the segmenter, decided about by the domain.

It writes nothing and emits nothing. Deciding goes on a thread: the loop takes its turn at the interpreter every few milliseconds.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import msgspec

from runtime.batches import unpacked
from runtime.definitions import Definitions
from runtime.histories import Histories, History, Wanted
from runtime.lake import Lake, Snapshot
from runtime.neighbours import Neighbour
from runtime.process import Context
from schemas.definitions import Published
from schemas.facts import PROFILE_CHANGED
from schemas.ids import derive
from schemas.memberships import Membership
from services.orchestrator.domain.decide import LANGUAGE, PREFERRED, ZONE
from services.orchestrator.domain.rehearsing import Assumed, Days, Place, Played, Stage, ordered, play, ties
from services.orchestrator.domain.report import Counts, compared
from services.orchestrator.domain.report_launch import Audience, Displaces
from services.orchestrator.domain.trials import AROUND, Draft, World, in_force, says_attributes, tried
from services.orchestrator.domain.zones import zone

DAY = 86_400_000
AT_ONCE = 500  # people of a portion, where nobody is asked about
PATIENCE_S = 600.0  # for the segmenter's first word: it counts what was done before
MOST_PEOPLE = 20_000
ENTERED = """
SELECT person::VARCHAR, document, epoch_ms(max(received_at)) FROM (
    SELECT coalesce(a.person, d.profile) AS person, document, received_at FROM {decisions} AS d LEFT JOIN alias AS a ON a.told = d.profile
    WHERE verdict = 'entered' AND received_at < make_timestamp_ms(?) AND list_contains(?::VARCHAR[], document)
) SEMI JOIN crowd USING (person) GROUP BY ALL
"""
REVISION = "SELECT revision FROM definition_revision"

Memberships = dict[str, list[tuple[Place, Membership]]]
Standing = dict[str, dict[str, int]]
Said = Callable[[int, int], Awaitable[bool]]


class Asked(msgspec.Struct, frozen=True):
    """body: of the draft. days: how many before now; until: ms, in the place of now. most: people, a sample where there are more. alone:
    without the other journeys; compare: with what is in force. delivered, opened, clicked: shares of 100 of the letters. at: of a campaign,
    when it is launched (ms), None: on the first day.
    """

    kind: str
    key: str
    body: dict[str, Any]
    days: int = 90
    until: int | None = None
    most: int = MOST_PEOPLE
    alone: bool = False
    compare: bool = False
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    at: int | None = None

    @property
    def document(self) -> str:
        return f"{self.kind}:{self.key}"

    def draft(self, since: int, until: int) -> Draft:
        """As it is played in these days (ms)."""
        return Draft(self.kind, self.key, self.body, since if self.at is None else self.at, until)


def published(documents: Sequence[Published], _revision: int) -> tuple[Published, ...]:
    return tuple(documents)


class Counted(NamedTuple):
    """stages: that of the draft first."""

    stages: Sequence[Counts]
    audience: Audience
    displaces: Displaces

    def add(self, person: str, played: Sequence[Played]) -> None:
        """One person's days in each stage. Whom the draft's launch is for belongs to it in all of them, so that they can be compared."""
        self.audience.add(played[0])
        self.displaces.add(played[-1], played[0])
        for came, count in zip(played, self.stages, strict=True):
            count.add(person, came, chosen=played[0].chosen)


class NoLake(RuntimeError):  # noqa: N818
    """The lake's files are not where this process looks for them."""


class Rehearsal:
    """said: hears how many people are done, of how many, and answers whether to go on."""

    def __init__(self, context: Context, segmenter: Neighbour, asked: Asked, said: Said) -> None:
        self._context, self._segmenter, self._asked, self._said = context, segmenter, asked, said
        self._assumed = Assumed(asked.delivered, asked.opened, asked.clicked)
        self._since = self._until = 0
        self._without: Mapping[str, Sequence[str]] = {}
        self._entered: dict[str, dict[str, int]] = {}

    async def run(self) -> dict[str, Any]:
        """The report. Raises Unreachable where the segmenter went away, StaleSnapshot where the lake did, NoLake where there is none."""
        if not (self._context.settings.home / "lake").is_dir():
            raise NoLake(
                "there is no lake under OTKLIK_HOME: a rehearsal reads what the warehouse writes there, here and in segmenter"
            )
        now, _ = await self._context.clock.now()
        self._until = self._asked.until or now + 1
        self._since = self._until - self._asked.days * DAY
        documents = await self._documents()
        world, stages = await asyncio.to_thread(self._stages, documents)
        lake = Lake(self._context.settings.home, self._context.db, threads=1)
        try:
            snapshot = await lake.snapshot(merges=True)
            try:
                histories = Histories(snapshot, self._until, (*ZONE, *LANGUAGE, *PREFERRED))
                await histories.choose(self._asked.most)
                await histories.want(self._wanted(stages))
                self._entered = await self._known_entries(snapshot, stages)
                stages[0].audience = await self._audience(histories, world)
                return await self._played(histories, world, stages)
            finally:
                snapshot.close()
        finally:
            lake.close()

    async def _documents(self) -> tuple[Published, ...]:
        async with self._context.db.connection() as connection:
            revision = await connection.fetchval(REVISION)
            return await Definitions(AROUND, published).at(connection, revision)

    def _stages(self, documents: Sequence[Published]) -> tuple[World, list[Stage]]:
        """The draft among the others, and that with what is in force in its place where they are compared."""
        asked = self._asked
        world = tried(documents, asked.draft(self._since, self._until), alone=asked.alone)
        alone = (asked.key if asked.kind == "journey" else "") if asked.alone else None
        return world, [Stage(world.book), *([Stage(in_force(documents, alone))] if asked.compare else [])]

    def _wanted(self, stages: Sequence[Stage]) -> list[Wanted]:
        names = sorted(frozenset().union(*(stage.heard for stage in stages)))
        early = frozenset().union(*(ties(stage.book) for stage in stages))
        return [*(Wanted(event, 0 if event in early else self._since) for event in names), Wanted(PROFILE_CHANGED, 0, ())]

    async def _known_entries(self, snapshot: Snapshot, stages: Sequence[Stage]) -> dict[str, dict[str, int]]:
        """Of those who are played: person -> journey -> when he last entered it before the first day, where it asks for that."""
        documents = sorted({f"journey:{key}" for stage in stages for key in stage.once})
        found: dict[str, dict[str, int]] = {}
        query = ENTERED.format(decisions=snapshot.table("decisions", until=self._since))
        for person, document, at in await snapshot.query(query, [self._since, documents]):
            found.setdefault(person, {})[document.partition(":")[2]] = at
        return found

    async def _audience(self, histories: Histories, world: World) -> int:
        """How many people a throttled launch is for, those who are not played among them; 0: it is not throttled, so nobody asks."""
        launched = world.launched
        if launched is None or not launched.mailing.every_ms:
            return 0
        start = launched.launch.start_at
        body = {
            "conditions": world.conditions, "keys": launched.conditions[:1], "since": start, "until": start + 1, "upto": histories.upto,
        }  # fmt: skip
        found = 0
        async with aclosing(self._segmenter.frames("/flips", msgspec.json.encode(body), PATIENCE_S)) as frames:
            await anext(frames)
            async for _ in frames:
                standing, _ = await asyncio.to_thread(_read, await anext(frames))
                found += sum(launched.conditions[0] in his for his in standing.values())
        return found * histories.everybody // max(histories.people, 1)

    async def _played(self, histories: Histories, world: World, stages: Sequence[Stage]) -> dict[str, Any]:
        focus = "" if self._asked.kind == "rule" else self._asked.document
        days = zone(world.book.zones.get(self._asked.body.get("brand", "")))
        counts = [Counts(focus, days) for _ in stages]
        audience, displaces = Audience(focus), Displaces(focus)
        done, complete = 0, await self._said(0, histories.people)
        if complete:
            async with aclosing(self._portions(histories, world, stages)) as portions:
                async for people, standing, moved in portions:
                    await asyncio.to_thread(self._play, people, (standing, moved), stages, Counted(counts, audience, displaces))
                    done += len(people)
                    if not await self._said(done, histories.people):
                        complete = False
                        break
        return {
            "kind": self._asked.kind,
            "key": self._asked.key,
            "version": world.version,
            "since": self._since,
            "until": self._until,
            "days": self._asked.days,
            "zone": days.name,
            "complete": complete,
            "people": {"all": histories.everybody, "chosen": histories.people, "played": done},
            "assumed": {"accepted": 100, **self._assumed._asdict()},
            **counts[0].told(),
            **({"launched_at": world.launched.launch.start_at, "audience": audience.told()} if world.launched else {}),
            "compared": compared(counts[1], counts[0]) if len(counts) > 1 else None,
            "displaces": displaces.told() if focus and len(counts) > 1 else None,
            "unknown": self._unknown(histories, world),
        }

    async def _portions(
        self, histories: Histories, world: World, stages: Sequence[Stage]
    ) -> AsyncGenerator[tuple[list[History], Standing, Memberships], None]:
        """People with where they stood at the first instant and what moved them since."""
        keys = sorted(frozenset().union(*(stage.book.segments for stage in stages)))
        after: str | None = None
        if not keys:
            while people := await histories.next(after, AT_ONCE):
                after = people[-1].person
                yield people, {}, {}
            return
        body = {
            "conditions": world.conditions, "keys": keys, "since": self._since, "until": self._until, "upto": histories.upto,
        }  # fmt: skip
        async with aclosing(self._segmenter.frames("/flips", msgspec.json.encode(body), PATIENCE_S)) as frames:
            self._without = msgspec.json.decode(await anext(frames))["without"]
            async for last in frames:
                upto = last.decode()
                standing, moved = await asyncio.to_thread(_read, await anext(frames))
                yield await histories.between(after, upto), standing, moved
                after = upto

    def _play(
        self, people: Sequence[History], told: tuple[Standing, Memberships], stages: Sequence[Stage], counted: Counted
    ) -> None:
        standing, moved = told
        for one in people:
            before, since = one.parted(self._since)
            pieces = ordered(since, moved.get(one.person, ()))
            days = Days(one.person, before, standing.get(one.person, {}), pieces, self._entered.get(one.person, {}))
            counted.add(one.person, [play(stage, days, self._since, self._until - 1, self._assumed) for stage in stages])

    def _unknown(self, histories: Histories, world: World) -> list[dict[str, Any]]:
        """What it could not know, as codes."""
        found: list[dict[str, Any]] = [{"code": code} for code in ("consents", "deliveries", "merges", "before", "campaigns")]
        if world.launched and world.launched.mailing.every_ms:
            found.append({"code": "throttle"})
        if says_attributes(world.book):
            found.append({"code": "set_attributes"})
        names = sorted({name for listed in self._without.values() for name in listed})
        if names:
            found.append({"code": "personal", "names": names})
        if histories.people < histories.everybody:
            found.append({"code": "sample", "people": histories.people, "all": histories.everybody})
        return found


def _read(data: bytes) -> tuple[Standing, Memberships]:
    """The segmenter's batch, by person."""
    standing: Standing = {}
    moved: Memberships = {}
    columns = [column.to_pylist() for column in unpacked(data).columns]
    for person, kind, segment, at, why, cause, carried, received, topic, partition, offset in zip(*columns, strict=True):
        if kind == "standing":
            standing.setdefault(person, {})[segment] = at
            continue
        name = derive("membership", person, segment, kind, at, cause or "")  # as the segmenter's own have
        one = Membership(
            type=kind, received_at=at, id=name, profile=person, segment=segment, at=at, why=why, carried=carried, cause=cause
        )
        moved.setdefault(person, []).append(((received, topic, partition, offset), one))
    return standing, moved
