"""Attributes as cells of a table. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from services.profile.domain.state import Attributes

_KIND: Mapping[type, str] = {bool: "bool", int: "int", float: "float", str: "string"}
_encode = msgspec.json.Encoder().encode


def flat(attributes: Attributes, hidden: Collection[str] = ()) -> dict[str, Any]:
    """What is known of somebody, but for these names: what an object holds under names joined by dots, a list as its JSON."""
    cells: dict[str, Any] = {}
    for name, (_, value) in attributes.items():
        if value is None or name in hidden:
            continue
        if type(value) in _KIND:
            cells[name] = value
        else:
            _unfold(cells, name, value)
    return cells


def _unfold(cells: dict[str, Any], name: str, value: Any) -> None:
    if type(value) is dict and value:
        for inner, held in value.items():
            _unfold(cells, f"{name}.{inner}", held)
    elif value is not None:
        cells[name] = value if type(value) in _KIND else _encode(value).decode()


def kinds(people: Iterable[Attributes]) -> set[tuple[str, str]]:
    """(name, kind) of all cells: `bool`, `int`, `float` or `string`; a name of which several kinds are told stands there with each."""
    return {(name, _KIND[type(value)]) for one in people for name, value in flat(one).items()}
