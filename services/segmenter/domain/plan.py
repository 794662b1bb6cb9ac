"""One revision of all segment definitions, compiled: what to gather of a fact, and which segments it can touch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

from schemas.audience import (
    Age,
    Anniversary,
    Attribute,
    Average,
    Condition,
    Consent,
    DateAttribute,
    Did,
    Distinct,
    Identifier,
    InSegment,
    Leaf,
    RandomBucket,
    Reachable,
    Sequence,
    Since,
    Total,
    Windowed,
    leaves,
)
from schemas.audience_reading import evaluation_order
from schemas.facts import Fact
from schemas.permission import FLAT, Tree
from services.segmenter.domain.closures import ZONES, asked_by
from services.segmenter.domain.consenting import is_word
from services.segmenter.domain.gathering import Amount, amount, paths, personal
from services.segmenter.domain.normal import Need, fingerprint, identifier_kind, needs, normal
from services.segmenter.domain.series import Gathers
from services.segmenter.domain.source import Source

Evaluate = Callable[[Any, Any, Any, Any, Any, Any, int], int]
Indexes = tuple[int, ...]
Bounds = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Accumulator:
    """What is gathered of one event name: `amount(properties, at)` is what a fact adds, None when it does not match.

    rank, window: the most that any leaf asks (see normal.Need). readers: the segments to look at when it grows. event, paths, bounds: of
    which facts it looks at which properties (dotted), and between which instants. personal: it asks for what the lake does not have.
    """

    id: int
    amount: Amount
    rank: int
    window: int
    readers: Indexes
    event: str = ""
    paths: tuple[str, ...] = ()
    personal: bool = False
    gathers: Gathers = ""
    bounds: Bounds = (None, None)


class Filling(NamedTuple):
    """What is being brought from the lake into the states of everybody (domain/filling.py).

    number: of the plan with which it began, 0: nothing is. scope: the accumulators. again: those among them of which states hold
    something of before, so that what comes from the cut on is gathered apart.
    """

    number: int = 0
    scope: frozenset[int] = frozenset()
    again: frozenset[int] = frozenset()


NOTHING_TO_FILL = Filling()


@dataclass(frozen=True, slots=True)
class Segment:
    """evaluate: the generated function. dependents: segments that ask about this one; they all stand later."""

    key: str
    evaluate: Evaluate
    dependents: Indexes
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Segments stand in evaluation order and are named by their place; in stored states, which outlive plans, by their mark. by_*: which of
    them read what. filling: what states under it may still lack.

    Never change it.
    """

    revision: int
    segments: tuple[Segment, ...]
    place: Mapping[str, int]
    marks: tuple[int, ...]
    marked: Mapping[int, int]
    accumulators: Mapping[int, Accumulator]
    by_event: Mapping[str, tuple[Accumulator, ...]]
    by_attribute: Mapping[str, Indexes]
    by_kind: Mapping[str, Indexes]
    by_bucket: Indexes
    by_consent: Indexes
    everything: Indexes
    filling: Filling = NOTHING_TO_FILL


def compile_plan(definitions: Mapping[str, Condition], revision: int, topics: Tree = FLAT) -> Plan:
    """The plan of all definitions (segment key -> condition) under a number (>= 1, growing with each change). topics: of consent.

    Raises AudienceError on references to nowhere and on cycles, ValueError on a revision below 1.
    """
    if revision < 1:
        raise ValueError(f"revision {revision}: must be 1 or more, 0 stands for a person never evaluated")
    order = evaluation_order(definitions)
    source, read = Source(topics), _Readers()
    conditions = [normal(definitions[key]) for key in order]
    for index, condition in enumerate(conditions):
        source.function(f"segment_{index}", condition)
        for leaf in leaves(condition):
            read.leaf(leaf, index)
    functions = source.build()
    segments = tuple(
        Segment(key, functions[f"segment_{index}"], _indexes(read.segments.get(key, ())), fingerprint(condition))
        for index, (key, condition) in enumerate(zip(order, conditions, strict=True))
    )
    by_event: dict[str, tuple[Accumulator, ...]] = {}
    accumulators: dict[int, Accumulator] = {}
    for id_, (wanted, users) in sorted(read.needs.items()):
        accumulator = Accumulator(
            id_, amount(wanted), wanted.rank, wanted.window, _indexes(users), wanted.event, paths(wanted), personal(wanted),
            wanted.gathers, wanted.bounds,
        )  # fmt: skip
        accumulators[id_] = accumulator
        by_event[wanted.event] = (*by_event.get(wanted.event, ()), accumulator)
    marks = _marks(order)
    return Plan(
        revision=revision,
        segments=segments,
        marks=marks,
        marked={mark: place for place, mark in enumerate(marks)},
        place={key: index for index, key in enumerate(order)},
        accumulators=accumulators,
        by_event=by_event,
        by_attribute={name: _indexes(users) for name, users in read.attributes.items()},
        by_kind={name: _indexes(users) for name, users in read.kinds.items()},
        by_bucket=_indexes(read.buckets),
        by_consent=_indexes(read.consents),
        everything=tuple(range(len(order))),
    )


