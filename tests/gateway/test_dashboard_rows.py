"""Which days are counted for BI tools, and which rows the answers of reports become."""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.reports import DAY_MS
from schemas.zones import zone
from services.gateway.domain import dashboards as domain
from services.gateway.domain.problems import Problem
from services.gateway.settings import GatewaySettings

MOSCOW = zone("Europe/Moscow")
DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
FIGURES: dict[str, Any] = {
    **{what: {"messages": 2, "people": 1} for what in domain.MESSAGES}, "converted": {"people": 3}, "credited": {"actions": 4},
    "revenue": {"minor": 2**70, "currency": "RUB"},
}  # fmt: skip
ROW = {
    "day": "2026-03-01",
    "document": "campaign:x",
    "step": "",
    "channel": "email",
    "class": "mass",
    "variant": "a",
    "template": "t",
    **FIGURES,
}
KEY = ("shop", date(2026, 3, 1), "campaign:x", "", "email", "mass", "a", "t")


@given(DAYS, st.integers(0, 40), st.integers(1, 9))
def test_parts_are_all_days_once(first: date, more: int, size: int) -> None:
    last = first + timedelta(days=more)
    found = list(domain.parts(MOSCOW, first, last, size))
    days = [one.first + timedelta(days=n) for one in found for n in range((one.last - one.first).days + 1)]
    assert days == [first + timedelta(days=n) for n in range(more + 1)]
    assert all(one.until == other.since for one, other in itertools.pairwise(found))
    for one in found:
        if one.first < one.last:
            assert domain.halves(MOSCOW, one)[0].first == one.first and domain.halves(MOSCOW, one)[1].last == one.last


@given(DAYS, st.integers(0, 800))
def test_quarters_are_whole_and_touch_the_days(first: date, more: int) -> None:
    last = first + timedelta(days=more)
    found = list(domain.quarters(MOSCOW, first, last))
    assert found[0].first <= first <= found[0].last and found[-1].first <= last <= found[-1].last
    assert all(one.first.month in (1, 4, 7, 10) and one.first.day == 1 for one in found)
    assert all(one.last + timedelta(days=1) == other.first for one, other in itertools.pairwise(found))


def test_rows_are_what_the_report_says_and_nothing_is_none() -> None:
    nothing = {**ROW, **{what: {"messages": 0, "people": 0} for what in domain.MESSAGES}}
    told = {"rows": [ROW, nothing], "as_of": 9}
    assert domain.outcome_rows("shop", told) == [(*KEY, *(2 for _ in domain.MESSAGES), 9)]
    idle = {
        **ROW,
        "step": "idle",
        "converted": {"people": 0},
        "credited": {"actions": 0},
        "revenue": {"minor": 0, "currency": None},
    }
    assert domain.conversion_rows("shop", "order", [{"rows": [ROW, idle], "as_of": 9}]) == [(*KEY, "order", "RUB", 3, 4, 2**70, 9)]


def worth(minor: int, currency: str | None, **more: Any) -> dict[str, Any]:
    return {**ROW, "revenue": {"minor": minor, "currency": currency}, **more}


def test_of_several_currencies_what_was_done_stands_once_and_beside_none_of_them() -> None:
    rubles = {"rows": [worth(70, "RUB"), worth(20, "RUB", step="rub"), worth(0, "RUB", step="free")], "as_of": 9}
    euros = {"rows": [worth(5, "EUR"), worth(0, "EUR", step="rub"), worth(0, "EUR", step="free")], "as_of": 8}
    found = domain.conversion_rows("shop", "order", [euros, rubles])
    assert [(row[3], *row[9:]) for row in found] == [
        ("", "", 3, 4, 0, 8), ("", "EUR", 0, 0, 5, 8), ("", "RUB", 0, 0, 70, 8), ("rub", "RUB", 3, 4, 20, 8), ("free", "", 3, 4, 0, 8),
    ]  # fmt: skip
    assert domain.conversion_rows("shop", "order", []) == []


def test_a_channel_of_several_currencies_has_its_conversions_once() -> None:
    def told(currency: str | None, revenue: int, share: float | None) -> dict[str, Any]:
        email = {"from": "2026-01-01", "name": "email", "conversions": 5, "revenue": revenue, "share": share}
        return {"currency": currency, "by": {"channel": [email], "mechanic": []}, "as_of": 9}

    by = domain.kinds({})
    found = domain.channel_rows("shop", "order", [told("EUR", 7, 1.0), told("RUB", 70, 0.5)], by)
    assert [row[3:9] for row in found] == [
        ("", "channel", "email", 5, 0, None), ("EUR", "channel", "email", 0, 7, 1.0), ("RUB", "channel", "email", 0, 70, 0.5),
    ]  # fmt: skip
    assert domain.channel_rows("shop", "order", [told("USD", 0, None)], by)[0][3:9] == ("USD", "channel", "email", 5, 0, None)
    fault = {"code": "currencies_mixed", "params": {"names": "?, RUB, USD"}}
    assert domain.currencies([fault]) == ["RUB", "USD"] and domain.currencies([{"code": "rows"}]) == []


