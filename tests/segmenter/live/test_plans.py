"""When everybody is brought under a new plan, and that nobody who comes late brings anybody back."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec
import pytest

from runtime import watermark
from runtime.batch import Emit
from runtime.db import Again
from runtime.process import Context
from schemas.facts import PROFILE_MERGED, Fact
from schemas.ids import derive, partition_of
from services.segmenter.domain import state
from tests.segmenter.live.by_hand import Process, publish
from tests.support.live import T0, fact, rows

KAZAN = {"kind": "attribute", "name": "city", "op": "eq", "value": "Kazan"}
OMSK = {**KAZAN, "value": "Omsk"}
XMIN = "SELECT id::text AS id, xmin::text AS xmin FROM person ORDER BY id"
SWEPT = "SELECT count(*) FROM sweep JOIN plan ON sweep.revision = plan.number WHERE done"
PEOPLE = [derive("person", n) for n in range(30)]


def lives_in(city: str, person: str, at: int = T0) -> Fact:
    return fact(f"{city}{person}{at}", type="identify", event="", profile=person, attributes={"city": city}, at=at)


def told(emits: Sequence[Emit]) -> list[tuple[str, str]]:
    """Who entered and left what."""
    found = [msgspec.json.decode(emit.value) for emit in emits]
    return [(m["segment"], m["type"]) for m in found if m["type"] != "mark"]


def marked(emits: Sequence[Emit]) -> list[str]:
    """What each record of a batch or a sweep is, a mark as "mark of" its topic."""
    found = [msgspec.json.decode(emit.value) for emit in emits]
    return [f"mark of {m['topic']}" if m["type"] == "mark" else m["type"] for m in found]


async def test_only_what_can_change_an_answer_sweeps(context: Context) -> None:
    one = Process(context)
    await publish(context, "segment", "kazan", condition=KAZAN)
    await one.sweep()
    await one.take(*(lives_in("Kazan", person) for person in PEOPLE))
    stood = await rows(context, "SELECT id, state, xmin::text FROM person ORDER BY id")
    quiet = (
        ("template", "hello", 1, {"text": "hi"}),
        ("brand", "shop", 1, {"time_zone": "Asia/Omsk"}),
        ("segment", "kazan", 2, {"condition": {"kind": "all", "of": [KAZAN, KAZAN]}, "title": "The same in other words"}),
    )
    for kind, key, version, body in quiet:
        await publish(context, kind, key, version, **body)
        assert await one.sweep() == 0
        assert await rows(context, "SELECT id, state, xmin::text FROM person ORDER BY id") == stood
    await publish(context, "segment", "~journey.j.1.b", condition=OMSK)
    assert await one.sweep() >= len(PEOPLE)
    assert len({state.glance(row["state"]).revision for row in await rows(context, "SELECT state FROM person")}) == 1
    again = Process(context)  # a process that starts knows the plan that rules
    await publish(context, "template", "hello", 2, text="hi there")
    assert await again.sweep() == 0
    assert told(await again.take(lives_in("Omsk", PEOPLE[0], T0 + 1)))[:2] == [("kazan", "left"), ("~journey.j.1.b", "entered")]


async def test_what_is_published_back_and_forth_sweeps_each_time(context: Context) -> None:
    """Under the other plan some were moved already: that the first one ruled before does not mean that they stand under it."""
    one = Process(context)
    await publish(context, "segment", "s", condition=KAZAN)
    await one.sweep()
    await one.take(*(lives_in("Omsk", person) for person in PEOPLE))
    await publish(context, "segment", "s", 2, condition=OMSK)
    assert told(await one.take(fact("seen", profile=PEOPLE[0]))) == [("s", "entered")]
    await publish(context, "segment", "s", 3, condition=KAZAN)
    assert await one.sweep() >= len(PEOPLE)
    assert {tuple(state.decode(row["state"]).members) for row in await rows(context, "SELECT state FROM person")} == {()}


async def test_whom_a_plan_does_not_move_keeps_his_row_and_stands_under_it(context: Context) -> None:
    one = Process(context)
    await publish(context, "segment", "kazan", condition=KAZAN)
    await one.sweep()
    await one.take(lives_in("Omsk", PEOPLE[0]), *(lives_in("Kazan", person) for person in PEOPLE[1:]))
    await publish(context, "segment", "omsk", condition=OMSK)
    stood = {row["id"]: row["xmin"] for row in await rows(context, XMIN)}
    assert told((await one.fire())[0]) == [("omsk", "entered")]
    assert [row["id"] for row in await rows(context, XMIN) if row["xmin"] != stood[row["id"]]] == [PEOPLE[0]]
    again = Process(context)  # it never knew the plan of before
    emits = await again.take(lives_in("Omsk", PEOPLE[1], T0 + 1))
    assert told(emits) == [("kazan", "left"), ("omsk", "entered")]
    assert {msgspec.json.decode(emit.value).get("why", "fact") for emit in emits} == {"fact"}


async def test_nobody_is_looked_at_while_a_batch_may_go_on_under_an_earlier_plan(context: Context) -> None:
    one, size = Process(context), context.settings.partitions
    await one.take(lives_in("Omsk", PEOPLE[0]))
    await one.sweep()
    async with context.db.transaction() as connection:
        await watermark.ensure(connection, [("facts", 0)])
    async with context.db.transaction() as late:
        await watermark.lock(late, [("facts", 0)])
        await publish(context, "segment", "omsk", condition=OMSK)
        for _ in range(3):
            async with context.db.transaction() as connection:
                assert not (await one.step(connection, range(size), 100)).emits
        assert (await rows(context, SWEPT))[0][0] == 0
    assert told((await one.fire())[0]) == [("omsk", "entered")]
    assert (await rows(context, SWEPT))[0][0] == size


async def test_places_that_are_always_busy_do_not_hold_the_walk_up(context: Context) -> None:
    one, size = Process(context), context.settings.partitions
    await one.take(lives_in("Omsk", PEOPLE[0]))
    await one.sweep()
    places = [("facts", 0), ("facts", 1)]
    async with context.db.transaction() as connection:
        await watermark.ensure(connection, places)

    async def looked() -> bool:
        async with context.db.transaction() as connection:
            return bool((await one.step(connection, range(size), 100)).emits)

    async with AsyncExitStack() as later:
        async with context.db.transaction() as late:
            await watermark.lock(late, places[:1])
            await publish(context, "segment", "omsk", condition=OMSK)
            assert not await looked(), "the plan is recorded"
            assert not await looked()
            await watermark.lock(await later.enter_async_context(context.db.transaction()), places[1:])
            assert not await looked(), "the batch of before goes on"
        assert await looked(), "the one that goes on now looked at the plan when it ruled already"


async def test_two_processes_find_the_same_number_whoever_comes_first(context: Context) -> None:
    one, other = Process(context), Process(context)
    await publish(context, "segment", "s", condition=KAZAN)
    await one.take(lives_in("Omsk", PEOPLE[0]))
    await publish(context, "template", "t", text="hi")
    await other.take(lives_in("Omsk", PEOPLE[1]))
    await one.take(lives_in("Omsk", PEOPLE[2]))
    stood = {state.glance(row["state"]).revision for row in await rows(context, "SELECT state FROM person")}
    assert len(stood) == 1
    await one.sweep()
    assert await other.sweep() == 0


async def test_a_batch_that_read_the_revision_before_a_new_plan_brings_nobody_back(context: Context) -> None:
    late, quick = Process(context), Process(context)
    await publish(context, "segment", "s", condition=KAZAN)
    await late.take(lives_in("Omsk", PEOPLE[0]))
    await late.take(lives_in("Omsk", PEOPLE[0]))
    await publish(context, "segment", "s", 2, condition=OMSK)
    await quick.sweep()
    with pytest.raises(Again):
        await late.take(lives_in("Kazan", PEOPLE[0], T0 + 1), revision=1)
    with pytest.raises(Again):
        await Process(context).take(lives_in("Kazan", PEOPLE[0], T0 + 1), revision=1)
    assert told(await late.take(lives_in("Kazan", PEOPLE[0], T0 + 1))) == [("s", "left")]


async def test_definitions_are_never_taken_for_those_of_an_earlier_revision(context: Context) -> None:
    """A transaction read its revision, and the documents only after the next ones had come: it begins again and records nothing."""
    await publish(context, "segment", "s", condition=KAZAN)
    await publish(context, "segment", "s", 2, condition=OMSK)
    with pytest.raises(Again):
        await Process(context).take(lives_in("Kazan", PEOPLE[0]), revision=1)
    assert [row["revision"] for row in await rows(context, "SELECT revision FROM plan")] == [-1]


async def test_a_mark_waits_for_the_sweep_of_whomever_the_person_was_merged_into(context: Context) -> None:
    """The fact's partition is swept, his who is meant is not: he is brought under the plan before the mark is written."""
    size = context.settings.partitions
    elder = PEOPLE[0]
    younger = next(name for name in PEOPLE if partition_of(name, size) != partition_of(elder, size))
    one = Process(context)
    await one.sweep()
    await one.take(lives_in("Kazan", elder, T0 + 1), lives_in("Omsk", younger))
    merge = {"winner": elder, "loser": younger}
    await one.take(fact("m", type=PROFILE_MERGED, event="", profile=elder, properties=merge))
    await publish(context, "segment", "~journey.j.1.b", condition=KAZAN)
    await one.sweep([partition_of(younger, size)])
    assert marked(await one.take(fact("seen", profile=younger))) == ["entered", "mark of facts", "mark of facts"]


