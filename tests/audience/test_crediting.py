"""Credit shared out among touches: exact, and as a reader would do it by hand."""

import tracemalloc
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.audience.domain import crediting
from services.audience.domain.lasting import NONE, first, last_click
from services.audience.domain.leads import Application, Summary, judged
from services.audience.domain.markov import shares_of, transitions
from services.audience.domain.ways import LONGEST, Conversions, Line, Touches, Ways, news_of, placed, unled
from services.audience.domain.ways import ways as ways_of

Touch = tuple[int, int, int, int]  # person, moment, channel, campaign
Bought = tuple[int, int, int]  # person, moment, amount
CHANNELS, CAMPAIGNS = 3, 2
WINDOWS = (4, 2, 7)

touches_of = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 15), st.integers(0, 2), st.integers(0, 1)), max_size=25)
bought_of = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 15), st.integers(-200, 200)), max_size=8)


def arrays(touches: Sequence[Touch]) -> Touches:
    rows = np.array(sorted(touches), dtype=np.int64).reshape(-1, 4)
    own = rows[:, 2] == 0
    return Touches(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 2], rows[:, 2] * CAMPAIGNS + rows[:, 3], own, ~own)


def conversions(bought: Sequence[Bought]) -> Conversions:
    rows = np.array(sorted(bought), dtype=np.int64).reshape(-1, 3)
    return Conversions(rows[:, 0], rows[:, 1], rows[:, 2])


def before(touches: Sequence[Touch], person: int, at: int, window: int) -> list[Touch]:
    return sorted(one for one in touches if one[0] == person and at - window < one[1] <= at)


def collapsed(way: Sequence[Touch]) -> list[int]:
    """Channels of a way, repeated touches of one campaign as one."""
    return [one[2] for place, one in enumerate(way) if place == 0 or one[2:] != way[place - 1][2:]]


def led(touches: Touches, bought: Conversions, window: int, longest: int = LONGEST) -> tuple[Ways, np.ndarray, np.ndarray]:
    line = Line(touches.n, touches.moment)
    low, high = line.until(bought.n, bought.moment - window), line.until(bought.n, bought.moment)
    return ways_of(low, high, news_of(touches), longest), low, high


def some(bought: Conversions, part: slice) -> Conversions:
    return Conversions(bought.n[part], bought.moment[part], bought.amount[part])


def weights(model: str, k: int) -> list[Fraction]:
    if model == "linear" or k <= 2:
        return [Fraction(1, k)] * k
    return [Fraction(2, 5), *[Fraction(1, 5 * (k - 2))] * (k - 2), Fraction(2, 5)]


def by_hand(amount: int, shares: Sequence[Fraction]) -> list[int]:
    exact = [share * amount for share in shares]
    parts = [one.numerator // one.denominator for one in exact]
    for place in sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))[: amount - sum(parts)]:
        parts[place] += 1
    return parts


@given(touches_of, bought_of, st.integers(1, 12), st.integers(1, 30))
@example([(0, n, n % 3, 0) for n in range(7)], [(0, 9, 101)], 12, 30)
def test_shares_of_a_way_are_exact(touches: list[Touch], bought: list[Bought], window: int, at_once: int) -> None:
    found, given_ = arrays(touches), conversions(bought)
    parts = list(led(found, given_, window)[0].parts(at_once))
    for model, share in (("linear", crediting.linear), ("position", crediting.position)):
        credit = crediting.added(
            (share(way, found.label[way.touch], some(given_, part), CHANNELS) for part, way in parts), CHANNELS
        )
        counted, money, left, left_money = [Fraction(0)] * CHANNELS, [0] * CHANNELS, 0, 0
        for person, at, amount in sorted(bought):
            way = collapsed(before(touches, person, at, window))
            if not way:
                left, left_money = left + 1, left_money + amount
                continue
            shares = weights(model, len(way))
            for channel, part, minor in zip(way, shares, by_hand(amount, shares), strict=True):
                counted[channel] += part
                money[channel] += minor
        assert (list(credit.conversions), list(credit.revenue)) == (counted, money)
        assert (credit.left, credit.left_revenue) == (left, left_money)
        assert sum(credit.conversions) + credit.left == len(bought)
        assert sum(credit.revenue) + credit.left_revenue == sum(one[2] for one in bought)


@given(touches_of, bought_of, st.integers(1, 12), st.integers(1, 30), st.integers(1, 4))
def test_ways_are_written_out_some_at_a_time_and_of_a_long_one_the_last_touches(
    touches: list[Touch], bought: list[Bought], window: int, at_once: int, longest: int
) -> None:
    found, given_ = arrays(touches), conversions(bought)
    held = led(found, given_, window, longest)[0]
    written: list[list[int]] = []
    for part, way in held.parts(at_once):
        assert len(way.touch) <= at_once or part.stop - part.start == 1
        assert way.touch[way.place == 0].tolist() == held.first[part][held.length[part] > 0].tolist()
        written += [found.label[way.touch[way.path == path]].tolist() for path in range(part.stop - part.start)]
    whole = [collapsed(before(touches, person, at, window)) for person, at, _ in sorted(bought)]
    assert written == [way[-longest:] for way in whole]
    assert held.cut == sum(len(way) > longest for way in whole)


