"""Figures for BI tools: what is asked of the reports, and the rows that their answers become. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from schemas.reports import Group
from schemas.zones import Zone
from services.gateway.domain.problems import Fault, Problem

BY: tuple[Group, ...] = ("day", "document", "step", "channel", "class", "variant", "template")
MESSAGES = ("sent", "failed", "delivered", "bounced", "opened", "clicked", "unsubscribed", "complained")
MOST_DAYS = 3_660  # of one request
AT_ONCE = 7  # days of one question, and of one transaction
EPOCH = date(1970, 1, 1)
Row = tuple[Any, ...]


class Days(NamedTuple):
    """Days of a brand's zone, both among them, as dates and as [since, until) in ms."""

    first: date
    last: date
    since: int
    until: int


def asked(body: Any, today: date, usual: int) -> tuple[date | None, date | None]:
    """The days `from` and `to` of a request; None: not given, which means the last `usual` days, or up to today. today: in UTC; a zone may be a
    day ahead. Raises Problem `invalid` with every fault.
    """
    given = {} if body is None else body
    if not isinstance(given, dict):
        raise Problem("invalid", [Fault("", "dict_type", "an object with `from` and `to`")])
    faults = [Fault(name, "extra_forbidden") for name in given if name not in ("from", "to")]
    first, last = (_day(given.get(name), name, today + timedelta(days=1), faults) for name in ("from", "to"))
    if not faults:
        end = last or max(today, first or today)
        begin = first or end - timedelta(days=usual - 1)
        if begin > end:
            faults.append(Fault("to", "order"))
        elif (end - begin).days >= MOST_DAYS:
            faults.append(Fault("from", "days_many", params={"most": MOST_DAYS}))
    if faults:
        raise Problem("invalid", faults)
    return first, last


def _day(given: Any, name: str, latest: date, faults: list[Fault]) -> date | None:
    if given is None:
        return None
    try:
        found = date.fromisoformat(given)
    except (TypeError, ValueError):
        faults.append(Fault(name, "date"))
        return None
    if not EPOCH <= found <= latest:
        faults.append(Fault(name, "date_range", params={"least": EPOCH.isoformat(), "most": latest.isoformat()}))
    return found


def days(clock: Zone, first: date, last: date) -> Days:
    return Days(first, last, max(0, clock.midnight(_number(first))), clock.midnight(_number(last) + 1))


def parts(clock: Zone, first: date, last: date, size: int = AT_ONCE) -> Iterator[Days]:
    """The days in parts of so many, oldest first."""
    while first <= last:
        end = min(last, first + timedelta(days=size - 1))
        yield days(clock, first, end)
        first = end + timedelta(days=1)


def halves(clock: Zone, whole: Days) -> tuple[Days, Days]:
    """Two parts of several days, where the rows of one answer were too many."""
    middle = whole.first + (whole.last - whole.first) // 2
    return days(clock, whole.first, middle), days(clock, middle + timedelta(days=1), whole.last)


