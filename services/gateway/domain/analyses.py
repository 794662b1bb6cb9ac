"""What a caller asks of attribution, funnels, cohorts and the like, read from the query of its address. Pure; every fault at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from schemas import reports
from schemas.attribution import Asked, Attribution, Channels, Cohort, Funnel, Lifetime, Stages, Touchpoints
from schemas.audience_reading import AudienceError, parse
from schemas.zones import Zone
from services.gateway.domain.outcomes import LATEST, TARGET, Query, Reading
from services.gateway.domain.problems import Fault, Problem

MODELS: Mapping[str, type[Asked]] = {
    "attribution": Attribution, "funnel": Funnel, "stages": Stages, "cohort": Cohort, "touchpoints": Touchpoints, "channels": Channels,
    "lifetime": Lifetime, "retention": Lifetime,
}  # fmt: skip
WITH_TRAFFIC = ("funnel", "stages", "channels")
# The list of an answer that is its table; `table` names another one by its dotted path.
TABLES = {
    "attribution": "rows", "funnel": "cohorts", "stages": "cohorts", "cohort": "revenue.without_outliers", "touchpoints": "places",
    "channels": "by.channel", "lifetime": "cohorts", "retention": "cohorts",
}  # fmt: skip
OF_ALL = ("from", "to", "brand", "zone", "as_of", "format", "table", "figure", "next", "limit")
GIVEN_APART = frozenset(Asked.model_fields)
NUMBERS = ("few", "outlier", "periods")
PAIRS = ("last", "teams")  # `email:7d,sms:3d`, `journey:welcome=retention`
MAY_BE_JSON = ("{", "[")
EVERYBODY: Mapping[str, Any] = {"kind": "all", "of": []}


class Analysis(Reading):
    """One query for one report."""

    def __init__(self, name: str, query: Query) -> None:
        self._name, self._model = name, MODELS[name]
        self._fields = [field for field in self._model.model_fields if field not in GIVEN_APART]
        own = {*self._fields, *(TARGET if "target" in self._fields else ())}
        super().__init__(query, frozenset((*OF_ALL, *own)))

    def told(self, clock: Zone, brands: Sequence[str]) -> dict[str, Any]:
        """The question for the audience service. Raises Problem `invalid` with every fault."""
        since, until, as_of = (self.instant(name, clock) for name in ("from", "to", "as_of"))
        self.faults += [Fault(name, "missing") for name in ("from", "to") if not self._query.get(name)]
        given = {field: value for field in self._fields if (value := self._field(field)) is not None}
        given |= {"since": since or 0, "until": until or LATEST, "brands": list(brands), "zone": clock.name, "as_of": as_of}
        try:
            self._model.model_validate(given)
        except ValidationError as error:
            known = {fault.path for fault in self.faults}
            self.faults += [
                Fault(self.named(f.path), f.code, "" if f.code == "missing" else f.message, f.params)
                for f in reports.faults_of(error) if self.named(f.path).partition(".")[0] not in known
            ]  # fmt: skip
        wanted = self.wanted()
        if self.faults:
            raise Problem("invalid", self.faults)
        return {**given, **wanted}

    def read(self, told: Mapping[str, Any]) -> Asked:
        """What `told` says, as the audience service reads it."""
        return self._model.model_validate({name: value for name, value in told.items() if name in self._model.model_fields})

    def table(self) -> str:
        return self._query.get("table") or TABLES[self._name]

    def _field(self, field: str) -> Any:
        """A field of the model as JSON; None: it was not given."""
        if field == "target":
            return self.target()
        given = self._query.get(field)
        if given is None:
            return None
        if given.startswith(MAY_BE_JSON):
            return self._conditions(field, self._json(field))
        return _plain(field)(given)

    def _conditions(self, field: str, found: Any) -> Any:
        """Faults of conditions: those of the language's own reader name the place within. Where it found one, one that is fine stands in
        what is returned, so that the model does not say it again, and from deeper than it reads.
        """
        if field == "among" and found is not None:
            return self._condition("among", found)
        if field == "groups" and isinstance(found, list):
            return [
                {**one, "condition": self._condition(f"groups.{place}.condition", one["condition"])}
                if isinstance(one, dict) and "condition" in one
                else one
                for place, one in enumerate(found)
            ]
        return found

    def _condition(self, path: str, document: Any) -> Any:
        try:
            parse(document)
        except AudienceError as error:
            self.faults += [Fault(f"{path}.{f.path}".rstrip("."), f.code, f.message, f.params) for f in error.faults]
            return EVERYBODY
        return document

    def named(self, path: str) -> str:
        field = path.partition(".")[0]
        return path if field in self._fields and field != "target" else super().named(path)


def _plain(field: str) -> Callable[[str], Any]:
    """How a field is read that is given as no JSON."""
    if field == "steps":
        return lambda given: [{"event": one} for one in given.split(",")]
    if field == "own":
        return lambda given: given.split(",")
    if field == "leads":
        return lambda given: {"product": given}
    if field in PAIRS:
        mark = ":" if field == "last" else "="
        return lambda given: dict(one.rpartition(mark)[::2] for one in given.split(",") if mark in one)
    if field in NUMBERS:
        return lambda given: int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else given
    if field in _EVENTS:
        return lambda given: {"event": given}
    return lambda given: {"true": True, "false": False}.get(given, given)


_EVENTS = frozenset(
    (
        "registration",
        "application",
        "sale",
        "visit",
        "registered",
        "purchase",
        "opened",
        "usage",
        "shown",
        "left",
        "sales",
        "start",
        "back",
    )
)


def flat(told: Mapping[str, Any], table: str) -> list[dict[str, Any]]:
    """A list of the answer as rows of plain cells. Raises Problem `invalid` where there is no such list."""
    found: Any = told
    for step in table.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise Problem("invalid", [Fault("table", "no_table")])
    return [dict(_cells("", row)) for row in found]


def _cells(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [cell for name, inner in value.items() for cell in _cells(f"{prefix}{'_' if prefix else ''}{name}", inner)]
    if isinstance(value, list):
        return [cell for place, inner in enumerate(value, start=1) for cell in _cells(f"{prefix}_{place}", inner)]
    return [(prefix, value)]