people_of = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=20)


@given(people_of, people_of, st.sampled_from((1, 2**20, 2**33)), st.sampled_from((1, 2**31)))
@example([(0, 9), (2, 0), (4, 3), (4, 9)], [(0, 0), (1, 5), (2, 1), (3, 9), (4, 2), (4, 4)], 2**33, 2**31)
@example([(0, 9)], [(0, 9), (4, 0)], 2**33, 2**31)
def test_a_line_holds_however_many_people_over_however_long(
    rows: list[tuple[int, int]], asked: list[tuple[int, int]], apart: int, long: int
) -> None:
    """The number of a person in a base of millions, and one fact of 1970 beside one of today."""
    held, wanted = (np.array(sorted(some), dtype=np.int64).reshape(-1, 2) * [apart, long] for some in (rows, asked))
    found = Line(held[:, 0], held[:, 1]).until(wanted[:, 0], wanted[:, 1])
    assert found.tolist() == [sum((n, at) <= one for n, at in map(tuple, held.tolist())) for one in map(tuple, wanted.tolist())]


def test_a_million_clicks_by_orders_of_one_person_take_no_gigabytes() -> None:
    count = 1_500
    found = arrays([(0, n, n % 2, 0) for n in range(count)])
    bought = conversions([(0, count + n, 1) for n in range(count)])
    tracemalloc.start()
    held, _, _ = led(found, bought, 2 * count, count)
    most = max(len(way.touch) for _, way in held.parts(10_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (most <= 10_000, peak < 10_000_000, int(held.length.sum())) == (True, True, count * count)


@given(touches_of, bought_of, st.integers(1, 12))
def test_single_touches_are_those_that_a_reader_would_name(touches: list[Touch], bought: list[Bought], window: int) -> None:
    found, given_ = arrays(touches), conversions(bought)
    earliest = first(found, given_, window)
    latest = last_click(found, given_, ["0", "1", "2"], lambda name: WINDOWS[int(name)])
    for row, (person, at, _) in enumerate(sorted(bought)):
        way = before(touches, person, at, window)
        assert bool(earliest[row] == NONE) is (not way)
        if way:
            assert (int(found.moment[earliest[row]]), int(found.channel[earliest[row]])) == way[0][1:3]
        reaching = [one for one in before(touches, person, at, 100) if at - one[1] < WINDOWS[one[2]]]
        assert bool(latest[row] == NONE) is (not reaching)
        if reaching:
            assert (int(found.moment[latest[row]]), int(found.channel[latest[row]])) == reaching[-1][1:3]


@given(touches_of, bought_of, st.integers(1, 12))
def test_ways_that_led_nowhere(touches: list[Touch], bought: list[Bought], window: int) -> None:
    found, given_ = arrays(touches), conversions(bought)
    _, low, high = led(found, given_, window)
    lost = unled(found, given_, low, high, np.ones(len(found.n), dtype=np.bool_))
    expected: dict[tuple[int, int], list[Touch]] = {}
    for one in sorted(touches):
        if not any(person == one[0] and one[1] <= at < one[1] + window for person, at, _ in bought):
            done = sum(person == one[0] and at <= one[1] for person, at, _ in bought)
            expected.setdefault((one[0], done), []).append(one)
    ways = [[int(found.label[touch]) for touch in lost.touch[lost.path == path]] for path in range(len(set(lost.path.tolist())))]
    assert ways == [collapsed(way) for _, way in sorted(expected.items())]


def chain(converting: Sequence[Sequence[int]], others: Sequence[Sequence[int]], labels: int) -> list[float]:
    told = []
    for ways in (converting, others):
        path = np.repeat(np.arange(len(ways)), [len(way) for way in ways])
        flat = np.array([one for way in ways for one in way], dtype=np.int64)
        rows = placed(path, flat, len(ways))
        told.append((rows.path, flat, rows.place, rows.length))
    return shares_of(transitions(told, labels))


def test_the_removal_effect_of_a_chain_worked_out_by_hand() -> None:
    """Three ways: 0-1-2 converted, 0 lost, 1-2 lost. Start: 2/3 to 0, 1/3 to 1. From 0: 1/2 to 1, 1/2 lost. From 1: all to 2. From 2: 1/2
    converted. P = 2/3 * 1/2 * 1/2 + 1/3 * 1/2 = 1/3. Without 0: 1/6; without 1 or 2: 0.
    """
    assert chain([[0, 1, 2]], [[0], [1, 2]], 3) == pytest.approx([0.5, 1.0, 1.0])


def test_a_label_that_nobody_met_and_ways_without_an_end() -> None:
    assert chain([[0]], [], 2) == pytest.approx([1.0, 0.0])
    assert chain([], [[0, 1]], 2) == [0.0, 0.0], "nobody converted"
    assert chain([], [], 0) == []


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), max_size=8),
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), max_size=8),
)
def test_the_chain_by_following_it_for_long(converting: list[list[int]], others: list[list[int]]) -> None:
    """Instead of solving: the chance flows along until nothing is left of it."""

    def reached(gone: int | None) -> float:
        moves: dict[int, list[int]] = {}
        for ways, end in ((converting, 8), (others, 9)):
            for way in ways:
                for one, then in zip([7, *way], [*way, end], strict=True):
                    moves.setdefault(one, []).append(then)
        there, done = {7: 1.0}, 0.0
        for _ in range(400):
            on: dict[int, float] = {}
            for state, chance in there.items():
                for then in moves.get(state, ()):
                    part = chance / len(moves[state])
                    if then == 8:
                        done += part
                    elif then not in (9, gone):
                        on[then] = on.get(then, 0.0) + part
            there = on
        return done

    whole = reached(None)
    expected = [1 - reached(one) / whole if whole else 0.0 for one in range(3)]
    assert chain(converting, others, 3) == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.fractions(min_value=0, max_value=5, max_denominator=97), min_size=1, max_size=9), st.integers(-500, 5000))
