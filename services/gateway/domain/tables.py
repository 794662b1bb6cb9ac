"""Members of a segment with all that is known of them, as CSV, JSON lines or Parquet: piece by piece. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from schemas.facts import IDENTIFIER_KINDS

Format = Literal["csv", "jsonl", "parquet"]
Kind = Literal["string", "int", "float", "bool", "at"]
MEDIA: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_MARKS = frozenset(("=", "+", "-", "@", "\t", "\r"))  # with which a spreadsheet takes a text for a formula
PHONES = re.compile(r"\+[0-9]+(;\+[0-9]+)*")
GROUP = 20_000  # rows of a row group of Parquet: so many are held
OTHER = "other_ids"
TOUCHES = ("first_touch", "last_touch")
CAMPAIGN = ("source", "medium", "name")

_KINDS = frozenset(IDENTIFIER_KINDS)
_ID_COLUMNS = (*IDENTIFIER_KINDS, OTHER)
_NOTHING: Mapping[str, Any] = {}
_json = msgspec.json.Encoder().encode


class Column(NamedTuple):
    """at: an instant, in the rows UTC ms."""

    name: str
    kind: Kind


FIXED: Sequence[Column] = (
    Column("profile", "string"),
    Column("since", "at"),
    Column("why", "string"),
    Column("cause", "string"),
    Column("brands", "string"),
    Column("first_received_at", "at"),
    *(Column(kind, "string") for kind in _ID_COLUMNS),
    *(
        column
        for touch in TOUCHES
        for column in (
            Column(f"{touch}_at", "at"),
            Column(f"{touch}_source", "string"),
            *(Column(f"{touch}_campaign_{part}", "string") for part in CAMPAIGN),
        )
    ),
    Column("consents", "string"),
)


class Member(NamedTuple):
    """member: since when he is in it, by what, and how he came to us, as the warehouse tells it; person: as profile does."""

    member: Mapping[str, Any]
    person: Mapping[str, Any]


class Writer(Protocol):
    """What becomes of rows in a format."""

    def begin(self) -> bytes: ...
    def rows(self, members: Iterable[Member]) -> bytes: ...
    def end(self) -> bytes: ...


def joined(kinds: Iterable[Sequence[str]]) -> dict[str, str]:
    """Name -> kind of attributes, of (name, kind): one of which several are told is a string, but for whole numbers among others."""
    found: dict[str, set[str]] = {}
    for name, kind in kinds:
        found.setdefault(name, set()).add(kind)
    return {n: next(iter(k)) if len(k) == 1 else "float" if k == {"int", "float"} else "string" for n, k in found.items()}


def columns(attributes: Mapping[str, str]) -> list[Column]:
    """All columns of a table: what everybody has, then the attributes under names of their own."""
    return [*FIXED, *(Column(f"attributes.{name}", kind) for name, kind in sorted(attributes.items()))]  # type: ignore[arg-type]


def cells(one: Member, attributes: Sequence[str]) -> list[Any]:
    """A row under `columns`; attributes: their names, sorted."""
    member, person = one
    names: dict[str, str] = {}
    for identifier in person["identifiers"]:
        kind, _, value = identifier.partition(":")
        kind, value = (kind, value) if kind in _KINDS else (OTHER, identifier)
        names[kind] = f"{names[kind]};{value}" if kind in names else value
    consents, said = person["consents"], person["attributes"]
    row = [
        person["id"], member["since"], member["why"], member["cause"], ";".join(person["brands"]), person["first_received_at"],
        *map(names.get, _ID_COLUMNS),
    ]  # fmt: skip
    for touch in TOUCHES:
        how = member[touch] or _NOTHING
        campaign = how.get("campaign") or _NOTHING
        row += (how.get("at"), how.get("source"), *map(campaign.get, CAMPAIGN))
    row.append(_json(consents).decode() if consents else None)
    row += map(said.get, attributes)
    return row


class JsonLines:
    """An object a line, nested as the API tells a person."""

    def begin(self) -> bytes:
        return b""

    def rows(self, members: Iterable[Member]) -> bytes:
        return b"".join(_json({**one.person, "member": one.member}) + b"\n" for one in members)

    def end(self) -> bytes:
        return b""


class Csv:
    """UTF-8 with a mark, as spreadsheets want it. Texts are other people's own: none may be taken for a formula."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self._columns, self._names = columns(attributes), sorted(attributes)
        self._instants = [place for place, column in enumerate(self._columns) if column.kind == "at"]
        self._truths = [place for place, column in enumerate(self._columns) if column.kind == "bool"]

    def begin(self) -> bytes:
        return b"\xef\xbb\xbf" + self._written([[harmless(column.name) for column in self._columns]])

    def rows(self, members: Iterable[Member]) -> bytes:
        return self._written([self._row(one) for one in members])

    def end(self) -> bytes:
        return b""

    def _row(self, one: Member) -> list[Any]:
        row = cells(one, self._names)
        for place in self._instants:
            if row[place] is not None:
                row[place] = instant(row[place])
        for place in self._truths:
            if type(row[place]) is bool:
                row[place] = "true" if row[place] else "false"
        return [harmless(value) if type(value) is str and value[:1] in _MARKS else value for value in row]

    def _written(self, rows: Iterable[Sequence[Any]]) -> bytes:
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        return out.getvalue().encode()


