"""Played again from some instant on, a person enters and leaves what live says, when it says so, and by what."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.audience import Condition
from schemas.facts import PROFILE_CHANGED, Fact
from schemas.ids import derive
from services.segmenter.domain import live
from services.segmenter.domain.draft import Change
from services.segmenter.domain.parting import replay
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.rehearsing import begun, flips
from services.segmenter.domain.state import State
from services.segmenter.rehearsing import MOST, in_turn

HOUR, DAY, T0 = 3_600_000, 86_400_000, 1_290_000_000_000
_read: TypeAdapter[Condition] = TypeAdapter(Condition)
CONDITIONS: dict[str, Any] = {
    "bought": {"kind": "did", "event": "buy"},
    "never": {"kind": "not", "of": {"kind": "segment", "key": "bought"}},
    "fresh": {"kind": "did", "event": "buy", "within": DAY},
    "spent": {"kind": "total", "event": "buy", "sum": "minor", "op": "ge", "value": 100, "within": 2 * DAY},
    "omsk": {"kind": "attribute", "name": "city", "op": "eq", "value": "Omsk"},
    "mail": {"kind": "reachable", "channel": "email"},
    "agreed": {"kind": "consent", "channel": "email", "topic": "*", "state": "granted"},
    "half": {"kind": "bucket", "salt": "s", "start": 0, "end": 5000},
}
PLAN = compile_plan({key: _read.validate_python(one) for key, one in CONDITIONS.items()}, 1)

said = st.sampled_from(["buy", "buy", "other", "moved", "mail", "yes", "no"])
scripts = st.lists(st.tuples(st.sampled_from([1, HOUR, 5 * HOUR, DAY]), said, st.integers(1, 80)), max_size=14)


def told(script) -> list[tuple[tuple[int, str, int, int], Fact]]:
    at, found = T0, []
    for number, (step, what, minor) in enumerate(script):
        at += step
        more: dict[str, Any] = {"type": "track", "event": what, "properties": {"minor": minor}}
        if what == "moved":
            more = {"type": "identify", "attributes": {"city": "Omsk" if minor % 2 else "Tomsk"}}
        elif what == "mail":
            pair = {"bucketing_id": f"b{minor}", "bucketed_at": at}
            more = {"type": PROFILE_CHANGED, "identifiers": ("email:",), **pair}
        elif what in ("yes", "no"):
            event = "Consent Granted" if what == "yes" else "Consent Withdrawn"
            more = {"type": "track", "event": event, "properties": {"channel": "email", "topic": "*"}}
        late = at - (minor % 3) * HOUR
        fact = Fact(id=derive("f", number), brand="b", source="s", occurred_at=late, received_at=at, profile="p", **more)
        found.append(((at, "facts", 0, number), fact))
    return found


def lived(facts, until: int) -> list[Change]:
    """Every change, fact by fact."""
    state, changes = State(), []
    for _, fact in facts:
        if fact.type == PROFILE_CHANGED:
            fact = Fact(**{name: getattr(fact, name) for name in fact.__struct_fields__} | {"attributes": live.news(fact, PLAN)})
        decision = live.decide(state, fact, fact.received_at, PLAN)
        state, changes = decision.state, [*changes, *decision.changes]
    return [*changes, *(live.fire(state, until, PLAN).changes if state.revision else ())]


@settings(max_examples=300, deadline=None)
@example([(1, "buy", 50), (DAY, "other", 1)], DAY + 1)
@given(scripts, st.integers(0, 6 * DAY))
def test_from_some_instant_on_it_tells_what_live_tells(script, into):
    facts, since = told(script), T0 + into
    until = max(since, facts[-1][0][0] if facts else since) + 3 * DAY
    before = [one for one in facts if one[0][0] < since]
    series = replay([fact for _, fact in before], since, PLAN)
    state = begun([fact for _, fact in before], series, facts[0][0][0] if facts else until, since, PLAN)
    changes = lived(facts, until)
    stands: set[str] = set()
    for change in changes:
        if change.at <= since and (change.at < since or change.kind == "time"):
            (stands.add if change.entered else stands.discard)(change.segment)
    assert set(state.members) == stands
    found = list(flips(state, facts[len(before) :], until, PLAN))
    assert [flip.change for flip in found] == [c for c in changes if c.at > since or (c.at == since and c.kind != "time")]
    places = {fact.id: place for place, fact in facts}
    assert [flip.place for flip in found] == [places[flip.change.cause] if flip.change.cause else None for flip in found]


async def test_a_process_answers_so_many_at_a_time_and_whoever_goes_away_makes_room() -> None:
    turns, going = asyncio.Semaphore(MOST), 0

    async def frames() -> AsyncGenerator[bytes, None]:
        nonlocal going
        going += 1
        try:
            yield b"first"
            yield b"last"
        finally:
            going -= 1

    answers = [in_turn(turns, frames()) for _ in range(MOST + 1)]
    for one in answers[:MOST]:
        assert await anext(one) == b"first"
    waiting = asyncio.ensure_future(anext(answers[MOST]))
    await asyncio.sleep(0)
    assert not waiting.done() and going == MOST
    await answers[0].aclose()
    assert (await waiting, going) == (b"first", MOST)
    for one in answers:
        await one.aclose()
    assert going == 0
