"""What is kept of a person for calendars, values, lines and sequences: how much, under which name, and what never touches him."""

from datetime import datetime
from typing import Any

import pytest

from schemas import audience as a
from schemas.facts import Fact
from schemas.zones import DAY
from services.segmenter.domain.filling import begun, depths
from services.segmenter.domain.gathering import number_of, personal
from services.segmenter.domain.live import decide, fire, upgrade
from services.segmenter.domain.normal import accumulator_id, fingerprint, needs
from services.segmenter.domain.plan import NOTHING_TO_FILL, compile_plan
from services.segmenter.domain.series import DAY_MS, EXACT_PARTS, HOUR_MS, KEPT_VALUES, MINUTE_PARTS
from services.segmenter.domain.state import State, decode, encode

NOW = 1_790_000_000_000


def fact(at: int, event: str = "Viewed", **more: Any) -> Fact:
    return Fact(id=f"f{at}", brand="b", source="s", type="track", event=event, occurred_at=at, received_at=at, **more)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_newest_values_are_kept_and_no_more() -> None:
    plan = compile_plan({"many": a.Distinct(event="Viewed", of="sku", op="ge", value=1000)}, 1)
    state = State()
    for number in range(KEPT_VALUES + 200):
        state = decide(state, fact(NOW + number, properties={"sku": f"sku-{number}"}), NOW + number, plan).state
        assert bool(state.members) == (number >= 999)
    series = next(iter(state.series.values()))
    assert (len(series.times), series.times[0], series.count) == (KEPT_VALUES, NOW + 200, KEPT_VALUES + 200)
    assert len(encode(state)) < 20_000 and decode(encode(state)) == state
    again = decide(state, fact(NOW + 5_000, properties={"sku": "sku-300"}), NOW + 5_000, plan).state
    series = next(iter(again.series.values()))
    assert (len(series.times), series.times[-1], series.amounts[-1]) == (KEPT_VALUES, NOW + 5_000, number_of("sku-300"))


def test_numbers_of_values() -> None:
    same = [{number_of(value) for value in alike} for alike in ((1, 1.0), ("1",), (True,), (False,), (0, 0.0, -0.0), (1.5,), ("",))]
    assert all(len(alike) == 1 for alike in same)
    assert len(set().union(*same)) == len(same)
    assert number_of("Moscow") == 2133668787162391910, "stored under this number: it must never change"


