"""Decisions as they were made, in a file: the documents, states, news and answers of each call of `services.orchestrator.domain.decide`.

A value travels as what msgpack knows, or as a list that begins with its kind. States and documents, of which most calls share many, stand
once in tables.
"""

import dataclasses
import hashlib
import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from schemas import facts, memberships
from schemas.definitions import Published
from schemas.facts import Fact
from schemas.memberships import Membership
from schemas.messages import Decision, Intent, decode_decision, decode_intent
from services.orchestrator.domain import state
from services.orchestrator.domain.book import Book, build
from services.orchestrator.domain.codes import Code, Give, Known, Return, Shelf, Use
from services.orchestrator.domain.mailings import Launched
from services.orchestrator.domain.state import Person
from services.orchestrator.domain.turn import Outcome

FUNCTIONS = ("on_fact", "on_membership", "on_verdict", "on_mark", "on_timer", "on_launch", "on_merged", "on_split", "on_parted")
RECORDS: Mapping[str, tuple[type, Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "fact": (Fact, facts.encode, facts.decode),
    "intent": (Intent, msgspec.json.encode, decode_intent),
    "decision": (Decision, msgspec.json.encode, decode_decision),
    "membership": (Membership, msgspec.json.encode, memberships.decode),
}


OF_CODES: Mapping[str, type] = {one.__name__: one for one in (Give, Return, Use, Code, Known)}


class Call(msgspec.Struct, array_like=True, frozen=True):
    """What was asked, and what was answered."""

    function: str
    given: list[Any]
    answer: Any


class History(msgspec.Struct, array_like=True):
    """states, documents: encoded, each once; books: the places of their documents; calls: in the order in which a process made them."""

    states: list[bytes] = []
    documents: list[bytes] = []
    books: list[list[int]] = []
    calls: list[Call] = []


class Writer:
    """Puts values into a history."""

    def __init__(self) -> None:
        self.history = History()
        self._places: dict[tuple[int, Any], int] = {}
        self._calls: set[bytes] = set()
        self._books: dict[int, tuple[Any, int]] = {}  # by the identity of what a book shares with its copies, which is held so

    def book(self, book: Book, documents: Sequence[Published]) -> None:
        """Remember of which documents a book was made."""
        places = [self._place(self.history.documents, msgspec.json.encode(one)) for one in documents]
        self._books[id(book.plans)] = book.plans, self._place(self.history.books, places, tuple(places))

    def call(self, function: str, given: Sequence[Any], answer: Any) -> None:
        """One that was made before is the same answer."""
        made = Call(function, [self.put(one) for one in given], self.put(answer))
        if (name := hashlib.sha256(msgspec.msgpack.encode(made)).digest()) not in self._calls:
            self._calls.add(name)
            self.history.calls.append(made)

    def put(self, value: Any) -> Any:
        if isinstance(value, Book):
            return ["book", self._books[id(value.plans)][1], self.put(dict(value.silent)), self.put(value.shelf)]
        if isinstance(value, Person):
            return ["person", self._place(self.history.states, state.encode(value))]
        if isinstance(value, Outcome):
            return ["outcome", self.put(value.person), *([self.put(one) for one in found] for found in value[1:])]
        if isinstance(value, Launched):
            return ["launched", value.id]
        if isinstance(value, Shelf):
            return ["shelf", self.put(value.ready), self.put(value.dry), self.put(value.known)]
        if (named := type(value).__name__) in OF_CODES:
            return ["named", named, [self.put(one) for one in value]]
        for kind, (model, encode, _) in RECORDS.items():
            if isinstance(value, model):
                return [kind, encode(value)]
        if isinstance(value, Mapping):
            return ["map", [[self.put(key), self.put(one)] for key, one in value.items()]]
        if isinstance(value, set | frozenset):
            return ["set", sorted(value)]
        if isinstance(value, tuple | list):
            return ["tuple", [self.put(one) for one in value]]
        return value

    def _place(self, table: list[Any], value: Any, key: Any = None) -> int:
        name = (id(table), value if key is None else key)
        if name not in self._places:
            self._places[name] = len(table)
            table.append(value)
        return self._places[name]


class Reader:
    """Gives the values of a history back, as this code has them: what it knows more of a state or a record has its default."""

    def __init__(self, history: History) -> None:
        self._history = history
        decode = msgspec.json.Decoder(Published).decode
        documents = [decode(one) for one in history.documents]
        self._books = [build([documents[place] for place in places]) for places in history.books]
        self._book = build([])  # under which the call at hand is decided

    def calls(self) -> Iterator[tuple[str, list[Any], Any]]:
        """(function, what it is given, what it answered)"""
        for call in self._history.calls:
            yield call.function, [self.get(one) for one in call.given], self.get(call.answer)

    def get(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        kind, *rest = value
        if kind in RECORDS:
            return RECORDS[kind][2](rest[0])
        match kind:
            case "book":
                silent, shelf = self.get(rest[1]), self.get(rest[2]) if len(rest) > 2 else Shelf()
                self._book = self._books[rest[0]]
                return dataclasses.replace(self._book, silent=silent, shelf=shelf)
            case "person":
                return state.decode(self._history.states[rest[0]])
            case "outcome":
                return Outcome(self.get(rest[0]), *(tuple(map(self.get, found)) for found in rest[1:]))
            case "launched":
                return self._book.launches[rest[0]]
            case "shelf":
                return Shelf(*map(self.get, rest))
            case "named":
                return OF_CODES[rest[0]](*map(self.get, rest[1]))
            case "map":
                return {self.get(key): self.get(one) for key, one in rest[0]}
            case "set":
                return set(rest[0])
        return tuple(map(self.get, rest[0]))


def save(history: History, path: Path) -> None:
    path.write_bytes(lzma.compress(msgspec.msgpack.encode(history), preset=9 | lzma.PRESET_EXTREME))


def load(path: Path) -> History:
    return msgspec.msgpack.decode(lzma.decompress(path.read_bytes()), type=History)
