"""A person's state made anew of what is known of him, and where it differs from the one that live has. Pure.

Live has seen facts one by one, with timers, merges, unmerges and new conditions between; here all that he did stands there at once. Both
must come to the same, as a state is a function of the facts and of the instant alone.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

from schemas.attributes import Entry
from schemas.permission import SUBJECTS, Words
from services.segmenter.domain.draft import Draft, awaited
from services.segmenter.domain.filling import reading
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.live import entries, fire, keeps
from services.segmenter.domain.plan import Accumulator, Plan, kept_kind
from services.segmenter.domain.series import DAY_MS, EXACT_PARTS, NOTHING, VALUES, Series, fitted
from services.segmenter.domain.state import State

FLIPS_AHEAD = 3  # of each person: instants to come at which time alone may move him

NOBODY = frozenset[str]()


class Known(NamedTuple):
    """Who somebody is: attributes as name -> (at, value), kinds of his identifiers, the smallest bucketing pair, words of consent."""

    attributes: Mapping[str, Entry]
    kinds: Collection[str]
    bucketing: tuple[int, str] | None
    words: Words


def rebuilt(known: Known, series: Mapping[int, Series], at: int, plan: Plan) -> State:
    """His state at an instant (ms). series: what he did, by accumulator; what is no longer asked for is left out."""
    draft = Draft(State(plan.revision), plan)
    draft.series = {id_: _cut(one, plan.accumulators[id_], at) for id_, one in series.items() if id_ in plan.accumulators}
    draft.attributes = entries(known.attributes, plan)
    draft.kinds = tuple(sorted(kind for kind in known.kinds if kept_kind(kind, plan)))
    draft.bucketing, draft.words = known.bucketing, known.words
    draft.consider(plan.everything, at, "backfill", None)
    return draft.decision().state


def standing_since(state: State, told: State) -> State:
    """The same, but where he was told to stand already he stands there since then."""
    members = {key: told.members.get(key, since) for key, since in state.members.items()}
    return msgspec.structs.replace(state, members=members)


def under_way(held: State, plan: Plan) -> bool:
    """Whether what live has of him is not whole yet: a plan, history or half of an unmerge is still to come to him."""
    return held.revision != plan.revision or bool(held.apart or held.owed or awaited(held, plan))


def differences(
    held: State, again: State, at: int, plan: Plan, unasked: Collection[str] = NOBODY, unsaid: Collection[str] = NOBODY
) -> list[str]:
    """What of a person live (`held`) has otherwise than it was made anew, at an instant and at his next flips; names, never values.

    unasked, unsaid: segments and attributes of which nothing is said. Raises ValueError where `held` is under another plan.
    """
    instant = max(at, held.clock)
    one, other = fire(held, instant, plan).state, fire(again, instant, plan).state
    found = [f"counts of {name}" for name in _uncounted(one, other, instant, plan)]
    found += [f"attribute {name}" for name in _unlike(one.attributes, other.attributes) if keeps(name, plan) and name not in unsaid]
    if {kind for kind in one.kinds if kept_kind(kind, plan)} != set(other.kinds):
        found.append("kinds of identifiers")
    if one.bucketing != other.bucketing:
        found.append("bucketing")
    if one.words != other.words and len(one.words) < SUBJECTS:
        found.append("consent")
    blurred = reading(plan, _blurred(one, other, plan))
    asked = plan.place.keys() - set(unasked) - blurred
    return found + _moved(one, other, asked, plan)


def _moved(one: State, other: State, asked: AbstractSet[str], plan: Plan) -> list[str]:
    """The segments in which he stands by one of them only, now or after one of the next flips."""
    found: list[str] = []
    for ahead in range(1 + FLIPS_AHEAD):
        apart = (one.members.keys() ^ other.members.keys()) & asked
        if apart:
            return found + [f"segment {key}" if not ahead else f"segment {key}, to come" for key in sorted(apart)]
        then = min(one.due, other.due)
        if then >= NEVER:
            break
        one, other = fire(one, then, plan).state, fire(other, then, plan).state
    return found


def _uncounted(one: State, other: State, at: int, plan: Plan) -> list[str]:
    """The events of which both count otherwise, but for what is being brought from the lake."""
    found = set()
    for id_, accumulator in plan.accumulators.items():
        if id_ not in plan.filling.scope and not _same(
            one.series.get(id_, NOTHING), other.series.get(id_, NOTHING), accumulator, at
        ):
            found.add(accumulator.event)
    return sorted(found)


def _same(one: Series, other: Series, accumulator: Accumulator, at: int) -> bool:
    one, other = _cut(one, accumulator, at), _cut(other, accumulator, at)
    if one == other:
        return True
    totals = (one.count, one.total, one.first, one.last) == (other.count, other.total, other.first, other.last)
    gone = at - accumulator.window
    return totals and _is_coarse(one, other, accumulator) and _days(one, gone) == _days(other, gone)


def _is_coarse(one: Series, other: Series, accumulator: Accumulator) -> bool:
    """Whether old parts of a sum may have been rounded down, in one of them earlier than in the other (series.trimmed)."""
    sums = accumulator.window and not accumulator.rank and accumulator.gathers not in VALUES
    return bool(sums) and max(len(one.times), len(other.times)) >= EXACT_PARTS // 2


def _days(series: Series, gone: int) -> dict[int, int]:
    """The parts of a sum by day, which no rounding changes; without the day in which the window ends."""
    days: dict[int, int] = {}
    for at, amount in zip(series.times, series.amounts, strict=True):
        if (day := at - at % DAY_MS) > gone:
            days[day] = days.get(day, 0) + amount
    return days


def _blurred(one: State, other: State, plan: Plan) -> set[int]:
    """Accumulators of which the two may hold the oldest parts of a sum rounded otherwise: up to a day apart."""
    return {
        id_
        for id_, series in one.series.items()
        if id_ in plan.accumulators and _is_coarse(series, other.series.get(id_, NOTHING), plan.accumulators[id_])
    }


def _cut(series: Series, accumulator: Accumulator, at: int) -> Series:
    return fitted(series, accumulator.rank, accumulator.window, at, accumulator.gathers)


def _unlike(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> list[str]:
    def entry(said: Mapping[str, Entry], name: str) -> tuple[object, ...]:
        return tuple(said.get(name, ()))

    return sorted(name for name in one.keys() | other.keys() if entry(one, name) != entry(other, name))
