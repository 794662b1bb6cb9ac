"""What a new condition asks of the time before it was published is brought from the lake into everybody's state. Pure.

A plan with accumulators that states do not hold in full begins a filling: each place of the log has a cut, the offset at which it came
under that plan. What stands above is gathered as it is heard, what stands below the lake has; so nothing is counted twice and nothing
left out, however far the lake is behind. One filling is under way at a time: a later plan that lacks something begins the unfinished
ones again, with cuts of its own.
"""

from collections.abc import Iterable, Mapping

from services.segmenter.domain.draft import Decision, Draft
from services.segmenter.domain.plan import NOTHING_TO_FILL, Filling, Plan, keys_that_read
from services.segmenter.domain.series import NOTHING, Series, merged
from services.segmenter.domain.state import UNSEEN, State

Depths = Mapping[int, tuple[int, int]]


def depths(plan: Plan) -> Depths:
    """How far back states under this plan hold each accumulator: (rank, window). Without those that the lake could not bring."""
    return {id_: (one.rank, one.window) for id_, one in plan.accumulators.items() if not one.personal}


def begun(held: Depths | None, old: Filling, plan: Plan) -> Filling:
    """What is to be filled under a plan that follows another. held: what states kept under that, None: nobody knows; old: what was being
    filled then.
    """
    wanted = depths(plan)
    known = held or {}
    lacking = {id_ for id_, depth in wanted.items() if id_ not in known or known[id_][0] < depth[0] or known[id_][1] < depth[1]}
    unfinished = old.scope & wanted.keys()
    if not lacking:
        return Filling(old.number, unfinished, old.again & wanted.keys()) if unfinished else NOTHING_TO_FILL
    scope = frozenset(lacking | unfinished)
    return Filling(plan.revision, scope, scope if held is None else scope & known.keys())


def incomplete(plan: Plan) -> set[str]:
    """The segments whose answers history may still change: they read what is being filled, or ask about such a segment."""
    return reading(plan, plan.filling.scope)


def reading(plan: Plan, accumulators: Iterable[int]) -> set[str]:
    """The segments that read one of these accumulators, or ask about such a segment."""
    return keys_that_read(plan, {place for id_ in accumulators for place in plan.accumulators[id_].readers})


def filled(state: State, found: Mapping[int, Series], now: int, plan: Plan) -> Decision:
    """What the lake has of him below the cuts, and what he did since, are all that he did: changes of kind backfill.

    found: by accumulator. Raises ValueError where nothing is to come to him.
    """
    at = max(now, state.clock)
    draft = Draft(state, plan)
    if not draft.awaits:
        raise ValueError(f"nothing is to be filled of him under plan {plan.revision}")
    draft.fire(at)
    series, touched = dict(draft.series), set[int]()
    for id_ in plan.filling.scope:
        accumulator = plan.accumulators[id_]
        since = (draft.since if id_ in plan.filling.again else draft.series).get(id_, NOTHING)
        whole = merged(since, found.get(id_, NOTHING), accumulator.rank, accumulator.window, at, accumulator.gathers)
        if whole.count:
            series[id_] = whole
        else:
            series.pop(id_, None)
        touched.update(accumulator.readers)
    draft.series, draft.since, draft.awaits = series, {}, 0
    draft.consider(plan.everything if state.revision == UNSEEN else sorted(touched), at, "backfill", None)
    return draft.decision()
