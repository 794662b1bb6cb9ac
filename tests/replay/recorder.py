"""In the orchestrator's process: every call of `decide` goes to a file of $OTKLIK_RECORD_DECISIONS, with what its book was made of."""

import atexit
import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from schemas.definitions import Published
from services.orchestrator.domain import book as books
from services.orchestrator.domain import decide
from services.orchestrator.domain.book import Book
from tests.replay.history import FUNCTIONS, Writer


def install() -> None:
    """Put a wrapper around each function. The history is written when the process ends."""
    writer, file = Writer(), Path(os.environ["OTKLIK_RECORD_DECISIONS"]) / f"{os.getpid()}.msgpack"
    atexit.register(lambda: file.write_bytes(msgspec.msgpack.encode(writer.history)))
    books.build = _building(books.build, writer)
    for name in FUNCTIONS:
        setattr(decide, name, _recorded(name, getattr(decide, name), writer))


def _building(build: Callable[..., Book], writer: Writer) -> Callable[..., Book]:
    def wrapper(documents: Iterable[Published], revision: int = 0) -> Book:
        documents = list(documents)
        book = build(documents, revision)
        writer.book(book, documents)
        return book

    return wrapper


def _recorded(name: str, function: Callable[..., Any], writer: Writer) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*given: Any) -> Any:
        answer = function(*given)
        writer.call(name, given, answer)
        return answer

    return wrapper
