"""One row a person: locks, merges in any order, timers that are not lost; a count that stays exact through all of it."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import people
from runtime.batch import Tx
from runtime.db import Again
from runtime.loop import TimerFailed
from runtime.people import Saved
from tests.runtime import toys
from tests.runtime.toys import Alarms, all_passed, census, census_of, merged, opened, person_id, seen
from tests.support.live import T0, publish, rows, running, until


@pytest.fixture
async def context(config):
    async with opened(census(), config) as context:
        yield context


async def save(context, *names: str, due_at: int | None = None) -> None:
    async with context.db.transaction() as connection:
        folk = await people.load(connection, {person_id(n) for n in names})
        await folk.save(connection, [Saved(person_id(n), 0, n.encode(), due_at) for n in names])


async def merge(context, winner: str, loser: str) -> None:
    async with context.db.transaction() as connection:
        folk = await people.load(connection, {person_id(winner), person_id(loser)})
        pair = folk.merge(person_id(winner), person_id(loser))
        if pair:
            await folk.save(connection, [Saved(pair[0], 0, b"folded", None)])


async def root(context, name: str) -> str:
    async with context.db.transaction() as connection:
        return (await people.load(connection, {person_id(name)})).canonical(person_id(name))


async def test_two_transactions_on_one_person_take_turns(context):
    await save(context, "ann")
    first_holds, order = asyncio.Event(), []

    async def first() -> None:
        async with context.db.transaction() as connection:
            folk = await people.load(connection, {person_id("ann")})
            first_holds.set()
            await until(waits)
            order.append("first")
            await folk.save(connection, [Saved(person_id("ann"), 0, folk.state(person_id("ann")) + b"1", None)])

    async def waits() -> bool:
        waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(await rows(context, waiting))

    async def second() -> None:
        await first_holds.wait()
        async with context.db.transaction() as connection:
            folk = await people.load(connection, {person_id("ann")})
            order.append("second")
            await folk.save(connection, [Saved(person_id("ann"), 0, folk.state(person_id("ann")) + b"2", None)])

    await asyncio.gather(first(), second())
    assert order == ["first", "second"]
    assert (await rows(context, "SELECT state FROM person"))[0]["state"] == b"ann12"


async def test_who_loses_the_race_to_insert_runs_again(context):
    async with context.db.transaction() as connection:
        folk = await people.load(connection, {person_id("new"), person_id("other")})
        await save(context, "new")
        with pytest.raises(Again):
            await folk.save(connection, [Saved(person_id("new"), 0, b"mine", None), Saved(person_id("other"), 0, b"x", None)])


class Between:
    """A connection that lets somebody else act just before the rows of the resolved ids are locked."""

    def __init__(self, connection, act) -> None:
        self._connection, self._act, self._resolved = connection, act, False

    async def fetch(self, query, *given):
        if query == people.LOCK and self._resolved:
            await self._act()
        self._resolved = self._resolved or query == people.RESOLVE
        return await self._connection.fetch(query, *given)


async def test_a_merge_that_comes_between_resolving_and_locking_means_again(context):
    await save(context, "a", "b", "c")
    await merge(context, "b", "a")
    async with context.db.transaction() as connection:
        with pytest.raises(Again):
            await people.load(Between(connection, lambda: merge(context, "c", "b")), {person_id("a")})
    assert await root(context, "a") == person_id("c")


async def test_the_loser_of_a_merge_is_met_through_its_tombstone_and_never_resurrected(context):
    await save(context, "w", "l", due_at=5)
    await merge(context, "w", "l")
    async with context.db.transaction() as connection:
        folk = await people.load(connection, {person_id("l")})
        assert folk.canonical(person_id("l")) == person_id("w")
        assert (folk.state(person_id("w")), folk.state(person_id("l"))) == (b"folded", None)
        await folk.save(connection, [Saved(person_id("w"), 0, b"later", 7)])
    found = {str(r["id"]): (r["state"], r["due_at"]) for r in await rows(context, "SELECT id, state, due_at FROM person")}
    assert found == {person_id("w"): (b"later", 7), person_id("l"): (b"", None)}


async def test_merging_those_who_were_never_seen_leaves_stones(context):
    await merge(context, "w", "l")
    assert await root(context, "l") == await root(context, "w") == person_id("w")


NAMES = ["a", "b", "c", "d", "e"]
merges = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=7)


class Union:
    def __init__(self) -> None:
        self.parent = {n: n for n in NAMES}

    def find(self, n: str) -> str:
        while self.parent[n] != n:
            n = self.parent[n]
        return n

    def merge(self, winner: str, loser: str) -> None:
        self.parent[self.find(loser)] = self.find(winner)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_merges_in_any_order_and_any_batches_end_as_a_union_find_says(context, data):
    """Chains and circles, within a batch and across batches; facts before, between and after. No count is lost or doubled."""
    async with context.db.transaction() as connection:
        await connection.execute("DELETE FROM person")
    steps = data.draw(st.lists(merges.map(tuple) | st.sampled_from(NAMES), min_size=1, max_size=8))
    expected, counted, facts = Union(), dict.fromkeys(NAMES, 0), []
    for number, step in enumerate(steps):
        if isinstance(step, str):
            facts.append(seen(step, number, T0 + number, due=number))
            counted[step] += 1
        else:
            for winner, loser in step:
                facts.append(merged(winner, loser, T0 + number))
                expected.merge(winner, loser)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(facts)), max_size=3)))
    dues: dict[str, set[int]] = {}
    for number, step in enumerate(steps):
        if isinstance(step, str):
            dues.setdefault(expected.find(step), set()).add(number)
    for start, end in zip([0, *cuts], [*cuts, len(facts)], strict=True):
        async with context.db.transaction() as connection:
            await toys.count(Tx(connection, T0, 0, "census", {}), facts[start:end])
    found = await rows(context, "SELECT id::text AS id, state, due_at FROM person WHERE merged_into IS NULL")
    states = {row["id"]: (toys._unpack(row["state"]), row["due_at"]) for row in found}
    totals = {r: sum(n for name, n in counted.items() if expected.find(name) == r) for r in map(expected.find, NAMES)}
    assert {person: one.n for person, (one, _) in states.items() if one.n} == {person_id(r): n for r, n in totals.items() if n}
    for name, instants in dues.items():
        one, due_at = states[person_id(name)]
        assert one.dues == sorted(instants) and due_at == one.dues[0]
    for name in NAMES:
        if states.keys() & {person_id(expected.find(name))}:
            assert await root(context, name) == person_id(expected.find(name))


async def test_a_count_stays_exact_through_merges_and_workers(config):
    """Two workers, facts of twelve people on all partitions, and merges that join them to three while it goes on."""
    config = config.model_copy(update={"batch_rows": 25})
    names = [f"p{n}" for n in range(12)]
    groups = {n: names[i % 3] for i, n in enumerate(names)}
    log = []
    for n in range(600):
        log.append(seen(names[n % 12], n, T0 + n))
        if n % 50 == 10:
            loser = names[3 + (n // 50) % 9]
            log.append(merged(groups[loser], loser, T0 + n))
    places: dict[str, list] = {}
    for n, one in enumerate(log):
        places.setdefault(f"k{n % 7}", []).append(one)  # any partition: a merge overtakes facts of the loser and the other way
    for key, part in places.items():
        await publish(config, part, topic="facts", key=key)
    async with running(config, census()) as (context,), running(config, census()):
        await until(all_passed(context, len(log), "facts"))
        assert await census_of(context) == {person_id(names[i]): 200 for i in range(3)}


async def test_timers_fire_once_oldest_first_also_those_of_a_merged_person(config):
    log = [seen("a", 1, T0, due=T0 + 30), seen("b", 1, T0, due=T0 + 10), seen("b", 2, T0, due=T0 + 20), merged("a", "b", T0 + 1)]
    await publish(config, log, topic="facts", key="k")
    async with running(config.model_copy(update={"timer_poll_ms": 20}), census()) as (context,):
        await until(all_passed(context, 4, "facts"))

        async def all_fired():
            return len(await rows(context, "SELECT FROM fired")) >= 3

        await until(all_fired)
        found = await rows(context, "SELECT id::text AS id, due_at, now FROM fired ORDER BY due_at")
        assert {r["id"] for r in found} <= {person_id("a"), person_id("b")}
        assert [r["due_at"] for r in found] == [T0 + 10, T0 + 20, T0 + 30]
        assert not await rows(context, "SELECT FROM person WHERE due_at IS NOT NULL")
        await until(context.relay.drained)


async def test_a_timer_that_breaks_the_code_lets_the_others_go_first_and_then_stops_the_service(config):
    broken = person_id("bad")

    def fails(person: str) -> None:
        if person == broken:
            raise ValueError("our code")

    log = [seen(f"p{n}", 1, T0, due=T0 + n) for n in range(8)] + [seen("bad", 1, T0, due=T0 + 100)]
    await publish(config, log, topic="facts", key="k")
    with pytest.raises(TimerFailed, match="ValueError") as stopped:
        async with running(config.model_copy(update={"timer_poll_ms": 20}), census(Alarms(fails))) as (context,):
            await until(lambda: context.loop and context.loop.lanes[0].reader._consumer._closed)
    assert "our code" not in str(stopped.value), "this text is logged"
    async with opened(census(), config) as context:
        found = await rows(context, "SELECT id::text AS id FROM fired")
        assert {r["id"] for r in found} == {person_id(f"p{n}") for n in range(8)} and len(found) == 8
        assert len(await rows(context, "SELECT FROM outbox")) + len(found) >= 8


async def test_timers_whose_connection_dies_fire_once(config):
    killed = 0

    class Killed(Alarms):
        async def fire(self, tx, ats, limit):
            nonlocal killed
            fired = await super().fire(tx, ats, limit)
            if killed < 3 and fired.count:
                killed += 1
                async with context.db.connection() as other:
                    await other.execute("SELECT pg_terminate_backend($1)", await tx.connection.fetchval("SELECT pg_backend_pid()"))
                    await until(tx.connection.is_closed)
            return fired

    await publish(config, [seen(f"p{n}", 1, T0, due=T0 + n) for n in range(20)], topic="facts", key="k")
    async with running(config.model_copy(update={"timer_poll_ms": 20}), census(Killed())) as (context,):

        async def all_fired():
            return len(await rows(context, "SELECT FROM fired")) >= 20

        await until(all_fired)
        assert killed == 3 and len(await rows(context, "SELECT FROM fired")) == 20
        await until(context.relay.drained)


async def test_who_was_one_by_mistake_means_somebody_else_from_then_on(context):
    await save(context, "ann", "bob", "cid", "new")
    await merge(context, "bob", "cid")
    await merge(context, "ann", "bob")
    async with context.db.transaction() as connection:
        folk = await people.load(connection, {person_id("ann"), person_id("new")})
        folk.part(person_id("new"), [person_id("bob"), person_id("never heard of")])
        folk.part(person_id("ann"), [person_id("cid"), person_id("ann")])
        assert folk.canonical(person_id("bob")) == person_id("new")
        await folk.save(connection, [])
    assert [await root(context, name) for name in ("ann", "bob", "cid", "new")] == [
        person_id(n) for n in ("ann", "new", "ann", "new")
    ]


async def test_who_waits_while_his_person_is_parted_looks_again(context):
    await save(context, "ann", "bob", "cid", "new")
    await merge(context, "cid", "bob")
    await merge(context, "ann", "cid")
    async with context.db.transaction() as connection:
        folk = await people.load(connection, {person_id("ann"), person_id("new")})
        waiting = asyncio.create_task(root(context, "bob"))
        waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        await until(lambda: _found(context, waits))
        folk.part(person_id("new"), [person_id("cid")])
        await folk.save(connection, [])
    with pytest.raises(Again):
        await waiting
    assert await root(context, "bob") == person_id("new")


async def _found(context, query: str) -> bool:
    return bool(await rows(context, query))
