"""Decide: what one fact, the passing of time, a merge or a new plan changes for one person. Pure; states are never
changed in place.

The instant at which a fact is decided is its `received_at`, or the person's clock if that is later: so live, replay
and simulation agree whatever the batch. `now` (of the batch) only bounds a `received_at` from a wrong clock.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.attributes import SPAN, Entry, stamp
from schemas.attributes import merge as merge_attributes
from schemas.facts import PERSONAL, PROFILE_CHANGED, Fact
from services.segmenter.domain import consenting
from services.segmenter.domain.draft import Change, Decision, Draft, awaited
from services.segmenter.domain.gathering import Added
from services.segmenter.domain.plan import Accumulator, Plan, kept_kind
from services.segmenter.domain.series import NOTHING, Series, fitted, merged
from services.segmenter.domain.state import UNSEEN, Glance, State

SKEW_MS = 60_000  # how far a received_at may run ahead of the batch's now before it is held to be a wrong clock

NONE_HEARD: frozenset[str] = frozenset()


def decide(state: State, fact: Fact, now: int, plan: Plan) -> Decision:
    """One fact of a person, facts de-duplicated before. Flips that are due by the fact's instant fire first, each
    with its own.

    A person never seen (`State()`) is evaluated against every segment. Raises ValueError when the state is of another
    revision (upgrade it first) or an attribute holds an integer beyond 64 bits.
    """
    received = min(fact.received_at, now + SKEW_MS)
    instant = max(state.clock, received)
    occurred = max(0, min(fact.occurred_at, received))
    unseen = state.revision == UNSEEN
    if state.revision != plan.revision and not unseen:
        raise ValueError(f"state of revision {state.revision} under plan {plan.revision}: upgrade it first")
    hits = _hits(fact, plan, occurred)
    attributes, heard = state.attributes, NONE_HEARD
    if fact.attributes:
        attributes, heard = merge_attributes(attributes, _said(fact, occurred, plan))
    kinds = _new_kinds(state, fact, plan)
    bucketing = _bucketing(state, fact)
    words = consenting.heard(state.words, fact)
    same = attributes is state.attributes and bucketing == state.bucketing and words is state.words
    if same and not (hits or kinds or unseen):
        return fire(state, instant, plan) if state.due <= instant else Decision(state, (), changed=False)

    draft = Draft(state, plan)
    draft.fire(instant)
    touched = draft.gather(hits, occurred, instant)
    draft.attributes, draft.bucketing, draft.kinds = attributes, bucketing, (*state.kinds, *kinds)
    draft.words = words
    for name in heard:
        touched.update(plan.by_attribute.get(name, ()))
    for kind in kinds:
        touched.update(plan.by_kind.get(kind, ()))
    if bucketing != state.bucketing:
        touched.update(plan.by_bucket)
    if words is not state.words:
        touched.update(plan.by_consent)
    draft.consider(plan.everything if unseen else sorted(touched), instant, "fact", fact.id)
    return draft.decision()


def idle(head: Glance, fact: Fact, plan: Plan) -> bool:
    """True: `decide` would give the state of this head back as it is, so it need not be decoded.

    False says nothing. Without even a row at hand, `plan.touches` answers for most page views.
    """
    return (
        head.revision == plan.revision
        and head.due > fact.received_at
        and not fact.attributes
        and not consenting.is_word(fact)
        and not _hits(fact, plan, None)
        and not _new_kinds(head, fact, plan)
        and _bucketing(head, fact) == head.bucketing
    )


def fire(state: State, now: int, plan: Plan) -> Decision:
    """Every flip that time alone brings until `now`, in order, each at its own instant.

    Raises ValueError as decide does.
    """
    if state.due > now:
        return Decision(state, (), changed=False)
    if state.revision != plan.revision:
        raise ValueError(f"state of revision {state.revision} under plan {plan.revision}: upgrade it first")
    draft = Draft(state, plan)
    draft.fire(now)
    return draft.decision()


def upgrade(state: State, at: int, plan: Plan) -> Decision:
    """Bring a state under a new plan at an instant, changes of kind backfill; segments that are gone are left.

    Call `fire` with the old plan first, so that its flips keep their instants. Attributes and identifiers are all
    there and answer at once, but for personal ones (domain/hearing.py); accumulators that are new start empty, those that now must reach further know only what
    they kept, until they are filled (domain/filling.py).
    """
    at = max(at, state.clock)
    draft = Draft(state, plan)
    draft.series, draft.since = _under(plan, state.series, at), _under(plan, draft.since, at)
    if fills(state, plan):
        draft.since = {}
        if draft.owed:  # with what he is owed anyway, asked for anew
            draft.owed, draft.awaits = 1, 0
        else:
            draft.awaits = plan.filling.number
        for id_ in plan.filling.scope - plan.filling.again:
            draft.series.pop(id_, None)  # of a plan before the last one
    for key in sorted(draft.members.keys() - plan.place.keys()):
        del draft.members[key]
        draft.changes.append(Change(key, False, at, "backfill"))
    if PERSONAL & draft.attributes.keys() - plan.by_attribute.keys():  # nobody asks for it any more
        draft.attributes = {name: entry for name, entry in draft.attributes.items() if keeps(name, plan)}
    draft.horizons = {}
    draft.consider(plan.everything, at, "backfill", None)
    return draft.decision()


def merge(
    winner: State, loser: State, at: int, plan: Plan, cause: str | None = None, decided: Mapping[str, Any] | None = None
) -> Decision:
    """Two people are one: what both did, said and are, as the winner's, changes of kind merge relative to the winner.

    decided: attributes as profile has them of the two (`news`).

    Time flips due by then fire first; the loser's own are not among the changes: `fire` him before if they must be
    told. Raises ValueError when one of them is of another revision.
    """
    at = max(at, winner.clock, loser.clock)
    winner_now, loser_now = fire(winner, at, plan), fire(loser, at, plan)
    loser = loser_now.state
    for state in (winner, loser):
        if state.revision not in {UNSEEN, plan.revision}:
            raise ValueError(f"state of revision {state.revision} under plan {plan.revision}: upgrade it first")
    draft = Draft(winner_now.state, plan)
    draft.changes.extend(winner_now.changes)
    one, other = winner_now.state, loser
    draft.series = folded(one.series, other.series, plan, at)
    draft.owed = one.owed + other.owed
    if unlike(one, other, plan):
        draft.owed, draft.awaits, draft.since = 1, 0, {}
    elif draft.awaits:
        draft.since = folded(one.since, other.since, plan, at)
    elif draft.owed:
        # Of him who is owed nothing all is right as it stands; what is still to be counted of the other comes on top.
        draft.since = folded(one.since if one.owed else one.series, other.since if other.owed else other.series, plan, at)
    draft.apart = tuple(sorted({*one.apart} ^ {*other.apart}))  # what each had heard half of is whole
    draft.attributes, _ = merge_attributes(draft.attributes, loser.attributes)
    if decided:
        draft.attributes, _ = merge_attributes(draft.attributes, entries(decided, plan))
    draft.kinds = tuple(dict.fromkeys((*draft.kinds, *loser.kinds)))
    draft.bucketing = min((pair for pair in (draft.bucketing, loser.bucketing) if pair), default=None)
    draft.words = consenting.both(draft.words, loser.words)
    draft.consider(plan.everything, at, "merge", cause, loser.members)
    return draft.decision()


def fills(state: State, plan: Plan) -> bool:
    """Whether a filling begins for him with this plan."""
    return UNSEEN < state.revision < plan.filling.number


def unlike(one: State, other: State, plan: Plan) -> bool:
    """A filling is still to come to one of them alone: as one person, they are to be counted anew."""
    return awaited(one, plan) != awaited(other, plan)


def folded(one: Mapping[int, Series], other: Mapping[int, Series], plan: Plan, at: int) -> dict[int, Series]:
    """What both did, as one person's."""
    both = dict(one)
    for id_, series in other.items():
        accumulator = plan.accumulators[id_]
        both[id_] = merged(both.get(id_, NOTHING), series, accumulator.rank, accumulator.window, at, accumulator.gathers)
    return both


