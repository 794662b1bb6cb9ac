"""From the rows of a file to facts, and to the rows that are refused with their reasons. Nothing is in neither."""

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import msgspec

from schemas import facts
from schemas.facts import Fact
from schemas.identifiers import is_own
from schemas.topics import MAX_RECORD_BYTES

from . import cells, money, people
from .binding import Plan
from .events import Call, build
from .further import Teller, message_id, read_fields
from .table import UNREADABLE, Row
from .values import Accepted, Arrival, Bad, Fault, Refusal, digest

MAX_GROUP_ROWS = 5_000
MAX_GROUP_TEXT = 600_000  # characters of its rows
_LONGEST = 2 * MAX_GROUP_ROWS  # then it ends, whatever follows: a wrong `by` may make one group of the whole file
_NOTHING = "says nothing: all that would make a fact of it is empty"
_REPEATED = "message id stood earlier in the file"
_ONE_ID = "two of its events or consents have one message id: put what tells them apart into `message_id`"
_USER, _DEVICE = "user_id", "anonymous_id"


class Refused(NamedTuple):
    """A row of which nothing was taken. line: from 1; raw: its text; column: in which the fault lies, "" for the row itself."""

    line: int
    reason: str
    raw: str
    column: str = ""


class Encoded(NamedTuple):
    """A fact, and the same encoded."""

    fact: Fact
    value: bytes


