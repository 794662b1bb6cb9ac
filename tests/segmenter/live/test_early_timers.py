"""A row may name an earlier instant than the state does: the timer comes too early, and what is decided stays the same."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from runtime import people
from runtime.batch import Emit
from runtime.process import Context
from schemas.facts import PROFILE_MERGED, Fact
from schemas.ids import derive
from services.segmenter.domain import state
from tests.segmenter.live.by_hand import Process, publish
from tests.support.live import T0, fact, rows

MINUTE, HOUR = 60_000, 3_600_000
PEOPLE = [derive("person", n) for n in range(12)]


def did(count: int, within: int) -> dict[str, Any]:
    return {"kind": "did", "event": "Seen", "op": "ge", "value": count, "within": within}


def seen(person: str, at: int, number: int = 0) -> Fact:
    return fact(f"{person}{at}{number}", at=at, profile=person)


async def dues(context: Context) -> list[tuple[int | None, int]]:
    """(what the row says, what the state says) of everybody who is no tombstone."""
    found = await rows(context, "SELECT due_at, state FROM person WHERE merged_into IS NULL ORDER BY id")
    return [(row["due_at"], state.decode(row["state"]).due) for row in found]


async def test_a_flip_that_moves_into_the_future_moves_no_row_until_its_timer_looks(context: Context) -> None:
    process = Process(context)
    await publish(context, "segment", "active", condition=did(1, HOUR))
    await process.fire()
    await process.take(seen(PEOPLE[0], T0))
    process.now = T0 + 10 * MINUTE
    await process.take(seen(PEOPLE[0], process.now))
    assert await dues(context) == [(T0 + HOUR, T0 + 10 * MINUTE + HOUR)]
    process.now = T0 + HOUR
    assert await process.fire() == ([], 1)
    assert await dues(context) == [(T0 + 10 * MINUTE + HOUR, T0 + 10 * MINUTE + HOUR)]
    process.now = T0 + 10 * MINUTE + HOUR
    told, _ = await process.fire()
    assert len(told) == 1
    assert await dues(context) == [(None, state.State().due)]


async def test_one_that_comes_nearer_moves_the_row_at_once(context: Context) -> None:
    process = Process(context)
    await publish(context, "segment", "active", condition=did(1, HOUR))
    await publish(context, "segment", "busy", condition=did(2, MINUTE))
    await process.fire()
    await process.take(seen(PEOPLE[0], T0), seen(PEOPLE[0], T0, 1))
    assert await dues(context) == [(T0 + MINUTE, T0 + MINUTE)]


@pytest.mark.parametrize("timer_first", [True, False])
async def test_a_flip_that_was_due_before_a_merge_is_told_of_him_to_whom_time_brought_it(
    context: Context, timer_first: bool
) -> None:
    """The timer may come late: the merge comes at its own instant, and what was due before happened before, and starts journeys."""
    elder, younger = PEOPLE[:2]
    process = Process(context)
    await publish(context, "segment", "sleeps", condition={"kind": "not", "of": did(1, HOUR)})
    await process.fire()
    await process.take(seen(elder, T0), seen(younger, T0))
    process.now = T0 + 2 * HOUR
    told = (await process.fire())[0] if timer_first else []
    pair = {"winner": elder, "loser": younger}
    told += await process.take(fact("m", at=process.now, type=PROFILE_MERGED, event="", profile=elder, properties=pair))
    found = [(emit.key, msgspec.json.decode(emit.value)) for emit in told if emit.type != "mark"]
    assert sorted((person, m["type"], m["at"], m["why"]) for person, m in found) == sorted(
        (person, "entered", T0 + HOUR, "time") for person in (elder, younger)
    )


def history(seed: int) -> list[tuple[int, list[Fact], bool]]:
    """(instant, facts received by then, whether the timers have their turn), with facts that come late and people who are merged."""
    rng, at = random.Random(seed), T0
    steps = []
    for number in range(70):
        at += rng.choice([1, MINUTE, 7 * MINUTE, 40 * MINUTE])
        facts = [seen(rng.choice(PEOPLE), at - rng.choice([0, 0, MINUTE]), n) for n in range(rng.randrange(6))]
        if number % 20 == 10:
            winner, loser = rng.sample(PEOPLE, 2)
            pair = {"winner": winner, "loser": loser}
            facts.append(fact(f"m{number}", at=at, type=PROFILE_MERGED, event="", profile=winner, properties=pair))
        steps.append((at, facts, rng.random() < 0.5))
    return [*steps, (at + 5 * HOUR, [], True)]


async def play(context: Context, steps: Sequence[tuple[int, list[Fact], bool]]) -> dict[str, list[bytes]]:
    """What was told of each person, in its order."""
    process, told = Process(context), list[Emit]()
    async with context.db.transaction() as connection:
        await connection.execute("TRUNCATE person, sweep")
    for now, facts, fires in steps:
        process.now = now
        told += await process.take(*facts) if facts else []
        assert all((row or now + 10 * HOUR) <= due for row, due in await dues(context) if due < now + 10 * HOUR), (
            "no timer too late"
        )
        if fires:
            told += (await process.fire(limit=3))[0]
            assert all(due > now for _, due in await dues(context)), "nothing that is due is left"
    return {person: [emit.value for emit in told if emit.key == person] for person in PEOPLE}


@pytest.mark.parametrize("seed", range(3))
async def test_the_same_is_decided_byte_for_byte(context: Context, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    await publish(context, "segment", "active", condition=did(1, HOUR))
    await publish(context, "segment", "busy", condition=did(3, 45 * MINUTE))
    await publish(context, "segment", "calm", condition={"kind": "not", "of": {"kind": "segment", "key": "busy"}})
    early = await play(context, history(seed))
    monkeypatch.setattr(people, "UPDATE_EARLY", people.UPDATE)
    assert sum(map(len, early.values())) > 60
    assert early == await play(context, history(seed))


async def test_an_anonymous_visitor_is_known_by_his_device(context: Context) -> None:
    """profile tells of identifiers that prove who somebody is; this one is heard with the facts that carry it."""
    process = Process(context)
    await publish(context, "segment", "device", condition={"kind": "identifier", "has": "anonymous_id"})
    await process.fire()
    entered, _ = await process.take(fact("p", "anonymous_id:x", type="page", event="", profile=PEOPLE[0]))
    assert entered.key == PEOPLE[0]
