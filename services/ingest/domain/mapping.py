"""How the columns of a file become calls: the mapping document, and what it means for one file's header."""

from collections.abc import Callable, Sequence
from string import Formatter
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from schemas.facts import IDENTIFIER_KINDS

from . import cells, money
from .values import Fault, Malformed


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column whose text is read as something else. `money` is in the mapping's currency."""

    column: str
    kind: cells.Kind = msgspec.field(name="as", default="text")


Spec = str | Cell  # a column's name alone means its text


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Neighbouring rows with one value in column `by` are one fact; each row is a line of its `products`.

    Where products have `price` (as money) and `quantity`, their sum becomes the property `revenue`.
    """

    by: str
    products: dict[str, Spec]


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows (with groups: groups) whose column starts so are another event; the numbers in `negate` change their sign."""

    column: str
    starts_with: str
    event: str
    negate: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows are refused, and what is said of them. value: for equals and starts_with."""

    column: str
    when: cells.Condition = msgspec.field(name="is")
    value: str = ""
    reason: str = ""


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mapping document.

    identifiers: kind -> column. message_id: a template such as "order-{InvoiceNo}"; without one it is a hash of what the row
    (or group) says. timestamp: a column; time_zone: of times that name none; timestamp_format: of strptime, for what is
    neither ISO 8601 nor 31.12.2026. decimal: the mark before the fraction. encoding, delimiter: found out unless given.
    """

    call: Literal["identify", "track"]
    identifiers: dict[str, str]
    event: str = ""
    attributes: dict[str, Spec] = {}
    properties: dict[str, Spec] = {}
    timestamp: str = ""
    time_zone: str = "UTC"
    timestamp_format: str = ""
    message_id: str = ""
    currency: str = ""
    decimal: Literal[".", ","] = "."
    group: Group | None = None
    variants: tuple[Variant, ...] = ()
    refuse: tuple[Rule, ...] = ()
    brand: str = ""
    source: str = ""
    region: str = ""
    encoding: str = ""
    delimiter: str = ""


_decoder = msgspec.json.Decoder(Mapping)

Field = tuple[str, int, cells.Read]  # name of the property, index of the column, how to read it
Test = tuple[int, Callable[[str], bool], str]  # index, true for a row to refuse, reason


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping bound to a header: names have become indexes. seed: of ids that derive from content."""

    mapping: Mapping
    columns: tuple[str, ...]
    identifiers: tuple[tuple[str, int], ...]
    attributes: tuple[Field, ...]
    properties: tuple[Field, ...]
    products: tuple[Field, ...]
    group: int | None
    timestamp: int | None
    moment: Callable[[str], int | None]
    message_id: tuple[tuple[str, int | None], ...]
    variants: tuple[tuple[int, Variant, frozenset[int]], ...]
    tests: tuple[Test, ...]
    currency: str | None
    seed: bytes


def read_mapping(data: bytes) -> Mapping:
    """Raises Malformed (`mapping_wrong`), which names the place in the document."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        text, _, place = str(error).partition(" - at `$.")
        raise Malformed(
            place.rstrip("`"), "mapping_wrong", text, "send a mapping as the documentation of imports shows it"
        ) from error


def bind(mapping: Mapping, header: Sequence[str]) -> Plan | list[Fault]:
    """The plan for a file with these columns, or everything that is wrong with the mapping at once."""
    return _Binding(mapping, header).plan()


