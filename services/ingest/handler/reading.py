"""A kept file, piece by piece: what kind it is, and its rows, some at a time."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import BinaryIO, NamedTuple

import msgspec

from services.ingest.domain import Book, Malformed, Mapping, Names, Objects, Row, Shape, Sniffer, Table

TURN_ROWS = 100  # rows between two looks at what else the process has to do: a request waits for no more than these
Pieces = Callable[[int], Awaitable[bytes | None]]  # by number, from 0; None after the last


class Turn(NamedTuple):
    """Some rows of a file, and how many of its bytes have been read with them."""

    rows: list[Row]
    seen: int


async def look(pieces: Pieces, mapping: Mapping, *, cut: bool = False) -> Shape:
    """What kind of file it is. cut: there is only its first part. Raises Malformed when it cannot be read."""
    sniffer, names = Sniffer(), Names()
    number = 0
    while (data := await pieces(number)) is not None:
        sniffer.feed(data)
        if (mapping.format or sniffer.format()) == "jsonl":
            names.feed(data)
        number += 1
        await asyncio.sleep(0)
    names.feed(b"", final=not cut)
    kind = mapping.format or sniffer.format()
    if kind == "xlsx":
        return await _workbook(pieces, mapping.sheet)
    encoding = mapping.encoding or sniffer.encoding(cut=cut)
    if kind == "jsonl":
        return _objects(names.columns(), encoding, sniffer.lines)
    shape = Shape(format="csv", encoding=encoding, delimiter=mapping.delimiter, lines=max(0, sniffer.lines - 1))
    if sniffer.guessed and not mapping.encoding:
        note = f"Nothing in the file says its encoding; it is read as {encoding}. Where letters come out wrong, state `encoding`."
        shape = msgspec.structs.replace(shape, note=note)
    return await _with_header(pieces, shape, last=number - 1, cut=cut)


def _objects(columns: tuple[str, ...], encoding: str, lines: int) -> Shape:
    if not encoding.startswith("utf-8"):
        raise Malformed("encoding", "encoding_unsupported", "JSONL is UTF-8.", "save the file as UTF-8")
    if not columns:
        raise Malformed("file", "header_missing", "No line of the file is a JSON object.", "send an object a line")
    return Shape(format="jsonl", encoding=encoding, columns=columns, lines=lines)


async def _with_header(pieces: Pieces, shape: Shape, last: int, *, cut: bool) -> Shape:
    table = Table(shape.encoding, shape.delimiter)
    number = 0
    try:
        while table.columns is None and (data := await pieces(number)) is not None:
            for _ in table.feed(data, final=number == last and not cut):
                break
            number += 1
    except UnicodeDecodeError as error:
        message = f"The file is not in {shape.encoding}."
        raise Malformed("encoding", "encoding_wrong", message, "leave `encoding` out, or name the right one") from error
    if table.columns is None:
        raise Malformed("file", "header_missing", "The file has no header line.", "send a first line with the columns' names")
    return msgspec.structs.replace(shape, delimiter=table.delimiter, columns=tuple(table.columns))


async def _workbook(pieces: Pieces, sheet: str) -> Shape:
    async with _spooled(pieces) as (file, _):
        book = Book(file, sheet)
        rows = book.rows()
        for _ in rows:
            if book.columns is not None:
                break
            await asyncio.sleep(0)
        note = f"Other sheets are not read: {', '.join(book.others)[:500]}." if book.others and not sheet else ""
        return Shape(format="xlsx", sheet=book.sheet.name, columns=tuple(book.columns or ()), note=note)


async def turns(pieces: Pieces, shape: Shape, decimal: str, *, cut: bool = False) -> AsyncGenerator[Turn, None]:
    """The rows of the file, in its order. Raises Malformed, and UnicodeDecodeError where it is not in its encoding after all."""
    if shape.format == "xlsx":
        async with _spooled(pieces) as (file, size):
            book = Book(file, shape.sheet)
            for rows in book.rows(decimal):
                for turn in _some(iter(rows)):
                    yield Turn(turn, round(size * book.share))
                await asyncio.sleep(0)
        return
    reader = Objects(shape.columns, decimal) if shape.format == "jsonl" else Table(shape.encoding, shape.delimiter)
    number = seen = 0
    data = await pieces(number)
    while data is not None:
        number += 1
        following = await pieces(number)
        for turn in _some(reader.feed(data, final=following is None and not cut)):
            yield Turn(turn, seen)
            await asyncio.sleep(0)
        seen += len(data)
        data = following


def _some(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while turn := list(islice(rows, TURN_ROWS)):
        yield turn


@asynccontextmanager
async def _spooled(pieces: Pieces) -> AsyncIterator[tuple[BinaryIO, int]]:
    """The file as one that can be sought, and its size: without a name, so that it is gone whatever becomes of the process."""
    number = size = 0
    with tempfile.TemporaryFile() as file:
        while (data := await pieces(number)) is not None:
            file.write(data)
            size += len(data)
            number += 1
        file.seek(0)
        yield file, size
