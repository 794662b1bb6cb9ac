"""The instants at which facts count for a condition: one span for everybody, or one for each person by his time zone or his own date."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from runtime.lake import text
from schemas.audience import Around, Between, Calendar, Windowed
from schemas.zones import zone
from services.audience.store import said
from services.audience.store.versions import Part

if TYPE_CHECKING:
    from services.audience.store.leaves import Leaves


class Span(NamedTuple):
    """simple: a condition on `moment` that holds of every fact that may count. joined: of such rows those that do, with whose they are (n).
    needs: people of whom something must be known, or the condition is false of them. parts: what all this is read from.
    """

    simple: str = "true"
    joined: Callable[["Leaves", str], str] | None = None
    needs: Callable[["Leaves"], str] | None = None
    parts: tuple[Part, ...] = ()


def span_of(leaf: Windowed, now: int, zones: Iterable[str]) -> Span:
    """The span of a condition at an instant (ms). zones: those that people have."""
    match leaf.window:
        case None:
            return Span() if leaf.within is None else Span(f"moment > {now - leaf.within}")
        case Between():
            since, until = leaf.window.bounds
            bounds = [f"moment >= {since}"] if since is not None else []
            bounds += [f"moment < {until}"] if until is not None else []
            return Span(" AND ".join(bounds))
        case Around():
            return _around(leaf.window)
        case Calendar():
            return _calendar(leaf.window, now, zones)


def _around(window: Around) -> Span:
    """Near a date of the person's own."""
    date = f"({said.value(tuple(window.path.split('.')) if window.path else ()).date})"
    bounds = [f"t.moment > d.date + {window.after}"] if window.after is not None else []
    bounds += [f"t.moment <= d.date + {window.until}"] if window.until is not None else []

    def dates(leaves: "Leaves") -> str:
        return f"(SELECT n, {date} AS date FROM {leaves.words(window.name)} WHERE {date} IS NOT NULL)"

    def joined(leaves: "Leaves", rows: str) -> str:
        return (
            f"(SELECT d.n, t.* FROM {rows} t{leaves.join} JOIN {dates(leaves)} d ON d.n = {leaves.whose} "
            f"WHERE {' AND '.join(bounds)})"
        )

    return Span(joined=joined, needs=dates, parts=(("attribute", window.name),))


def _calendar(window: Calendar, now: int, zones: Iterable[str]) -> Span:
    """The period of each person's own clock."""

    def bounds(name: str) -> tuple[int, int]:
        clock = zone(name)
        period = clock.period(window.unit, now) - window.back
        return clock.start(window.unit, period), clock.start(window.unit, period + 1)

    since, until = bounds(window.zone)
    others = {name: span for name in zones if (span := bounds(name)) != (since, until)}
    if not others:
        return Span(f"moment >= {since} AND moment < {until}", parts=ZONES)
    spans = ", ".join(
        f"({text(name)}, {low}, {high})" for name, (low, high) in {**dict.fromkeys(zones, (since, until)), **others}.items()
    )

    def joined(leaves: "Leaves", rows: str) -> str:
        own = f"(SELECT n, z.since, z.until FROM {zoned(leaves)} JOIN (VALUES {spans}) z (zone, since, until) USING (zone))"
        return (
            f"(SELECT {leaves.whose} AS n, t.* FROM {rows} t{leaves.join} LEFT JOIN {own} d "
            f"ON d.n = {leaves.whose} WHERE t.moment >= coalesce(d.since, {since}) AND t.moment < coalesce(d.until, {until}))"
        )

    least, most = min([since, *(low for low, _ in others.values())]), max([until, *(high for _, high in others.values())])
    return Span(f"moment >= {least} AND moment < {most}", joined, parts=ZONES)


ATTRIBUTES = ("time_zone", "timezone")
ZONES: tuple[Part, ...] = tuple(("attribute", name) for name in ATTRIBUTES)


def zoned(leaves: "Leaves") -> str:
    """The zone of each person who has said a known one: of two, the greater text."""
    known = ", ".join(text(name) for name in leaves.zones) or "''"
    both = " UNION ALL ".join(f"SELECT n, text FROM {leaves.words(name)}" for name in ATTRIBUTES)
    return f"(SELECT n, max(text) AS zone FROM ({both}) WHERE text IN ({known}) GROUP BY n)"
