"""The XML of a workbook, by events: no tree is built. A document type is refused, and so are tags that do not end, elements deep in one
another and ever new names, all of which the parser would keep: nothing in it can grow.
"""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from xml.parsers import expat

MAX_COLUMNS = 2_000
MAX_TEXT = 40_000  # characters of a cell; a spreadsheet program has at most 32,767
_MOST_PIECES = 1_000  # in which the parser gives a text, each of at most 8 KB: what is more is cut anyway
_MAX_PENDING = 1_000_000  # bytes of a tag or comment that has not ended: the parser begins each anew with every piece
_MAX_DEPTH = 100  # of elements in one another, each of which the parser keeps; a workbook has some ten
_MAX_NAMES = 10_000  # of elements and attributes, which the parser keeps too
_PIECE = 131_072
_LETTERS = {letter: number for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", start=1)}


class Broken(Exception):  # noqa: N818 - what is broken is the file
    """The XML is well-formed, and no workbook's."""


class Styles(NamedTuple):
    """dates: numbers of the styles that show a number as a date; zero: the day that 0 is."""

    dates: frozenset[str]
    zero: datetime


def whole(text: str) -> int:
    """A whole number of an attribute or a reference. Raises Broken."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Broken("no whole number")
    return int(text)


def children(data: bytes) -> Iterator[tuple[str, Mapping[str, str]]]:
    """All elements of a document in order, with their attributes; both without their namespaces."""
    reader = _Elements()
    for at in range(0, len(data) + 1, _PIECE):
        reader.feed(data[at : at + _PIECE], final=at + _PIECE > len(data))
        yield from reader.found
        reader.found = []


def _local(name: str) -> str:
    return name.rpartition(":")[2] if ":" in name else name


def _no_doctype(*_: Any) -> None:
    raise Broken("a document type")


class Reader(ABC):
    """Is fed a document, piece by piece. Raises ExpatError, and Broken where the parser would keep what has no end."""

    def __init__(self) -> None:
        self._depth = self._fed = 0
        parser = self._parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _no_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._hear

    def feed(self, data: bytes, *, final: bool = False) -> None:
        parser = self._parser
        parser.Parse(data, final)
        self._fed += len(data)
        if self._fed - parser.CurrentByteIndex > _MAX_PENDING or self._depth > _MAX_DEPTH or len(parser.intern) > _MAX_NAMES:
            raise Broken("a tag without an end, or elements or names without number")

    @abstractmethod
    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Adds one to `_depth`."""

    @abstractmethod
    def _end(self, tag: str) -> None:
        """Takes one of `_depth`."""

    @abstractmethod
    def _hear(self, text: str) -> None:
        """A piece of text within the element."""


class _Elements(Reader):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self.found.append((_local(tag), {_local(name): value for name, value in attributes.items()}))

    def _end(self, _tag: str) -> None:
        self._depth -= 1

    def _hear(self, text: str) -> None:
        pass


class Texts:
    """Texts by their number, in the bytes that they have as UTF-8 and four more each: as objects, short ones take ten times that."""

    def __init__(self) -> None:
        self._bytes, self._ends = bytearray(), array("I", [0])

    def append(self, text: str) -> None:
        self._bytes += text.encode()
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode()


class StringsReader(Reader):
    """Fills `into` with the shared texts; those of a rich text are joined, how it is read aloud is left out."""

    def __init__(self, into: Texts) -> None:
        super().__init__()
        self._into, self._text = into, list[str]()
        self._taking = self._aloud = False

    def _start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        self._depth += 1
        name = _local(tag)
        if name == "si":
            self._text = []
        self._aloud = self._aloud or name == "rPh"
        self._taking = name == "t" and not self._aloud

    def _end(self, tag: str) -> None:
        self._depth -= 1
        name = _local(tag)
        self._taking = False
        if name == "rPh":
            self._aloud = False
        elif name == "si":
            self._into.append("".join(self._text)[:MAX_TEXT].strip())

    def _hear(self, text: str) -> None:
        if self._taking and len(self._text) < _MOST_PIECES:
            self._text.append(text)


class SheetReader(Reader):
    """Fills `done` with rows: (number, texts of the cells, whether a formula lacks its value). Blank rows are left out."""

    def __init__(self, styles: Styles, texts: Texts, decimal: str) -> None:
        super().__init__()
        self._styles, self._texts, self._decimal = styles, texts, decimal
        self.done: list[tuple[int, list[str], bool]] = []
        self._cells: list[str] = []
        self._line = self._column = 0
        self._kind, self._style = "n", "0"
        self._value: list[str] = []
        self._taking = self._aloud = self._formula = self._lacking = False

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "v" or name == "t":  # noqa: PLR1714 - millions of times, and a set is slower
            self._taking = not self._aloud
        elif name == "c":
            place = attributes.get("r")
            self._column = _column(place.rstrip("0123456789")) if place else len(self._cells)
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
            self._value, self._formula = [], False
        elif name == "row":
            self._line = whole(attributes["r"]) if "r" in attributes else self._line + 1
            self._cells, self._lacking = [], False
        elif name == "f":
            self._formula, self._taking = True, False
        elif name == "rPh":
            self._aloud = True

    def _hear(self, text: str) -> None:
        if self._taking and len(self._value) < _MOST_PIECES:
            self._value.append(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "c":
            self._taking = False
            self._close()
        elif name == "v" or name == "t":  # noqa: PLR1714
            self._taking = False
        elif name == "row":
            if self._lacking or any(self._cells):
                self.done.append((self._line, self._cells, self._lacking))
        elif name == "rPh":
            self._aloud = False

    def _close(self) -> None:
        value = self._value
        if not value:
            self._lacking = self._lacking or self._formula
            return
        text = self._text(value[0] if len(value) == 1 else "".join(value)[:MAX_TEXT])
        cells = self._cells
        short = self._column - len(cells)
        if short < 0 or self._column >= MAX_COLUMNS:
            raise Broken("a cell in an impossible place")
        if short:
            cells += [""] * short
        cells.append(text)

    def _text(self, value: str) -> str:
        kind = self._kind
        if kind == "s":
            number = whole(value.strip())
            if number >= len(self._texts):
                raise Broken("a shared text that there is not")
            return self._texts[number]
        if kind == "n":
            return self._number(value)
        if kind == "b":
            return "true" if value.strip() == "1" else "false"
        return value.strip()

    def _number(self, value: str) -> str:
        """A number or a date; what is neither stays as it is, for its column's reader to refuse."""
        try:
            if self._style in self._styles.dates:
                return _date(float(value), self._styles.zero)
            return value if value.isdecimal() else _number(value).replace(".", self._decimal)
        except (ValueError, OverflowError):
            return value


@lru_cache(MAX_COLUMNS)
def _column(letters: str) -> int:
    """The index of a column: B -> 1."""
    number = 0
    if not 0 < len(letters) < 5 or not _LETTERS.keys() >= set(letters):
        raise Broken("no column")
    for letter in letters:
        number = number * 26 + _LETTERS[letter]
    return number - 1


def _number(value: str) -> str:
    """A number as people see it: without .0, without an exponent, to the 15 digits that a spreadsheet has."""
    return format(Decimal(f"{float(value):.15g}"), "f")


def _date(value: float, zero: datetime) -> str:
    """A day, a moment without a zone, or a time of day, as ISO 8601."""
    days = (
        value + 1 if zero.year < 1900 and 0 < value < 60 and value >= 1 else value
    )  # to 1900-02-28: there was a 29th in that program
    moment = zero + timedelta(seconds=round(days * 86_400))
    if 0 <= value < 1:
        return moment.time().isoformat()
    return moment.date().isoformat() if not (moment.hour or moment.minute or moment.second) else moment.isoformat()
