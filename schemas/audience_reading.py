"""Reads condition documents, naming every fault at once, and orders segments that ask about each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.audience import ADAPTER, Condition, Problem, references

MAX_LEAVES = 200
MAX_DEPTH = 16


class Fault(BaseModel):
    """One thing wrong with a document. path: dotted, list places as numbers (`of.0.value`);

    "" is the document itself.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    code: str
    message: str
    params: Mapping[str, Any] = {}  # for texts in other languages


class AudienceError(ValueError):
    """Everything that is wrong with a condition, or with a set of them, at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.path or 'document'}: {fault.message}" for fault in faults))
        self.faults = faults


def parse(document: Any) -> Condition:
    """A condition from its document. Raises AudienceError, which lists every fault with its path."""
    faults = tuple(_size_faults(document))
    if faults:
        raise AudienceError(faults)
    try:
        return ADAPTER.validate_python(document)
    except ValidationError as error:
        raise AudienceError(tuple(_faults(document, error))) from error


def evaluation_order(definitions: Mapping[str, Condition]) -> tuple[str, ...]:
    """The keys so that each segment stands after those it asks about; the same for equal definitions.

    Raises AudienceError with a fault for each reference to nowhere (path: the key that asks) and for the segments on
    or behind a cycle.
    """
    asks = {key: references(condition) for key, condition in sorted(definitions.items())}
    faults = [
        Fault(path=key, code="unknown_segment", message=f"asks about segment {name!r}, which does not exist")
        for key, names in asks.items()
        for name in sorted(names - asks.keys())
    ]
    order: dict[str, None] = {}
    waiting = {key: names & asks.keys() for key, names in asks.items()}
    while ready := [key for key, names in waiting.items() if names <= order.keys()]:
        order.update(dict.fromkeys(ready))
        for key in ready:
            del waiting[key]
    faults += [
        Fault(
            path=key,
            code="cycle",
            message=f"asks about itself through {', '.join(sorted(waiting[key] & waiting.keys()))}",
        )
        for key in waiting
    ]
    if faults:
        raise AudienceError(tuple(faults))
    return tuple(order)


def _size_faults(document: Any) -> Iterator[Fault]:
    """Too deep or too many leaves, seen before anything recurses into the document."""
    count = 0
    stack: list[tuple[Any, int]] = [(document, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            yield Fault(
                path="",
                code="depth",
                message=f"conditions are nested more than {MAX_DEPTH} deep: use segments of segments",
                params={"limit": MAX_DEPTH},
            )
            return
        parts = node.get("of") if isinstance(node, dict) else None
        if isinstance(parts, dict):
            stack.append((parts, depth + 1))
        elif isinstance(parts, list | tuple):
            stack.extend((part, depth + 1) for part in parts)
        else:
            count += 1
    if count > MAX_LEAVES:
        message = f"{count} conditions, at most {MAX_LEAVES}: use segments of segments"
        yield Fault(path="", code="leaves", message=message, params={"count": count, "limit": MAX_LEAVES})


def _faults(document: Any, error: ValidationError) -> Iterator[Fault]:
    for detail in error.errors(include_url=False, include_input=False):
        path = _path(document, detail["loc"])
        problems: list[Problem] = detail.get("ctx", {}).get("problems", [])
        if detail["type"] == "problems":
            for field, code, message in problems:
                yield Fault(path=f"{path}.{field}" if path else field, code=code, message=message)
        else:
            yield Fault(path=path, code=detail["type"], message=detail["msg"], params=detail.get("ctx", {}))


def _path(document: Any, location: tuple[int | str, ...]) -> str:
    """The place in the document: pydantic also names the union member it tried, which is no step into the document."""
    node, steps = document, []
    for step in location:
        if isinstance(node, dict) and step == node.get("kind") and step not in node:
            continue
        steps.append(str(step))
        try:
            node = node[step]
        except (LookupError, TypeError):
            node = None
    return ".".join(steps)