async def test_when_everybody_of_a_partition_was_asked_about_a_condition_it_is_said_behind_the_answers(context: Context) -> None:
    """Else a run that met the condition before the segmenter did would take silence for a no, or wait for ever."""
    one, size = Process(context), context.settings.partitions
    await one.take(*(lives_in("Kazan", person) for person in PEOPLE))
    await one.sweep()
    await publish(context, "segment", "~journey.j.1.b", condition=KAZAN)
    await publish(context, "segment", "kazan", condition=KAZAN)
    own = [person for person in PEOPLE if partition_of(person, size) == partition_of(PEOPLE[0], size)]
    emits, _ = await one.fire([partition_of(PEOPLE[0], size)], limit=1)
    kinds = marked(emits)
    assert (kinds[-1], kinds.count("entered"), len(kinds)) == ("mark of ~journey.j.1.b", 2 * len(own), 2 * len(own) + 1)
    assert [(emit.topic, emit.partition) for emit in emits][-1] == ("memberships", partition_of(PEOPLE[0], size))
    others = [p for p in range(size) if p != partition_of(PEOPLE[0], size)]
    assert marked((await one.fire(others))[0]).count("mark of ~journey.j.1.b") == size - 1
    await publish(context, "segment", "~journey.j.2.b", condition=OMSK)
    assert set(marked((await one.fire())[0])) >= {"mark of ~journey.j.1.b", "mark of ~journey.j.2.b"}


async def test_a_fact_is_marked_though_nobody_asks_yet(context: Context) -> None:
    """The orchestrator may know a journey already for whose conditions it waits."""
    assert marked(await Process(context).take(lives_in("Kazan", PEOPLE[0]))) == ["mark of facts"]
