"""People who wait in a journey, put where the orchestrator keeps them, past the log: decided and written by its own code, under its own documents.

So a change of what it keeps cannot make them something that it would not have written.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from bench.histories import Person as Somebody
from bench.histories import introduction
from runtime.definitions import Definitions
from runtime.people import People, Saved
from schemas.facts import PROFILE_CHANGED, Fact
from schemas.ids import derive, partition_of
from services.orchestrator.domain import book as books
from services.orchestrator.domain import decide, state
from services.orchestrator.domain.book import Book

EVENT = "Trial Started"
DAYS_30 = 30 * 86_400_000
JOURNEY: dict[str, Any] = {
    "key": "trial", "brand": "shop", "trigger": {"event": EVENT}, "reentry": {"mode": "always"},
    "steps": [{"id": "pause", "wait": "30d"},
              {"id": "kind", "if_data": [{"path": "event.plan", "op": "eq", "value": "team"}], "then": "end", "else": "end"},
              {"id": "end", "end": True}],
}  # fmt: skip
NAME = f"journey:{JOURNEY['key']}"
PIECE = 5_000  # people of a transaction; the loop stands still while they are decided
SAY_S = 10.0


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Any]:
    """As the orchestrator; nothing waits for the disk: a base that a crash cuts short is made anew."""
    own = {"search_path": "orchestrator", "synchronous_commit": "off"}
    connection = await asyncpg.connect(database_url, server_settings=own)
    try:
        yield connection
    finally:
        await connection.close()


async def book_of(connection: Any) -> Book:
    """What it decides by now. Raises RuntimeError where the journey is not in force there yet."""
    definitions: Definitions[Book] = Definitions(books.KINDS, books.build)
    book = await definitions.at(connection, await connection.fetchval("SELECT revision FROM definition_revision"))
    if JOURNEY["key"] not in book.current:
        raise RuntimeError(f"the orchestrator does not know {NAME}")
    return book


def met(book: Book, number: int, at: int) -> state.Person:
    """Somebody whom it knows by his introduction alone, at an instant (ms)."""
    said = introduction(Somebody(number, 0), at)
    changed = msgspec.structs.replace(said, type=PROFILE_CHANGED, attributes={})
    return decide.on_fact(book, profile_of(number), state.Person(), changed, None).person


def waiting(book: Book, number: int, due_at: int) -> state.Person:
    """The same who has begun the journey so that its wait is over at `due_at` (ms)."""
    begun_at = due_at - DAYS_30
    begun = Fact(
        id=run_of(number, due_at), type="track", event=EVENT, brand="shop", source="site", occurred_at=begun_at, received_at=begun_at,
        properties={"plan": "team" if number % 2 else "solo"}, profile=profile_of(number),
    )  # fmt: skip
    person = decide.on_fact(book, profile_of(number), met(book, number, begun_at - 1), begun, None).person
    if person.due_at() != due_at:
        raise RuntimeError(f"is due at {person.due_at()} and not at {due_at}: the journey does not wait as it should")
    return person


def profile_of(number: int) -> str:
    return Somebody(number, 0).profile


def run_of(number: int, due_at: int) -> str:
    """The occurrence of somebody's run."""
    return derive("bench-trial", number, due_at)


@dataclass(frozen=True)
class Writer:
    """Writes people whom the orchestrator has not met, as it does itself."""

    connection: Any
    partitions: int

    async def write(self, numbers: Sequence[int], person: Callable[[int], state.Person], what: str) -> float:
        """person: of a number. Answers how long it took (s)."""
        began = said = time.perf_counter()
        for low in range(0, len(numbers), PIECE):
            rows = list(self._rows(numbers[low : low + PIECE], person))
            async with self.connection.transaction():
                await People({}, {}).save(self.connection, rows)
            if (now := time.perf_counter()) - said >= SAY_S:
                said = now
                print(f"{what}: {low + len(rows):,} of {len(numbers):,} written, {now - began:.0f} s", flush=True)
        return time.perf_counter() - began

    def _rows(self, numbers: Sequence[int], person: Callable[[int], state.Person]) -> Iterator[Saved]:
        for number in numbers:
            profile, kept = profile_of(number), person(number)
            yield Saved(profile, partition_of(profile, self.partitions), state.encode(kept), kept.due_at())
