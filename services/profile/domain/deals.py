"""Deals, pure: what a CRM said of one, sorted by the time at which it was so; what it is now; and what has truly changed by an update."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.accounts import DEAL_FIELDS, DEAL_LOST, DEAL_STAGE_CHANGED, DEAL_WON
from schemas.attributes import canonical
from schemas.facts import Fact
from schemas.ids import derive

MOST_UPDATES = 200
LONGEST = 500  # bytes of a field as JSON
MOST_LISTED = 50  # deals of one person, or company, that are counted in what conditions ask; the newest

State = dict[str, Any]


class Update(msgspec.Struct, array_like=True):
    """What one fact said of the deal. at: when it was so (ms); fact: its id; by: its source; said: field -> value."""

    at: int
    fact: str
    by: str
    said: State


class Deal(msgspec.Struct, array_like=True):
    """A deal of a CRM. updates: sorted by (at, fact); beyond MOST_UPDATES the oldest are one."""

    brand: str
    source: str
    key: str
    updates: list[Update] = msgspec.field(default_factory=list)


class Told(NamedTuple):
    """What is told of a deal to its people. at: when it was so; previous: stage."""

    event: str
    fact: str
    at: int
    state: State
    previous: str | None


def deal_id(brand: str, source: str, key: str) -> str:
    """Ids of deals are their CRM's own."""
    return derive("deal", brand, source, key)


def update(deal: Deal, fact: Fact) -> list[Told]:
    """Take an update in, whenever it comes. Answers what is to be told: a stage or status into which the deal truly came and which was
    not told before. An update that comes late is told with its own time; what was told of a later one meanwhile is not told again.
    """
    if any(one.fact == fact.id for one in deal.updates):
        return []
    before = [_changes(deal.updates, of) for of in _MARKS]
    given = ((name, fact.properties.get(name)) for name in DEAL_FIELDS)
    said = {name: value for name, value in given if value is not None and len(canonical(value)) <= LONGEST}
    deal.updates.append(Update(fact.occurred_at, fact.id, fact.source, said))
    deal.updates.sort(key=lambda one: (one.at, one.fact))
    told = [one for of, old in zip(_MARKS, before, strict=True) for one in _new(_changes(deal.updates, of), old)]
    while len(deal.updates) > MOST_UPDATES:
        first, second = deal.updates[:2]
        deal.updates[:2] = [Update(second.at, second.fact, second.by, {**first.said, **second.said})]
    return sorted(told, key=lambda one: (one.at, one.fact, one.event))


def now(deal: Deal) -> State:
    """What it is now: of each field what was said of it last. Without any status it is open."""
    state: State = {"status": "open"}
    for one in deal.updates:
        state.update(one.said)
    return state


def moved_at(deal: Deal) -> int:
    return deal.updates[-1].at if deal.updates else 0


def history(deal: Deal) -> list[dict[str, Any]]:
    """Each update that changed something: {at, by, fact, changes: {field: {from, to}}}, oldest first."""
    lines = []
    state: State = {}
    for one in deal.updates:
        changes = {name: {"from": state.get(name), "to": value} for name, value in one.said.items() if state.get(name) != value}
        state.update(one.said)
        if changes:
            lines.append({"at": one.at, "by": one.by, "fact": one.fact, "changes": changes})
    return lines


def brief(deal: Deal) -> State:
    """What a company keeps of a deal of its own."""
    state = now(deal)
    kept = {name: state[name] for name in DEAL_FIELDS if name in state and name != "account"}
    return {**kept, "id": deal.key, "brand": deal.brand, "at": moved_at(deal)}


def summary(briefs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What conditions and templates may ask of somebody's deals, several as they may be: how many are open, won and lost; `stages` of the
    open ones ("pipeline/stage"); `reasons` of the lost ones; `products` and `managers` of the open ones; `last`: moved last.
    """
    deals = sorted(briefs, key=lambda one: (one["at"], one["id"]), reverse=True)[:MOST_LISTED]
    if not deals:
        return {}
    of = {status: [deal for deal in deals if deal["status"] == status] for status in ("open", "won", "lost")}
    found: dict[str, Any] = {status: len(some) for status, some in of.items()}
    found["stages"] = _texts(stage_name(deal) for deal in of["open"])
    found["reasons"] = _texts(deal.get("reason_lost") for deal in of["lost"])
    found["products"] = _texts(deal.get("product") for deal in of["open"])
    found["managers"] = _texts(deal.get("manager") for deal in of["open"])
    found["last"] = {name: value for name, value in deals[0].items() if name != "at"}
    return found


def stage_name(state: Mapping[str, Any]) -> str | None:
    """`pipeline/stage`, or the stage alone where there is no pipeline."""
    stage, pipeline = state.get("stage"), state.get("pipeline")
    if stage is None:
        return None
    return f"{pipeline}/{stage}" if pipeline is not None else str(stage)


def _texts(values: Iterable[Any]) -> list[str]:
    return sorted({str(value) for value in values if value is not None})


_MARKS: Sequence[tuple[Callable[[State], Any], Callable[[State], str | None]]] = (
    (stage_name, lambda _state: DEAL_STAGE_CHANGED),
    (lambda state: state.get("status"), lambda state: {"won": DEAL_WON, "lost": DEAL_LOST}.get(state.get("status", ""))),
)


def _changes(updates: Sequence[Update], mark: tuple[Callable[[State], Any], Callable[[State], str | None]]) -> list[Told]:
    """Where the value of a mark becomes another one."""
    value_of, event_of = mark
    found: list[Told] = []
    state: State = {}
    for one in updates:
        before = dict(state)
        state.update(one.said)
        value = value_of(state)
        if value is not None and value != value_of(before) and (event := event_of(state)):
            found.append(Told(event, one.fact, one.at, dict(state), stage_name(before)))
    return found


def _new(after: Sequence[Told], before: Sequence[Told]) -> Iterator[Told]:
    """Those that are told for the first time. One that moved to another update has been told there."""
    known = {(one.event, one.fact) for one in before}
    there = {(one.event, one.fact) for one in after}
    moved = [_said_by(one) for one in before if (one.event, one.fact) not in there]
    for one in after:
        if (one.event, one.fact) in known:
            continue
        if _said_by(one) in moved:
            moved.remove(_said_by(one))
        else:
            yield one


def _said_by(one: Told) -> tuple[str, str | None]:
    return one.event, stage_name(one.state) if one.event == DEAL_STAGE_CHANGED else None
