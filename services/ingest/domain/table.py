"""From the bytes of a CSV file to its rows, each with its line number and its raw text."""

import codecs
import contextlib
import csv
from collections.abc import Iterator
from typing import NamedTuple

from .values import Malformed

DELIMITERS = (",", ";", "\t")
ENCODINGS = ("utf-8-sig", "utf-8", "cp1251")
MAX_ROW = 32 * 1_024  # characters; a longer one is refused, its text cut
_HEAD = 1_000  # bytes that show whether it is text
_MEND_TEXT = "save the file as CSV in UTF-8"


class Row(NamedTuple):
    """line: where it begins, from 1 (the header's line); raw: as it stands in the file, with its line breaks.

    cells: trimmed; None when the text cannot be read as a row.
    """

    line: int
    raw: str
    cells: list[str] | None


class Sniffer:
    """Finds out the encoding of a file while it passes by: UTF-8 (with or without a mark) if all of it is, else cp1251."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._utf8 = True
        self._head = b""

    def feed(self, data: bytes) -> None:
        if len(self._head) < _HEAD:
            self._head += data[: _HEAD - len(self._head)]
            if self._head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in self._head:
                raise Malformed("file", "encoding_unsupported", "The file is UTF-16, or no text.", _MEND_TEXT)
        if self._utf8:
            try:
                self._decoder.decode(data)
            except UnicodeDecodeError:
                self._utf8 = False

    def encoding(self) -> str:
        """When all has passed."""
        if self._utf8:
            try:
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return "cp1251"
            return "utf-8-sig" if self._head.startswith(codecs.BOM_UTF8) else "utf-8"
        return "cp1251"


def delimiter_of(header: str) -> str:
    """The delimiter that stands most often in the header's line, outside of quotes."""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


class Table:
    """Takes a file piece by piece and gives its rows. The first row is the header: `columns`, once it is read.

    Blank lines are no rows. A row that the CSV reader refuses has no cells and does not stop the others.
    """

    def __init__(self, encoding: str, delimiter: str = "") -> None:
        # Bytes that are nothing in cp1251 become a mark of replacement: better one odd letter than no row.
        errors = "replace" if encoding == "cp1251" else "strict"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._delimiter = delimiter
        self._rest = ""
        self._line = 1
        self.columns: list[str] | None = None

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[Row]:
        """The rows that are complete now. final: nothing follows.

        Raises Malformed when there is no header.
        """
        text = self._rest + self._decoder.decode(data, final)
        if final:
            self._rest = ""
            lines = _lines(text)
        else:
            end = text.rfind("\n") + 1
            self._rest = text[end:]
            lines = _lines(text[:end])
        if not lines:
            if final and self.columns is None:
                raise _headless()
            return iter(())
        self._delimiter = self._delimiter or delimiter_of(next((line for line in lines if line.strip()), ""))
        return self._rows(lines, final=final)

    def _rows(self, lines: list[str], *, final: bool) -> Iterator[Row]:
        reader = csv.reader(lines, delimiter=self._delimiter)
        start, first = 0, self._line
        while start < len(lines):
            cells: list[str] | None = None
            with contextlib.suppress(csv.Error):  # the row says so: it has no cells
                cells = next(reader)
            end = reader.line_num
            if end == len(lines) and not final:
                # The last row may go on in the next piece (a line break in quotes): it is read again then.
                self._rest = "".join(lines[start:]) + self._rest
                break
            raw = "".join(lines[start:end])
            if len(raw) > MAX_ROW or (end == len(lines) and end - start > 1 and raw.count('"') % 2):
                cells = None  # a quote that was never closed has swallowed what follows
            line, start = first + start, end
            self._line = first + start
            row = self._row(line, raw, cells)
            if row is not None:
                yield row
        if final and self.columns is None:
            raise _headless()

    def _row(self, line: int, raw: str, cells: list[str] | None) -> Row | None:
        """None for the header and for blank lines."""
        if cells is None:
            return Row(line, raw[:MAX_ROW], None)
        trimmed = [cell.strip() for cell in cells]
        if not any(trimmed):
            return None
        if self.columns is None:
            self.columns = trimmed
            return None
        return Row(line, raw, trimmed)


def _lines(text: str) -> list[str]:
    """Cut after each line feed only: what else str.splitlines cuts at may stand inside a cell."""
    lines = text.split("\n")
    last = lines.pop()
    found = [f"{line}\n" for line in lines]
    return [*found, last] if last else found


def _headless() -> Malformed:
    return Malformed("file", "header_missing", "The file has no header line.", "send a first line with the columns' names")
