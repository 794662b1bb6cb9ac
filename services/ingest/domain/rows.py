"""From the rows of a file to facts, and to the rows that are refused with their reasons. Nothing is in neither."""

import hashlib
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import msgspec

from schemas import facts
from schemas.facts import Fact
from schemas.topics import MAX_RECORD_BYTES

from . import cells, money
from .events import MAX_MESSAGE_ID, Call, build
from .mapping import Field, Plan
from .table import Row
from .values import Arrival, Refusal

MAX_GROUP_ROWS = 5_000
MAX_GROUP_TEXT = 600_000  # characters of its rows
_LONGEST = 2 * MAX_GROUP_ROWS  # then it ends, whatever follows: a wrong `by` may make one group of the whole file
_UNREADABLE = "cannot be read as a row of CSV, or is longer than 32 KB"
_REPEATED = "message id stood earlier in the file"
_USER, _DEVICE = "user_id", "anonymous_id"


class Refused(NamedTuple):
    """A row of which nothing was taken. line: from 1; raw: its text."""

    line: int
    reason: str
    raw: str


class Closed(NamedTuple):
    """Rows that are done with: `rows` of them, in the file's order, became one fact or none; refused: those of them that were.

    value: the fact encoded. left_out: what was no usable identifier in rows that were taken otherwise.
    """

    rows: int
    fact: Fact | None = None
    value: bytes = b""
    refused: tuple[Refused, ...] = ()
    left_out: tuple[str, ...] = ()


class _Bad(Exception):  # noqa: N818 - a verdict on a row
    """Why a row is refused."""


class _Open:
    """A group that may go on. who: the identifiers of its first good row."""

    __slots__ = ("cells", "event", "key", "products", "refused", "rows", "size", "taken", "who")

    def __init__(self, key: str) -> None:
        self.key = key
        self.cells: list[str] = []
        self.event = ""
        self.who: tuple[str, ...] = ()
        self.products: list[dict[str, Any]] = []
        self.taken: list[tuple[int, str]] = []
        self.refused: list[Refused] = []
        self.rows = 0
        self.size = 0


