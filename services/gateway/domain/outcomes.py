"""What a caller asks of a report of outcomes, read from the query of its address. Pure; every fault at once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from pydantic import ValidationError

from schemas import reports
from schemas.attributes import date_ms
from schemas.audience_reading import AudienceError, parse
from schemas.reports import FIGURES, Outcomes
from schemas.zones import Zone
from services.gateway.domain.problems import Fault, Problem

Query = Mapping[str, str]
Compare = Literal["previous", "year"]
LATEST = 2**53
DIGITS = 16  # of the largest number that may be given
LAST_DAY = 253_370_678_400_000  # 9998-12-31: of it and before, in every zone, the calendar knows the end of the year too
# Names of the query -> fields of Outcomes; several values are parted by commas.
LISTS = {
    "document": "documents", "step": "steps", "template": "templates", "variant": "variants", "channel": "channels", "class": "classes",
    "launch": "launches", "by": "by",
}  # fmt: skip
TARGET = ("event", "where", "value", "currency", "window")
NAMES = frozenset(
    (*LISTS, *TARGET, "campaign", "journey", "version", "brand", "segment", "condition", "from", "to", "compare", "zone", "target", "as_of", "format")
)  # fmt: skip
OF_PEOPLE = frozenset(("figure", "row", "limit", "next"))
MOST_PEOPLE = 1000


class Page(NamedTuple):
    """Of the people behind a figure. after: the number behind which it begins."""

    figure: str
    row: list[str] | None
    after: int
    limit: int


class Reading:
    """One query. Faults gather in `faults` while its parts are read."""

    def __init__(self, query: Query, names: frozenset[str] = NAMES) -> None:
        self._query, self.faults = query, list[Fault]()
        self.faults += [Fault(name, "extra_forbidden") for name in query if name not in names]

    def listed(self, name: str) -> list[str]:
        return [one for one in self._query.get(name, "").split(",") if one]

    def documents(self) -> list[str]:
        """Whole names, as messages have them."""
        named = [f"{kind}:{key}" for kind in ("campaign", "journey") for key in self.listed(kind)]
        return [*named, *self.listed("document")]

    def who(self) -> dict[str, Any]:
        """The segment or condition whose people are meant; empty: everybody."""
        segment, condition = self._query.get("segment"), self._json("condition")
        if segment and condition is not None:
            self.faults.append(Fault("condition", "one_who"))
        if condition is not None:
            try:
                parse(condition)
            except AudienceError as error:
                self.faults += [Fault(f"condition.{f.path}".rstrip("."), f.code, f.message, f.params) for f in error.faults]
            return {"condition": condition}
        return {"key": segment} if segment else {}

    def target(self) -> dict[str, Any] | None:
        """The target action, given as one JSON text or field by field."""
        whole = self._query.get("target", "")
        told = self._json("target") if whole.startswith("{") else ({"event": whole} if whole else {})
        apart = {name: self._json(name) if name == "where" else self._query[name] for name in TARGET if name in self._query}
        found = {**(told or {}), **apart}
        if found and "event" not in found and (set(found) != {"window"} or whole):
            self.faults.append(Fault("event", "missing"))
        return found if "event" in found else None

    def instant(self, name: str, clock: Zone) -> int | None:
        """UTC ms: given so, as an ISO instant, or as a date, which begins at midnight in the zone."""
        given = self._query.get(name, "")
        if not given:
            return None
        bare, of_day = _whole(given), len(given) == len("2026-01-01")
        found = date_ms(given) if bare is None else bare
        if found is None or not 0 <= found < LAST_DAY + (bare is None and of_day):
            self.faults.append(Fault(name, "time"))
            return None
        return clock.midnight(found // reports.DAY_MS) if bare is None and of_day else found

    def asked(self, clock: Zone, brands: Sequence[str]) -> dict[str, Any]:
        """The fields of Outcomes, as JSON. Raises Problem `invalid` with every fault of the query."""
        since, until = self.instant("from", clock), self.instant("to", clock)
        given: dict[str, Any] = {field: self.listed(name) for name, field in LISTS.items()}
        given |= {"documents": self.documents(), "versions": self._numbers("version"), "brands": list(brands), "zone": clock.name,
                  "since": since, "until": until, "target": self.target(), "compared": self._compared(clock, since, until)}  # fmt: skip
        try:
            Outcomes.model_validate(given)
        except ValidationError as error:
            told = {fault.path for fault in self.faults}
            found = [Fault(self.named(f.path), f.code, _message(f.code, f.message), f.params) for f in reports.faults_of(error)]
            self.faults += [fault for fault in found if fault.path not in told]
        if self.faults:
            raise Problem("invalid", self.faults)
        return given

    def page(self) -> Page:
        """Which people. Faults are told by `asked`."""
        figure = self._query.get("figure", "")
        if figure not in FIGURES:
            self.faults.append(Fault("figure", "literal_error", params={"expected": ", ".join(FIGURES)}))
        row = self._json("row")
        if row is not None and not (isinstance(row, list) and all(one is None or isinstance(one, str | int) for one in row)):
            self.faults.append(Fault("row", "list_type"))
        return Page(figure, row, *self._paging())

    def wanted(self) -> dict[str, Any]:
        """The people behind a figure of another report, where they are asked for: fields of its question."""
        if not self._query.get("figure"):
            return {}
        after, limit = self._paging()
        return {"figure": self._query["figure"], "after": after, "limit": limit}

    def _paging(self) -> tuple[int, int]:
        """The person behind whom a page begins, and how many it has."""
        return self._number("next", -1, "cursor", -1, LATEST), self._number("limit", 100, "limit", 1, MOST_PEOPLE)

    def form(self) -> str:
        form = self._query.get("format", "json")
        if form not in ("json", "csv"):
            self.faults.append(Fault("format", "literal_error", params={"expected": "json, csv"}))
        return form

    def named(self, path: str) -> str:
        """The name of the query under which a field was given."""
        field, _, rest = path.partition(".")
        if field == "target":
            return path if self._query.get("target", "").startswith("{") else rest or "event"
        names = {
            **{of: name for name, of in LISTS.items()},
            "since": "from",
            "until": "to",
            "brands": "brand",
            "versions": "version",
        }
        return names.get(field, field)

    def _compared(self, clock: Zone, since: int | None, until: int | None) -> tuple[int, int] | None:
        how = self._query.get("compare")
        if how is None:
            return None
        if how not in ("previous", "year"):
            self.faults.append(Fault("compare", "literal_error", params={"expected": "previous, year"}))
        elif since is None or until is None:
            self.faults.append(Fault("compare", "needs_period"))
        elif since < until:
            return compared(clock, since, until, how)  # type: ignore[arg-type]
        return None

    def _json(self, name: str) -> Any:
        if name not in self._query:
            return None
        try:
            return msgspec.json.decode(self._query[name])  # as bodies are read: no NaN, no half of a character
        except (ValueError, RecursionError):
            self.faults.append(Fault(name, "json"))
            return None

    def _numbers(self, name: str) -> list[int]:
        found = self.listed(name)
        if all(one.isascii() and one.isdecimal() and len(one) < 10 for one in found):
            return [int(one) for one in found]
        self.faults.append(Fault(name, "int_parsing"))
        return []

    def _number(self, name: str, default: int, code: str, least: int, most: int) -> int:
        given = self._query.get(name, "")
        if not given:
            return default
        found = _whole(given)
        if found is not None and least <= found <= most:
            return found
        self.faults.append(
            Fault(name, "cursor") if code == "cursor" else Fault(name, "int_range", params={"least": least, "most": most})
        )
        return default


def _whole(given: str) -> int | None:
    """A number of a few digits; None: no such number."""
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= DIGITS else None


def _message(code: str, message: str) -> str:
    """English texts of the models are better than the catalogue's; those of pydantic are not."""
    return message if code in ("window", "order", "periods", "unexpected") else ""


