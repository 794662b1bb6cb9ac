"""From the bytes of a CSV file to its rows, each with its line number and its raw text."""

import codecs
import csv
from collections.abc import Iterator
from typing import NamedTuple

from .values import Malformed

DELIMITERS = (",", ";", "\t", "|")
FORMULA_MARKS = ("=", "+", "-", "@")
_DEFUSED = frozenset(f"'{mark}" for mark in FORMULA_MARKS)
MAX_ROW = 32 * 1_024  # characters; a longer one is refused, its text cut
_MAX_HELD = 1_000_000  # characters of a row that goes on in the next piece, where it is read anew
UNREADABLE = "cannot be read as a row of CSV"
TOO_LONG = "is longer than 32 KB"
_OPEN = "has a quote that is never closed: it swallows the lines behind it"
_RETURN = "has a carriage return amid its text"


class Row(NamedTuple):
    """line: where it begins, from 1 (the header's line); raw: as it stands in the file, with its line breaks.

    cells: trimmed; None when the text cannot be read as a row, and `why` says what is wrong with it.
    """

    line: int
    raw: str
    cells: list[str] | None
    why: str = ""


def delimiter_of(header: str) -> str:
    """The delimiter that stands most often in the header's line, outside of quotes."""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


class Table:
    """Takes a file piece by piece and gives its rows. The first row is the header: `columns`, once it is read.

    Blank lines are no rows. A row that the CSV reader refuses has no cells and does not stop the others.
    """

    def __init__(self, encoding: str, delimiter: str = "") -> None:
        # Bytes that are nothing in a one-byte encoding become a mark of replacement: better one odd letter than no row.
        errors = "strict" if encoding.startswith("utf") else "replace"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self.delimiter = delimiter
        self._rest = ""
        self._line = 1
        self._returns: bool | None = None  # whether lines end with a carriage return alone, as old Macs wrote them
        self.columns: list[str] | None = None

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[Row]:
        """The rows that are complete now. final: nothing follows.

        Raises Malformed when there is no header.
        """
        text = self._rest + self._ended(self._decoder.decode(data, final))
        if final:
            self._rest = ""
            lines = _lines(text)
        else:
            end = text.rfind("\n") + 1
            self._rest = _shortened(text[end:])
            lines = _lines(text[:end])
        if not lines:
            if final and self.columns is None:
                raise _headless()
            return iter(())
        self.delimiter = self.delimiter or delimiter_of(next((line for line in lines if line.strip()), ""))
        return self._rows(lines, final=final)

    def _ended(self, text: str) -> str:
        """With line feeds where the file has none at all."""
        if self._returns is None and text:
            self._returns = "\r" in text[:-1] and "\n" not in text
        return text.replace("\r", "\n") if self._returns else text

    def _rows(self, lines: list[str], *, final: bool) -> Iterator[Row]:
        reader = csv.reader(lines, delimiter=self.delimiter)
        start, first = 0, self._line
        while start < len(lines):
            cells, why = None, ""
            try:
                cells = next(reader)
            except csv.Error:
                why = _RETURN if "\r" in lines[start].rstrip("\r\n") else UNREADABLE
            end = reader.line_num
            raw = "".join(lines[start:end])
            if end == len(lines) and not final and len(raw) <= _MAX_HELD:
                # The last row may go on in the next piece (a line break in quotes): it is read again then.
                self._rest = raw + self._rest
                break
            if end == len(lines) and end - start > 1 and raw.count('"') % 2:
                cells, why = None, _OPEN
            elif len(raw) > MAX_ROW:
                cells, why = None, TOO_LONG
            line, start = first + start, end
            self._line = first + start
            row = self._row(line, raw, cells, why)
            if row is not None:
                yield row
        if final and self.columns is None:
            raise _headless()

    def _row(self, line: int, raw: str, cells: list[str] | None, why: str) -> Row | None:
        """None for the header and for blank lines."""
        if cells is None:
            return Row(line, raw[:MAX_ROW], None, why)
        trimmed = [cell.strip() for cell in cells]
        if "'" in raw:  # what a download of refused rows has put before a cell that a spreadsheet would take for a formula
            trimmed = [cell[1:] if cell[:2] in _DEFUSED else cell for cell in trimmed]
        if not any(trimmed):
            return None
        if self.columns is None:
            self.columns = trimmed
            return None
        return Row(line, raw, trimmed)


def _shortened(line: str) -> str:
    """As much of a line without its end as shows that it is too long, with a quote where one is open or closed in the rest."""
    if len(line) <= _MAX_HELD:
        return line
    return line[: MAX_ROW + 1] + '"' * (line.count('"', MAX_ROW + 1) % 2)


def _lines(text: str) -> list[str]:
    """Cut after each line feed only: what else str.splitlines cuts at may stand inside a cell."""
    lines = text.split("\n")
    last = lines.pop()
    found = [f"{line}\n" for line in lines]
    return [*found, last] if last else found


def _headless() -> Malformed:
    return Malformed("file", "header_missing", "The file has no header line.", "send a first line with the columns' names")


def cells_of_text(raw: str, delimiter: str) -> list[str]:
    """The cells of a row's text as they stand in the file; the text itself where it has none."""
    try:
        return next(csv.reader(raw.splitlines(keepends=True), delimiter=delimiter), [])
    except csv.Error:
        return [raw.rstrip("\r\n")]
