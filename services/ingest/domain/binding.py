"""What a mapping means for the header of one file: names of columns have become indexes, and all that does not fit is said at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from schemas.consents import CHANNELS
from schemas.facts import IDENTIFIER_KINDS
from schemas.identifiers import is_own

from . import cells, money
from .events import MAX_EVENT_NAME
from .mapping import Answer, Cell, Consent, Event, Spec, Variant, When, seed_of
from .mapping import Mapping as Document
from .names import Columns
from .values import Fault

Field = tuple[str, int, cells.Read]  # name of the property, index of the column, how to read it
Test = tuple[int, Callable[[str], bool]]  # index, true for a cell that meets the condition
Template = tuple[tuple[str, int | None], ...]  # literal text, and the index of the column behind it

GRANTED, WITHDRAWN = "Consent Granted", "Consent Withdrawn"
_YES = frozenset(
    ("subscribed", "active", "confirmed", "opted in", "подписан", "подписана", "активен", "активна", "согласен", "согласна")
)
_NO = frozenset(("unsubscribed", "inactive", "opted out", "отписан", "отписана", "отписался", "отказ", "не подписан", "неактивен"))


class Fields(msgspec.Struct, frozen=True):
    """What is read of each row: the same for all, and of columns."""

    constants: dict[str, Any] = {}
    columns: tuple[Field, ...] = ()


class Further(msgspec.Struct, frozen=True, kw_only=True):
    """One more fact of a row. event: its name; of a word of consent with `answer` (index, texts of yes, texts of no) that of the yes.

    moment: index of the column with its time; fixed: its time in ms; with neither the row's. own: rows in which that column is empty
    have no such fact. evidence: of columns; its constants count only beside one of these.
    """

    path: str
    event: str
    when: Test | None
    moment: int | None
    fixed: int | None
    own: bool
    fields: Fields
    message_id: Template
    answer: tuple[int, frozenset[str], frozenset[str]] | None = None
    evidence: Fields = Fields()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping bound to a header. seed: of ids that derive from content. tests: rows to refuse, with the reason."""

    mapping: Document
    columns: tuple[str, ...]
    identifiers: tuple[tuple[str, int], ...]
    attributes: Fields
    properties: Fields
    products: Fields
    further: tuple[Further, ...]
    group: int | None
    timestamp: int | None
    moment: Callable[[str], int | None]
    message_id: Template
    variants: tuple[tuple[int, Variant, frozenset[int]], ...]
    tests: tuple[tuple[Test, str], ...]
    currency: str | None
    seed: bytes


def bind(mapping: Document, header: Sequence[str]) -> Plan | list[Fault]:
    """The plan for a file with these columns, or everything that is wrong with the mapping at once."""
    return _Binding(mapping, header).plan()


