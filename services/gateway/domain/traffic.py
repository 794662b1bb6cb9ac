"""Traffic and ad spend as they come: rows of JSON, or of a CSV. Pure; every fault at once, by its row."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import ValidationError

from schemas.attribution import Spend
from schemas.reports import faults_of
from services.gateway.domain.problems import Fault, Problem

MOST_ROWS = 20_000  # of one upload
MOST_FAULTS = 100
NUMBERS = ("visits", "cost")
NAMES = frozenset(Spend.model_fields)


def rows_of(document: Any) -> list[Spend]:
    """`{"rows": [...]}` or a list. Raises Problem `invalid`; a row that is told twice with one key is a fault."""
    rows = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(rows, list) or (isinstance(document, dict) and set(document) != {"rows"}):
        raise Problem("invalid", [Fault("rows", "list_type")])
    return _read([(f"rows.{place}", row) for place, row in enumerate(rows)])


def rows_of_csv(raw: bytes) -> list[Spend]:
    """A table with a header of the fields' names, parted by `,` or `;`. Faults name the line. Raises Problem `invalid`."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem("invalid", [Fault("", "utf8")]) from error
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise Problem("invalid", [Fault(f"lines.{reader.line_num}", "csv", str(error))]) from error
    if not lines:
        raise Problem("invalid", [Fault("lines.1", "missing")])
    names = [name.strip().lower() for name in lines[0][1]]
    if unknown := [name for name in names if name not in NAMES]:
        raise Problem("invalid", [Fault(f"lines.1.{name}", "extra_forbidden") for name in unknown])
    faults = [Fault(f"lines.1.{name}", "twice") for place, name in enumerate(names) if name in names[:place]]
    # A cell too many is most often a comma within a number: to which column each belongs nobody could say.
    longer = [number for number, cells in lines[1:] if len(cells) > len(names)]
    faults += [Fault(f"lines.{number}", "too_long", params={"max_length": len(names)}) for number in longer]
    if faults:
        raise Problem("invalid", faults[:MOST_FAULTS])
    return _read([(f"lines.{number}", dict(_cells(names, cells))) for number, cells in lines[1:]])


def _cells(names: Sequence[str], cells: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Empty cells, and those that a shorter line lacks, are left out; whole numbers are numbers, and what is none is told as it stands."""
    for name, cell in zip(names, cells, strict=False):
        given = cell.strip()
        if given:
            yield name, int(given) if name in NUMBERS and given.isascii() and given.isdecimal() and len(given) < 17 else given


def _read(given: Sequence[tuple[str, Any]]) -> list[Spend]:
    if len(given) > MOST_ROWS:
        raise Problem("invalid", [Fault("rows", "too_long", params={"max_length": MOST_ROWS})])
    found, faults = list[Spend](), list[Fault]()
    seen: set[tuple[str, ...]] = set()
    for at, row in given:
        try:
            one = Spend.model_validate(row)
        except ValidationError as error:
            faults += [Fault(fault.path, fault.code, "", fault.params) for fault in faults_of(error, at)]
            continue
        if not _is_day(one.day):
            faults.append(Fault(f"{at}.day", "date"))
        if key_of(one) in seen:
            faults.append(Fault(at, "traffic_twice"))
        seen.add(key_of(one))
        found.append(one)
    if faults:
        raise Problem("invalid", faults[:MOST_FAULTS])
    return found


def key_of(row: Spend) -> tuple[str, ...]:
    """Under which a row stands, and is corrected."""
    return (row.brand, row.day, row.source, row.campaign, row.landing)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table as JSON."""
    return {**{name: row[name] for name in ("brand", "source", "campaign", "landing", "visits", "cost")}, "day": row["day"].isoformat(),
            "currency": row["currency"] or None}  # fmt: skip
