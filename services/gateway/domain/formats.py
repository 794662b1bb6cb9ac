"""In which formats a segment leaves, and which columns a table of it has. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from schemas.exports import FIXED, Column

Format = Literal["csv", "jsonl", "parquet"]
MEDIA: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


def joined(kinds: Iterable[Sequence[str]]) -> dict[str, str]:
    """Name -> kind of attributes, of (name, kind), by name: one of which several are told is a string, but for whole numbers among others."""
    found: dict[str, set[str]] = {}
    for name, kind in kinds:
        found.setdefault(name, set()).add(kind)
    return {
        name: next(iter(found[name])) if len(found[name]) == 1 else "float" if found[name] == {"int", "float"} else "string"
        for name in sorted(found)
    }


def columns(attributes: Mapping[str, str]) -> list[Column]:
    """All columns of a table: what everybody has, then the attributes under names of their own."""
    return [*FIXED, *(Column(f"attributes.{name}", kind) for name, kind in sorted(attributes.items()))]  # type: ignore[arg-type]
