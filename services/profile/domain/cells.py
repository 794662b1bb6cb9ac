"""Attributes as cells of a table. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from services.profile.domain.state import Attributes

KINDS: Mapping[type, str] = {bool: "bool", int: "int", float: "float", str: "string"}
_encode = msgspec.json.Encoder().encode


def unfolded(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(name, cell) of an attribute: what an object holds under names joined by dots, a list as its JSON."""
    if type(value) is dict and value:
        for inner, held in value.items():
            yield from unfolded(f"{name}.{inner}", held)
    elif value is not None:
        yield name, value if type(value) in KINDS else _encode(value).decode()


def kinds(people: Iterable[Attributes]) -> set[tuple[str, str]]:
    """(name, kind) of all cells: `bool`, `int`, `float` or `string`; a name of which several kinds are told stands there with each."""
    found: set[tuple[str, str]] = set()
    for one in people:
        for name, (_, value) in one.items():
            if type(value) in KINDS:
                found.add((name, KINDS[type(value)]))
            else:
                found.update((cell, KINDS[type(held)]) for cell, held in unfolded(name, value))
    return found