def _under(plan: Plan, held: Mapping[int, Series], at: int) -> dict[int, Series]:
    """Of what was gathered under another plan, what this one asks for."""
    return {
        id_: fitted(held[id_], accumulator.rank, accumulator.window, at, accumulator.gathers)
        for id_, accumulator in plan.accumulators.items()
        if id_ in held
    }


def _hits(fact: Fact, plan: Plan, at: int | None) -> list[tuple[Accumulator, Added]]:
    """The accumulators that the fact goes to, and what it adds to each. at: when it happened; None: those that it may go to."""
    return [
        (accumulator, amount)
        for accumulator in plan.by_event.get(fact.event or fact.type, ())
        if (amount := accumulator.amount(fact.properties, at)) is not None
    ]


def _said(fact: Fact, at: int, plan: Plan) -> dict[str, Entry]:
    """What the fact says of him, without the personal attributes that no segment asks for."""
    if fact.type == PROFILE_CHANGED:
        return entries(fact.attributes, plan)
    kept = {name: value for name, value in fact.attributes.items() if keeps(name, plan) and name not in fact.ruled}
    try:
        msgspec.msgpack.encode(kept)
    except OverflowError as error:
        raise ValueError(f"attributes {sorted(kept)}: one holds an integer beyond 64 bits, send it as text") from error
    return stamp(kept, at)


def news(fact: Fact, plan: Plan) -> dict[str, Any]:
    """Of what profile tells (name -> [at, value]) what goes by rule, what was taken back with an identifier, and what is personal, as of
    one of two who become one it may not have been told yet (domain/hearing.py): all else was heard with the facts that said it.
    """
    asked = PERSONAL & plan.by_attribute.keys()
    return {name: pair for name, pair in fact.attributes.items() if fact.lost or name in asked or pair[0] >= SPAN}


def entries(attributes: Mapping[str, Any], plan: Plan) -> dict[str, Entry]:
    """Of attributes as profile has them (name -> [at, value]) what is kept here."""
    return {name: (at, value) for name, (at, value) in attributes.items() if keeps(name, plan) and _fits(value)}


def _fits(value: Any) -> bool:
    """An integer beyond 64 bits was refused when the fact that said it came."""
    try:
        msgspec.msgpack.encode(value)
    except OverflowError:
        return False
    return True


def keeps(name: str, plan: Plan) -> bool:
    """Whether this attribute is kept of everybody."""
    return name not in PERSONAL or name in plan.by_attribute


def _new_kinds(state: State | Glance, fact: Fact, plan: Plan) -> tuple[str, ...]:
    known = state.kinds
    fresh: tuple[str, ...] = ()
    for text in fact.identifiers:
        kind = text.partition(":")[0]
        if kind not in known and kind not in fresh and kept_kind(kind, plan):
            fresh = (*fresh, kind)
    return fresh


def _bucketing(state: State | Glance, fact: Fact) -> tuple[int, str] | None:
    if fact.bucketing_id is None or fact.bucketed_at is None:
        return state.bucketing
    pair = (fact.bucketed_at, fact.bucketing_id)
    return pair if state.bucketing is None else min(pair, state.bucketing)
