"""Batches turned from rows into columns. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from schemas.facts import PROFILE_CHANGED
from schemas.memberships import Membership
from schemas.messages import Decision
from services.warehouse.domain.names import NOTHING, Key, Sight, may_have_column, without
from services.warehouse.domain.walk import Cells, Stored, Walk

Row = tuple[str, int, int, Any]  # topic, partition, offset, value
_WHOLE: Mapping[str, Any] = {"null": None, "object": {}}  # kinds whose column only says that it was so
_FACT = ("id", "profile", "type", "event", "brand", "source", "lane", "occurred_at", "received_at", "cause", "home")
_MEMBERSHIP = ("id", "type", "segment", "version", "why", "received_at", "cause")
_DECISION = (
    "id", "brand", "verdict", "document", "version", "step", "occurrence", "intent", "attempt", "channel", "message_class",
    "rule", "received_at", "cause",
)  # fmt: skip


class Sheet:
    """A batch of one dataset. columns: what every row has; cells: sparse columns of properties; rest: by row, what has no column; sights: of
    the names in it those without one.
    """

    def __init__(self, dataset: str, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        self.dataset, self.columns, self.count = dataset, columns, count
        self.cells: dict[Key, Cells] = {}
        self.rest: dict[int, Any] = {}
        self.sights: frozenset[Sight] = frozenset()

    def spill(self, allowed: Collection[Key]) -> None:
        """Move what may not have a column to `rest`."""
        for key in [key for key in self.cells if key not in allowed]:
            cells = self.cells.pop(key)
            for row, value in zip(cells.rows, cells.values, strict=True):
                self.rest.setdefault(row, {}).setdefault(key.scope, {})[key.path] = _WHOLE.get(key.kind, value)


def facts(rows: Sequence[Row]) -> Sheet:
    """A batch of `facts` and `facts.bulk`. Identifiers and what `schemas.facts.PERSONAL` marks are left out."""
    values: list[Stored] = [row[3] for row in rows]
    kinds = [_kinds(fact.identifiers) for fact in values]
    sheet = Sheet("facts", {**_fields(values, _FACT), **_places(rows), "kinds": kinds}, len(rows))
    walk = Walk()
    for number, fact in enumerate(values):
        walk.fact(number, fact)
    sheet.cells, sheet.rest = walk.cells(), walk.rest
    sheet.sights = frozenset(filter(may_have_column, _sights(values, walk.rest)))
    return sheet


def _sights(values: Sequence[Stored], rest: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> Iterator[Sight]:
    """Names of events, and of lists among properties and attributes; what profile tells of attributes with their time is no list."""
    for value in values:
        yield Sight(value.event or value.type)
    for row, scopes in rest.items():
        fact = values[row]
        for scope in ("properties",) if fact.type == PROFILE_CHANGED else ("properties", "attributes"):
            for path, found in scopes.get(scope, {}).items():
                if type(found) is list:
                    yield Sight(fact.event or fact.type, scope, path)


def memberships(rows: Sequence[Row]) -> Sheet:
    """A batch of `memberships` without marks."""
    values: list[Membership] = [row[3] for row in rows]
    own: dict[str, Sequence[Any]] = {"profile": [m.profile or None for m in values], "occurred_at": [m.at for m in values]}
    return Sheet("memberships", {**_fields(values, _MEMBERSHIP), **own, **_places(rows)}, len(rows))


def decisions(rows: Sequence[Row]) -> Sheet:
    """A batch of `decisions`. `detail` loses personal fields as facts do."""
    values: list[Decision] = [row[3] for row in rows]
    own: dict[str, Sequence[Any]] = {
        "profile": [d.profile or None for d in values],
        "decided_by": [d.by for d in values],
        "until_at": [d.until for d in values],
        "occurred_at": [d.received_at for d in values],
    }
    sheet = Sheet("decisions", {**_fields(values, _DECISION), **own, **_places(rows)}, len(rows))
    sheet.rest = {number: without(d.detail, NOTHING) for number, d in enumerate(values) if d.detail}
    return sheet


def _kinds(identifiers: Sequence[str]) -> str | None:
    """What is kept of identifiers: of which kinds they were. The kinds of a fact's are few, so the column is next to nothing."""
    return ",".join(dict.fromkeys(one.partition(":")[0] for one in identifiers)) or None


def _fields(values: Sequence[Any], names: Sequence[str]) -> dict[str, Sequence[Any]]:
    return {name: [getattr(value, name) for value in values] for name in names}


def _places(rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
    return {
        "topic": [row[0] for row in rows],
        "kafka_partition": [row[1] for row in rows],
        "kafka_offset": [row[2] for row in rows],
    }
