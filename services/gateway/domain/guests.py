"""How somebody who registered is called at the door, out of what profile knows of him. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

FIRST, LAST = ("firstName", "first_name"), ("lastName", "last_name")
WHOLE = "name"
ASKED = (*FIRST, *LAST, WHOLE)


def called(said: Mapping[str, Sequence[Any]]) -> str | None:
    """said: attribute -> (when, value), as `POST /profiles/said` tells them. None: of his name nothing is known."""
    parts = [_newest(said, names) for names in (FIRST, LAST)]
    whole = _newest(said, (WHOLE,))
    return " ".join(filter(None, parts)) if all(parts) else whole or next(filter(None, parts), None)


def _newest(said: Mapping[str, Sequence[Any]], names: Sequence[str]) -> str:
    """Of several spellings of one attribute what was said last; "" where nothing was, or it was taken back."""
    found = [(at, value) for name in names if name in said for at, value in [said[name]]]
    value = max(found, key=lambda one: one[0], default=(0, None))[1]
    return value.strip() if isinstance(value, str) else ""
