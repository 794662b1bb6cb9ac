"""What of a fact, a membership or a decision enters the lake, turned from rows into columns. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.facts import IDENTIFIER_KINDS, PERSONAL, PROFILE_CHANGED, Fact
from schemas.memberships import Membership
from schemas.messages import Decision

# Names under which personal data or identifiers stand, at any depth. The lake must not know them (DESIGN 5, erasure).
PRIVATE = PERSONAL | frozenset(IDENTIFIER_KINDS) | {"userId", "anonymousId"}
# Of the context only this is wanted in reports; the rest of it is technical, or says who the person is (externalIds, ip, device).
CONTEXT = frozenset(("campaign", "page", "app", "os", "locale", "timezone", "library"))
DEEP = 4  # objects within objects become columns down to here; below, they stay whole in `rest`
LONG = 200  # characters of a name of an event or of a path: longer ones get neither columns nor folders
MAX_PROPERTIES = 200  # columns of one event: what comes later stays in `rest`. Raising it needs a rewrite of the lake.
KINDS: Mapping[type, str] = {str: "string", int: "int", float: "float", bool: "bool", type(None): "null"}
_WHOLE: Mapping[str, Any] = {"null": None, "object": {}}  # kinds whose column only says that it was so
_NUMBERS = ("int", "float", "big")
_FOLDER = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

Row = tuple[str, int, int, Any]  # topic, partition, offset, value


class Key(NamedTuple):
    """One property of one event in one kind. event: the event's name, or the fact's type where it has none."""

    event: str
    scope: str
    path: str
    kind: str


class Cells:
    """The values of one column that are there, and the rows they stand in."""

    __slots__ = ("rows", "values")

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.values: list[Any] = []


class Sheet:
    """A batch as columns: those that every row has, sparse ones of properties, and what has no column, by row."""

    def __init__(self, dataset: str, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        self.dataset, self.columns, self.count = dataset, columns, count
        self.cells: dict[Key, Cells] = {}
        self.rest: dict[int, dict[str, Any]] = {}

    def spill(self, allowed: Iterable[Key]) -> None:
        """Move what may not have a column to `rest`."""
        for key in self.cells.keys() - set(allowed):
            cells = self.cells.pop(key)
            for row, value in zip(cells.rows, cells.values, strict=True):
                plain = _WHOLE.get(key.kind, value)
                self.rest.setdefault(row, {}).setdefault(key.scope, {})[key.path] = plain


def facts(rows: Sequence[Row]) -> Sheet:
    """A batch of `facts` and `facts.bulk`. Identifiers and what `schemas.facts.PERSONAL` marks are left out."""
    values: list[Fact] = [row[3] for row in rows]
    columns: dict[str, Sequence[Any]] = {
        "id": [f.id for f in values],
        "profile": [f.profile for f in values],
        "type": [f.type for f in values],
        "event": [f.event for f in values],
        "brand": [f.brand for f in values],
        "source": [f.source for f in values],
        "lane": [f.lane for f in values],
        "occurred_at": [f.occurred_at for f in values],
        "received_at": [f.received_at for f in values],
        **_places(rows),
        "cause": [f.cause for f in values],
    }
    sheet = Sheet("facts", columns, len(rows))
    walk = _Walk(sheet)
    for number, fact in enumerate(values):
        walk.fact(number, fact)
    return sheet


def memberships(rows: Sequence[Row]) -> Sheet:
    values: list[Membership] = [row[3] for row in rows]
    columns: dict[str, Sequence[Any]] = {
        **{
            name: [getattr(m, name) for m in values] for name in ("id", "type", "segment", "version", "why", "received_at", "cause")
        },
        "profile": [m.profile or None for m in values],
        "occurred_at": [m.at for m in values],
        **_places(rows),
    }
    return Sheet("memberships", columns, len(rows))


_DECISION = (
    "id", "brand", "verdict", "by", "document", "version", "step", "occurrence", "intent", "attempt", "channel", "message_class",
    "rule", "until", "received_at", "cause",
)  # fmt: skip


def decisions(rows: Sequence[Row]) -> Sheet:
    values: list[Decision] = [row[3] for row in rows]
    columns: dict[str, Sequence[Any]] = {
        **{name: [getattr(d, name) for d in values] for name in _DECISION},
        "profile": [d.profile or None for d in values],
        "occurred_at": [d.received_at for d in values],
        **_places(rows),
    }
    sheet = Sheet("decisions", columns, len(rows))
    sheet.rest = {n: clean for n, d in enumerate(values) if d.detail and (clean := _without(d.detail, ()))}
    return sheet


def _places(rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
    return {"topic": [row[0] for row in rows], "partition": [row[1] for row in rows], "offset": [row[2] for row in rows]}


class _Walk:
    """Goes through the properties, attributes and context of facts and puts each value into its column."""

    def __init__(self, sheet: Sheet) -> None:
        self._cells, self._rest = sheet.cells, sheet.rest
        self._row = 0
        self._event = self._scope = ""
        self._addresses: tuple[str, ...] = ()

    def fact(self, row: int, fact: Fact) -> None:
        self._row, self._event = row, fact.event or fact.type
        self._addresses = addresses(fact.identifiers)
        if fact.properties:
            self._scope = "properties"
            self._object("", fact.properties, 1)
        if fact.attributes:
            self._scope = "attributes"
            said = fact.attributes
            if fact.type == PROFILE_CHANGED:
                # name -> [at, value], and the instant of news is the fact's own.
                said = {name: pair[1] if pair[0] == fact.occurred_at else pair for name, pair in said.items()}
            self._object("", said, 1)
        if fact.context and not CONTEXT.isdisjoint(fact.context):
            self._scope = "context"
            self._object("", {name: value for name, value in fact.context.items() if name in CONTEXT}, 1)

    def _object(self, prefix: str, values: Mapping[str, Any], depth: int) -> None:
        for name, value in values.items():
            if name in PRIVATE:
                continue
            path = prefix + name if "." not in name and "\\" not in name else prefix + _escaped(name)
            kind = KINDS.get(type(value))
            if kind is None:
                self._nested(path, value, depth)
            elif kind == "string":
                if not self._addresses or not _tells(value, self._addresses):
                    self._put(path, kind, value)
            elif kind == "int" and not -(2**63) <= value < 2**63:
                self._put(path, "big", str(value))
            else:
                self._put(path, kind, True if kind == "null" else value)

    def _nested(self, path: str, value: Any, depth: int) -> None:
        if type(value) is dict and depth < DEEP:
            if value:
                self._object(path + ".", value, depth + 1)
            else:
                self._put(path, "object", True)
        else:
            self._rest.setdefault(self._row, {}).setdefault(self._scope, {})[path] = _without(value, self._addresses)

    def _put(self, path: str, kind: str, value: Any) -> None:
        key = Key(self._event, self._scope, path, kind)
        cells = self._cells.get(key)
        if cells is None:
            cells = self._cells[key] = Cells()
        cells.rows.append(self._row)
        cells.values.append(value)


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace(".", "\\.")


def addresses(identifiers: Iterable[str]) -> tuple[str, ...]:
    """The e-mail addresses and phone numbers among identifiers: a text that holds one must not enter the lake under any name."""
    return tuple(i[6:].lstrip("+") for i in identifiers if i.startswith(("email:", "phone:")) and len(i) > 12)


def _tells(value: str, held: Sequence[str]) -> bool:
    low = value.lower()
    return any(address in low for address in held)


def _without(value: Any, held: Sequence[str]) -> Any:
    """The value without personal fields at any depth; a text with an address of the person becomes null."""
    if type(value) is dict:
        return {name: _without(inner, held) for name, inner in value.items() if name not in PRIVATE}
    if type(value) is list:
        return [_without(inner, held) for inner in value]
    return None if held and type(value) is str and _tells(value, held) else value


def nameable(name: str) -> bool:
    """Whether an event name or path can stand in the catalogue and name a folder."""
    return len(name) <= LONG and "\x00" not in name


def may_have_column(key: Key) -> bool:
    return nameable(key.event) and nameable(key.path)


def safe(name: str) -> str:
    """A name as a folder: letters, digits, - and _ stay, everything else becomes %XX of its UTF-8; too long ones end in a hash."""
    raw = name.encode("utf-8", "surrogatepass")
    written = "".join(chr(b) if b in _FOLDER else f"%{b:02X}" for b in raw)
    return written if len(written) <= 120 else written[:100] + f"~{hashlib.sha256(raw).hexdigest()[:16]}"


def conflicts(registered: str, kind: str) -> bool:
    """Whether a value of `kind` stands aside of the registered one. Whole and broken numbers are one type; null is of any."""
    return kind not in (registered, "null") and registered != "null" and not (kind in _NUMBERS and registered in _NUMBERS)