def test_parts_of_a_whole_number_add_up(parts: list[Fraction], total: int) -> None:
    found = crediting.apportioned(parts, total)
    assert sum(found) == (total if sum(parts) else 0)
    every = sum(parts)
    assert all(abs(one - part * total / every) < 1 for one, part in zip(found, parts, strict=True) if every)


DAY = 86_400_000
ADS, LETTER = 0, 1


def asked(person: int, day: int, last: int | None = None, origin: int | None = None, **more: object) -> Application:
    given = {"product": 0, "at": day * DAY, "own": last == LETTER, "campaign": 0, "paid_at": None, "counted": True, **more}
    return Application(person=person, origin=origin, last=last, **given)  # type: ignore[arg-type]


def told(*applications: Application, **closed: list[int]) -> dict[str, object]:
    summary = Summary(["paid", "email"], ["email: welcome"])
    for one in judged(applications, {int(name[1:]): sales for name, sales in closed.items()}, 30 * DAY):
        summary.add(one)
    return summary.told()


def test_a_lead_that_ads_bought_stays_theirs_when_the_welcome_letter_is_clicked() -> None:
    found = told(asked(1, 0, ADS, ADS), asked(1, 2, LETTER, ADS))
    assert (found["applications"], found["leads"], found["repeats"], found["repeat_share"]) == (2, 1, 1, 1.0)
    assert found["by"] == [
        {"label": "email", "last_click": 1, "origin": 0, "moved": -1, "assists": 1},
        {"label": "paid", "last_click": 1, "origin": 1, "moved": 0, "assists": 0},
    ]
    assert found["cannibalised"] == {"count": 1, "of": 1, "share": 1.0, "after_lead": 1, "after_paid_visit": 0}
    assert [one["code"] for one in found["alarms"]] == ["repeats"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("day", "product", "closed", "leads"), [(29, 0, [], 1), (30, 0, [], 2), (29, 1, [], 2), (29, 0, [3 * DAY], 2)]
)
def test_what_makes_a_second_application_a_new_lead(day: int, product: int, closed: list[int], leads: int) -> None:
    found = told(asked(1, 0, LETTER), asked(1, day, LETTER, product=product), p1=closed)
    assert found["leads"] == leads


def test_the_age_of_a_lead_counts_from_its_own_day_and_not_from_a_repeat() -> None:
    assert told(asked(1, 0, LETTER), asked(1, 20, LETTER), asked(1, 40, LETTER))["leads"] == 2


def test_who_came_by_a_paid_visit_and_was_credited_to_a_letter_is_cannibalised() -> None:
    found = told(asked(1, 40, LETTER, ADS, paid_at=11 * DAY), asked(2, 40, LETTER, paid_at=10 * DAY), asked(3, 40, LETTER))
    assert found["cannibalised"] == {"count": 1, "of": 3, "share": 1 / 3, "after_lead": 0, "after_paid_visit": 1}


def test_a_campaign_that_clears_up_behind_foreign_leads_raises_an_alarm() -> None:
    ways = [
        one
        for person in range(20)
        for one in (asked(person, 0, ADS, ADS), asked(person, 0, LETTER, ADS)._replace(at=60_000 * (10 if person < 11 else 90)))
    ]
    alarms = told(*ways)["alarms"]
    assert {one["code"]: one.get("campaign") for one in alarms} == {"repeats": None, "behind_foreign_leads": "email: welcome"}  # type: ignore[attr-defined]
    assert "behind_foreign_leads" not in {one["code"] for one in told(*ways[4:])["alarms"]}, (
        "nine of eighteen are not more than half"
    )  # type: ignore[attr-defined]
