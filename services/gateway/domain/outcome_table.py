"""A report of outcomes as CSV: a line for each row, one for the whole, and the same of the period beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from services.gateway.domain.tables import written

MARK = b"\xef\xbb\xbf"


def csv_of(report: Mapping[str, Any], by: Sequence[str]) -> bytes:
    """UTF-8 with a mark. `period`: now or before; `of`: row or total. Amounts are minor units."""
    lines = [*_lines("now", report, by), *(_lines("before", report["before"], by) if "before" in report else ())]
    names = list(dict.fromkeys(name for line in lines for name in line))
    head = written([pa.array([name]) for name in names])
    columns = [pa.array([_text(line.get(name)) for line in lines], pa.string()) if name in ("period", "of", *by) else _numbers(name, lines)
               for name in names]  # fmt: skip
    return MARK + head + written(columns)


def csv_of_rows(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows of plain cells: a column for each name that any of them has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    texts = {name for name in names if any(isinstance(row.get(name), str | bool) for row in rows)}
    columns = [
        pa.array([_text(row.get(name)) for row in rows], pa.string()) if name in texts else _numbers(name, rows) for name in names
    ]
    return MARK + written([pa.array([name]) for name in names]) + written(columns) if names else MARK


def _lines(period: str, report: Mapping[str, Any], by: Sequence[str]) -> Iterator[dict[str, Any]]:
    for row in report["rows"]:
        yield {"period": period, "of": "row", **{name: row[name] for name in by}, **dict(_flat(row, by))}
    yield {"period": period, "of": "total", **dict.fromkeys(by, ""), **dict(_flat(report["total"], by))}


def _flat(row: Mapping[str, Any], skipped: Sequence[str] = (), prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if (name in skipped and not prefix) or (name == "people" and isinstance(value, str)):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, (), f"{prefix}{name}_")
        else:
            yield f"{prefix}{name}", value


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _numbers(name: str, lines: Sequence[Mapping[str, Any]]) -> Any:
    """Sums may be longer than any number of Arrow, so they go as texts; no sign of theirs is a formula."""
    values = [line.get(name) for line in lines]
    if all(value is None or (isinstance(value, int) and abs(value) < 2**63) for value in values):
        return pa.array(values, pa.int64())
    if all(value is None or isinstance(value, int | float) for value in values) and not any(
        isinstance(v, int) and abs(v) >= 2**63 for v in values
    ):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())