class _Binding:
    def __init__(self, mapping: Document, header: Sequence[str]) -> None:
        self._mapping = mapping
        self._columns = Columns(header)
        self._faults: list[Fault] = []
        self._currency = money.currency_of(mapping.currency)
        self._moment = cells.moment_reader(self._zone(), mapping.timestamp_format)
        self._read = cells.Readers(mapping.decimal, self._currency, self._moment)
        self._timestamp = self._at(mapping.timestamp, "timestamp") if mapping.timestamp else None

    def plan(self) -> Plan | list[Fault]:
        mapping, group = self._mapping, self._mapping.group
        self._check()
        plan = Plan(
            mapping=mapping,
            columns=self._columns.names,
            identifiers=self._identifiers(),
            attributes=self._fields(mapping.attributes, "attributes"),
            properties=self._fields(mapping.properties, "properties"),
            products=self._fields(group.products, "group.products") if group else Fields(),
            further=tuple(self._further()),
            group=self._at(group.by, "group.by", always=True) if group else None,
            timestamp=self._timestamp,
            moment=self._moment,
            message_id=self._template(mapping.message_id, "message_id"),
            variants=tuple(self._variants()),
            tests=tuple(self._tests()),
            currency=self._currency,
            seed=seed_of(mapping),
        )
        return self._faults or plan

    def _fault(self, path: str, message: str, mend: str) -> None:
        self._faults.append(Fault(path, "mapping_wrong", message, mend))

    def _check(self) -> None:
        mapping = self._mapping
        if mapping.call == "track" and not mapping.event.strip():
            self._fault("event", "A track call needs the event's name.", "name the event")
        if mapping.call != "track" and (mapping.group or mapping.variants):
            self._fault("call", "Groups and variants belong to track calls.", "send track, or leave them out")
        if mapping.group and (mapping.events or mapping.consents):
            self._fault("group", "A row of a group has no events or consents of its own.", "import them with another mapping")
        if not (mapping.call or mapping.events or mapping.consents):
            self._fault("call", "Nothing says what a row is.", "send identify or track, or name events or consents")
        if mapping.currency and self._currency is None:
            self._fault("currency", "It is no currency.", "send three letters, GBP")

    def _identifiers(self) -> tuple[tuple[str, int], ...]:
        given = self._mapping.identifiers
        for kind in sorted(given.keys() - set(IDENTIFIER_KINDS)):
            if not is_own(kind):
                kinds = ", ".join((*IDENTIFIER_KINDS, "id.<your own>"))
                self._fault(f"identifiers.{kind}", "It is no kind of identifier.", f"kinds: {kinds}")
        before = len(self._faults)
        found = ((kind, self._at(column, f"identifiers.{kind}")) for kind, column in given.items())
        kept = tuple((kind, at) for kind, at in found if at is not None)
        if not kept and len(self._faults) == before:
            self._fault("identifiers", "Nothing says whom a row is about.", "name a column of the file, {'email': 'E-mail'}")
        return kept

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self._mapping.time_zone)
        except (ValueError, OSError, KeyError):
            self._fault("time_zone", "There is no such time zone.", "send a name such as Europe/London")
            return ZoneInfo("UTC")

    def _at(self, column: str, path: str, *, always: bool = False) -> int | None:
        """The column's index; None with a fault, or without one for what may be missing. always: it may not."""
        found = self._columns.find(column)
        if len(found) == 1:
            return found[0]
        names = self._columns.names
        if found:
            which = " and ".join(f"{names[at]!r} (column {at + 1})" for at in found)
            self._fault(path, f"{column[:100]!r} may be several columns of the file: {which[:500]}.", "name one of these")
        elif always or self._mapping.if_missing == "refuse":
            self._fault(path, f"The file has no column {column[:100]!r}.", f"columns: {', '.join(names)[:500]}")
        return None

    def _fields(self, specs: Mapping[str, Spec], path: str) -> Fields:
        constants: dict[str, Any] = {}
        columns: list[Field] = []
        for name, spec in specs.items():
            cell = Cell(column=spec) if isinstance(spec, str) else spec
            place = f"{path}.{name}"
            if (cell.value is None) != bool(cell.column):
                self._fault(place, "It needs either a column or a value.", 'send {"column": ...} or {"value": ...}')
            elif cell.value is not None:
                constants[name] = self._constant(cell, place)
            else:
                if cell.kind == "money" and self._currency is None:
                    self._fault(place, "Money needs a currency.", "add currency to the mapping")
                if (at := self._at(cell.column, place)) is not None:
                    columns.append((name, at, cells.translated(self._read.of(cell.kind), cell.values)))
        return Fields(constants, tuple(columns))

    def _constant(self, cell: Cell, path: str) -> Any:
        if cell.kind == "text":
            return cell.value
        try:
            return self._read.of(cell.kind)(str(cell.value))
        except ValueError as error:
            self._fault(path, f"The value {error}.", "send another one, or leave `as` out")
            return None

    def _template(self, text: str, path: str) -> Template:
        try:
            parts = list(Formatter().parse(text))
        except ValueError:
            self._fault(path, "The braces do not match.", 'send a template such as "order-{InvoiceNo}"')
            return ()
        return tuple((literal, None if name is None else self._at(name, path, always=True)) for literal, name, _, _ in parts)

    def _variants(self) -> Iterable[tuple[int, Variant, frozenset[int]]]:
        for number, one in enumerate(self._mapping.variants):
            path = f"variants[{number}]"
            if not one.starts_with or not one.event.strip():
                self._fault(path, "A variant needs `starts_with` and `event`.", "name both")
            negated = frozenset(at for name in one.negate if (at := self._at(name, f"{path}.negate")) is not None)
            if (at := self._at(one.column, f"{path}.column")) is not None:
                yield at, one, negated

    def _tests(self) -> Iterable[tuple[Test, str]]:
        for number, rule in enumerate(self._mapping.refuse):
            reason = rule.reason or f"{rule.column} is {rule.when.replace('_', ' ')} {rule.value or ', '.join(rule.values)}".strip()
            if (test := self._when(rule, f"refuse[{number}]")) is not None:
                yield test, reason

    def _when(self, when: When, path: str) -> Test | None:
        at = self._at(when.column, f"{path}.column")
        test = cells.condition(when.when, when.value, self._mapping.decimal, when.values)
        return None if at is None else (at, test)

    # ---- events and words of consent

    def _further(self) -> Iterable[Further]:
        for number, event in enumerate(self._mapping.events):
            if (made := self._event(event, f"events[{number}]")) is not None:
                yield made
        for number, word in enumerate(self._mapping.consents):
            if (said := self._consent(word, f"consents[{number}]")) is not None:
                yield said

    def _event(self, one: Event, path: str) -> Further | None:
        if not one.event.strip() or len(one.event) > MAX_EVENT_NAME:
            self._fault(f"{path}.event", f"An event needs a name of at most {MAX_EVENT_NAME} characters.", "name it")
        when = self._when(one.when, f"{path}.when") if one.when else None
        moment = self._at(one.timestamp, f"{path}.timestamp") if one.timestamp else None
        if (one.when and when is None) or (one.timestamp and moment is None):
            return None
        return Further(
            path=path,
            event=one.event,
            when=when,
            moment=moment,
            fixed=None,
            own=moment is not None,
            fields=self._fields(one.properties, f"{path}.properties"),
            message_id=self._template(one.message_id, f"{path}.message_id"),
        )

    def _consent(self, word: Consent, path: str) -> Further | None:
        answer = self._answer(word.answer, f"{path}.answer") if isinstance(word.answer, Answer) else None
        when = self._when(word.when, f"{path}.when") if word.when else None
        stated = {name: value for name in ("channel", "topic", "purpose", "basis") if (value := getattr(word, name))}
        terms = {name: Cell(value=value) if isinstance(value, str) else value for name, value in stated.items()}
        if isinstance(word.channel, str) and word.channel not in (*CHANNELS, "*"):
            self._fault(f"{path}.channel", "It is no channel.", f"channels: {', '.join(sorted(CHANNELS))}, or * for all")
        moment, fixed = self._moment_of(word.timestamp, f"{path}.timestamp")
        if (isinstance(word.answer, Answer) and answer is None) or (word.when and when is None):
            return None  # what it depends on is missing, and may be: no row says it
        if word.answer != "withdrawn" and moment is None and fixed is None and self._timestamp is None:
            mend = "name the column with the moment of the yes, or send {'value': '2024-01-31'}: not later than any no it may meet"
            self._fault(f"{path}.timestamp", "A yes needs the moment at which it was given.", mend)
        return Further(
            path=path,
            event=WITHDRAWN if word.answer == "withdrawn" else GRANTED,
            answer=answer,
            when=when,
            moment=moment,
            fixed=fixed,
            own=False,
            fields=self._fields({**word.terms, **terms}, path),
            evidence=self._fields(word.evidence, f"{path}.evidence"),
            message_id=self._template(word.message_id, f"{path}.message_id"),
        )

    def _answer(self, answer: Answer, path: str) -> tuple[int, frozenset[str], frozenset[str]] | None:
        at = self._at(answer.column, f"{path}.column")
        said_yes = frozenset(text.strip().casefold() for text in answer.granted)
        said_no = frozenset(text.strip().casefold() for text in answer.withdrawn)
        if both := said_yes & said_no:
            self._fault(path, f"{min(both)[:100]!r} is a yes and a no.", "name it once")
        yes = (_YES | cells.YES) - said_no | said_yes
        no = (_NO | cells.NO) - said_yes | said_no
        return None if at is None else (at, yes, no)

    def _moment_of(self, spec: Spec, path: str) -> tuple[int | None, int | None]:
        """(column, ms): where the time of a word stands."""
        cell = Cell(column=spec) if isinstance(spec, str) else spec
        if cell.value is None:
            return (self._at(cell.column, path) if cell.column else None), None
        fixed = self._moment(str(cell.value))
        if fixed is None:
            self._fault(path, "The value is no time.", "send 2024-01-31")
        return None, fixed
