"""Plays the story: step by step of at most a simulated hour, inputs first, then until nothing moves any more (law 5)."""

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from deploy.demo.reactions import Reaction, path, reactions
from deploy.demo.reading import Tables
from deploy.demo.story import HOUR, Call
from deploy.demo.ways import Ways
from runtime.clock import wall_ms
from schemas.ids import derive

SOURCE = "default"  # that the installation's first write key stands for
BATCH_BYTES, BATCH_EVENTS = 400_000, 1_000  # the tracking API takes 500 KB and 2,500 events


class Posted(NamedTuple):
    """step: the simulated instant whose turn took the fact in; wall: when its batch was answered with 2xx (Unix ms)."""

    step: int
    wall: int


@dataclass
class Played:
    """What the player saw. facts: fact id -> when it was taken; calls: how many were acknowledged, repeats and refused ones included.

    releases: (simulated end of a step, wall ms at which the services got their turns), growing; mails: as the catcher lists them.
    """

    facts: dict[str, Posted] = field(default_factory=dict)
    calls: int = 0
    releases: list[tuple[int, int]] = field(default_factory=list)
    mails: list[dict[str, object]] = field(default_factory=list)
    reactions: Counter[str] = field(default_factory=Counter)
    spent_s: dict[str, float] = field(default_factory=dict)


class Player:
    """One playing of one story. `play` yields the simulated instant after each step."""

    def __init__(self, ways: Ways, tables: Tables, calls: Sequence[Call], seed: int, end: int) -> None:
        self._ways, self._tables, self._seed, self._end = ways, tables, seed, end
        self._calls, self._next = calls, 0
        self._reactions: list[Reaction] = []
        self.played = Played()

    async def play(self, start: int) -> AsyncIterator[int]:
        """start: where the clock stands (UTC ms)."""
        now = start
        while (step := await self._step_after(now)) is not None:
            now = step
            async with _timed(self.played, "clock"):
                await self._ways.drive(now)
            async with _timed(self.played, "post"):
                await self._post(now)
            async with _timed(self.played, "react"):
                await self._react(now)
            self.played.releases.append((now, wall_ms()))
            async with _timed(self.played, "services"):
                await self._ways.settle()
            async with _timed(self.played, "mails"):
                await self._look(now)
            yield now

    async def _step_after(self, now: int) -> int | None:
        """The end of the next hour in which anything happens; None when the story is over."""
        things = [self._end]
        if self._next < len(self._calls):
            things.append(self._calls[self._next].at)
        if self._reactions:
            things.append(self._reactions[0].at)
        async with _timed(self.played, "timers"):
            due = await self._tables.next_due()
        if due is not None:
            things.append(due)
        if now >= self._end:
            return None
        # The last millisecond of the hour: a slot that ends with the hour is not over yet.
        return min(max(min(things), now + 1) // HOUR * HOUR + HOUR - 1, self._end)

    async def _post(self, now: int) -> None:
        """One batch after the other, so that the order in the log is the story's."""
        first = self._next
        while self._next < len(self._calls) and self._calls[self._next].at <= now:
            self._next += 1
        for batch in batches(self._calls[first : self._next]):
            await self._ways.track([encoded for _, encoded in batch])
            wall = wall_ms()
            self.played.calls += len(batch)
            for message, _ in batch:
                self.played.facts.setdefault(derive(SOURCE, message), Posted(now, wall))

    async def _react(self, now: int) -> None:
        """Simulated readers open, click and leave: each letter's in their order, letters beside each other."""
        due: dict[int, list[Reaction]] = {}
        while self._reactions and self._reactions[0].at <= now:
            reaction = heapq.heappop(self._reactions)
            due.setdefault(reaction.mail, []).append(reaction)
        # Two letters of one person lie in one partition: one after the other, or their order would be chance.
        by_reader: dict[str, list[Reaction]] = {}
        for mail in sorted(due):
            reader = str(self.played.mails[mail - 1]["to"])
            by_reader.setdefault(reader, []).extend(due[mail])
        await asyncio.gather(*(self._read(one) for one in by_reader.values()))

    async def _read(self, doings: Iterable[Reaction]) -> None:
        letters: dict[int, Mapping[str, Any]] = {}
        for doing in doings:
            if doing.mail not in letters:
                letters[doing.mail] = await self._ways.mail(doing.mail)
            link = path(doing.kind, letters[doing.mail])
            if doing.kind == "unsubscribe":
                await self._ways.press(link)
            else:
                await self._ways.follow(link, 302 if doing.kind == "click" else 200)
            self.played.reactions[doing.kind] += 1

    async def _look(self, now: int) -> None:
        """New mails, and what their readers are going to do with them."""
        seen = len(self.played.mails)
        for mail in await self._ways.mails(seen):
            self.played.mails.append(mail)
            for reaction in reactions(self._seed, str(mail["message_id"]), mail["id"], now):
                heapq.heappush(self._reactions, reaction)


def batches(calls: Iterable[Call]) -> list[list[tuple[str, bytes]]]:
    """(messageId, JSON) of calls, cut so that the tracking API takes each batch."""
    found: list[list[tuple[str, bytes]]] = []
    size = 0
    for call in calls:
        encoded = msgspec.json.encode(call.body)
        if not found or size + len(encoded) > BATCH_BYTES or len(found[-1]) == BATCH_EVENTS:
            found.append([])
            size = 0
        found[-1].append((call.body["messageId"], encoded))
        size += len(encoded) + 1
    return found


class _timed:  # noqa: N801 - read as a word
    """Adds the seconds that a block took to `played.spent_s`."""

    def __init__(self, played: Played, what: str) -> None:
        self._played, self._what = played, what

    async def __aenter__(self) -> None:
        self._began = asyncio.get_running_loop().time()

    async def __aexit__(self, *_: object) -> None:
        spent = asyncio.get_running_loop().time() - self._began
        self._played.spent_s[self._what] = self._played.spent_s.get(self._what, 0.0) + spent