class Closed(NamedTuple):
    """Rows that are done with: `rows` of them, in the file's order, became these facts or none; refused: those of them that were.

    left_out: what was no usable identifier in rows that were taken otherwise.
    """

    rows: int
    made: tuple[Encoded, ...] = ()
    refused: tuple[Refused, ...] = ()
    left_out: tuple[str, ...] = ()


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
    """Folds the rows of one file. The same rows give the same facts, however they are cut into portions.

    word: what tells this import from others. It is part of the ids of facts that have neither a moment nor a message id of their own:
    such a row says what holds now, and in another import it says it anew.
    """

    def __init__(self, plan: Plan, word: str = "") -> None:
        self._plan = plan
        self._word = word.encode()
        self._width = max(len(plan.columns), 1)
        self._open: _Open | None = None
        self._seen: set[int] = set()
        self._call = plan.mapping.call
        self._teller = Teller(plan, word)

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
            return self._made(found, event, (), arrival, 1)
        except Bad as bad:
            return Closed(1, refused=(_refused(row.line, bad, row.raw),))

    # ---- neighbouring rows, one fact

    def _grouped(self, row: Row, arrival: Arrival, by: int) -> Iterator[Closed]:
        key = row.cells[by] if row.cells is not None and len(row.cells) > by else None
        group = self._open
        if group is not None and ((key is not None and key != group.key) or group.rows >= _LONGEST):
            yield self._close(group, arrival)
            group = None
        if group is None:
            if not key:
                column = self._plan.columns[by]
                bad = Bad(f"{column} is empty", column) if key == "" else Bad(row.why or UNREADABLE)
                yield Closed(1, refused=(_refused(row.line, bad, row.raw),))
                self._open = None
                return
            group = self._open = _Open(key)
        group.rows += 1
        try:
            self._join(group, row)
        except Bad as bad:
            group.refused.append(_refused(row.line, bad, row.raw))

    def _join(self, group: _Open, row: Row) -> None:
        found, event = self._checked(row)
        who = tuple(found[index] for _, index in self._plan.identifiers)
        if group.products and who != group.who:
            raise Bad("names another customer than the first row of its group")
        if len(group.products) >= MAX_GROUP_ROWS or group.size + len(row.raw) > MAX_GROUP_TEXT:
            raise Bad("group is too large")
        product = read_fields(self._plan.products, found, self._plan.columns)
        if not group.products:
            group.cells, group.event, group.who = found, event, who
        group.products.append(product)
        group.taken.append((row.line, row.raw))
        group.size += len(row.raw)

    def _close(self, group: _Open, arrival: Arrival) -> Closed:
        refused = group.refused
        if group.products:
            try:
                closed = self._made(group.cells, group.event, group.products, arrival, group.rows)
                return closed._replace(refused=tuple(refused))
            except Bad as bad:
                refused += [_refused(line, bad, raw) for line, raw in group.taken]
                refused.sort()
        return Closed(group.rows, refused=tuple(refused))

    # ---- what a row says

    def _checked(self, row: Row) -> tuple[list[str], str]:
        """The row's cells with signs set, and the name of its event."""
        plan, found = self._plan, row.cells
        if found is None or "\x00" in row.raw:
            raise Bad(row.why or UNREADABLE)
        if len(found) != self._width:
            raise Bad(f"has {len(found)} cells in place of {self._width}")
        event = plan.mapping.event
        for index, variant, negated in plan.variants:
            if found[index].startswith(variant.starts_with):
                event = variant.event
                found = [cells.negated(text) if at in negated else text for at, text in enumerate(found)]
                break
        for (index, refuses), reason in plan.tests:
            if refuses(found[index]):
                raise Bad(reason, plan.columns[index])
        if plan.timestamp is not None:
            self._moment(found)
        return found, event

    # ---- the facts

    def _made(self, found: list[str], event: str, products: Iterable[dict[str, Any]], arrival: Arrival, rows: int) -> Closed:
        """Of a row, or of a group with its lines: its call first, then its events and words of consent. All of them or none."""
        at = self._moment(found)
        made: list[Encoded] = []
        if self._call:
            accepted = self._accepted(self._said(found, event, products, at), found, arrival)
            identifiers, warnings = accepted.fact.identifiers, accepted.warnings
            made.append(Encoded(accepted.fact, _encoded(accepted.fact)))
        else:
            named = self._people(found, arrival)
            identifiers, warnings = tuple(named.identifiers), tuple(named.warnings)
        if self._plan.further:
            told = self._teller.tell(found, identifiers, at, arrival)
            if not _apart(told):
                raise Bad(_ONE_ID)
            made += [Encoded(fact, _encoded(fact)) for fact in told]
            if not made:
                raise Bad(_NOTHING)
        if self._call:
            self._once(made[0].fact)
        return Closed(rows, tuple(made), (), tuple(f"{one.path}: {one.message}" for one in warnings) if warnings else ())

    def _moment(self, found: list[str]) -> int | None:
        plan = self._plan
        if plan.timestamp is None:
            return None
        at = plan.moment(found[plan.timestamp])
        if at is None:
            column = plan.columns[plan.timestamp]
            raise Bad(f"{column} is no time", column)
        return at

    def _said(self, found: list[str], event: str, products: Iterable[dict[str, Any]], at: int | None) -> Call:
        """The call that the row is, without its message id."""
        plan = self._plan
        about = read_fields(plan.attributes, found, plan.columns)
        properties = read_fields(plan.properties, found, plan.columns)
        lines = list(products)
        if plan.currency is not None and self._call == "track":
            properties["currency"] = plan.currency
        if lines:
            properties["products"] = lines
            if plan.currency is not None and (revenue := _revenue(lines, plan.currency)) is not None:
                properties["revenue"] = revenue
        call = Call(event=event or None, timestamp=at, properties=properties or None)
        self._name(call, found, about)
        return call

    def _name(self, call: Call, found: list[str], about: dict[str, Any]) -> None:
        """Whom the call is about: ids in its own fields, addresses among the traits, as every other source sends them."""
        for kind, index in self._plan.identifiers:
            text = found[index] or None
            if kind == _USER:
                call.user_id = text
            elif kind == _DEVICE:
                call.anonymous_id = text
            elif text is not None and is_own(kind):
                call.context = {"externalIds": [*(call.context or {}).get("externalIds", ()), {"id": text, "type": kind}]}
            elif text is not None:
                about[kind] = text
        if self._call == "identify":
            call.traits = about
        elif about:
            call.context = {**(call.context or {}), "traits": about}

    def _accepted(self, call: Call, found: list[str], arrival: Arrival) -> Accepted:
        said = message_id(self._plan.message_id, found)
        seed = self._plan.seed if call.timestamp is not None else self._plan.seed + self._word
        call.message_id = said or digest(seed + msgspec.json.encode(call, order="deterministic"))
        try:
            return build(call, b"", arrival)
        except Refusal as refusal:
            raise self._why(refusal.fault) from refusal

    def _people(self, found: list[str], arrival: Arrival) -> people.People:
        """Whom a row without a call is about."""
        call = Call()
        about: dict[str, Any] = {}
        self._name(call, found, about)
        own = (("userId", call.user_id),), (("anonymousId", call.anonymous_id),)
        try:
            return people.find(*own, (("traits", about),), None, arrival.source.region)
        except Refusal as refusal:
            raise self._why(refusal.fault) from refusal

    def _why(self, fault: Fault) -> Bad:
        named = self._plan.identifiers
        alone = fault.code == "identifiers_missing" and len(named) == 1
        return Bad(f"{fault.path}: {fault.message}".removeprefix(": "), self._plan.columns[named[0][1]] if alone else "")

    def _once(self, fact: Fact) -> None:
        """Refuses a row whose call's id the file has had already: the log would take it for a repeat."""
        short = int(fact.id[20:23] + fact.id[24:], 16)  # 60 bits of a hash: two of a million differ
        if short in self._seen:
            raise Bad(_REPEATED)
        self._seen.add(short)


def _apart(told: Iterable[Fact]) -> bool:
    """Whether no two of these facts differ and have one id: the log would keep one of them."""
    known: dict[str, Fact] = {}
    return all(known.setdefault(fact.id, fact) == fact for fact in told)


def _encoded(fact: Fact) -> bytes:
    value = facts.encode(fact)
    if len(value) > MAX_RECORD_BYTES:
        raise Bad("makes too large a fact")
    return value


def _refused(line: int, bad: Bad, raw: str) -> Refused:
    return Refused(line, bad.reason, raw, bad.column)


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