def test_instants_ever_are_gathered_to_the_minute_the_hour_and_the_day() -> None:
    plan = compile_plan({"s": a.Sequence(first=a.Happening(event="A"), then=a.Happening(event="B"), within=DAY)}, 1)
    state = State()
    for number in range(MINUTE_PARTS * 3):
        at = NOW + number * HOUR_MS
        state = decide(state, fact(at, "A"), at, plan).state
    series = next(series for series in state.series.values() if series.times)
    assert len(series.times) <= MINUTE_PARTS and sum(series.amounts) == MINUTE_PARTS * 3
    newest = [NOW + number * HOUR_MS for number in range(MINUTE_PARTS * 3 - EXACT_PARTS // 2, MINUTE_PARTS * 3)]
    assert series.times[-len(newest) :] == newest, "the newest are exact"
    assert series.times[0] % DAY_MS == 0 and series.times == sorted(series.times)
    then = decide(state, fact(at + 1, "B"), at + 1, plan)
    assert [change.entered for change in then.changes] == [True]


def test_facts_outside_fixed_dates_leave_the_row_alone() -> None:
    window = a.Between(since="2026-09-01", until="2026-10-01")
    plan = compile_plan({"september": a.Did(event="Viewed", window=window)}, 1)
    state = decide(State(), fact(ms("2026-08-31T23:59:59.999+00:00")), NOW, plan).state
    assert not state.series and not state.members
    inside = decide(state, fact(ms("2026-09-01T00:00:00+00:00")), NOW + 1, plan)
    assert inside.state.members and inside.due_at is None
    outside = decide(inside.state, fact(ms("2026-10-01T00:00:00+00:00")), ms("2026-10-01T00:00:00+00:00"), plan)
    assert not outside.changed


def test_this_month_ends_at_his_own_midnight() -> None:
    plan = compile_plan(
        {
            "this": a.Did(event="Viewed", window=a.Calendar(unit="month", zone="Europe/London")),
            "last": a.Did(event="Viewed", window=a.Calendar(unit="month", back=1, zone="Europe/London")),
        },
        1,
    )
    state = decide(State(), fact(ms("2026-10-25T12:00:00+00:00")), ms("2026-10-25T12:00:00+00:00"), plan).state
    told = [(c.segment, c.entered, c.at) for c in fire(state, NOW + 400 * DAY, plan).changes]
    november, december = ms("2026-11-01T00:00:00+00:00"), ms("2026-12-01T00:00:00+00:00")
    assert sorted(told) == [("last", False, december), ("last", True, november), ("this", False, november)]
    moved = decide(state, fact(ms("2026-10-26T12:00:00+00:00"), "x", attributes={"time_zone": "Asia/Tokyo"}), NOW * 2, plan)
    assert moved.due_at == ms("2026-11-01T00:00:00+09:00")
    nobody = decide(State(), fact(NOW, "x", attributes={"time_zone": "Asia/Tokyo"}), NOW, plan)
    assert nobody.due_at is None, "who never did it is not woken at every midnight"


def test_normal_forms_of_windows_and_lines() -> None:
    tests = [a.Filter(path=path, op="eq", value=1) for path in "ab"]

    def lines(*where: a.Filter) -> a.Lines:
        return a.Lines(path="products", where=where)

    one = a.Did(event="x", lines=lines(*tests), window=a.Between(since="2026-01-01"))
    other = a.Did(event="x", lines=lines(*reversed(tests)), window=a.Between(since=1_767_225_600_000))
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(a.Did(event="x", lines=lines(*tests), window=a.Between(until="2026-01-01")))
    assert needs(one)[0].id == needs(other)[0].id != accumulator_id("x", (), "")
    ask = {"event": "x", "op": "ge", "value": 1}
    ids = {
        need.id
        for leaf in (
            a.Total(sum="n", **ask), a.Average(of="n", **ask), a.Distinct(of="n", **ask), a.Did(**ask),
            a.Distinct(of="n", window=a.Around(name="d", after=0), **ask), a.Total(sum="n", lines=lines(), **ask),
            a.Total(sum="n", window=a.Between(since=1), **ask), a.Total(sum="n", lines=lines(tests[0]), **ask),
        )
        for need in needs(leaf)
    }  # fmt: skip
    assert len(ids) == 9


def test_leaves_share_what_they_can() -> None:
    view = a.Happening(event="Viewed")
    plan = compile_plan(
        {
            "a": a.Did(event="Viewed", window=a.Calendar(unit="day", back=1)),
            "b": a.Sequence(first=view, then=view, within=5, last=DAY),
            "c": a.Since(event="Viewed", without=a.Happening(event="Paid"), within=30 * DAY),
            "d": a.Did(event="Paid"),
        },
        1,
    )
    assert [len(plan.by_event[event]) for event in ("Viewed", "Paid")] == [1, 1]
    assert plan.by_event["Viewed"][0].window == 30 * DAY
    longer = compile_plan({"a": a.Did(event="Viewed", window=a.Around(name="d", after=0))}, 2)
    assert begun(depths(plan), NOTHING_TO_FILL, longer).scope == set(longer.accumulators)


def test_a_new_plan_keeps_of_values_what_it_asks_for() -> None:
    def plan(revision: int, within: int) -> Any:
        return compile_plan({"n": a.Distinct(event="Viewed", of="sku", value=1, within=within)}, revision)

    state = State()
    for number, sku in enumerate("abca"):
        state = decide(state, fact(NOW + number, properties={"sku": sku}), NOW + number, plan(1, DAY)).state
    shorter = upgrade(state, NOW + 4, plan(2, 3)).state
    series = next(iter(shorter.series.values()))
    assert [(at - NOW, value) for at, value in zip(series.times, series.amounts, strict=True)] == [
        (2, number_of("c")),
        (3, number_of("a")),
    ]


@pytest.mark.parametrize(
    ("leaf", "asks"),
    [
        (a.Total(event="x", sum="price", op="ge", value=1, lines=a.Lines(path="products")), False),
        (a.Total(event="x", sum="phone", op="ge", value=1, lines=a.Lines(path="products")), True),
        (a.Did(event="x", lines=a.Lines(path="products", where=(a.Filter(path="name", op="exists"),))), True),
        (a.Distinct(event="x", of="city", value=1, where=(a.Filter(path="form.email", op="missing"),)), True),
    ],
)
def test_what_the_lake_does_not_have_is_known_in_lines_too(leaf: Any, asks: bool) -> None:
    assert [personal(need) for need in needs(leaf)] == [asks]
