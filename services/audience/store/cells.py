"""Fresh facts of the lake read row by row, for what is decided in Python: the cells that are there, and no others."""
# ruff: noqa: S608 - names of ours

from collections.abc import Iterable
from typing import Any

from runtime.following import News
from runtime.lake import quote

Cells = dict[int, list[tuple[str, Any]]]  # row -> (path of the lake, value)


def cells(duck: Any, columns: Iterable[tuple[str, str, str]], where: str = "true") -> Cells:
    """Of the rows of `fresh`: what these columns (path, kind, name) hold."""
    there = {row[0] for row in duck.execute("DESCRIBE fresh").fetchall()}
    found: Cells = {}
    for path, kind, name in columns:
        if name in there:
            query = f"SELECT rowid, {quote(name)} FROM fresh WHERE {quote(name)} IS NOT NULL AND {where}"
            for row, cell in duck.execute(query).fetchall():
                found.setdefault(row, []).append((path, _value(kind, cell)))
    return found


def columns_of(news: News, scope: str, events: Iterable[str] | None = None) -> list[tuple[str, str, str]]:
    """Each column of a scope once. events: only of these names."""
    wanted = None if events is None else set(events)
    known = (
        columns for (event, where), columns in news.properties.items() if where == scope and (wanted is None or event in wanted)
    )
    return sorted({column for columns in known for column in columns})


def _value(kind: str, cell: Any) -> Any:
    match kind:
        case "big":
            return int(cell)
        case "null":
            return None
        case "object":
            return {}
        case _:
            return cell
