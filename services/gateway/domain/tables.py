"""Members of a segment with all that is known of them, as CSV, JSON lines or Parquet: piece by piece. Pure.

A piece is two Arrow batches of the columns of schemas/exports.py, both by profile: what the warehouse knows of some people, and what
profile knows of those of them who are there.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from schemas.exports import LINE, PROFILE, Column
from services.gateway.domain.formats import Format, columns

GROUP = 20_000  # rows of a row group of Parquet: so many are held
MARK = r"^[=+@\t\r-]"  # with which a spreadsheet takes a text for a formula
PHONES = r"^\+[0-9]+(;\+[0-9]+)*\z"
_TYPES = {
    "string": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "at": pa.timestamp("ms", "UTC"),
}


class Writer(Protocol):
    """What becomes of pieces in a format."""

    def begin(self) -> bytes: ...
    def rows(self, members: Any, people: Any) -> bytes: ...
    def end(self) -> bytes: ...


def writer(form: Format, attributes: Mapping[str, str]) -> Writer:
    """attributes: name -> kind of those that have a column; JSON lines take whatever there is."""
    if form == "jsonl":
        return JsonLines()
    return Csv(columns(attributes)) if form == "csv" else Parquet(columns(attributes))


def there(members: Any, people: Any) -> Any:
    """Of the members those whom profile knows, in its order."""
    if members[PROFILE.name].equals(people[PROFILE.name]):
        return members
    return members.take(pc.index_in(people[PROFILE.name], members[PROFILE.name]))


def _side_by_side(table: Sequence[Column], members: Any, people: Any) -> list[Any]:
    members = there(members, people)
    theirs = frozenset(members.schema.names)
    return [members[column.name] if column.name in theirs else people[column.name] for column in table]


class JsonLines:
    """An object a line, nested as the API tells a person."""

    def begin(self) -> bytes:
        return b""

    def rows(self, members: Any, people: Any) -> bytes:
        pairs = zip(people[LINE].to_pylist(), there(members, people)[LINE].to_pylist(), strict=True)
        return "".join([f'{person},"member":{member}}}\n' for person, member in pairs]).encode()

    def end(self) -> bytes:
        return b""


class Csv:
    """UTF-8 with a mark, as spreadsheets want it; texts in quotes. Texts are other people's own: none may be taken for a formula."""

    def __init__(self, table: Sequence[Column]) -> None:
        self._table = table

    def begin(self) -> bytes:
        return b"\xef\xbb\xbf" + written([pa.array([column.name]) for column in self._table])

    def rows(self, members: Any, people: Any) -> bytes:
        arrays = _side_by_side(self._table, members, people)
        return written([instants(a) if column.kind == "at" else a for column, a in zip(self._table, arrays, strict=True)])

    def end(self) -> bytes:
        return b""


_CSV = pyarrow.csv.WriteOptions(include_header=False, eol="\r\n")


def written(arrays: Sequence[Any]) -> bytes:
    """Columns as lines of CSV."""
    out = pa.BufferOutputStream()
    safe = [harmless(one) if one.type == pa.string() else one for one in arrays]
    pyarrow.csv.write_csv(pa.record_batch(safe, names=[str(n) for n in range(len(safe))]), out, _CSV)
    return bytes(out.getvalue())


def harmless(texts: Any) -> Any:
    """Texts that no spreadsheet runs: what looks like a formula begins with `'`. Phone numbers are what they look like."""
    marked = pc.match_substring_regex(texts, MARK)
    if not pc.any(marked).as_py():
        return texts
    marked = pc.and_not(marked, pc.match_substring_regex(texts, PHONES))
    return pc.if_else(marked, pc.binary_join_element_wise("'", texts, ""), texts)


def instants(ms: Any) -> Any:
    """UTC ms as ISO texts."""
    # With a zone in its type each would be asked what that zone is: forty times slower.
    texts = ms.cast(pa.timestamp("ms")).cast(pa.string())
    return pc.binary_join_element_wise(pc.binary_replace_slice(texts, 10, 11, "T"), "Z", "")


class Parquet:
    """Instants as timestamps in UTC."""

    def __init__(self, table: Sequence[Column]) -> None:
        self._table, self._schema = table, pa.schema([(column.name, _TYPES[column.kind]) for column in table])
        self._out = _Out()
        self._file = pyarrow.parquet.ParquetWriter(pa.PythonFile(self._out, mode="w"), self._schema, compression="zstd")
        self._waiting: list[Any] = []

    def begin(self) -> bytes:
        return self._out.taken()

    def rows(self, members: Any, people: Any) -> bytes:
        arrays = _side_by_side(self._table, members, people)
        typed = [array.cast(field.type) for array, field in zip(arrays, self._schema, strict=True)]
        self._waiting.append(pa.record_batch(typed, schema=self._schema))
        if sum(batch.num_rows for batch in self._waiting) >= GROUP:
            self._write()
        return self._out.taken()

    def end(self) -> bytes:
        if self._waiting:
            self._write()
        self._file.close()
        return self._out.taken()

    def _write(self) -> None:
        self._file.write_table(pa.Table.from_batches(self._waiting).combine_chunks())
        self._waiting.clear()


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
