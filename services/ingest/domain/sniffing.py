"""What kind of file it is, found out while its bytes pass by."""

import codecs
import re
from typing import Literal

import msgspec

from .table import cells_of_text
from .values import Malformed

Format = Literal["csv", "xlsx", "jsonl"]
ENCODINGS = ("utf-8-sig", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp1252", "latin-1", "koi8-r", "cp866")
_HEAD = 4_096  # bytes that show whether it is text
_SAMPLE = 65_536  # high bytes after which a guess gets no better
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_RUN = re.compile(rb"[\x80-\xff]+")
_MEND_TEXT = "save the file as CSV in UTF-8, or as XLSX"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is read. columns: its header (of JSONL: the names found in it); lines: how many it has, as far as can be told.

    note: what is not sure about it, for the one who sent it; delimiter: of CSV; sheet: of XLSX.
    """

    format: Format
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    columns: tuple[str, ...] = ()
    lines: int | None = None
    note: str = ""


class Sniffer:
    """Finds out format and encoding.

    Text that is not UTF-8 is in an encoding of one byte a letter, and nothing in it says which one: it is guessed to be cp1251, or
    cp1252 where letters beyond ASCII stand alone among others, as in Latin scripts, and `guessed` is true.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._utf8 = True
        self._head = b""
        self._high = self._in_runs = 0
        self.lines = 0

    def feed(self, data: bytes) -> None:
        """Raises Malformed when it is nothing that can be read."""
        if len(self._head) < _HEAD:
            self._head += data[: _HEAD - len(self._head)]
            if self._head.startswith(_OLE):
                raise Malformed("file", "file_unsupported", "It is an old .xls, or a workbook with a password.", "save it as XLSX")
        self.lines += data.count(b"\n")
        if self._utf8:
            try:
                self._decoder.decode(data)
            except UnicodeDecodeError:
                self._utf8 = False
        if not self._utf8 and self._high < _SAMPLE:
            self._weigh(data)

    def _weigh(self, data: bytes) -> None:
        """Counts bytes beyond ASCII, and those of them with such a neighbour."""
        runs = [len(run) for run in _RUN.findall(data)]
        self._high += sum(runs)
        self._in_runs += sum(length for length in runs if length > 1)

    def format(self) -> Format:
        """When all has passed, or as much as there is of it."""
        if self._head.startswith(_ZIP):
            return "xlsx"
        text = self._head.removeprefix(codecs.BOM_UTF8).lstrip()
        return "jsonl" if text.startswith(b"{") else "csv"

    def encoding(self, *, cut: bool = False) -> str:
        """When all has passed. cut: it is the first part only, so that its last letter may be half. Raises Malformed: it is no text."""
        if self._head.startswith(_UTF16):
            return "utf-16"
        if self._head.count(0) * 10 > len(self._head):
            raise Malformed("file", "encoding_unsupported", "The file is UTF-16 without its mark, or no text.", _MEND_TEXT)
        if self._utf8 and not cut:
            try:
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                self._utf8 = False
        if self._utf8:
            return "utf-8-sig" if self._head.startswith(codecs.BOM_UTF8) else "utf-8"
        return "cp1251" if self._in_runs * 3 >= self._high else "cp1252"

    @property
    def guessed(self) -> bool:
        """Whether nothing in the file says its encoding."""
        return not self._utf8 and not self._head.startswith(_UTF16)


def cells_of(raw: str, shape: Shape) -> list[str]:
    """The cells of a row that was refused, from its text; of JSONL the object itself."""
    if shape.format == "csv":
        return cells_of_text(raw, shape.delimiter)
    if shape.format == "xlsx":
        try:
            return msgspec.json.decode(raw, type=list[str])
        except msgspec.DecodeError:  # it was too long and has been cut
            return [raw]
    return [raw.rstrip("\r\n")]
