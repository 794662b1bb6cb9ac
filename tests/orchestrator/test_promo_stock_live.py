"""Codes in PostgreSQL: two instances take of the same pools at once and are killed on the way; uploads that are repeated or killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.db import TRANSIENT, Database
from runtime.migrate import migrate
from runtime.poison import Vault
from schemas.ids import derive
from schemas.promo_pools import PromoPool
from services.orchestrator.domain.book import build
from services.orchestrator.domain.code_lists import Wrong
from services.orchestrator.domain.codes import Give, Return, Use
from services.orchestrator.domain.state import Person
from services.orchestrator.domain.turn import Turn
from services.orchestrator.promo import stock as stocks
from services.orchestrator.promo import watch
from services.orchestrator.promo.loading import Loading
from services.orchestrator.promo.stock import Stock, Twice
from tests.orchestrator.world import published
from tests.support.live import T0

VAULT = Vault("a test")
ANN, BOB, CAT = (derive("profile", name) for name in ("ann", "bob", "cat"))
BOOK = build([])


@pytest.fixture
async def db(config) -> AsyncIterator[Database]:
    await migrate(config, "orchestrator", "runtime.sql", "services.orchestrator.migrations")
    opened = await Database(config, "orchestrator", size=8).open()
    yield opened
    await opened.close()


async def load(db: Database, body: bytes, pool: str = "p", key: str | None = None, *, is_json: bool = False) -> dict:
    async with db.transaction() as connection:
        return await Loading(connection, VAULT, pool, "shop", T0).load(body, is_json=is_json, key=key)


async def table(db: Database) -> list[dict]:
    async with db.connection() as connection:
        return [dict(row) for row in await connection.fetch("SELECT * FROM promo_code ORDER BY number")]


def lines(count: int, name: str = "c") -> bytes:
    return "\n".join(f"{name}{n}" for n in range(count)).encode()


async def take(stock: Stock, wants: dict[str, int], profile: str) -> dict[str, list[int]]:
    """What decisions would: one turn for each code, all of them once more while some were short."""
    while True:
        await stock.begin()
        got: dict[str, list[int]] = {pool: [] for pool in wants}
        for pool, count in wants.items():
            for _ in range(count):
                turn = Turn(stock.stocked(BOOK), profile, Person())
                if (code := turn.code(pool)) is not None:
                    turn.moves.append(Give(code.number, profile, T0, "", "j", "s", "o"))
                    got[pool].append(code.number)
                stock.took(turn.outcome())
        if not await stock.more():
            return got


# ---- two instances, killed


class Killed(Exception):  # noqa: N818
    pass


@asynccontextmanager
async def doomed(db: Database) -> AsyncIterator[asyncpg.Connection]:
    """A transaction of its own session, which a kill ends as the end of its process would."""
    connection = await db.dedicated()
    try:
        async with connection.transaction():
            yield connection
    except Killed:
        connection.terminate()
    finally:
        if not connection.is_closed():
            await connection.close()


async def batch(db: Database, wants: dict[str, int], kill: str, profile: str) -> dict[str, list[int]] | None:
    """What was given, if it was committed."""
    while True:
        try:
            async with doomed(db) as connection:
                stock = Stock(connection, VAULT)
                got = await take(stock, wants, profile)
                await asyncio.sleep(0)  # the other one has its turn
                if kill == "taken":
                    raise Killed
                await stock.save(lambda person: person)
                if kill == "saved":
                    raise Killed
        except TRANSIENT:  # a deadlock: the loop runs the batch again
            continue
        return None if kill else got


batches = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.sampled_from(["", "", "taken", "saved"])), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(batches, batches))
async def test_no_code_is_given_twice_and_none_is_lost(db, instances):
    async with db.connection() as connection:
        await connection.execute("TRUNCATE promo_code, promo_load RESTART IDENTITY")
    await load(db, lines(8, "p"), "p")
    await load(db, lines(6, "q"), "q")
    done: list[dict[str, list[int]]] = []
    short: set[str] = set()

    async def instance(script: list, profile: str) -> None:
        for p, q, kill in script:
            got = await batch(db, {"p": p, "q": q}, kill, profile)
            if got is not None:
                done.append(got)
                short.update(pool for pool, count in (("p", p), ("q", q)) if len(got[pool]) < count)

    await asyncio.gather(*(instance(script, who) for script, who in zip(instances, (ANN, BOB), strict=True)))
    given_ = [number for got in done for numbers in got.values() for number in numbers]
    assert len(set(given_)) == len(given_), "given twice"
    rows = await table(db)
    assert {row["number"] for row in rows if row["given_at"] is not None} == set(given_), "what was killed gave nothing"
    for pool in short:
        assert all(row["given_at"] for row in rows if row["pool"] == pool), "said to be empty while one was free"
    async with db.transaction() as connection:
        rest = await take(Stock(connection, VAULT), {"p": 9, "q": 9}, CAT)
    assert sum(map(len, rest.values())) + len(given_) == 14, "lost"


async def test_who_finds_the_last_code_locked_waits_for_its_holder(db):
    await load(db, lines(1))
    async with db.transaction() as first:
        stock = Stock(first, VAULT)
        assert await take(stock, {"p": 1}, ANN) == {"p": [1]}
        other = asyncio.create_task(batch(db, {"p": 1}, "", BOB))
        async with db.connection() as looking:
            waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while not await looking.fetchval(waits):
                assert not other.done()
    assert await other == {"p": [1]}, "the first gave nothing in the end"


async def test_a_code_that_is_not_free_stops_the_batch(db):
    await load(db, lines(1))
    assert await batch(db, {"p": 1}, "", ANN) == {"p": [1]}
    with pytest.raises(Twice):
        await moved(db, gives(1, BOB))


# ---- whose it is


async def moved(db: Database, *moves, before=lambda stock: None, orders=(), canonical=lambda person: person) -> Stock:
    async with db.transaction() as connection:
        stock = Stock(connection, VAULT)
        await stock.begin(orders)
        turn = Turn(BOOK, ANN, Person())
        turn.moves += moves
        stock.took(turn.outcome())
        before(stock)
        await stock.save(canonical)
        return stock


def gives(number: int, who: str, home: str = "") -> Give:
    return Give(number, who, T0, home, "j", "s", "o")


async def test_codes_follow_merges_unmerges_and_erasures(db):
    await load(db, lines(3))

    async def owners() -> list[str | None]:
        return [row["given_to"] and str(row["given_to"]) for row in await table(db)]

    await moved(db, gives(1, ANN, "h1"), gives(2, ANN, "h2"), gives(3, BOB, "h3"))
    await moved(db, before=lambda s: s.merged(ANN, BOB), canonical=lambda p: ANN if p == BOB else p)
    assert await owners() == [ANN, ANN, ANN]
    await moved(db, before=lambda s: s.parted(ANN, CAT, ["h2", "h3"]))
    assert await owners() == [ANN, CAT, CAT]

    def both(stock: Stock) -> None:
        stock.parted(CAT, BOB, ["h3"])
        stock.merged(ANN, CAT)

    await moved(db, before=both)
    assert await owners() == [ANN, ANN, BOB]
    await moved(db, Use(3, BOB, T0 + 1, "order-7"))
    await moved(db, before=lambda s: s.erased([BOB]))
    last = (await table(db))[2]
    assert (last["given_to"], last["used_by"], last["used_in"], last["home"]) == (None, None, "", "")
    assert (last["given_at"], last["used_at"]) == (T0, T0 + 1), "it is spent all the same"


async def test_who_gave_and_who_used_a_code_are_two_people(db):
    await load(db, lines(2))

    async def row(number: int) -> tuple[str | None, str | None, str]:
        found = (await table(db))[number - 1]
        return found["given_to"] and str(found["given_to"]), found["used_by"] and str(found["used_by"]), found["used_in"]

    await moved(db, gives(1, ANN), gives(2, ANN), Use(1, BOB, T0, "order-1"), Use(2, BOB, T0, "order-2"))
    await moved(db, before=lambda s: s.merged(CAT, BOB), canonical=lambda p: CAT if p == BOB else p)
    assert await row(1) == (ANN, CAT, "order-1"), "who used it is another by now"
    await moved(db, before=lambda s: s.erased([ANN]))
    assert await row(1) == (None, CAT, "order-1"), "the order is not hers"
    await moved(db, before=lambda s: s.erased([CAT]))
    assert await row(1) == (None, None, "")


async def test_a_code_that_is_used_and_returned_at_once_is_used(db):
    await load(db, lines(1))
    await moved(db, gives(1, ANN))
    await moved(db, Return(1), Use(1, BOB, T0, "order-1"))
    assert (await table(db))[0]["given_at"] == T0, "whose it was is told"


async def test_codes_of_a_pool_that_is_in_force_no_more_are_kept_as_long_as_others_and_uploads_a_week(db):
    await load(db, lines(2, "old"), "old", key="k")
    last = T0 + watch.KEEP_MS
    bodies = ({}, {"expires": "2010-01-01T00:00:00+00:00"}, {"expires": datetime.fromtimestamp(T0 / 1000, UTC).isoformat()})
    documents = [published("promo-pool", {"key": "old", "brand": "shop", **more}, n, False) for n, more in enumerate(bodies, 1)]
    async with db.transaction() as connection:
        await watch.look(connection, watch.known(documents, 1), last)
        assert len(await table(db)) == 2 and not await connection.fetchval("SELECT count(*) FROM promo_load")
        await watch.look(connection, watch.known(documents, 1), last + 1)
    assert await table(db) == []


async def test_codes_are_counted_by_one_process_for_all(db):
    await load(db, lines(3))
    one = watch.Pools([PromoPool(key="p", brand="shop")], {"p": None})

    async def looked() -> float | None:
        async with db.transaction() as connection:
            await watch.look(connection, one, 0)
        return stocks.metrics.REGISTRY.get_sample_value("otklik_promo_codes_free", {"pool": "p"})

    assert await looked() == 3
    async with db.transaction() as connection:
        await connection.execute("DELETE FROM promo_code WHERE number = 1")
    assert await looked() == 3, "it was counted just now"
    async with db.transaction() as connection:
        await connection.execute("UPDATE promo_pool SET counted_at = counted_at - interval '1 minute'")
        await connection.fetchval(watch.ONE)
        assert await looked() == 3, "another does"
    assert await looked() == 2


async def test_an_order_finds_its_code_however_it_is_spelled_and_a_used_one_is_given_to_nobody(db):
    await load(db, lines(2))
    stock = await moved(db, gives(1, ANN), orders=[("shop", " C0"), ("shop", "c1"), ("sister", "c0"), ("shop", "none")])
    shelf = stock.stocked(BOOK).shelf
    assert [shelf.of("shop", said).given_to for said in ("C0", "c1")] == [ANN, ""]
    assert shelf.of("sister", "c0") is None and shelf.of("shop", "none") is None
    await moved(db, Use(2, BOB, T0, ""))
    async with db.transaction() as connection:
        assert await take(Stock(connection, VAULT), {"p": 1}, CAT) == {"p": []}
    await moved(db, Return(1), Return(2))
    assert [row["given_at"] is None and row["used_at"] is None for row in await table(db)] == [True, False]


# ---- how they come in


async def test_good_lines_are_kept_and_the_others_are_told_by_line(db):
    assert (await load(db, b"code\na1\na2\n\n!!\nA1\n"))["lines"] == [
        {"line": 5, "reason": "characters"},
        {"line": 6, "reason": "repeated"},
    ]
    told = await load(db, b'{"codes": ["a2", "a3"]}', "other", is_json=True)
    assert told == {"added": 1, "refused": 1, "reasons": {"known": 1}, "lines": [{"line": 1, "reason": "known"}]}
    rows = await table(db)
    assert [row["pool"] for row in rows] == ["p", "p", "other"]
    assert all(b"a1" not in bytes(row["sealed"]) + bytes(row["hash"]) for row in rows)


async def test_a_repeated_upload_is_answered_as_the_first_was_and_another_under_its_key_is_refused(db):
    first = await load(db, lines(3), key="k")
    assert first["added"] == 3 and await load(db, lines(3), key="k") == first
    assert (await load(db, lines(3)))["reasons"] == {"known": 3}
    for body, pool in ((lines(2), "p"), (lines(3), "other")):
        with pytest.raises(Wrong) as told:
            await load(db, body, pool, key="k")
        assert told.value.code == "idempotency_mismatch"
    made = b'{"generate": {"pattern": "B-########", "count": 50}}'
    assert (await load(db, made, key="g", is_json=True)) == (await load(db, made, key="g", is_json=True))
    assert len(await table(db)) == 53
    assert (await load(db, made, is_json=True))["added"] == 50, "the next ones are others"


async def test_an_upload_that_is_killed_leaves_nothing(db):
    async with doomed(db) as connection:
        await Loading(connection, VAULT, "p", "shop", T0).load(lines(3), is_json=False, key="k")
        raise Killed
    assert await table(db) == []
    assert (await load(db, lines(3), key="k"))["added"] == 3


async def test_what_is_left_is_told_and_what_expired_long_ago_goes(db):
    await load(db, lines(3))
    await load(db, lines(2, "old"), "old")
    await moved(db, gives(1, ANN))
    pools = [PromoPool(key="p", brand="shop", low_water=3), PromoPool(key="old", brand="shop", expires="2010-01-01T00:00:00+00:00")]
    async with db.transaction() as connection:
        known = watch.Pools(pools, {"p": None, "old": pools[1].expires_ms})
        await watch.look(connection, known, 0)
        assert len(await table(db)) == 5
        await watch.look(connection, known, pools[1].expires_ms + watch.KEEP_MS + 1)
    assert [row["pool"] for row in await table(db)] == ["p"] * 3
    registry = stocks.metrics.REGISTRY
    assert registry.get_sample_value("otklik_promo_codes_free", {"pool": "p"}) == 2
    assert registry.get_sample_value("otklik_promo_pool_low", {"pool": "p"}) == 1