def harmless(text: str) -> str:
    """A text that no spreadsheet runs. Phone numbers are what they look like."""
    return f"'{text}" if text[:1] in _MARKS and not PHONES.fullmatch(text) else text


def instant(ms: int) -> str:
    """As ISO text in UTC."""
    second, rest = divmod(ms, 1000)
    minute, seconds = divmod(second, 60)
    return f"{_minute(minute)}:{seconds:02d}.{rest:03d}Z"


@lru_cache(maxsize=100_000)
def _minute(minute: int) -> str:
    """Of the minutes since 1970 this one: those of a file repeat, and a calendar is slow."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M")


class Parquet:
    """Instants as timestamps in UTC; an attribute of which several kinds are told as text."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        import pyarrow as pa  # large, and nobody else here needs it
        import pyarrow.parquet

        types = {
            "string": pa.string(),
            "int": pa.int64(),
            "float": pa.float64(),
            "bool": pa.bool_(),
            "at": pa.timestamp("ms", "UTC"),
        }
        self._arrow, self._columns, self._names = pa, columns(attributes), sorted(attributes)
        self._schema = pa.schema([(column.name, types[column.kind]) for column in self._columns])
        self._out = _Out()
        self._file = pyarrow.parquet.ParquetWriter(pa.PythonFile(self._out, mode="w"), self._schema, compression="zstd")
        self._waiting: list[list[Any]] = []

    def begin(self) -> bytes:
        return self._out.taken()

    def rows(self, members: Iterable[Member]) -> bytes:
        self._waiting += (cells(one, self._names) for one in members)
        if len(self._waiting) >= GROUP:
            self._write()
        return self._out.taken()

    def end(self) -> bytes:
        if self._waiting:
            self._write()
        self._file.close()
        return self._out.taken()

    def _write(self) -> None:
        arrays = []
        for column, field, values in zip(self._columns, self._schema, zip(*self._waiting, strict=True), strict=True):
            arrays.append(self._arrow.array([_fit(value, column.kind) for value in values], field.type))
        self._file.write_batch(self._arrow.record_batch(arrays, schema=self._schema))
        self._waiting.clear()


def _fit(value: Any, kind: Kind) -> Any:
    """What was told of somebody between the look at the kinds and this one may be of another."""
    if value is None or kind == "at":
        return value
    if kind == "string":
        return value if type(value) is str else _json(value).decode()
    if kind == "float":
        return float(value) if type(value) in (int, float) else None
    return value if type(value) is (bool if kind == "bool" else int) else None


class _Out(io.RawIOBase):
    """A file that is given away as it grows."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def writer(form: Format, attributes: Mapping[str, str]) -> Writer:
    """attributes: name -> kind of the flat attributes of the people who come; JSON lines take whatever there is."""
    if form == "jsonl":
        return JsonLines()
    return Csv(attributes) if form == "csv" else Parquet(attributes)
