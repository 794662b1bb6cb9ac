"""Two transactions at one person: the later waits, then sees what the earlier did, merges included."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime import people
from runtime.batch import Item, Tx
from runtime.db import Again, Database
from runtime.migrate import migrate
from runtime.people import Saved
from runtime.settings import Settings
from schemas.facts import Fact, encode
from schemas.ids import derive
from services.profile import store
from services.profile.handler import Handler
from tests.chaos.toy import stands_before_a_lock
from tests.support.live import T0, fact, settings

PROFILE = ("runtime.sql", "services.profile.migrations")
ANN, BOB, CAT = (derive("person", name) for name in ("ann", "bob", "cat"))


@pytest.fixture
def config(database: str) -> Settings:
    return settings("127.0.0.1:1", database, "")


@asynccontextmanager
async def opened(config: Settings, schema: str, *packages: str) -> AsyncIterator[Database]:
    await migrate(config, "runtime", "runtime.clocksql")
    await migrate(config, schema, *packages)
    db = await Database(config, schema, size=4).open()
    try:
        yield db
    finally:
        await db.close()


# ---- profile


def items(facts: Sequence[Fact]) -> list[Item]:
    return [Item(("facts.raw", 0), n, one, encode(one), None, None, one.received_at) for n, one in enumerate(facts)]


class Process:
    """One process of profile: a handler that has made its partition of the day, so that nothing but rows is locked from now on."""

    def __init__(self, db: Database) -> None:
        self._db, self._handler = db, Handler()

    async def decide(self, *facts: Fact, hold: asyncio.Event | None = None, decided: asyncio.Event | None = None) -> None:
        """One batch, from the start again when it must; `hold` keeps it from committing."""
        while True:
            try:
                async with self._db.transaction() as connection:
                    await self._handler(Tx(connection, T0, 0, "profile", {}), items(facts))
                    if decided:
                        decided.set()
                    if hold:
                        await hold.wait()
                await self._handler.committed()
                return
            except Again:
                continue


async def crossing(db: Database, before: Sequence[Fact], first: Fact, second: Fact) -> None:
    """Of two processes the second decides while the first has decided and not committed."""
    one, other = Process(db), Process(db)
    await one.decide(*before)
    await other.decide(fact("warm", "user_id:nobody"))
    hold, decided = asyncio.Event(), asyncio.Event()
    early = asyncio.create_task(one.decide(first, hold=hold, decided=decided))
    await asyncio.wait_for(decided.wait(), 10)
    late = asyncio.create_task(other.decide(second))
    await stands_before_a_lock(db, late)
    hold.set()
    await asyncio.gather(early, late)


async def known(db: Database, identifier: str) -> tuple[str, dict[str, Any]]:
    async with db.transaction() as connection:
        owner = await store.owner_of(connection, identifier)
        assert owner is not None
        state = (await store.lock(connection, [owner]))[owner]
    return owner, {name: value for name, (_, value) in state.attributes.items()}


async def test_two_batches_that_change_one_person_at_once_lose_neither_change(config):
    async with opened(config, "profile", *PROFILE) as db:
        city = fact("1", "user_id:a", attributes={"city": "Omsk"})
        tier = fact("2", "user_id:a", attributes={"tier": 3}, source="crm")
        await crossing(db, [fact("0", "user_id:a")], city, tier)
        assert (await known(db, "user_id:a"))[1] == {"city": "Omsk", "tier": 3}


async def test_two_batches_that_bring_one_new_identifier_at_once_make_one_person(config):
    async with opened(config, "profile", *PROFILE) as db:
        one, other = fact("2", "user_id:a", "email:x@example.org"), fact("3", "telegram_id:7", "email:x@example.org")
        await crossing(db, [fact("0", "user_id:a"), fact("1", "telegram_id:7")], one, other)
        owners = {(await known(db, name))[0] for name in ("user_id:a", "telegram_id:7", "email:x@example.org")}
        assert len(owners) == 1


async def test_news_of_somebody_who_is_merged_away_at_that_moment_goes_to_the_survivor(config):
    async with opened(config, "profile", *PROFILE) as db:
        before = [fact("0", "user_id:a", at=T0 - 5), fact("1", "telegram_id:7")]
        news = fact("3", "telegram_id:7", attributes={"city": "Omsk"}, source="bot")
        await crossing(db, before, fact("2", "user_id:a", "telegram_id:7"), news)
        assert (await known(db, "user_id:a"))[1] == {"city": "Omsk"}
        assert await known(db, "user_id:a") == await known(db, "telegram_id:7")


# ---- every other service: runtime.people


@asynccontextmanager
async def persons(config: Settings, **states: bytes) -> AsyncIterator[Database]:
    """A service with the rows of ann, bob and cat as given."""
    async with opened(config, "toy") as db:
        async with db.transaction() as connection:
            await connection.execute(people.TABLE)
            rows = [Saved(derive("person", name), 0, state, None) for name, state in states.items()]
            await (await people.load(connection, [row.id for row in rows])).save(connection, rows)
        yield db


async def merge(db: Database, winner: str, loser: str, hold: asyncio.Event, decided: asyncio.Event) -> None:
    async with db.transaction() as connection:
        rows = await people.load(connection, [winner, loser])
        assert rows.merge(winner, loser) == (winner, loser)
        state = (rows.state(winner) or b"") + (rows.state(loser) or b"")
        await rows.save(connection, [Saved(winner, 0, state, None)])
        decided.set()
        await hold.wait()


async def append(db: Database, person: str, more: bytes) -> None:
    async with db.transaction() as connection:
        rows = await people.load(connection, [person])
        at = rows.canonical(person)
        await rows.save(connection, [Saved(at, 0, (rows.state(at) or b"") + more, None)])


async def state_of(db: Database, person: str) -> bytes | None:
    async with db.transaction() as connection:
        rows = await people.load(connection, [person])
        return rows.state(rows.canonical(person))


async def test_two_transactions_at_one_row_add_up(config):
    async with persons(config, ann=b"0") as db:
        async with db.transaction() as connection:
            rows = await people.load(connection, [ANN])
            await rows.save(connection, [Saved(ANN, 0, (rows.state(ANN) or b"") + b"1", None)])
            other = asyncio.create_task(append(db, ANN, b"2"))
            await stands_before_a_lock(db, other)
        await other
        assert await state_of(db, ANN) == b"012"


async def test_what_comes_for_a_tombstone_acts_on_the_winner(config):
    async with persons(config, ann=b"a", bob=b"b") as db:
        hold, decided = asyncio.Event(), asyncio.Event()
        hold.set()
        await merge(db, ANN, BOB, hold, decided)
        await append(db, BOB, b"!")
        assert await state_of(db, ANN) == b"ab!"


@pytest.mark.parametrize("asked", ["the one merged now", "one merged into him before"])
async def test_a_merge_that_commits_while_we_wait_is_seen(config, asked):
    async with persons(config, ann=b"a", bob=b"b", cat=b"c") as db:
        hold, decided = asyncio.Event(), asyncio.Event()
        hold.set()
        await merge(db, BOB, CAT, hold, decided)
        hold, decided = asyncio.Event(), asyncio.Event()
        merging = asyncio.create_task(merge(db, ANN, BOB, hold, decided))
        await decided.wait()
        person = BOB if asked == "the one merged now" else CAT

        async def until_right() -> None:
            while True:
                try:
                    await append(db, person, b"!")
                    return
                except Again:
                    continue

        late = asyncio.create_task(until_right())
        await stands_before_a_lock(db, late)
        hold.set()
        await asyncio.gather(merging, late)
        assert await state_of(db, ANN) == b"abc!"
