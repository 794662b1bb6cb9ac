"""From an XLSX workbook to rows, read as a stream: memory holds the shared texts and one row, whatever the sheet's size.

Ours and not a library's: openpyxl has had no release since 2024, and calamine lays a whole sheet out in memory, so that two cells far
apart take gigabytes. A sheet is a zip of XML, for which the standard library has what it takes.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import IO, BinaryIO, NamedTuple
from xml.parsers import expat

import msgspec

from .sheet import Broken, SheetReader, StringsReader, Styles, Texts, children, whole
from .table import MAX_ROW, TOO_LONG, Row
from .values import Malformed

MAX_UNPACKED = 2_000_000_000  # bytes of the sheet's XML, which passes by
MAX_TEXTS = 150_000_000  # bytes of XML with the shared texts, which are held
_MAX_PART = 16_000_000
_MAX_READ = 1_000_000  # bytes at once: of the list of a zip's parts, which is laid out in memory, and has some dozens
_CHUNK = 131_072
_MEND = "save it as XLSX anew, or as CSV in UTF-8"
_FORMULA = "holds a formula without its value: open the file in a spreadsheet program and save it"
# What a broken zip, stream or document raises, and nothing that a fault of ours or of the disk could.
_ANSWERED = (zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, Broken)
_CLOSED = 0x1 | 0x20 | 0x40  # flags of a part that is under a password, or patched
_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_EXCEL_ZERO, _MAC_ZERO = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - a sheet's times have no zone


class Sheet(NamedTuple):
    """name: as people see it; part: where it lies in the file."""

    name: str
    part: str
    hidden: bool


class Book:
    """A workbook in a file that can be sought. Raises Malformed (`file_broken`, `file_too_large`, `sheet_missing`), here and while it is read."""

    def __init__(self, file: BinaryIO, sheet: str = "") -> None:
        self._texts = Texts()
        self.columns: list[str] | None = None
        self._seen = 0
        with _answering():
            self._zip = _opened(file)
            self._sheets, self._mac = self._workbook()
        self.sheet = self._chosen(sheet)
        with _answering():
            self._dates = self._date_styles()
            self._size = self._info(self.sheet.part, "sheet", MAX_UNPACKED).file_size

    @property
    def others(self) -> list[str]:
        """Names of the sheets that are not read."""
        return [one.name for one in self._sheets if one != self.sheet]

    @property
    def share(self) -> float:
        """How much of the sheet has been read, from 0 to 1."""
        return self._seen / self._size if self._size else 1.0

    def rows(self, decimal: str = ".") -> Iterator[list[Row]]:
        """The rows, some at a time; the first that is not blank is the header: `columns`. Lists may be empty: others may have their turn."""
        with _answering():
            yield from self._read_texts()
            reader = SheetReader(Styles(self._dates, _MAC_ZERO if self._mac else _EXCEL_ZERO), self._texts, decimal)
            with self._open(self.sheet.part, "sheet", MAX_UNPACKED) as part:
                while chunk := part.read(_CHUNK):
                    self._seen += len(chunk)
                    reader.feed(chunk)
                    yield self._found(reader)
                reader.feed(b"", final=True)
            yield self._found(reader)
        if self.columns is None:
            raise Malformed("file", "header_missing", f"The sheet {self.sheet.name!r} is empty.", "name another one in `sheet`")

    def _found(self, reader: SheetReader) -> list[Row]:
        found, reader.done = reader.done, []
        rows = []
        for line, cells, lacking in found:
            if self.columns is None:
                while cells and not cells[-1]:
                    cells.pop()
                self.columns = cells or None
                continue
            # A sheet ends its rows where they have no more cells, and may colour cells beyond the header.
            width = len(self.columns)
            cells += [""] * (width - len(cells))
            if not any(cells[width:]):
                del cells[width:]
            raw = msgspec.json.encode(cells).decode()
            why = _FORMULA if lacking else TOO_LONG if len(raw) > MAX_ROW else ""
            rows.append(Row(line, raw[:MAX_ROW], None if why else cells, why))
        return rows

    # ---- what stands beside the sheet

    def _info(self, name: str, what: str = "", most: int = _MAX_PART) -> zipfile.ZipInfo:
        """A part that can be read, of at most so many bytes."""
        info = self._zip.NameToInfo.get(name)
        packed = info is not None and info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if info is None or not packed or info.flag_bits & _CLOSED or info.header_offset < 0:
            raise Broken(f"no part {name[:100]!r} that can be read")
        if info.file_size > most:
            raise _too_large(what or name, most)
        return info

    def _open(self, name: str, what: str = "", most: int = _MAX_PART) -> IO[bytes]:
        try:
            return self._zip.open(self._info(name, what, most))
        except UnicodeDecodeError as error:  # its name, where it lies
            raise Broken(f"no part {name[:100]!r}") from error

    def _part(self, name: str) -> bytes:
        with self._open(name) as part:
            return b"".join(iter(lambda: part.read(_CHUNK), b""))

    def _workbook(self) -> tuple[list[Sheet], bool]:
        places = {
            _said(found, "Id"): _said(found, "Target")
            for tag, found in children(self._part("xl/_rels/workbook.xml.rels"))
            if tag == "Relationship"
        }
        sheets, mac = [], False
        for tag, found in children(self._part("xl/workbook.xml")):
            if tag == "sheet":
                target = _said(places, _said(found, "id"))
                part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
                sheets.append(Sheet(_said(found, "name"), part, found.get("state", "visible") != "visible"))
            elif tag == "workbookPr":
                mac = found.get("date1904") in ("1", "true")
        return sheets, mac

    def _chosen(self, name: str) -> Sheet:
        wanted = [one for one in self._sheets if one.name == name] if name else [one for one in self._sheets if not one.hidden]
        if not wanted:
            names = ", ".join(one.name for one in self._sheets)[:500]
            raise Malformed("sheet", "sheet_missing", f"The workbook has no sheet {name[:100]!r}.", f"sheets: {names}")
        return wanted[0]

    def _date_styles(self) -> frozenset[str]:
        """Numbers of the cell styles that show a number as a date."""
        if "xl/styles.xml" not in self._zip.namelist():
            return frozenset()
        own: dict[str, str] = {}
        dates, within, number = set(), False, 0
        for tag, found in children(self._part("xl/styles.xml")):
            if tag == "numFmt":
                own[_said(found, "numFmtId")] = found.get("formatCode", "")
            elif tag in ("cellXfs", "cellStyles", "dxfs"):
                within, number = tag == "cellXfs", 0
            elif tag == "xf" and within:
                shown = found.get("numFmtId", "0")
                if _is_date(own[shown]) if shown in own else whole(shown) in _BUILT_IN_DATES:
                    dates.add(str(number))
                number += 1
        return frozenset(dates)

    def _read_texts(self) -> Iterator[list[Row]]:
        if "xl/sharedStrings.xml" not in self._zip.namelist():
            return
        reader = StringsReader(self._texts)
        with self._open("xl/sharedStrings.xml", "shared texts", MAX_TEXTS) as part:
            while chunk := part.read(_CHUNK):
                reader.feed(chunk)
                yield []
            reader.feed(b"", final=True)


class _Piecewise:
    """A file of which no more is read at once than a workbook asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > _MAX_READ:
            raise Broken("too many parts")
        return self._file.read(size)


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(_Piecewise(file))
    except (
        ValueError,
        NotImplementedError,
    ) as error:  # zipfile's answers to a name that is no text, and to a version it does not know
        raise Broken("no zip that can be read") from error


def _said(found: Mapping[str, str], name: str) -> str:
    if name not in found:
        raise Broken(f"nothing says {name}")
    return found[name]


def _is_date(code: str) -> bool:
    """Whether a number's format shows a date: durations ([h]:mm) are none."""
    if re.search(r"\[[hms]+\]", code, re.IGNORECASE):
        return False
    return any(mark in _QUOTED.sub("", code).lower() for mark in "dmyhs") and "general" not in code.lower()


def _too_large(what: str, most: int) -> Malformed:
    message = f"Unpacked, the workbook's {what} takes more than {most // 1_000_000} MB."
    return Malformed("file", "file_too_large", message, "send it in parts, or as CSV")


@contextmanager
def _answering() -> Iterator[None]:
    """What a broken file raises is its sender's to hear."""
    try:
        yield
    except Malformed:
        raise
    except _ANSWERED as error:
        message = "The workbook cannot be read: it is cut off, broken, or under a password."
        raise Malformed("file", "file_broken", message, _MEND) from error
