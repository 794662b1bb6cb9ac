"""Who would have stood in which segment, had a plan been in force: a person's history played again under it. Pure.

Live decides fact by fact, and so does this, by the same functions. Only where it begins is his state made of what is known of him until
then (`rebuilding.rebuilt`), and nothing is told of that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.attributes import Entry, stamp
from schemas.attributes import merge as merge_attributes
from schemas.facts import PROFILE_CHANGED, Fact
from schemas.permission import Words
from services.segmenter.domain import consenting, live
from services.segmenter.domain.draft import Change
from services.segmenter.domain.plan import Plan
from services.segmenter.domain.rebuilding import Known, rebuilt
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import State

Place = tuple[int, str, int, int]  # received_at, topic, partition, offset
Placed = tuple[Place, Fact]


class Flip(NamedTuple):
    """place: of the fact that brought it, None where time alone did."""

    place: Place | None
    change: Change


def known(facts: Iterable[Fact], plan: Plan) -> Known:
    """Who somebody was after these facts, in order."""
    attributes: Mapping[str, Entry] = {}
    kinds: dict[str, None] = {}
    bucketing: tuple[int, str] | None = None
    words: Words = {}
    for fact in facts:
        attributes, _ = merge_attributes(attributes, _said(fact, plan))
        kinds.update(dict.fromkeys(text.partition(":")[0] for text in fact.identifiers))
        if fact.bucketing_id is not None and fact.bucketed_at is not None:
            pair = (fact.bucketed_at, fact.bucketing_id)
            bucketing = min(pair, bucketing or pair)
        words = consenting.heard(words, fact)
    return Known(attributes, tuple(kinds), bucketing, words)


def begun(before: Sequence[Fact], series: Mapping[int, Series], first_at: int, since: int, plan: Plan) -> State:
    """His state at `since` (ms). series: what he had done by then; first_at: when anything was first told of him. Of whom nothing was, nobody
    had been asked either.
    """
    return rebuilt(known(before, plan), series, since, plan) if first_at < since else State()


def flips(state: State, facts: Iterable[Placed], until: int, plan: Plan) -> Iterator[Flip]:
    """What these facts and time change until an instant, in order."""
    for place, fact in facts:
        if fact.type == PROFILE_CHANGED:
            fact = msgspec.structs.replace(fact, attributes=live.news(fact, plan))
        decision = live.decide(state, fact, fact.received_at, plan)
        state = decision.state
        for change in decision.changes:
            yield Flip(None if change.kind == "time" else place, change)
    if state.revision == plan.revision:
        for change in live.fire(state, until, plan).changes:
            yield Flip(None, change)


def _said(fact: Fact, plan: Plan) -> Mapping[str, Entry]:
    if fact.type == PROFILE_CHANGED:
        return live.entries(fact.attributes, plan)
    kept = {name: value for name, value in fact.attributes.items() if live.keeps(name, plan) and name not in fact.ruled}
    return stamp(kept, max(0, min(fact.occurred_at, fact.received_at)))