class Assembly:
    """Folds the rows of one file. The same rows give the same facts, however they are cut into portions."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._width = max(len(plan.columns), 1)
        self._open: _Open | None = None
        self._seen: set[int] = set()
        self._call = plan.mapping.call

    def push(self, rows: Iterable[Row], arrival: Arrival) -> Iterator[Closed]:
        """What these rows complete. Times of the facts are settled against `arrival.now`."""
        if self._plan.group is None:
            for row in rows:
                yield self._single(row, arrival)
        else:
            for row in rows:
                yield from self._grouped(row, arrival, self._plan.group)

    def end(self, arrival: Arrival) -> Iterator[Closed]:
        """The file is over: what was still open."""
        if self._open is not None:
            yield self._close(self._open, arrival)
            self._open = None

    # ---- one row, one fact

    def _single(self, row: Row, arrival: Arrival) -> Closed:
        try:
            found, event = self._checked(row)
            return self._fact(found, event, (), arrival, 1)
        except _Bad as bad:
            return Closed(1, refused=(Refused(row.line, str(bad), row.raw),))

    # ---- neighbouring rows, one fact

    def _grouped(self, row: Row, arrival: Arrival, by: int) -> Iterator[Closed]:
        key = row.cells[by] if row.cells is not None and len(row.cells) > by else None
        group = self._open
        if group is not None and ((key is not None and key != group.key) or group.rows >= _LONGEST):
            yield self._close(group, arrival)
            group = None
        if group is None:
            if not key:
                reason = f"{self._plan.columns[by]} is empty" if key == "" else _UNREADABLE
                yield Closed(1, refused=(Refused(row.line, reason, row.raw),))
                self._open = None
                return
            group = self._open = _Open(key)
        group.rows += 1
        try:
            self._join(group, row)
        except _Bad as bad:
            group.refused.append(Refused(row.line, str(bad), row.raw))

    def _join(self, group: _Open, row: Row) -> None:
        found, event = self._checked(row)
        who = tuple(found[index] for _, index in self._plan.identifiers)
        if group.products and who != group.who:
            raise _Bad("names another customer than the first row of its group")
        if len(group.products) >= MAX_GROUP_ROWS or group.size + len(row.raw) > MAX_GROUP_TEXT:
            raise _Bad("group is too large")
        product = self._read(self._plan.products, found)
        if not group.products:
            group.cells, group.event, group.who = found, event, who
        group.products.append(product)
        group.taken.append((row.line, row.raw))
        group.size += len(row.raw)

    def _close(self, group: _Open, arrival: Arrival) -> Closed:
        refused = group.refused
        if group.products:
            try:
                closed = self._fact(group.cells, group.event, group.products, arrival, group.rows)
                return closed._replace(refused=tuple(refused))
            except _Bad as bad:
                refused += [Refused(line, str(bad), raw) for line, raw in group.taken]
                refused.sort()
        return Closed(group.rows, refused=tuple(refused))

    # ---- what a row says

    def _checked(self, row: Row) -> tuple[list[str], str]:
        """The row's cells with signs set, and the name of its event."""
        plan, found = self._plan, row.cells
        if found is None or "\x00" in row.raw:
            raise _Bad(_UNREADABLE)
        if len(found) != self._width:
            raise _Bad(f"has {len(found)} cells in place of {self._width}")
        event = plan.mapping.event
        for index, variant, negated in plan.variants:
            if found[index].startswith(variant.starts_with):
                event = variant.event
                found = [cells.negated(text) if at in negated else text for at, text in enumerate(found)]
                break
        for index, refuses, reason in plan.tests:
            if refuses(found[index]):
                raise _Bad(reason)
        if plan.timestamp is not None and plan.moment(found[plan.timestamp]) is None:
            raise _Bad(f"{plan.columns[plan.timestamp]} is no time")
        return found, event

    def _read(self, fields: tuple[Field, ...], found: list[str]) -> dict[str, Any]:
        """Empty cells are left out."""
        values = {}
        for name, index, read in fields:
            if text := found[index]:
                try:
                    values[name] = read(text)
                except ValueError as error:
                    raise _Bad(f"{self._plan.columns[index]} {error}") from error
        return values

    # ---- the fact

    def _fact(self, found: list[str], event: str, products: Iterable[dict[str, Any]], arrival: Arrival, rows: int) -> Closed:
        plan = self._plan
        about = self._read(plan.attributes, found)
        properties = self._read(plan.properties, found)
        lines = list(products)
        if plan.currency is not None and self._call == "track":
            properties["currency"] = plan.currency
        if lines:
            properties["products"] = lines
            if plan.currency is not None and (revenue := _revenue(lines, plan.currency)) is not None:
                properties["revenue"] = revenue
        call = Call(event=event or None, timestamp=self._moment(found), properties=properties or None)
        self._name(call, found, about)
        call.message_id = self._message_id(found, call)
        try:
            accepted = build(call, b"", arrival)
        except Refusal as refusal:
            raise _Bad(f"{refusal.fault.path}: {refusal.fault.message}".removeprefix(": ")) from refusal
        value = self._new(accepted.fact)
        left_out = tuple(f"{one.path}: {one.message}" for one in accepted.warnings)
        return Closed(rows, accepted.fact, value, (), left_out)

    def _moment(self, found: list[str]) -> int | None:
        plan = self._plan
        return None if plan.timestamp is None else plan.moment(found[plan.timestamp])

    def _name(self, call: Call, found: list[str], about: dict[str, Any]) -> None:
        """Whom the call is about: ids in its own fields, addresses among the traits, as every other source sends them."""
        for kind, index in self._plan.identifiers:
            text = found[index] or None
            if kind == _USER:
                call.user_id = text
            elif kind == _DEVICE:
                call.anonymous_id = text
            elif text is not None:
                about[kind] = text
        if self._call == "identify":
            call.traits = about
        elif about:
            call.context = {"traits": about}

    def _message_id(self, found: list[str], call: Call) -> str:
        template = self._plan.message_id
        if template:
            text = "".join(literal if index is None else literal + found[index] for literal, index in template)
            return text if len(text) <= MAX_MESSAGE_ID else hashlib.sha256(text.encode()).hexdigest()
        said = msgspec.json.encode(call, order="deterministic")
        return hashlib.sha256(self._plan.seed + said).hexdigest()

    def _new(self, fact: Fact) -> bytes:
        """The fact encoded. Refused when the file has had its id already: the log would take it for a repeat."""
        value = facts.encode(fact)
        if len(value) > MAX_RECORD_BYTES:
            raise _Bad("makes too large a fact")
        short = int(fact.id[20:23] + fact.id[24:], 16)  # 60 bits of a hash: two of a million differ
        if short in self._seen:
            raise _Bad(_REPEATED)
        self._seen.add(short)
        return value


def _revenue(products: Iterable[dict[str, Any]], currency: str) -> dict[str, Any] | None:
    """Sum of price x quantity over the lines that have both; None when none has."""
    total, found = 0, False
    for line in products:
        price, quantity = line.get("price"), line.get("quantity")
        if type(price) is dict and type(quantity) in (int, float):
            found = True
            exact = Decimal(repr(quantity)) * price["minor"] if type(quantity) is float else quantity * price["minor"]
            total += int(exact.to_integral_value(ROUND_HALF_UP)) if isinstance(exact, Decimal) else exact
    if not found or abs(total) > money.LARGEST:
        return None
    return {"minor": total, "currency": currency}
