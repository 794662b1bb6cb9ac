"""From the bytes of a JSONL file to rows: an object a line, its fields as columns under dotted names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from .table import MAX_ROW, TOO_LONG, Row

MAX_NAMES = 2_000
_DEPTH = 8
_BROKEN = "is no JSON object"
_BOM = "\ufeff"


class _Number(str):
    """A number as it stands in the file: no float is made of an amount."""

    __slots__ = ()


_encode = msgspec.json.Encoder(enc_hook=float).encode
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=_Number).decode


class Names:
    """The dotted names of a JSONL file, collected while its bytes pass by: "address.city"."""

    def __init__(self) -> None:
        self._rest = b""
        self._found: dict[str, None] = {}

    def feed(self, data: bytes, *, final: bool = False) -> None:
        lines, self._rest = _lines(self._rest, data, final=final)
        for line in lines:
            if len(line) <= MAX_ROW and (found := _object(line)) is not None:
                self._add(found, "", 1)

    def _add(self, found: Mapping[str, Any], before: str, depth: int) -> None:
        for name, value in found.items():
            if isinstance(value, dict) and value and depth < _DEPTH:
                self._add(value, f"{before}{name}.", depth + 1)
            elif len(self._found) < MAX_NAMES:
                self._found[before + name] = None

    def columns(self) -> tuple[str, ...]:
        return tuple(self._found)


class Objects:
    """Takes a file piece by piece and gives its rows, with a cell for each of the columns. Blank lines are no rows.

    decimal: the mark before the fraction that the reader of the cells expects.
    """

    def __init__(self, columns: Sequence[str], decimal: str) -> None:
        self._paths = [(name, name.split(".")) for name in columns]
        self._decimal = decimal
        self._rest = b""
        self._line = 0

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[Row]:
        """The rows that are complete now. final: nothing follows."""
        lines, self._rest = _lines(self._rest, data, final=final)
        for line in lines:
            self._line += 1
            if len(line) > MAX_ROW or line.strip():
                yield self._row(line)

    def _row(self, line: bytes) -> Row:
        raw = line.decode("utf-8", "replace").removeprefix(_BOM)
        if len(line) > MAX_ROW:
            return Row(self._line, raw[:MAX_ROW], None, TOO_LONG)
        found = _object(line)
        if found is None:
            return Row(self._line, raw, None, _BROKEN)
        return Row(self._line, raw, [text_of(_at(found, name, path), self._decimal) for name, path in self._paths])


def _lines(rest: bytes, data: bytes, *, final: bool) -> tuple[list[bytes], bytes]:
    """The lines that are complete now, and the begin of the next. Of one that is too long only as much is kept as shows it."""
    lines = data.split(b"\n")
    lines[0] = rest + lines[0]
    lines = [line[: MAX_ROW + 1] for line in lines]
    return (lines, b"") if final else (lines[:-1], lines[-1])


def text_of(value: Any, decimal: str = ".") -> str:
    """A JSON value as the text of a cell: lists and objects as JSON, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, _Number):
        return value.replace(".", decimal)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _encode(value).decode()


def _at(found: Any, name: str, path: Sequence[str]) -> Any:
    if name in found or len(path) == 1:
        return found.get(name)
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        return _decode(line.removeprefix(_BOM.encode()))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
