"""What cannot be answered in bulk, with its place in the document: what is personal is not in the lake, and what is not in force is nowhere."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.audience import All, Anniversary, AnyOf, Attribute, Condition, DateAttribute, InSegment, Leaf, Not, leaves
from schemas.audience_reading import Fault
from schemas.facts import IDENTIFIER_KINDS, PERSONAL

NOT_IN_THE_LAKE = (
    PERSONAL | frozenset(IDENTIFIER_KINDS) | {"userId", "anonymousId"}
)  # names of attributes and properties, at any depth
KEPT_BY_PROFILE = PERSONAL - frozenset(IDENTIFIER_KINDS)  # attributes that profile tells when they are asked for
PATHS = ("name", "path", "sum", "of")  # fields that name a value of a person or of a fact


def faults(condition: Condition, segments: Mapping[str, Condition], path: str = "") -> list[Fault]:
    """Of all leaves, and of the segments that they ask about. path: where the condition stands."""
    return list(_faults(condition, segments, path))


def _faults(condition: Condition, segments: Mapping[str, Condition], path: str) -> Iterator[Fault]:
    if isinstance(condition, All | AnyOf):
        for place, part in enumerate(condition.of):
            yield from _faults(part, segments, under(path, "of", place))
    elif isinstance(condition, Not):
        yield from _faults(condition.of, segments, under(path, "of"))
    elif not isinstance(condition, InSegment):
        yield from of_leaf(condition, path)
    elif condition.key not in segments:
        yield Fault(path=under(path, "key"), code="unknown_segment", message=f"segment {condition.key!r} is not in force")
    elif inner := faults(segments[condition.key], segments):
        message = f"of segment {condition.key!r}: {inner[0].path}: {inner[0].message}"
        yield Fault(path=under(path, "key"), code=inner[0].code, message=message)


def of_leaf(leaf: Leaf, path: str = "") -> Iterator[Fault]:
    """What one leaf asks for that neither the lake has nor profile tells."""
    if personal_of(leaf) is None:
        yield from _personal(leaf.model_dump(mode="json"), path)


def personal_of(leaf: Leaf) -> str | None:
    """The personal attribute that a leaf is about, which profile tells: a window around one is a question to the lake."""
    return leaf.name if isinstance(leaf, Attribute | DateAttribute | Anniversary) and leaf.name in KEPT_BY_PROFILE else None


def personal_names(condition: Condition, segments: Mapping[str, Condition]) -> frozenset[str]:
    """Of all leaves, and of the segments that they ask about, so far as these are in force."""
    found: set[str] = set()
    for leaf in leaves(condition):
        if isinstance(leaf, InSegment):
            found |= personal_names(segments[leaf.key], segments) if leaf.key in segments else set()
        elif (name := personal_of(leaf)) is not None:
            found.add(name)
    return frozenset(found)


def _personal(node: Any, path: str) -> Iterator[Fault]:
    if isinstance(node, list):
        for place, part in enumerate(node):
            yield from _personal(part, under(path, place))
    elif isinstance(node, dict):
        for field, value in node.items():
            if field in PATHS and isinstance(value, str):
                if private := next((step for step in value.split(".") if step in NOT_IN_THE_LAKE), None):
                    message = f"{private!r} is personal: neither properties of facts nor windows around it are in the lake; ask for the attribute itself, or by `identifier` and `reachable`"
                    yield Fault(path=under(path, field), code="not_in_lake", message=message)
            else:
                yield from _personal(value, under(path, field))


def under(path: str, *steps: str | int) -> str:
    return ".".join(str(step) for step in (path, *steps) if step != "")