def quarters(clock: Zone, first: date, last: date) -> Iterator[Days]:
    """The quarters that these days touch, whole."""
    start = date(first.year, (first.month - 1) // 3 * 3 + 1, 1)
    while start <= last:
        following = date(start.year + start.month // 10, (start.month + 2) % 12 + 1, 1)
        yield days(clock, start, following - timedelta(days=1))
        start = following


def _number(day: date) -> int:
    return (day - EPOCH).days


def outcomes_asked(brand: str, zone: str, of: Days, target: Mapping[str, Any] | None) -> dict[str, Any]:
    """The question to the audience service. Deeds are credited to messages of later days too, though these are asked for by themselves: days
    can be added up, wherever one part ends and the next begins.
    """
    asked = {"brands": [brand], "since": of.since, "until": of.until, "by": list(BY), "zone": zone}
    return {"asked": {**asked, **({"target": dict(target), "beyond": target["window"]} if target else {})}}


def outcome_rows(brand: str, told: Mapping[str, Any]) -> list[Row]:
    """Rows of outcome_day."""
    counted = ((row, tuple(row[what]["messages"] for what in MESSAGES)) for row in told["rows"])
    return [(*_key(brand, row), *figures, told["as_of"]) for row, figures in counted if any(figures)]


def conversion_rows(brand: str, target: str, told: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows of conversion_day: where anything was done. told: the answer, or where amounts are of several currencies one for each."""
    deeds, worth = dict[Row, Row](), dict[Row, list[tuple[str, Row]]]()
    for row in (row for answer in told for row in answer["rows"]):
        key = _key(brand, row)
        deeds.setdefault(key, (row["converted"]["people"], row["credited"]["actions"]))
        if row["revenue"]["minor"] or len(told) == 1:
            worth.setdefault(key, []).append((row["revenue"]["currency"] or "", (row["revenue"]["minor"],)))
    return [
        (*key, target, currency, *figures, _as_of(told))
        for key, did in deeds.items() for currency, *figures in _apart(did, worth.get(key, []), (0,)) if any(figures)
    ]  # fmt: skip


def _apart(did: Row, worth: Sequence[tuple[str, Row]], nothing: Row) -> Iterator[Row]:
    """(currency, *deeds, *worth) of one row of a report. What was done stands once, for it was done once: beside its worth where that is of one
    currency, else in a row without any.
    """
    if len(worth) == 1:
        yield worth[0][0], *did, *worth[0][1]
        return
    yield "", *did, *nothing
    for currency, amount in worth:
        yield currency, *(0 for _ in did), *amount


def _as_of(told: Sequence[Mapping[str, Any]]) -> int:
    return min(int(one["as_of"]) for one in told)


def _key(brand: str, row: Mapping[str, Any]) -> Row:
    return brand, date.fromisoformat(row["day"]), *(row[name] or "" for name in BY[1:])


def kinds(teams: Mapping[str, str]) -> tuple[str, ...]:
    """By what revenue is told apart. Where nobody has said whose documents are there are no rows of teams: all would be nobody's."""
    return ("channel", "mechanic", "team") if teams else ("channel", "mechanic")


def channels_asked(brand: str, zone: str, of: Days, target: Mapping[str, Any], teams: Mapping[str, str]) -> dict[str, Any]:
    asked = {"brands": [brand], "since": of.since, "until": of.until, "zone": zone, "by": "quarter", "target": dict(target)}
    return {**asked, **({"teams": dict(teams)} if teams else {})}


def channel_rows(brand: str, target: str, told: Sequence[Mapping[str, Any]], by: Sequence[str]) -> list[Row]:
    """Rows of channel_quarter. told: as above; by: some of `kinds`."""
    deeds, worth = dict[Row, Row](), dict[Row, list[tuple[str, Row]]]()
    for answer, kind in ((answer, kind) for answer in told for kind in by):
        for row in answer["by"][kind]:
            key = date.fromisoformat(row["from"]), kind, row["name"]
            deeds.setdefault(key, (row["conversions"],))
            if row["revenue"] or len(told) == 1:
                worth.setdefault(key, []).append((answer["currency"] or "", (row["revenue"], row["share"])))
    return [
        (brand, quarter, target, currency, kind, name, *figures, _as_of(told))
        for (quarter, kind, name), did in deeds.items()
        for currency, *figures in _apart(did, worth.get((quarter, kind, name), []), (0, None))
    ]


def experiment_days(clock: Zone, first: date, last: date, since: int, over: int | None, now: int) -> Iterator[Days]:
    """Those of the days at whose end something new of an experiment may show: from its start (ms) to the day in which it was over. over: when
    the last one who was exposed had the window of the primary measure; None: it runs.
    """
    end = now if over is None else min(now, over)
    return (one for one in parts(clock, first, last, 1) if one.until > since and one.since <= end)


def experiment_rows(experiment: str, brand: str, day: date, control: str, told: Mapping[str, Any]) -> list[Row]:
    """Rows of experiment_day: each arm of the last period, with what it showed by then. Where nothing is judged the verdict is the code that
    says why (`no_look_yet`); while nobody was exposed there are none.
    """
    period = told["periods"][-1] if told["periods"] else None
    judged = told["judged"]
    metric = next((one for one in judged["metrics"] if one["primary"]), None) if judged else None
    beside = {one["arm"]: one for one in metric["comparisons"]} if metric else {}
    base = next((one["reading"]["control"] for one in beside.values()), None)
    other = next((one["code"] for one in told["why"]), "")
    return [
        (experiment, brand, day, arm, of["people"], metric["key"] if metric else "", *_shown(beside.get(arm), base if arm == control else None),
         beside[arm]["verdict"] if arm in beside else judged["verdict"] if judged else other, told["as_of"])
        for arm, of in (period["arms"].items() if period else ())
    ]  # fmt: skip


def _shown(one: Mapping[str, Any] | None, base: float | None) -> Row:
    """value, difference, low, high, p."""
    if one is None:
        return base, None, None, None, None
    reading = one["reading"]
    return reading["value"], reading["difference"], reading["interval"]["low"], reading["interval"]["high"], one["p_adjusted"]


def currencies(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    """The currencies that an answer was refused for, plain numbers aside; none: it was refused for something else."""
    named = [one["params"]["names"] for one in faults if one["code"] == "currencies_mixed"]
    return [name for name in (named[0].split(", ") if named else []) if len(name) == 3 and name.isupper()]


def too_many(faults: Sequence[Mapping[str, Any]]) -> bool:
    return any(one["code"] == "rows" for one in faults)
