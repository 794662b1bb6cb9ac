"""What a new plan leaves as it is: most people, where a segment is published that few stand in. Pure.

A new plan is asked of everybody, but only whom it moves is written. The row of anybody else keeps the number of the plan under which it
was written last, and stands under the new one: whoever reads it later says so with `standing`.
"""

from typing import NamedTuple

import msgspec

from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.live import fills, keeps
from services.segmenter.domain.plan import Indexes, Plan
from services.segmenter.domain.state import OUTSIDE, UNSEEN, State


class Difference(NamedTuple):
    """changed: places of the segments that are new or mean something else. gone: keys that are no more; unmarked: their marks. forgotten: attributes that are kept no more. stale: accumulators that are no
    more, or of which states are to hold nothing of before.
    """

    changed: Indexes
    gone: frozenset[str]
    unmarked: frozenset[int]
    forgotten: frozenset[str]
    stale: frozenset[int]


def difference(old: Plan, plan: Plan) -> Difference:
    """What a plan does not share with one before it."""
    known = {segment.key: (segment.fingerprint, mark) for segment, mark in zip(old.segments, old.marks, strict=True)}
    # What a topic lies within is no part of a condition, so those about consent are asked each time.
    now = {segment.key: (segment.fingerprint, mark) for segment, mark in zip(plan.segments, plan.marks, strict=True)}
    asked = {place for key, place in plan.place.items() if known.get(key) != now[key]}
    return Difference(
        tuple(sorted(asked | set(plan.by_consent))),
        frozenset(known) - plan.place.keys(),
        frozenset(mark for key, (_, mark) in known.items() if now.get(key, (None, None))[1] != mark),
        frozenset(name for name in old.by_attribute if not keeps(name, plan)),
        frozenset(old.accumulators.keys() - plan.accumulators.keys()) | (plan.filling.scope - plan.filling.again),
    )


def untouched(state: State, at: int, changes: Difference, plan: Plan) -> bool:
    """True: `upgrade` at this instant (ms) would move nobody and nothing of this state, but for its numbers and for instants that no
    longer count. False says nothing. changes: between the plan under which he stands, and this one.
    """
    at = max(at, state.clock)
    if state.revision == UNSEEN or state.owed or state.apart or state.due <= at:
        return False
    members, horizons, series = state.members, state.horizons, state.series
    if not (changes.gone.isdisjoint(members) and changes.unmarked.isdisjoint(horizons) and changes.stale.isdisjoint(series)):
        return False
    if not changes.forgotten.isdisjoint(state.attributes):
        return False
    bucketing = state.bucketing[1] if state.bucketing else None
    for place in changes.changed:
        segment = plan.segments[place]
        signed = segment.evaluate(series, state.attributes, state.kinds, bucketing, members, state.words, at)
        if abs(signed) < NEVER or (signed > 0) is not (segment.key in members) or plan.marks[place] in horizons:
            return False
    return True


def standing(state: State, number: int, plan: Plan) -> State:
    """The same person under the plan of this number, which left him as he is; the ruling plan, or one before it. What that one fills is
    still to come to him.
    """
    if not OUTSIDE < state.revision < number:
        return state
    if fills(state, plan) and number >= plan.filling.number:
        return msgspec.structs.replace(state, revision=number, awaits=plan.filling.number, since={})
    return msgspec.structs.replace(state, revision=number)
