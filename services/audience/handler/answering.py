"""Questions about conditions, answered from one instant of the index, as JSON values."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyroaring import BitMap

from schemas.audience import All, AnyOf, Condition, Consent, InSegment, Leaf, Not, dump
from schemas.audience_reading import Fault
from services.audience.domain.composing import cells
from services.audience.domain.unanswerable import faults, of_leaf, personal_of
from services.audience.domain.world import World
from services.audience.store import consenting, details
from services.audience.store.answers import Answers, View
from services.audience.store.leaves import Leaves

SAMPLE = 20  # people
SECOND = 1000


class Refused(Exception):  # noqa: N818
    """It cannot be answered in bulk: for these faults."""

    def __init__(self, found: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in found))
        self.faults = found


class UnknownProfile(LookupError):  # noqa: N818
    """The index does not know him (yet)."""


def instant_of(now: int) -> int:
    """The instant that an answer is for: the end of the second of `now`, so that who types asks about one instant many times. All that is
    known by now is in it.
    """
    return -(-now // SECOND) * SECOND


def preview(answers: Answers, world: World, condition: Condition, brands: tuple[str, ...], now: int) -> dict[str, Any]:
    """How many it is true of, and some of them."""

    def work(view: View) -> dict[str, Any]:
        return _counted(view, view.members(condition, brands))

    return answered(answers, world, {"condition": condition}, now, work)


def difference(
    answers: Answers, world: World, pair: tuple[Condition, Condition], brands: tuple[str, ...], now: int
) -> dict[str, Any]:
    """Who would enter and who would leave if the second took the place of the first."""
    before, after = pair

    def work(view: View) -> dict[str, Any]:
        old, new = view.members(before, brands), view.members(after, brands)
        return {
            "before": len(old), "after": len(new), "stay": len(old & new),
            "enter": _counted(view, new - old), "leave": _counted(view, old - new),
        }  # fmt: skip

    return answered(answers, world, {"before": before, "condition": after}, now, work)


def overlap(answers: Answers, world: World, sets: Mapping[str, Condition], brands: tuple[str, ...], now: int) -> dict[str, Any]:
    """Of each combination of the sets how many stand in all of it, and how many in it alone. sets: name -> condition."""

    def work(view: View) -> dict[str, Any]:
        found = [view.members(condition, brands) for condition in sets.values()]
        names = list(sets)
        return {
            "everybody": len(view.everybody(brands)),
            "sets": [{"name": name, "count": len(of)} for name, of in zip(names, found, strict=True)],
            "intersections": [
                {"of": [name for place, name in enumerate(names) if mask >> place & 1], "count": both, "only": alone}
                for mask, (both, alone) in cells(found).items()
            ],
        }

    return answered(answers, world, sets, now, work)


def explanation(answers: Answers, world: World, condition: Condition, profile: str, now: int) -> dict[str, Any]:
    """Why the condition is true or false of one person: each node's truth, and what speaks for it. Raises UnknownProfile."""

    def work(view: View) -> dict[str, Any]:
        number = view.number(profile)
        if number is None:
            raise UnknownProfile(profile)
        tree = _Person(view, number).told(condition)
        return {"profile": view.ids([number])[0], "truth": tree["truth"], "tree": tree}

    return answered(answers, world, {}, now, work)


def answered(
    answers: Answers, world: World, asked: Mapping[str, Condition], now: int, work: Callable[[View], dict[str, Any]]
) -> dict[str, Any]:
    """Raises Refused with every fault of what is asked: the path begins with its name."""
    started = time.perf_counter()
    found = [fault for name, condition in asked.items() for fault in faults(condition, world.segments, name)]
    if found:
        raise Refused(found)
    with answers.view(now, world) as view:
        told = work(view)
        instant = view.instant
    places: dict[str, dict[str, int]] = {}
    for (topic, partition), offset in sorted(instant.places.items()):
        places.setdefault(topic, {})[str(partition)] = offset
    took = round((time.perf_counter() - started) * 1000, 1)
    return {**told, "took_ms": took, "as_of": now, "complete_up_to": instant.newest, "offsets": places}


def _counted(view: View, found: BitMap) -> dict[str, Any]:
    """The sample is spread over all of them, and the same each time."""
    count = len(found)
    step = max(1, count // SAMPLE)
    return {"count": count, "sample": view.ids([found[place] for place in range(0, count, step)][:SAMPLE])}


class _Person:
    """One person, leaf by leaf. A truth is None where the lake does not have what is asked for."""

    def __init__(self, view: View, number: int) -> None:
        self._view, self._number = view, number
        rows = view.instant.duck.execute("SELECT n FROM piece WHERE owner = ?", [number]).fetchall()
        self._pieces = [row[0] for row in rows]
        self._whose = f"({', '.join(map(str, self._pieces))})"
        self._leaves = Leaves(view.instant.catalog, view.now, view.leaves.zones, self._whose)

    def told(self, condition: Condition) -> dict[str, Any]:
        if isinstance(condition, All | AnyOf):
            parts = [self.told(part) for part in condition.of]
            return {"kind": condition.kind, "truth": _joined(condition, [part["truth"] for part in parts]), "of": parts}
        if isinstance(condition, Not):
            part = self.told(condition.of)
            return {"kind": "not", "truth": None if part["truth"] is None else not part["truth"], "of": part}
        return {**self._leaf(condition), "condition": dump(condition)}

    def _leaf(self, leaf: Leaf) -> dict[str, Any]:
        if isinstance(leaf, InSegment):
            if leaf.key not in self._view.world.segments:
                return {"kind": leaf.kind, "truth": None, "code": "unknown_segment"}
            inner = self.told(self._view.world.segments[leaf.key])
            return {"kind": leaf.kind, "truth": inner["truth"], "of": inner}
        if fault := next(of_leaf(leaf), None):
            return {"kind": leaf.kind, "truth": None, "code": fault.code}
        if (name := personal_of(leaf)) is not None:
            return {"kind": leaf.kind, **self._told(leaf, name)}
        truth = self._truth(leaf)
        return {
            "kind": leaf.kind,
            "truth": truth,
            "facts": details.of_leaf(self._view.instant.duck, self._leaves, leaf, self._view.now),
        }

    def _told(self, leaf: Leaf, name: str) -> dict[str, Any]:
        found = self._view.told(leaf, name, self._leaves)
        value = self._view.world.told[name].of(self._pieces)
        facts = {} if value is None else {"value": json.loads(value)}
        return {"truth": (self._number in found.people) is not found.negated, "facts": facts}

    def _truth(self, leaf: Leaf) -> bool:
        duck = self._view.instant.duck
        if isinstance(leaf, Consent):
            found, _ = consenting.holds(duck, leaf, self._view.world.topics, self._view.now, self._whose)
            return (self._number in found) is not (leaf.state == "none")
        asked = self._view.asked(leaf, self._leaves)
        return (self._number in self._view.found(asked)) is not asked.negated


def _joined(condition: All | AnyOf, truths: list[bool | None]) -> bool | None:
    """What is not known matters only where the others do not decide."""
    decides = isinstance(condition, AnyOf)
    if decides in truths:
        return decides
    return None if None in truths else not decides