def test_teams_have_rows_where_somebody_has_said_whose_documents_are() -> None:
    first = date(2026, 1, 1)
    of = domain.days(MOSCOW, first, date(2026, 3, 31))
    assert "teams" not in domain.channels_asked("shop", "UTC", of, {"event": "A"}, {})
    teams = GatewaySettings.model_validate({"bi_teams": {"journey": "retention"}}).bi_teams
    assert domain.channels_asked("shop", "UTC", of, {"event": "A"}, teams)["teams"] == {"journey": "retention"}
    row = {"from": str(first), "name": "retention", "conversions": 5, "revenue": 7, "share": 1.0}
    told = [{"currency": "RUB", "by": {"channel": [], "mechanic": [], "team": [row]}, "as_of": 9}]
    assert domain.channel_rows("shop", "order", told, domain.kinds({})) == []
    assert domain.channel_rows("shop", "order", told, domain.kinds(teams)) == [
        ("shop", first, "order", "RUB", "team", "retention", 5, 7, 1.0, 9)
    ]


@given(DAYS, st.integers(0, 40), st.integers(0, 60), st.none() | st.integers(0, 60), st.integers(0, 60))
def test_an_experiment_is_counted_from_its_start_until_it_was_over(
    first: date, more: int, since: int, over: int | None, now: int
) -> None:
    last = first + timedelta(days=more)

    def noon(after: int) -> int:
        day = first + timedelta(days=after - 10)
        return MOSCOW.midnight((day - domain.EPOCH).days) + DAY_MS // 2

    found = domain.experiment_days(MOSCOW, first, last, noon(since), None if over is None else noon(over), noon(now))
    end = now if over is None else min(over, now)
    wanted = [first + timedelta(days=n) for n in range(more + 1) if since <= n + 10 <= end]
    assert [(one.first, one.last) for one in found] == [(day, day) for day in wanted]


def test_an_experiment_has_a_row_for_each_arm_before_its_look_and_after() -> None:
    told: dict[str, Any] = {
        "people": 5,
        "as_of": 9,
        "judged": None,
        "why": [{"code": "no_look_yet"}],
        "periods": [{"arms": {"control": {"people": 2}, "b": {"people": 3}}}],
    }
    rows = domain.experiment_rows("e", "shop", date(2026, 3, 1), "control", told)
    assert [(row[3], row[4], row[6], row[-2]) for row in rows] == [
        ("control", 2, None, "no_look_yet"),
        ("b", 3, None, "no_look_yet"),
    ]
    reading = {"value": 0.3, "control": 0.2, "difference": 0.1, "interval": {"low": 0.05, "high": 0.15}}
    comparison = {"arm": "b", "reading": reading, "p_adjusted": 0.01, "verdict": "more"}
    judged = {"verdict": "more", "metrics": [{"key": "did", "primary": True, "comparisons": [comparison]}]}
    rows = domain.experiment_rows("e", "shop", date(2026, 3, 1), "control", {**told, "judged": judged})
    assert [row[5:12] for row in rows] == [
        ("did", 0.2, None, None, None, None, "more"),
        ("did", 0.3, 0.1, 0.05, 0.15, 0.01, "more"),
    ]
    assert domain.experiment_rows("e", "shop", date(2026, 3, 1), "control", {**told, "people": 0, "periods": []}) == []


TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"from": "9999-12-01", "to": "9999-12-31"}, {("from", "date_range"), ("to", "date_range")}),
        ({"from": "0001-01-01", "to": "0001-01-01"}, {("from", "date_range"), ("to", "date_range")}),
        ({"to": "0001-01-01"}, {("to", "date_range")}),
        ({"from": "2026-11-30"}, {("from", "date_range")}),
        ({"from": "1970-01-01"}, {("from", "days_many")}),
        ({"from": "1970-01-01", "to": "2026-01-01"}, {("from", "days_many")}),
        ({"from": "2026-03-02", "to": "2026-03-01"}, {("to", "order")}),
        ([], {("", "dict_type")}),
    ],
)
def test_days_beyond_the_calendar_and_too_many_are_refused(body: Any, fault: set[tuple[str, str]]) -> None:
    with pytest.raises(Problem) as error:
        domain.asked(body, TODAY, 14)
    assert {(one.path, one.code) for one in error.value.faults} == fault


@example(domain.EPOCH, None, "Pacific/Kiritimati")
@given(st.dates() | st.none(), st.dates() | st.none(), st.sampled_from(["UTC", "Pacific/Kiritimati", "Etc/GMT+12"]))
def test_days_that_are_taken_lie_in_every_calendar(first: date | None, last: date | None, name: str) -> None:
    body = {key: day.isoformat() for key, day in (("from", first), ("to", last)) if day is not None}
    try:
        taken = domain.asked(body, TODAY, 14)
    except Problem:
        return
    assert taken == (first, last)
    for day in filter(None, taken):
        of = domain.days(zone(name), day, day)
        assert 0 <= of.since < of.until
