"""Seats in PostgreSQL: two instances take registrations at once, some are killed before their commit, people become one meanwhile."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.batch import Emit, Item, Tx
from runtime.poison import Vault
from schemas import events
from schemas.definitions import Published
from schemas.facts import PROFILE_ERASED, PROFILE_MERGED
from schemas.ids import derive
from services.orchestrator.handler import Handler
from services.orchestrator.seats import store
from tests.orchestrator.stage import Stage
from tests.orchestrator.world import DAY, T0, published

WHO = [derive("seats", n) for n in range(8)]
ROWS = "SELECT profile::text AS profile, status, seated FROM registration WHERE event = 'meetup'"


def meetup(version: int = 1, **more: Any) -> Any:
    body = {
        "key": "meetup", "brand": "shop", "title": "Meetup", "format": "both", "seats": 2, "confirm_until": "1d",
        "starts_at": "2010-12-22T18:00:00+03:00", "ends_at": "2010-12-22T20:00:00+03:00",
    }  # fmt: skip
    return published("event", {**body, **more}, version)


@pytest.fixture
async def stage(database: str) -> Any:
    opened = await Stage(database).open()
    yield opened
    await opened.db.close()


async def begin(stage: Stage, *documents: Any) -> list[Emit]:
    """Everything anew; answers the list into which what is committed goes."""
    await stage.begin(*documents)
    async with stage.db.transaction() as connection:
        await connection.execute("TRUNCATE hall, registration")
        # Who makes the row makes others wait: it is the lock that is to be tried.
        await connection.execute("INSERT INTO hall (event) VALUES ('meetup')")
    told: list[Emit] = []
    return told


async def batch(stage: Stage, which: int, items: Sequence[Item], told: list[Emit], *, killed: bool = False) -> None:
    kept: list[Emit] = []

    async def work(handler: Handler, tx: Tx) -> Sequence[Emit]:
        handler.vault = Vault("a test")
        kept[:] = await handler(tx, items)
        return kept

    await stage._transact(which, work, killed=killed)
    if killed:
        await stage._transact(which, work)  # it is read once more
    told += kept


async def taken(stage: Stage) -> int | None:
    """Seats, as the event's row counts them; None: it does not."""
    async with stage.db.connection() as connection:
        return await connection.fetchval("SELECT taken FROM hall WHERE event = 'meetup'")


async def rows(stage: Stage) -> dict[str, tuple[str, bool]]:
    async with stage.db.connection() as connection:
        return {row["profile"]: (row["status"], row["seated"]) for row in await connection.fetch(ROWS)}


SAYS = st.lists(
    st.tuples(
        st.sampled_from(["register", "register", "register", "cancel", "merge"]),
        st.integers(0, len(WHO) - 1),
        st.integers(0, len(WHO) - 1),
    ),
    max_size=8,
)


@given(st.lists(st.tuples(SAYS, SAYS, st.booleans()), max_size=4))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], database=None
)
async def test_two_instances_give_no_more_seats_than_there_are(stage, rounds):
    told = await begin(stage, meetup())
    for one, other, killed in rounds:
        both = [[item(stage, *act) for act in acts] for acts in (one, other)]
        await asyncio.gather(batch(stage, 0, both[0], told, killed=killed), batch(stage, 1, both[1], told))
        found = await rows(stage)
        seated = sum(seat for _, seat in found.values())
        waiting = [who for who, (status, _) in found.items() if status == "waitlisted"]
        assert seated <= 2 and (not waiting or seated == 2) and (not found or await taken(stage) == seated)
        assert all(seat == (status == "confirmed") for status, seat in found.values())
    ids = [emit.value for emit in told if emit.topic == "facts.raw"]
    assert len(set(ids)) == len(ids)


async def test_of_an_event_that_is_in_force_no_more_rows_go_with_their_people(stage):
    told = await begin(stage, meetup())
    await batch(stage, 0, [item(stage, "register", n, 0) for n in range(3)], told)
    await stage.publish(Published(kind="event", key="meetup", version=1, pointer=True, deleted=True))
    await batch(stage, 0, [item(stage, "merge", 4, 0)], told)
    assert (await rows(stage)).keys() == {WHO[4], WHO[1], WHO[2]}
    erased = stage._told(WHO[1], PROFILE_ERASED, properties={"act": "act", "others": []})
    await batch(stage, 1, [erased], told)
    assert (await rows(stage)).keys() == {WHO[4], WHO[2]}
    await stage.publish(meetup())
    await batch(stage, 0, [item(stage, "register", 5, 0)], told)
    assert await taken(stage) == sum(seat for _, seat in (await rows(stage)).values()) > 0, "counted anew"


