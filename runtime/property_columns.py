"""Where the lake has what an accumulator looks at, and a fact's properties made of it again (docs/adr/0006)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runtime.lake import quote, text
from schemas.paths import escaped, steps_of

Steps = tuple[str, ...]


class Source(NamedTuple):
    """One column of a query: the SQL expression of its values, which are of a kind (of the lake's, or "json", "inner") and lie at a path."""

    sql: str
    kind: str
    steps: Steps


def sources(paths: Iterable[str], kinds: Iterable[tuple[str, str, str]], there: frozenset[str]) -> list[Source]:
    """What is to be asked so that `properties` knows all that lies at these paths (dotted). kinds: (path, kind, column) of the catalogue;
    there: columns that files of this snapshot have.
    """
    asked = sorted({tuple(path.split(".")) for path in paths})
    found = {
        column: Source(quote(column), kind, steps_of(path))
        for path, kind, column in kinds
        if column in there and kind != "null" and any(_within(steps_of(path), steps) for steps in asked)
    }
    return [*found.values(), *(source for steps in asked for source in _without_column(steps))]


def _within(inner: Sequence[str], outer: Sequence[str]) -> bool:
    return tuple(inner[: len(outer)]) == tuple(outer)


def _without_column(steps: Steps) -> Iterable[Source]:
    """Lists, and what lies too deep, are in `rest` by their path: it, or one within which it lies, or one within it."""
    for upto in range(1, len(steps) + 1):
        path = ".".join(map(escaped, steps[:upto]))
        yield Source(f"rest['properties'][{text(path)}]::JSON::VARCHAR", "json", steps[:upto])
    within = ".".join(map(escaped, steps)) + "."
    keys = f"json_keys(rest::JSON, '/properties'), lambda key: starts_with(key, {text(within)})"
    yield Source(f"CASE WHEN rest IS NOT NULL THEN nullif(len(list_filter({keys})), 0) END", "inner", steps)


def properties(asked: Sequence[Source], values: Sequence[Any]) -> dict[str, Any]:
    """A fact's properties as far as they were asked for, from the values of these columns."""
    said: dict[str, Any] = {}
    for source, value in zip(asked, values, strict=True):
        if value is not None:
            _put(said, source.steps, _value(source.kind, value))
    return said


def _value(kind: str, value: Any) -> Any:
    match kind:
        case "big":
            return int(value)
        case "null":
            return None
        case "object":
            return {}
        case "json":
            return json.loads(value)
        case "inner":
            return {"": None}
        case _:
            return value


def _put(said: dict[str, Any], path: Steps, value: Any) -> None:
    *outer, last = path
    for step in outer:
        said = said.setdefault(step, {})
    if not isinstance(value, Mapping) or not isinstance(said.get(last), dict):
        said[last] = value
    else:
        said[last].update(value)
