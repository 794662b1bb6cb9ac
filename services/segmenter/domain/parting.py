"""Somebody is parted from another: who each of them is at once, and what he did when the lake has been counted anew. Pure.

Two facts tell of it, in two partitions: the split says whose somebody was, his own says who he is. Whatever comes first, nothing is told
of him before both are heard: "never bought" would be true of him for a second, and start a journey. What is told then, and of him who
stays, is news to nobody: kind merge, `carried`.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from schemas.attributes import merge as merge_attributes
from schemas.facts import Fact
from schemas.permission import left as left_words
from services.segmenter.domain import consenting
from services.segmenter.domain.draft import Decision, Draft
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.live import decide, entries, folded
from services.segmenter.domain.plan import Plan, kept_kind
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import State


def stays(state: State, fact: Fact, parts: Iterable[str], plan: Plan, *, himself: bool) -> Decision:
    """He from whom others are parted (the `profile.split`): counts what he did with them until it is counted anew.

    parts: of the parted, those who are one with him by now. himself: he is still the one the fact was told of, so what it says is all that is left to him; else he became one with somebody.
    """
    at, act = max(fact.received_at, state.clock), fact.properties["act"]
    draft = Draft(state, plan)
    if himself:
        draft.attributes = entries(fact.attributes, plan)
        draft.bucketing = _bucketing(fact)
        # All that prove who he is are said: a kind that left has no fellow among what is not.
        gone = _kinds(fact.lost, plan) - _kinds(fact.identifiers, plan)
        draft.kinds = tuple(kind for kind in draft.kinds if kind not in gone)
    others = [consenting.told(part.get("words", {})) for part in fact.properties.get("parts", ())]
    draft.words = left_words(draft.words, consenting.told(fact.properties.get("words", {})), others)
    draft.apart = _half(state, parts)
    return _anew(draft, at, act)


def leaves(state: State, left: State, fact: Fact, parts: Collection[str], plan: Plan) -> Decision:
    """He who is parted (the `profile.split`): what both did is his as well until it is counted anew. left: the other, before; parts: who
    of the parted he is by now.
    """
    at, act = max(fact.received_at, state.clock, left.clock), fact.properties["act"]
    draft = Draft(state, plan)
    draft.series = folded(state.series, left.series, plan, at)
    for part in fact.properties.get("parts", ()):
        if part["profile"] in parts:
            draft.words = consenting.both(draft.words, consenting.told(part.get("words", {})))
    draft.apart = _half(state, parts)
    return _anew(draft, at, act)


def heard(state: State, fact: Fact, plan: Plan) -> Decision:
    """Who he is that was parted: the first `profile.changed` of his."""
    at, act = max(fact.received_at, state.clock), fact.properties["act"]
    draft = Draft(state, plan)
    draft.attributes, _ = merge_attributes(state.attributes, entries(fact.attributes, plan))
    draft.bucketing = min((pair for pair in (state.bucketing, _bucketing(fact)) if pair), default=None)
    draft.kinds = tuple(dict.fromkeys((*state.kinds, *sorted(_kinds(fact.identifiers, plan)))))
    draft.apart = _half(state, [fact.profile or ""])
    return _quietly(draft, at, act)


def held(told: Mapping[str, int], decision: Decision, plan: Plan) -> Decision:
    """The same without a word, while half of an unmerge is unheard: he stands where it was told that he does, but for what is gone."""
    members = {key: since for key, since in told.items() if key in plan.place}
    state = msgspec.structs.replace(decision.state, members=members, horizons={}, due=NEVER)
    changes = tuple(change for change in decision.changes if change.segment not in plan.place)
    return Decision(state, changes, changed=True)


def replay(facts: Iterable[Fact], now: int, plan: Plan) -> dict[int, Series]:
    """What these facts are counted to, in the order in which they were received. What asks for personal properties is left out: the
    lake does not have them.
    """
    state = State()
    for fact in facts:
        state = decide(state, fact, now, plan).state
    return {id_: series for id_, series in state.series.items() if not plan.accumulators[id_].personal}


def counted(state: State, found: Mapping[int, Series], act: str, now: int, plan: Plan) -> Decision:
    """What the lake had of him until he was parted, and what he did since, are all that he did: changes of kind backfill."""
    at = max(now, state.clock)
    draft = Draft(state, plan)
    both = folded(state.since, found, plan, at)
    draft.owed = max(0, state.owed - 1)
    if draft.owed:  # the rest comes with another row
        draft.since = both
        return draft.decision()
    draft.series, draft.since = both, {}
    draft.consider(plan.everything, at, "backfill", act)
    return draft.decision()


def _anew(draft: Draft, at: int, act: str) -> Decision:
    """From here on what he does is kept apart, to be added to what the lake has until here."""
    draft.owed, draft.since, draft.awaits = 1, {}, 0
    return _quietly(draft, at, act)


def _quietly(draft: Draft, at: int, act: str) -> Decision:
    draft.consider(draft.plan.everything, at, "merge", act, dict.fromkeys(draft.plan.place, at))
    return draft.decision()


def _half(state: State, parts: Iterable[str]) -> tuple[str, ...]:
    """One half more was heard of each: the first one opens, the second one closes."""
    return tuple(sorted({*state.apart} ^ {*parts}))


def _kinds(identifiers: Iterable[str], plan: Plan) -> set[str]:
    return {kind for text in identifiers if kept_kind(kind := text.partition(":")[0], plan)}


def _bucketing(fact: Fact) -> tuple[int, str] | None:
    return None if fact.bucketing_id is None or fact.bucketed_at is None else (fact.bucketed_at, fact.bucketing_id)
