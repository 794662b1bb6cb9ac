"""Deals, pure: what a CRM said of one, sorted by the time at which it was so; what it is now; and what has truly changed by an update."""

from collections.abc import Iterable, Mapping, Sequence
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
_ENDS = {"won": DEAL_WON, "lost": DEAL_LOST}


class Update(msgspec.Struct, array_like=True):
    """What one fact said of the deal. at: when it was so (ms); fact: its id; by: its source; said: field -> value."""

    at: int
    fact: str
    by: str
    said: State


class Deal(msgspec.Struct, array_like=True):
    """A deal of a CRM. updates: sorted by (at, fact); beyond MOST_UPDATES the oldest are one. told: how often its people were told of
    which stage or status, of those changes that stand in `updates`.
    """

    brand: str
    source: str
    key: str
    updates: list[Update] = msgspec.field(default_factory=list)
    told: dict[str, int] = msgspec.field(default_factory=dict)


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
    """Take an update in, whenever it comes. Answers what is to be told: a stage or status into which the deal truly came, once for each
    time that it did. One that comes late is told with its own time, unless what came before it looked like that change and told of it.
    """
    if any(one.fact == fact.id for one in deal.updates):
        return []
    before = {(one.event, one.fact) for one in _changes(deal.updates)}
    given = ((name, fact.properties.get(name)) for name in DEAL_FIELDS)
    said = {name: value for name, value in given if value is not None and len(canonical(value)) <= LONGEST}
    deal.updates.append(Update(fact.occurred_at, fact.id, fact.source, said))
    deal.updates.sort(key=lambda one: (one.at, one.fact))
    changes = _changes(deal.updates)
    news: list[Told] = []
    for name, some in _by_name(changes).items():
        owed = len(some) - deal.told.get(name, 0)
        if owed > 0:
            # Those that this update has made before those of before.
            news += sorted(some, key=lambda one: ((one.event, one.fact) in before, -one.at))[:owed]
            deal.told[name] = len(some)
    _fold(deal, changes)
    return sorted(news, key=lambda one: (one.at, one.fact, one.event))


def _fold(deal: Deal, changes: Sequence[Told]) -> None:
    """Make the oldest updates one, where there are too many. What was told of changes that are gone by that does not count any more."""
    if len(deal.updates) <= MOST_UPDATES:
        return
    first, second = deal.updates[:2]
    deal.updates[:2] = [Update(second.at, second.fact, second.by, {**first.said, **second.said})]
    left = _by_name(_changes(deal.updates))
    for name, some in _by_name(changes).items():
        deal.told[name] = max(0, deal.told.get(name, 0) - len(some) + len(left.get(name, ())))


def now(deal: Deal) -> State:
    """What it is now: of each field what was said of it last. Without any status it is open."""
    state: State = {"status": "open"}
    for one in deal.updates:
        state.update(one.said)
    return state


def company(deal: Deal) -> str | None:
    """The group id of the company whose it is, if it is one's."""
    said = now(deal).get("account")
    return str(said) if said is not None else None


def unnamed(deal: Deal) -> Deal:
    """The same without what it was ever called."""
    for place, one in enumerate(deal.updates):
        deal.updates[place] = msgspec.structs.replace(one, said={name: value for name, value in one.said.items() if name != "name"})
    return deal


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
    """What the attributes of people, and a company of its own, say of a deal: all but its name, which may be a person's."""
    state = now(deal)
    kept = {name: state[name] for name in DEAL_FIELDS if name in state and name not in ("account", "name")}
    return {**kept, "id": deal.key, "brand": deal.brand, "at": moved_at(deal)}


def summary(briefs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What conditions and templates may ask of somebody's deals, several as they may be: how many are open, won and lost; `stages` of the
    open ones ("pipeline/stage"); `reasons` of the lost ones; `products` and `managers` of the open ones; `manager`: by brand, of the newest
    open one that has one; `last`: moved last.
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
    found["manager"] = {deal["brand"]: str(deal["manager"]) for deal in reversed(of["open"]) if deal.get("manager") is not None}
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


def _changes(updates: Sequence[Update]) -> list[Told]:
    """Where it came into another stage, was won or was lost."""
    found: list[Told] = []
    state: State = {}
    for one in updates:
        before = dict(state)
        state.update(one.said)
        events = []
        if stage_name(state) not in (None, stage_name(before)):
            events.append(DEAL_STAGE_CHANGED)
        if state.get("status") != before.get("status") and (event := _ENDS.get(state.get("status", ""))):
            events.append(event)
        found += [Told(event, one.fact, one.at, dict(state), stage_name(before)) for event in events]
    return found


def _by_name(changes: Iterable[Told]) -> dict[str, list[Told]]:
    """Of what people are told: the event, and of a stage which one; its pipeline may be heard of later."""
    found: dict[str, list[Told]] = {}
    for one in changes:
        name = f"{one.event}|{one.state.get('stage')}" if one.event == DEAL_STAGE_CHANGED else one.event
        found.setdefault(name, []).append(one)
    return found