class _Binding:
    def __init__(self, mapping: Mapping, header: Sequence[str]) -> None:
        self._mapping = mapping
        self._columns = tuple(name.strip() for name in header)
        self._index = {name: index for index, name in reversed(list(enumerate(self._columns)))}  # of twins the first
        self._faults: list[Fault] = []
        self._currency = money.currency_of(mapping.currency)

    def plan(self) -> Plan | list[Fault]:
        mapping = self._mapping
        self._check()
        moment = cells.moment_reader(self._zone(), mapping.timestamp_format)
        read = cells.Readers(mapping.decimal, self._currency, moment)
        group = mapping.group
        plan = Plan(
            mapping=mapping,
            columns=self._columns,
            identifiers=tuple((kind, self._at(column, f"identifiers.{kind}")) for kind, column in mapping.identifiers.items()),
            attributes=self._fields(mapping.attributes, "attributes", read),
            properties=self._fields(mapping.properties, "properties", read),
            products=self._fields(group.products, "group.products", read) if group else (),
            group=self._at(group.by, "group.by") if group else None,
            timestamp=self._at(mapping.timestamp, "timestamp") if mapping.timestamp else None,
            moment=moment,
            message_id=self._template(mapping.message_id),
            variants=tuple(self._variant(number, one) for number, one in enumerate(mapping.variants)),
            tests=tuple(self._test(number, rule) for number, rule in enumerate(mapping.refuse)),
            currency=self._currency,
            seed=msgspec.json.encode(mapping),
        )
        return self._faults or plan

    def _fault(self, path: str, message: str, mend: str) -> None:
        self._faults.append(Fault(path, "mapping_wrong", message, mend))

    def _check(self) -> None:
        mapping = self._mapping
        if mapping.call == "track" and not mapping.event.strip():
            self._fault("event", "A track call needs the event's name.", "name the event")
        if mapping.call == "identify" and (mapping.group or mapping.variants):
            self._fault("call", "Groups and variants belong to track calls.", "send track, or leave them out")
        if not mapping.identifiers:
            self._fault("identifiers", "Nothing says whom a row is about.", "name a column, {'email': 'E-mail'}")
        for kind in mapping.identifiers.keys() - set(IDENTIFIER_KINDS):
            self._fault(f"identifiers.{kind}", "It is no kind of identifier.", f"kinds: {', '.join(IDENTIFIER_KINDS)}")
        if mapping.currency and self._currency is None:
            self._fault("currency", "It is no currency.", "send three letters, GBP")

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self._mapping.time_zone)
        except (ValueError, OSError, KeyError):
            self._fault("time_zone", "There is no such time zone.", "send a name such as Europe/London")
            return ZoneInfo("UTC")

    def _at(self, column: str, path: str) -> int:
        index = self._index.get(column.strip())
        if index is None:
            self._fault(path, f"The file has no column {column[:100]!r}.", f"columns: {', '.join(self._index)[:500]}")
        return index or 0

    def _fields(self, specs: dict[str, Spec], path: str, read: cells.Readers) -> tuple[Field, ...]:
        found = []
        for name, spec in specs.items():
            cell = Cell(column=spec) if isinstance(spec, str) else spec
            if cell.kind == "money" and self._currency is None:
                self._fault(f"{path}.{name}", "Money needs a currency.", "add currency to the mapping")
            found.append((name, self._at(cell.column, f"{path}.{name}"), read.of(cell.kind)))
        return tuple(found)

    def _template(self, text: str) -> tuple[tuple[str, int | None], ...]:
        try:
            parts = list(Formatter().parse(text))
        except ValueError:
            self._fault("message_id", "The braces do not match.", 'send a template such as "order-{InvoiceNo}"')
            return ()
        return tuple((literal, None if name is None else self._at(name, "message_id")) for literal, name, _, _ in parts)

    def _variant(self, number: int, one: Variant) -> tuple[int, Variant, frozenset[int]]:
        path = f"variants[{number}]"
        if not one.starts_with or not one.event.strip():
            self._fault(path, "A variant needs `starts_with` and `event`.", "name both")
        negated = frozenset(self._at(column, f"{path}.negate") for column in one.negate)
        return self._at(one.column, f"{path}.column"), one, negated

    def _test(self, number: int, rule: Rule) -> Test:
        test = cells.condition(rule.when, rule.value, self._mapping.decimal)
        reason = rule.reason or f"{rule.column} is {rule.when.replace('_', ' ')} {rule.value}".strip()
        return self._at(rule.column, f"refuse[{number}].column"), test, reason
