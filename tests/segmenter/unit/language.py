"""Strategies for the leaves about windows that move with the calendar, several events, lines and values (schemas/audience.py)."""

from typing import Any

from hypothesis import strategies as st

from schemas import audience as a
from tests.segmenter.unit.tiny_days import LENGTHS, UNITS

spans = st.sampled_from([1, 2, 3, 5, 8])
comparisons = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
events = st.sampled_from(["did", "did", "buy", "no"])
filters = st.lists(st.builds(a.Filter, path=st.just("n"), op=comparisons, value=st.integers(0, 2)), max_size=1).map(tuple)
line_tests = st.lists(
    st.builds(a.Filter, path=st.sampled_from(["s", "n"]), op=st.sampled_from(["exists", "missing"]))
    | st.builds(a.Filter, path=st.just("s"), op=st.just("eq"), value=st.sampled_from(["p", "q"]))
    | st.builds(a.Filter, path=st.just("n"), op=comparisons, value=st.integers(0, 2)),
    max_size=2,
).map(tuple)
lines = st.builds(a.Lines, path=st.just("l"), where=line_tests)
zones = st.sampled_from(sorted(LENGTHS))


def between(since: int | None, length: int) -> a.Between:
    return a.Between(since=since, until=(since or 0) + length)


calendars = st.builds(a.Calendar, unit=st.sampled_from([*UNITS, "day", "day"]), back=st.sampled_from([0, 0, 1, 2, 3]), zone=zones)
fixed = st.builds(between, since=st.none() | st.integers(5, 25), length=st.integers(1, 20)) | st.builds(
    a.Between, since=st.integers(5, 25)
)
arounds = st.builds(a.Around, name=st.just("start"), after=st.none() | st.integers(-6, 0), until=st.integers(1, 6)) | st.builds(
    a.Around, name=st.just("start"), after=st.integers(-6, 6)
)
windows = calendars | fixed | arounds


def spanned(kind: type, **fields: Any) -> Any:
    """A windowed leaf: ever, rolling, or in another window."""
    common = {"event": st.just("did"), "where": filters, "lines": st.none() | lines, "op": comparisons, **fields}
    return st.builds(kind, within=st.none() | spans, **common) | st.builds(kind, window=windows, **common)


def looking_at(**window: Any) -> Any:
    """Leaves that look at facts in one way only."""
    common = {"event": st.just("did"), "op": comparisons, **window}
    return st.one_of(
        st.builds(a.Did, value=st.integers(0, 3), **common),
        st.builds(a.Total, sum=st.just("n"), value=st.integers(-1, 4), **common),
        st.builds(a.Average, of=st.just("n"), value=st.integers(0, 2), **common),
        st.builds(a.Distinct, of=st.just("n"), value=st.integers(0, 3), **common),
    )


dids = spanned(a.Did, value=st.integers(0, 3))
totals = spanned(a.Total, sum=st.just("n"), value=st.integers(-2, 6))
averages = spanned(a.Average, of=st.just("n"), value=st.integers(-1, 3))
distincts = spanned(a.Distinct, of=st.sampled_from(["n", "s"]), value=st.integers(0, 3))
happenings = st.builds(a.Happening, event=events, where=filters) | st.builds(a.Happening, event=events, lines=lines)
bare = st.builds(a.Happening, event=events)
sequences = st.builds(
    a.Sequence, first=bare | happenings, then=bare | happenings, within=spans, without=st.none() | bare, last=st.none() | spans
)
sinces = st.tuples(st.integers(0, 3), st.none() | st.integers(1, 6)).flatmap(
    lambda drawn: st.builds(
        a.Since,
        event=st.just("did"),
        where=filters,
        lines=st.none() | lines,
        without=bare | happenings,
        after=st.just(drawn[0]),
        within=st.just(drawn[1] and drawn[0] + drawn[1]),
    )
)
leaves = st.one_of(dids, totals, averages, distincts, sequences, sinces)

line = st.fixed_dictionaries({}, optional={"s": st.sampled_from(["p", "q", 1]), "n": st.sampled_from([0, 1, 2, -1, True])})
properties = st.fixed_dictionaries(
    {},
    optional={
        "n": st.sampled_from([-1, 0, 1, 1.0, 2, 3, True, "1"]),
        "s": st.sampled_from(["p", 1, 1.0, "1", True, None, []]),
        "l": st.lists(line, max_size=3) | st.sampled_from([None, "p", {"s": "p"}, [5, "p"]]),
    },
)
said = st.fixed_dictionaries(
    {},
    optional={
        "start": st.sampled_from([8, 12, 15, 18, 22, 30, None, "soon"]),
        "time_zone": st.sampled_from(["Asia/Tokyo", "nowhere", None, 5]),
        "timezone": st.sampled_from(["Europe/London", "Asia/Tokyo"]),
    },
)
facts = st.fixed_dictionaries(
    {
        "who": st.sampled_from([0, 0, 1]),
        "event": events,
        "advance": st.sampled_from([0, 0, 1, 2, 3]),
        "late": st.sampled_from([0, 0, 0, 1, 2, 3, 5, 8, -2]),
        "held_up": st.sampled_from([0, 0, 0, 1, 2]),
        "properties": properties,
        "attributes": st.just({}) | st.just({}) | said,
        "identifiers": st.just(()),
        "bucket": st.none(),
    }
)


def dense(event: Any = st.just("did"), said: Any = st.just({}), **properties: Any) -> Any:  # noqa: B008 - a strategy is a value
    """Facts of which nearly each one matters."""
    return st.fixed_dictionaries(
        {
            "who": st.sampled_from([0, 0, 1]),
            "event": event,
            "advance": st.sampled_from([0, 0, 1, 2]),
            "late": st.sampled_from([0, 0, 1, 2, 3, 5]),
            "held_up": st.just(0),
            "properties": st.fixed_dictionaries(properties),
            "attributes": said,
            "identifiers": st.just(()),
            "bucket": st.none(),
        }
    )


moves = {
    "start": st.sampled_from([8, 10, 12, 14, 16]),
    "time_zone": st.just("Asia/Tokyo"),
    "timezone": st.sampled_from(["Europe/London", "UTC"]),
}
numbers = st.integers(0, 2)
moving = dense(said=st.fixed_dictionaries({}, optional=moves), n=numbers)
listed = dense(l=st.lists(st.fixed_dictionaries({"s": st.sampled_from(["p", "q"]), "n": numbers}), max_size=3))
scalars = dense(s=st.sampled_from([1, 1.0, "1", True, "True", 2]))
line_of = st.sampled_from(["p", "q"]).map(lambda s: a.Lines(path="l", where=(a.Filter(path="s", op="eq", value=s),)))
pairs = st.sampled_from(["did", "buy"])
ordered = st.builds(a.Sequence, first=bare, then=bare, within=st.integers(1, 3), without=st.none() | bare, last=st.none() | spans)
# Two leaves of a kind share what is gathered, or must not.
DENSE = {
    "rolling": (looking_at(within=spans), moving),
    "calendar": (looking_at(window=calendars), moving),
    "between": (looking_at(window=fixed), moving),
    "around": (looking_at(window=arounds), moving),
    "lines": (looking_at(lines=line_of), listed),
    "values": (st.builds(a.Distinct, event=st.just("did"), of=st.just("s"), op=comparisons, value=st.integers(1, 4)), scalars),
    "sequence": (ordered, dense(event=pairs)),
}
ticks = st.integers(1, 4)
histories = st.lists(facts | facts | facts | facts | ticks | st.just("merge"), min_size=1, max_size=14)
