"""Personal attributes are kept only while a condition asks for them; when one begins to, profile tells what everybody had said before. Pure.

What profile tells of somebody is asked for under the lock of his row here, when he stands under a plan that keeps it. So it holds
everything that was heard of him until then, and what comes later is heard as it comes: a value carries its moment, and the later one stays
(docs/adr/0017).
"""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from schemas.attributes import Attributes
from schemas.attributes import merge as merge_attributes
from schemas.facts import PERSONAL
from services.segmenter.domain.draft import Decision, Draft
from services.segmenter.domain.plan import Plan, keys_that_read
from services.segmenter.domain.state import UNSEEN, State


class Hearing(NamedTuple):
    """Which personal attributes are still to be told of everybody. number: grows whenever that begins again; names: none, it is over."""

    number: int = 0
    names: frozenset[str] = frozenset()


NOTHING_TO_HEAR = Hearing()


def wanted(plan: Plan) -> frozenset[str]:
    """The personal attributes that conditions ask for."""
    return PERSONAL & plan.by_attribute.keys()


def begun(held: AbstractSet[str], old: Hearing, plan: Plan) -> Hearing:
    """What is to be told under a plan that follows another. held: what was asked for under that, of which `old` was still to be told."""
    asked = wanted(plan)
    lacking = asked - held
    return Hearing(old.number + bool(lacking), (old.names & asked) | lacking)


def incomplete(plan: Plan, hearing: Hearing) -> set[str]:
    """The segments whose answers may still change by it."""
    return keys_that_read(plan, {place for name in hearing.names for place in plan.by_attribute.get(name, ())})


def heard(state: State, said: Attributes, now: int, plan: Plan) -> Decision:
    """With what he had said before: changes of kind backfill. Of whom nothing was heard yet, all is still on its way here."""
    attributes, changed = merge_attributes(state.attributes, said)
    if state.revision == UNSEEN or attributes is state.attributes:
        return Decision(state, (), changed=False)
    at = max(now, state.clock)
    draft = Draft(state, plan)
    draft.fire(at)
    draft.attributes = attributes
    touched = {place for name in changed for place in plan.by_attribute.get(name, ())}
    draft.consider(sorted(touched), at, "backfill", None)
    return draft.decision()