async def test_who_gives_seats_holds_the_event(stage, monkeypatch):
    told, real = await begin(stage, meetup()), store.hall
    first, second = ([item(stage, "register", n, 0) for n in some] for some in (range(4), range(4, 8)))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    others: list[asyncio.Task[None]] = []

    async def while_another_comes(*given: Any) -> Any:
        found = await real(*given)
        if not others:
            others.append(asyncio.create_task(batch(stage, 1, second, told)))
            async with stage.db.connection() as looking:
                while not await looking.fetchval(waits):
                    assert not others[0].done(), "it has given seats meanwhile"
        return found

    monkeypatch.setattr(store, "hall", while_another_comes)
    await batch(stage, 0, first, told)
    await others[0]
    assert {who for who, (_, seat) in (await rows(stage)).items() if seat} == set(WHO[:2])


async def test_a_selection_that_comes_by_several_batches_gives_the_seats_by_rank(stage):
    told = await begin(stage, meetup(format="offline", confirm_until=None, selection="by_selection"))
    for handler in stage.handlers:
        handler.vault = Vault("a test")
    await batch(stage, 0, [item(stage, "register", n, 0) for n in range(6)], told)
    await stage.rest()
    for which, chosen in ((0, {0: None, 5: 3}), (1, {4: 2, 1: None}), (0, {2: 0, 3: 1})):
        await batch(stage, which, [selected(stage, *one) for one in chosen.items()], told)
        await stage.rest()
        stage.now += 1_000
    assert {status for status, _ in (await rows(stage)).values()} == {"waitlisted"}, "not before all of it was heard"
    stage.now += store.GATHER_MS
    await stage.both()
    await stage.rest()
    assert {who for who, (_, seat) in (await rows(stage)).items() if seat} == {WHO[2], WHO[3]}
    rules = [(one.profile, one.rule) for one in stage.decisions]
    assert sorted(rules) == sorted(
        [(who, "event_selection") for who in WHO[:6]]
        + [(WHO[n], "seat") for n in (2, 3)]
        + [(WHO[n], "event_full") for n in (0, 1, 4, 5)]
    ), "and nobody is told that he waits who gets a seat"


async def test_registrations_of_an_event_that_is_in_force_no_more_are_kept_as_long_as_others(stage):
    told = await begin(stage, meetup())
    await batch(stage, 0, [item(stage, "register", n, 0) for n in range(3)], told)
    await stage.publish(Published(kind="event", key="meetup", version=1, pointer=True, deleted=True))
    stage.now = T0 + 30 * DAY + 400 * DAY
    await stage.rest()
    assert len(await rows(stage)) == 3
    stage.now += 2 * DAY
    await stage.both()
    await stage.rest()
    assert await rows(stage) == {}
    async with stage.db.connection() as connection:
        assert not await connection.fetchval("SELECT count(*) FROM hall")


def selected(stage: Stage, number: int, rank: int | None) -> Item:
    stage.now += 1
    said = {"choice": "waitlist"} if rank is None else {"choice": "confirm", "rank": rank}
    return stage._told(WHO[number], events.SELECTED, properties={"event": "meetup", **said})


def item(stage: Stage, act: str, first: int, second: int) -> Item:
    stage.now += 1
    if act == "merge":
        pair = {"winner": WHO[first], "loser": WHO[second if second != first else (first + 1) % len(WHO)]}
        return stage._told(WHO[first], PROFILE_MERGED, properties=pair)
    event = events.REGISTERED if act == "register" else events.UNREGISTERED
    return stage._told(WHO[first], "track", event=event, properties={"event": "meetup"})


async def test_time_moves_the_unconfirmed_online_and_misses_whoever_did_not_come_once(stage):
    told = await begin(stage, meetup())
    await batch(stage, 0, [item(stage, "register", n, 0) for n in range(3)], told)
    for handler in stage.handlers:
        handler.vault = Vault("a test")
    await stage.rest()
    stage.now = T0 + 30 * DAY + 15 * 3_600_000 - DAY  # a day before
    await stage.fire(0, killed=True)
    for handler in stage.handlers:
        handler.vault = Vault("a test")
    await stage.both()
    await stage.rest()
    assert sorted(status for status, _ in (await rows(stage)).values()) == ["confirmed", "moved_online", "moved_online"]
    stage.now += 2 * DAY
    await stage.both()
    await stage.rest()
    assert {status for status, _ in (await rows(stage)).values()} == {"no_show"}
    rules = [one.rule for one in stage.decisions]
    assert rules.count("attendance_unconfirmed") == 2 and rules.count("seat") == 3
    stage.now += 400 * DAY
    await stage.rest()
    assert await rows(stage) == {}, "and what nobody asks about any more is forgotten"
