"""What a fact says of the person, from the columns of the lake: last-write-wins entries, as schemas/attributes.py keeps them."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.attributes import SPAN, Entry
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, PROFILE_SPLIT
from schemas.paths import steps_of

NEWS = frozenset((PROFILE_CHANGED, PROFILE_MERGED, PROFILE_SPLIT))


def entries(kind: str, values: Mapping[str, Any], at: int, occurred: int, ruled: Iterable[str]) -> dict[str, Entry]:
    """Name -> (at, value). kind: of the fact; values: top-level name -> value, as the lake has them; at: when it counts, occurred: when it
    says it did (ms).

    What profile tells is `[at, value]` for each name, of which the lake keeps the value alone where the instant is the fact's own.
    """
    if kind not in NEWS:
        return {name: (at, value) for name, value in values.items() if name not in set(ruled)}
    told = {name: _pair(value, occurred) for name, value in values.items()}
    if kind == PROFILE_MERGED:  # all that does not go by rule was heard with the facts that said it
        return {name: entry for name, entry in told.items() if entry[0] >= SPAN}
    return told


def _pair(value: Any, occurred: int) -> Entry:
    if type(value) is list and len(value) == 2 and type(value[0]) is int:
        return value[0], value[1]
    return occurred, value


def nested(columns: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Values by path (keys parted by dots, a dot within a key behind a backslash) as the object that they come from."""
    whole: dict[str, Any] = {}
    for path, value in columns:
        *outer, last = steps_of(path)
        inner = whole
        for step in outer:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return whole
