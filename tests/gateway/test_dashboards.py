"""Which days are counted for BI tools, and which rows the answers of reports become."""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.zones import zone
from services.gateway.domain import dashboards as domain
from services.gateway.domain.problems import Problem
from services.gateway.settings import GatewaySettings
from services.gateway.store import dashboards as store
from tests.gateway.conftest import faults_of

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
    idle = {**ROW, "converted": {"people": 0}, "credited": {"actions": 0}, "revenue": {"minor": 0, "currency": None}}
    assert domain.conversion_rows("shop", "order", {"rows": [ROW, idle], "as_of": 9}) == [(*KEY, "order", "RUB", 3, 4, 2**70, 9)]


def test_what_was_done_once_counts_in_one_of_several_currencies() -> None:
    (row,) = domain.conversion_rows("shop", "order", {"rows": [ROW], "as_of": 9}, first=False)
    assert row[-4:] == (0, 0, 2**70, 9)
    channel = {"from": "2026-01-01", "name": "email", "conversions": 5, "revenue": 0, "share": None}
    told = {"currency": "USD", "by": {"channel": [channel], "mechanic": []}, "as_of": 9}
    assert domain.channel_rows("shop", "order", told, first=False) == []
    assert domain.channel_rows("shop", "order", told)[0][3:8] == ("USD", "channel", "email", 5, 0)
    fault = {"code": "currencies_mixed", "params": {"names": "?, RUB, USD"}}
    assert domain.currencies([fault]) == ["RUB", "USD"] and domain.currencies([{"code": "rows"}]) == []


def test_an_experiment_has_a_row_for_each_arm_before_its_look_and_after() -> None:
    told: dict[str, Any] = {
        "people": 5,
        "as_of": 9,
        "judged": None,
        "periods": [{"arms": {"control": {"people": 2}, "b": {"people": 3}}}],
    }
    rows = domain.experiment_rows("e", "shop", date(2026, 3, 1), "control", told)
    assert [(row[3], row[4], row[6], row[-2]) for row in rows] == [("control", 2, None, "not_yet"), ("b", 3, None, "not_yet")]
    reading = {"value": 0.3, "control": 0.2, "difference": 0.1, "interval": {"low": 0.05, "high": 0.15}}
    comparison = {"arm": "b", "reading": reading, "p_adjusted": 0.01, "verdict": "more"}
    judged = {"verdict": "more", "metrics": [{"key": "did", "primary": True, "comparisons": [comparison]}]}
    rows = domain.experiment_rows("e", "shop", date(2026, 3, 1), "control", {**told, "judged": judged})
    assert [row[5:12] for row in rows] == [
        ("did", 0.2, None, None, None, None, "more"),
        ("did", 0.3, 0.1, 0.05, 0.15, 0.01, "more"),
    ]
    assert domain.experiment_rows("e", "shop", date(2026, 3, 1), "control", {**told, "people": 0, "periods": []}) == []


def test_target_actions_of_settings_have_names_of_their_own() -> None:
    assert GatewaySettings().bi_targets[0].asked() == {
        "event": "Order Completed",
        "where": [],
        "value": "total",
        "window": 604_800_000,
    }
    with pytest.raises(ValidationError, match="name of its own"):
        GatewaySettings.model_validate({"bi_targets": [{"name": "a", "event": "X"}, {"name": "a", "event": "Y"}]})


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


@example(domain.EPOCH, domain.EPOCH, "Europe/Moscow")
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


async def test_days_that_are_none_are_refused_each_with_its_fault(site: Any) -> None:
    asked = await site.http.post("/api/bi/refresh", json={"from": "soon", "to": 5, "since": "2026-01-01"})
    assert faults_of(asked) == {("from", "date"), ("to", "date"), ("since", "extra_forbidden")}
    assert faults_of(await site.http.post("/api/bi/refresh", json={"to": "0001-01-01"})) == {("to", "date_range")}


async def test_a_turn_is_taken_by_one_and_is_due_again_when_it_failed(site: Any) -> None:
    async with site.context.db.transaction() as connection:
        assert await store.take_turn(connection, "a turn", 1_000, 500)
        assert not await store.take_turn(connection, "a turn", 1_499, 500) and await store.take_turn(
            connection, "a turn", 1_500, 500
        )
        await store.turn_again(connection, "a turn", 1_100)
        assert not await store.take_turn(connection, "a turn", 1_599, 500) and await store.take_turn(
            connection, "a turn", 1_600, 500
        )
