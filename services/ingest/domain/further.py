"""What a row says beside its call: events of the same person, and words of consent."""

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.consents import CHANNELS, GRANTS
from schemas.facts import Fact
from schemas.ids import derive

from . import moments, money
from .binding import WITHDRAWN, Fields, Further, Plan, Template
from .events import MAX_MESSAGE_ID, fit
from .values import Arrival, Bad, Refusal, digest

_ABOUT = ("channel", "topic")
_encode = msgspec.json.Encoder(order="deterministic").encode


def read_fields(fields: Fields, found: Sequence[str], columns: Sequence[str], *, of_columns: bool = False) -> dict[str, Any]:
    """The values of a row; empty cells are left out. of_columns: constants alone are nothing. Raises Bad."""
    values = {}
    for name, index, read in fields.columns:
        if text := found[index]:
            try:
                values[name] = read(text)
            except ValueError as error:
                raise Bad(f"{columns[index]} {error}", columns[index]) from error
    if not fields.constants or (of_columns and not values):
        return values
    return {**fields.constants, **values}


def message_id(template: Template, found: Sequence[str]) -> str:
    """What the template makes of a row, as long as an id may be; "" without one."""
    text = "".join(literal if index is None else literal + found[index] for literal, index in template)
    return text if len(text) <= MAX_MESSAGE_ID else digest(text.encode())


class Teller:
    """Makes the further facts of rows. word: of the import, as the Assembly has it."""

    def __init__(self, plan: Plan, word: str) -> None:
        self._further, self._columns, self._moment = plan.further, plan.columns, plan.moment
        self._word = word

    def tell(self, found: Sequence[str], identifiers: tuple[str, ...], at: int | None, arrival: Arrival) -> list[Fact]:
        """The further facts of a row about who has these identifiers. at: the row's own time. Raises Bad."""
        told = []
        for one in self._further:
            if one.when is not None and not one.when[1](found[one.when[0]]):
                continue
            if one.own and one.moment is not None and not found[one.moment]:
                continue
            event = self._event(one, found)
            if event:
                told.append(self._fact(one, event, found, identifiers, self._at(one, found, at), arrival))
        return told

    def _event(self, one: Further, found: Sequence[str]) -> str:
        """Its name; empty when the row says nothing."""
        if one.answer is None:
            return one.event
        index, yes, no = one.answer
        text = found[index].casefold()
        if not text or text in yes:
            return one.event if text else ""
        if text in no:
            return WITHDRAWN
        raise Bad(f"{self._columns[index]} is neither yes nor no", self._columns[index])

    def _at(self, one: Further, found: Sequence[str], at: int | None) -> int | None:
        if one.fixed is not None:
            return one.fixed
        if one.moment is None:
            return at
        text = found[one.moment]
        if text and (said := self._moment(text)) is None:
            raise Bad(f"{self._columns[one.moment]} is no time", self._columns[one.moment])
        return said if text else at

    def _check_about(self, one: Further, found: Sequence[str]) -> None:
        """A yes is to what it names: an empty cell is no yes to everything, and no channel of ours is none."""
        for name, index, read in one.fields.columns:
            if name in _ABOUT and (not found[index] or (name == "channel" and read(found[index]) not in CHANNELS)):
                column = self._columns[index]
                raise Bad(f"{column} names no {name} to which the yes is given", column)

    def _fact(
        self, one: Further, event: str, found: Sequence[str], identifiers: tuple[str, ...], at: int | None, arrival: Arrival
    ) -> Fact:
        column = self._columns[one.moment] if one.moment is not None else ""
        if at is None and event in GRANTS:
            raise Bad(f"{column or one.path}: a yes needs the moment at which it was given", column)
        if event in GRANTS:
            self._check_about(one, found)
        source = arrival.source
        properties = read_fields(one.fields, found, self._columns)
        if evidence := read_fields(one.evidence, found, self._columns, of_columns=True):
            properties["evidence"] = evidence
        try:
            occurred_at, received_at = moments.settle(at, None, arrival.now, driven=arrival.driven)
            properties = fit("track", event, properties, source.currency)
            properties = money.convert(properties, source.currency, "properties") if properties else properties
        except Refusal as refusal:
            raise Bad(f"{refusal.fault.path}: {refusal.fault.message}") from refusal
        when = at if at is not None else self._word
        # Several facts of a row may share a template, also with its call: what tells them apart is what happened.
        said = message_id(one.message_id, found)
        content = (source.brand, identifiers, event, when, properties)
        return Fact(
            id=derive(source.name, event, said) if said else derive(source.name, digest(_encode(content))),
            type="track",
            brand=source.brand,
            source=source.name,
            lane=arrival.lane,
            occurred_at=occurred_at,
            received_at=received_at,
            identifiers=identifiers,
            event=event,
            properties=properties,
            context=arrival.context,
        )