def _marks(keys: Iterable[str]) -> tuple[int, ...]:
    """Of each key 32 bits that it has under any plan, but for the one in millions that another key has too: of two the later one by the
    alphabet takes others, and a plan in which one's mark is not what it was asks everybody about it (succession.difference).
    """
    found: dict[str, int] = {}
    taken: set[int] = set()
    for key in sorted(keys):
        mark = crc32(key.encode())
        while mark in taken:
            mark = crc32(b"\0", mark)
        taken.add(mark)
        found[key] = mark
    return tuple(found[key] for key in keys)


def touches(fact: Fact, plan: Plan) -> bool:
    """False: `decide` leaves every state of this plan's revision as it is, so its row need not even be read.

    The time flips that are due before the fact are not lost by that: they fire from their timer, each with its own
    instant.
    """
    if fact.attributes or fact.bucketing_id is not None or (fact.event or fact.type) in plan.by_event or is_word(fact):
        return True
    return any(kept_kind(text.partition(":")[0], plan) for text in fact.identifiers)


def kept_kind(kind: str, plan: Plan) -> bool:
    """Nearly every fact has an anonymous id and hardly a segment asks for it: kept only then."""
    return kind != "anonymous_id" or kind in plan.by_kind


def keys_that_read(plan: Plan, places: Iterable[int]) -> set[str]:
    """The segments at these places, and those that ask about them."""
    found = set(places)
    for place in plan.everything:  # whom a segment asks about stands before it
        if place in found:
            found.update(plan.segments[place].dependents)
    return {plan.segments[place].key for place in found}


class _Readers:
    """Who reads what, gathered leaf by leaf."""

    def __init__(self) -> None:
        self.needs: dict[int, tuple[Need, set[int]]] = {}
        self.attributes: dict[str, set[int]] = {}
        self.kinds: dict[str, set[int]] = {}
        self.segments: dict[str, set[int]] = {}
        self.buckets: set[int] = set()
        self.consents: set[int] = set()

    def leaf(self, leaf: Leaf, index: int) -> None:
        match leaf:
            case Attribute() | DateAttribute():
                self._attributes((leaf.name,), index)
            case Identifier() | Reachable():
                self.kinds.setdefault(identifier_kind(leaf), set()).add(index)
            case InSegment():
                self.segments.setdefault(leaf.key, set()).add(index)
            case RandomBucket():
                self.buckets.add(index)
            case Anniversary():
                self._attributes((leaf.name, *ZONES), index)
            case Did() | Total() | Average() | Distinct() | Age() | Sequence() | Since():
                for wanted in needs(leaf):
                    self._need(wanted, index)
                if isinstance(leaf, Windowed):
                    self._attributes(asked_by(leaf.window), index)
            case Consent():
                self.consents.add(index)

    def _attributes(self, names: Iterable[str], index: int) -> None:
        for name in names:
            self.attributes.setdefault(name, set()).add(index)

    def _need(self, wanted: Need, index: int) -> None:
        id_ = wanted.id
        held, users = self.needs.get(id_, (wanted, set()))
        most = held._replace(rank=max(held.rank, wanted.rank), window=max(held.window, wanted.window))
        self.needs[id_] = (most, users | {index})


def _indexes(users: Iterable[int]) -> Indexes:
    return tuple(sorted(users))