def compared(clock: Zone, since: int, until: int, how: Compare) -> tuple[int, int]:
    """The period before [since, until), or the same one a year ago, by the local calendar: as many days, each as long as its own clock says."""
    if how == "year":
        return _year_ago(clock, since), _year_ago(clock, until)
    first, last = clock.day(since), clock.day(until)
    if (clock.midnight(first), clock.midnight(last)) == (since, until) and last > first:
        before = max(-1, 2 * first - last)  # nothing was before 1970, whose first day may begin a day early
        return max(0, clock.midnight(before)), since
    return max(0, 2 * since - until), since


def _year_ago(clock: Zone, at: int) -> int:
    local, day = clock.date(at), clock.day(at)
    assert local is not None
    before = local.replace(year=local.year - 1, day=28 if (local.month, local.day) == (2, 29) else local.day)
    shifted = clock.midnight(day - (local - before).days)
    return max(0, shifted + at - clock.midnight(day))


def unknown(
    documents: Mapping[str, Mapping[int, Mapping[str, Any]]], steps: Sequence[str], variants: Sequence[str]
) -> Iterator[Fault]:
    """Steps and variants that no version of these documents has. documents: name -> version -> body; versions of whom nothing can be said
    (a journey with parameters) allow everything.
    """
    bodies = [(name, body) for name, versions in documents.items() for body in versions.values()]
    if not bodies:
        return
    there = {one for name, body in bodies for one in steps_of(name, body)}
    yield from _beyond("step", steps, there)
    yield from _beyond("variant", variants, {one for name, body in bodies for one in variants_of(name, body)})


def _beyond(field: str, given: Sequence[str], there: Collection[str]) -> Iterator[Fault]:
    for one in given:
        if one not in there:
            yield Fault(field, "not_in_document", params={"name": one, "names": ", ".join(sorted(there)) or "-"})


def steps_of(document: str, body: Mapping[str, Any]) -> Iterator[str]:
    if document.startswith("campaign:"):
        yield "letter"
    yield from (step["id"] for step in body.get("steps", ()) if "id" in step)


def variants_of(document: str, body: Mapping[str, Any]) -> Iterator[str]:
    """The ways that people's messages may be of: a journey's control group says who gets any, and is none."""
    if document.startswith("campaign:"):
        yield from (one["name"] for one in body.get("variants", ()))
        yield "control"
        return
    yield from (arm["name"] for step in body.get("steps", ()) for arm in step.get("split", ()))
