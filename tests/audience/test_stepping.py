"""Funnels, periods, and groups beside each other: as one would count them by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.zones import zone
from services.audience.domain.comparing import compared, kept, standardised, stratified
from services.audience.domain.grouping import distinct, largest, named, people
from services.audience.domain.periods import TooMany, day_place, days_of, periods, place_of
from services.audience.domain.sources import Said, Source, source_of
from services.audience.domain.stepping import NEVER, entered, quartiles, reading, walked
from services.audience.domain.summing import by_place, total

DAY = 86_400_000
facts = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), max_size=14)


def sides(found: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def furthest(person: int, start: int, steps: list[list[tuple[int, int]]], window: int) -> int:
    """How many steps somebody can take, whichever of his facts are taken."""
    best, at = 0, {start}
    for step in steps:
        at = {
            moment for who, moment in step if who == person and moment <= start + window and any(moment > before for before in at)
        }
        if not at:
            break
        best += 1
    return best


@given(facts, st.lists(facts, min_size=1, max_size=3), st.integers(1, 8), st.integers(0, 6))
def test_everybody_comes_as_far_as_his_facts_allow(entering, steps, window, since):
    n, moment = sides(entering)
    rows = entered(n, moment, since, 10)
    expected = {
        who: min(at for other, at in entering if other == who and since <= at < 10) for who, at in entering if since <= at < 10
    }
    assert dict(zip(n[rows].tolist(), moment[rows].tolist(), strict=True)) == expected, "once, and by the first time"
    taken = walked(n[rows], moment[rows], [sides(step) for step in steps], window)
    for place, (person, start) in enumerate(sorted(expected.items())):
        times = [int(one[place]) for one in taken if one[place] != NEVER]
        assert len(times) == furthest(person, start, steps, window)
        assert all(one < then <= start + window for one, then in zip([start, *times], times, strict=False))


def test_quartiles_and_readings():
    assert quartiles(np.array([1, 2, 3, 4, 5])) == {"q1": 2, "median": 3, "q3": 4}
    assert quartiles(np.array([], dtype=np.int64)) is None
    assert reading(120 / 500_000, 100 / 100_000) == {"change": -0.76, "reading": "fall"}
    assert (reading(None, 0.1), reading(0.1, None), reading(0.1, 0.0)) == (None, None, None)


def test_periods_are_those_of_the_zone():
    moscow = zone("Europe/Moscow")
    since, until = moscow.midnight(20_000), moscow.midnight(20_040)
    found = periods("Europe/Moscow", "month", since, until)
    assert [one.name for one in found] == ["2024-10-01", "2024-11-01"]
    assert place_of(found, np.array([found[0].since - 1, found[0].since, found[1].since - 1, found[1].since])).tolist() == [
        -1,
        0,
        0,
        1,
    ]
    assert [day_place(found, day) for day in ("2024-09-30", "2024-10-31", "2024-11-01")] == [-1, 0, 1]
    assert days_of("Europe/Moscow", since, until) == ("2024-10-04", "2024-11-12")
    with pytest.raises(TooMany):
        periods("UTC", "day", 0, 6_000 * DAY)


def test_a_check_of_more_than_ten_times_the_mean_is_left_out_and_counted():
    values = np.array([100] * 99 + [100_000])
    assert kept(values, 10, below=False).tolist() == [True] * 99 + [False]
    at_the_edge = np.array([1] * 10 + [100])
    assert kept(at_the_edge, 10, below=False).all(), "ten times the mean is not more than that"
    assert kept(at_the_edge + np.array([0] * 10 + [1]), 10, below=False).tolist() == [True] * 10 + [False]
    assert kept(np.array([100] * 9 + [1]), 10, below=True).tolist() == [True] * 9 + [False]
    assert kept(np.array([0, 100]), 10, below=True).all(), "who bought nothing is no outlier"


@pytest.mark.parametrize("buyers", [5, 50])
def test_where_few_buy_the_buyers_stay(buyers):
    """Five of a hundred, and fifty of a thousand: with everybody in the mean each check would be twenty times as much."""
    values = np.array([0] * 19 * buyers + [100] * buyers)
    assert kept(values, 10, below=True).all()
    found = compared(values, np.array([0] * 10 * buyers + [1] * 10 * buyers), 2, 10, below=False)
    assert (found["dropped"], found["without_outliers"]) == (0, found["all"]) and found["all"][1]["sum"] == 100 * buyers
    one_is_far = np.append(values, 100_000)
    assert kept(one_is_far, 10, below=False).all() == (buyers < 10), "of ten buyers or fewer none is more than ten times their mean"


@given(st.lists(st.integers(-50, 50), max_size=40), st.integers(0, 400), st.booleans())
def test_who_has_nothing_changes_nothing_of_who_stays(values, nothing, below):
    alone, beside = (kept(np.array([*values, *[0] * more], dtype=np.int64), 2, below=below) for more in (0, nothing))
    assert beside.tolist() == [*alone.tolist(), *[True] * nothing]


def test_what_was_paid_back_leaves_nobody_out_and_is_nothing_to_compare_with():
    values, group = np.array([-500, 100, 300, 0]), np.array([0, 0, 1, 1])
    assert kept(values, 10, below=True).all(), "the mean is below 0"
    assert [one["against_first"] for one in compared(values, group, 2, 10, below=False)["all"]] == [None, None]
    (first, *_) = stratified(values, np.zeros(4, dtype=np.int64), group)
    assert (first["means"], first["against_first"], standardised([first])) == ([-200.0, 150.0], None, None)


def test_a_check_near_the_end_of_64_bits_is_an_outlier_too():
    values = np.array([9 * 10**15] + [1] * 1_099)
    assert kept(values, 10, below=False).tolist() == [False] + [True] * 1_099
    many = np.array([2**53 - 1] * 1_100 + [1])
    assert kept(many, 1000, below=True).tolist() == [True] * 1_100 + [False]
    assert compared(many, np.zeros(1_101, dtype=np.int64), 1, 1000, below=False)["all"][0]["sum"] == 1_100 * (2**53 - 1) + 1


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-(2**53), 2**53)), max_size=9), st.sampled_from((1, 600)))
def test_sums_are_whole_however_large(given_, times):
    place, amounts = (np.array([one[side] for one in given_] * times, dtype=np.int64) for side in (0, 1))
    sums = [sum(int(one) for one in amounts[place == here]) for here in range(3)]
    assert (total(amounts), by_place(amounts, place, 3).tolist()) == (sum(sums), sums)


def test_the_largest_groups_stand_alone_and_all_others_are_one():
    groups = np.array([0, 1, 1, 2, 2, 2, 3])
    of, names = largest(groups, ["a", "b", "c", "d", "nobody"], 2)
    assert (of.tolist(), names, named(names)) == (
        [2, 1, 1, 0, 0, 0, 2],
        ["c", "b", "(others)"],
        [(1, "b"), (0, "c"), (2, "(others)")],
    )
    assert people(of, np.array([5, 6, 6, 7, 8, 7, 5]), 3).tolist() == [2, 1, 1]
    assert largest(groups[:0], ["a"], 2)[1] == []
    assert (distinct(np.array([3, 1, 3, 2, 1])).tolist(), distinct(groups[:0]).tolist()) == ([1, 2, 3], [])


def test_groups_with_and_without_outliers():
    values, group = np.array([100, 200, 300, 100_000] + [200] * 36), np.array([0, 0, 1, 1] + [0] * 36)
    found = compared(values, group, 2, 10, below=False)
    assert (found["dropped"], found["dropped_by_group"]) == (1, [0, 1])
    assert [one["people"] for one in found["all"]] == [38, 2] and found["all"][1]["mean"] == 50_150.0
    assert found["without_outliers"][1] == {
        "people": 1,
        "sum": 300,
        "mean": 300.0,
        "against_first": round(300 / (7500 / 38) - 1, 6),
    }


@given(st.lists(st.integers(0, 50), min_size=20, max_size=60))
def test_at_equal_activity_groups_that_differ_by_nothing_but_activity_are_alike(activity):
    """What somebody spends hangs on his activity alone, and openers are more active."""
    early = np.array(activity * 2)
    group = np.array([0] * len(activity) + [1] * len(activity))
    strata = stratified(early * 10, early, group)
    assert sum(sum(one["people"]) for one in strata) == len(early)
    assert standardised(strata) in (0.0, None)
    apart = stratified(early * 10 * (1 + group), early, group)
    assert standardised(apart) in (1.0, None), "and a real doubling shows"


@pytest.mark.parametrize(
    ("said", "channel", "own"),
    [
        (Said(True, "sms", "", "journey:welcome", ""), "sms", True),
        (Said(False, "cpc", "Yandex", "brand", ""), "paid", False),
        (Said(False, "email", "crm", "spring", "gclid"), "paid", False),
        (Said(False, "E-Mail", "partner.example", "spring", ""), "email", True),
        (Said(False, "", "Otklik", "", ""), "crm", True),
        (Said(False, "banner_cpc", "site", "", ""), "other", False),
        (Said(False, "", "", "spring", ""), "other", False),
        (Said(False, "organic", "google", "", ""), "organic", False),
    ],
)
def test_where_somebody_came_from(said, channel, own):
    found = source_of(said, {"crm", "otklik"})
    assert (found.channel, found.own) == (channel, own)


def test_what_is_credited_at_each_level():
    click, visit = Source("email", "", "journey:welcome", own=True), Source("paid", "yandex", "brand", own=False)
    levels = ("channel", "source", "campaign", "document")
    assert [click.label(level) for level in levels] == ["email", "email", "email: journey:welcome", "journey:welcome"]
    assert [visit.label(level) for level in levels] == ["paid", "yandex", "paid: brand", "paid"]
