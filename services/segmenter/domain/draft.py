"""One person's next state in the making: gathers, fires and evaluates for `live`, and keeps the changes on the way."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from services.segmenter.domain.gathering import Added
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.plan import Accumulator, Plan
from services.segmenter.domain.series import NOTHING, added, noted
from services.segmenter.domain.state import UNSEEN, State

Kind = Literal["fact", "time", "merge", "backfill"]


class Change(msgspec.Struct, frozen=True, gc=False):
    """He entered or left a segment at an instant (UTC ms).

    cause: id of the fact, merge or unmerge that did it, None for time and new definitions. carried: the merged-in profile stood in it
    already, or an unmerge brought it, so this entry is news to nobody and starts no journey.
    """

    segment: str
    entered: bool
    at: int
    kind: Kind
    cause: str | None = None
    carried: bool = False


class Decision(msgspec.Struct, frozen=True, gc=False):
    """changed: False when `state` is the state that came in and nothing needs to be written."""

    state: State
    changes: tuple[Change, ...]
    changed: bool

    @property
    def due_at(self) -> int | None:
        """When the person's timer must fire next (UTC ms), None for never."""
        return self.state.due_at


def awaited(state: State, plan: Plan) -> int:
    """The number of the filling that is still to come to him, 0 for none. Whoever is first met meanwhile may have done something before
    that was not worth a row of his.
    """
    number = plan.filling.number
    return number if number and (state.awaits == number or state.revision == UNSEEN) else 0


class Draft:
    """Starts as a copy of a state, which stays as it was; `decision` ends it."""

    __slots__ = (
        "apart",
        "attributes",
        "awaits",
        "bucketing",
        "changes",
        "clock",
        "due",
        "horizons",
        "kinds",
        "members",
        "owed",
        "plan",
        "series",
        "since",
        "words",
    )

    def __init__(self, state: State, plan: Plan) -> None:
        self.plan = plan
        self.changes: list[Change] = []
        self.clock = state.clock
        self.due = state.due
        self.members = state.members.copy()
        self.horizons = state.horizons.copy()
        self.series = state.series.copy()
        self.attributes = state.attributes
        self.kinds = state.kinds
        self.bucketing = state.bucketing
        self.apart, self.owed = state.apart, state.owed
        self.awaits = awaited(state, plan)
        self.since = state.since if self.owed or self.awaits else {}
        self.words = state.words
        if self.due < NEVER and not self.horizons and state.revision == plan.revision:
            # A row of before November 2026 (state.First): nothing flips, as he was evaluated at this instant.
            self.consider(plan.everything, self.clock, "time", None)

    def gather(self, hits: Iterable[tuple[Accumulator, Added]], occurred: int, instant: int) -> set[int]:
        """Add the fact to its accumulators; the segments that read them."""
        touched: set[int] = set()
        apart = self.owed or self.awaits
        if apart:
            self.since = self.since.copy()
        for accumulator, amount in hits:
            both = apart and (self.owed or accumulator.id in self.plan.filling.again)
            for kept in (self.series, self.since) if both else (self.series,):
                series = kept.get(accumulator.id, NOTHING)
                if isinstance(amount, int):
                    kept[accumulator.id] = added(series, occurred, amount, accumulator.rank, accumulator.window, instant)
                else:
                    each = accumulator.gathers == "each"
                    kept[accumulator.id] = noted(series, occurred, amount, accumulator.window, instant, each=each)
            touched.update(accumulator.readers)
        return touched

    def fire(self, until: int) -> None:
        while self.due <= until:
            at = self.due
            due = sorted(self.plan.marked[mark] for mark, horizon in self.horizons.items() if horizon <= at)
            self.consider(due, at, "time", None)
            if self.due <= at:
                raise RuntimeError(f"segments {[self.plan.segments[i].key for i in due]} do not get past {at}")

    def consider(
        self, indexes: Iterable[int], at: int, kind: Kind, cause: str | None, carried: Mapping[str, int] | None = None
    ) -> None:
        """Evaluate these segments (in ascending order) at an instant, and after each flip those that ask about it."""
        segments, series, attributes, kinds = self.plan.segments, self.series, self.attributes, self.kinds
        bucketing, words = self.bucketing[1] if self.bucketing else None, self.words
        members, horizons, marks = self.members, self.horizons, self.plan.marks
        queue = list(indexes)
        done = 0
        while done < len(queue):
            place = queue[done]
            segment = segments[place]
            done += 1
            key = segment.key
            signed = segment.evaluate(series, attributes, kinds, bucketing, members, words, at)
            until = abs(signed)
            if until < NEVER:
                horizons[marks[place]] = until
            else:
                horizons.pop(marks[place], None)
            if (signed > 0) is (key in members):
                continue
            self._flip(key, at, kind, cause, carried or {})
            for dependent in segment.dependents:
                turn = bisect_left(queue, dependent, done)
                if turn == len(queue) or queue[turn] != dependent:
                    queue.insert(turn, dependent)
        self.clock = at
        self.due = min(horizons.values(), default=NEVER)

    def _flip(self, key: str, at: int, kind: Kind, cause: str | None, carried: Mapping[str, int]) -> None:
        entered = key not in self.members
        if entered:
            self.members[key] = carried.get(key, at)
        else:
            del self.members[key]
        self.changes.append(Change(key, entered, at, kind, cause, key in carried and entered))

    def decision(self) -> Decision:
        state = State(
            self.plan.revision,
            self.clock,
            self.due,
            self.kinds,
            self.bucketing,
            self.members,
            self.horizons,
            self.series,
            self.attributes,
            self.apart,
            self.owed,
            self.since,
            self.words,
            self.awaits,
        )
        return Decision(state, tuple(self.changes), changed=True)
