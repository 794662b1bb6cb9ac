"""What the lake cannot answer, with its place in the document: personal data and addresses are not in it."""

from collections.abc import Iterator
from typing import Any

from schemas.audience import Condition
from schemas.audience_reading import Fault
from schemas.facts import IDENTIFIER_KINDS, PERSONAL

NOT_IN_THE_LAKE = (
    PERSONAL | frozenset(IDENTIFIER_KINDS) | {"userId", "anonymousId"}
)  # names of attributes and properties, at any depth
PATHS = ("name", "path", "sum", "of")  # fields that name a value of a person or a fact


def faults(condition: Condition, path: str = "") -> list[Fault]:
    """Each name of the condition that stands for something personal. Segments that it asks about are looked through apart."""
    return list(_faults(condition.model_dump(mode="json"), path))


def _faults(node: Any, path: str) -> Iterator[Fault]:
    if isinstance(node, list):
        for place, part in enumerate(node):
            yield from _faults(part, f"{path}.{place}".lstrip("."))
    elif isinstance(node, dict):
        for field, value in node.items():
            where = f"{path}.{field}".lstrip(".")
            if field in PATHS and isinstance(value, str):
                if private := next((step for step in value.split(".") if step in NOT_IN_THE_LAKE), None):
                    yield Fault(
                        path=where, code="not_in_lake", message=f"{private!r} is personal: only live segments know it, not the lake"
                    )
            else:
                yield from _faults(value, where)
