"""Sentences: the interval first, points and parts told apart, and numbers as each language writes them."""

import pytest

from services.experiments.domain.words import Money, counted, length, number, percent, places_of
from tests.experiments.asked import FILLED, REVENUE, changed, evaluated, hillstrom, planned

NBSP = "\N{NO-BREAK SPACE}"


def said(asked, lang="en"):
    return getattr(evaluated(asked).text, lang).replace(NBSP, " ")


def test_the_interval_comes_first_and_points_are_not_parts():
    asked = changed(FILLED, metrics__0__of__b__x=93, metrics__0__of__control__x=68)
    assert said(asked) == (
        "Between 0.1 and 3.3 points more fill in the profile (b: 6.2 % of 1,507, control: 4.5 % of 1,507; relative: from +1.0 % to +85 %)."
    )
    assert said(asked, "ru") == (
        "Доля тех, кто заполнил профиль, больше на 0,1–3,3 процентного пункта (b: 6,2 % из 1 507, control: 4,5 % из 1 507; "
        "относительно: от +1,0 % до +85 %)."
    )


def test_what_is_not_shown_says_what_it_would_take():
    asked = changed(FILLED, metrics__0__of__b__x=80)
    assert said(asked).startswith("From 0.7 points fewer to 2.4 points more fill in the profile (")
    assert said(asked).endswith("No difference shown; to see 10 % you need 68,000 more people.")
    assert said(asked, "ru").startswith("Доля тех, кто заполнил профиль: разница от −0,7 до +2,4 процентного пункта (")
    assert said(asked, "ru").endswith("Разница не показана; чтобы увидеть 10 %, нужно ещё 68 000 человек.")
    enough = said(changed(FILLED, metrics__0__of__b__x=80, plan__effect=0.9))
    assert enough.endswith("No difference shown; a difference of 90 % is seen by such a test with a chance of 80 %.")


def test_what_it_would_take_is_held_against_whom_the_metric_counts():
    few = {"control": {"x": 200, "n": 2000}, "b": {"x": 205, "n": 2000}}
    asked = changed(FILLED, arms__0__assigned=20_000, arms__1__assigned=20_000, metrics__0__of=few)
    assert said(asked).endswith("No difference shown; to see 10 % you need 26,000 more people.")


def test_less_is_less_in_both():
    asked = changed(FILLED, metrics__0__of__b__x=40)
    assert said(asked).startswith("Between 0.5 and 3.2 points fewer fill in the profile (")
    assert said(asked, "ru").startswith("Доля тех, кто заполнил профиль, меньше на 0,5–3,2 процентного пункта (")


def test_a_blocked_verdict_says_why_and_nothing_of_the_difference():
    asked = changed(FILLED, arms__1__assigned=1807, metrics__0__of__b__x=300)
    assert said(asked) == (
        "No verdict: people did not fall into the arms as configured: 1,507 / 1,807 in place of 1,657 / 1,657 (p < 0.0001). Find out why first."
    )
    assert said(asked, "ru").startswith("Вывода нет: люди распределились не так, как настроено: 1 507 / 1 807 вместо 1 657 / 1 657")
    assert evaluated(asked).metrics[0].comparisons[0].text == evaluated(asked).text
    merged = changed(FILLED, arms__0__merged=20, arms__1__merged=90)
    assert (
        said(merged)
        == "No verdict: profiles merge at different rates in the arms: 1.33 % / 5.97 % (p < 0.0001). Find out why first."
    )


def test_a_test_that_is_read_once_shows_no_interval_before():
    asked = changed(FILLED, plan__people=6154)
    assert said(asked) == (
        "filled: too early, it takes 6,154 people and there are 3,014: this test is read once (b: 6.1 % of 1,507, control: 4.4 % of 1,507)."
    )
    assert "смотреть рано, нужно 6 154 человека, а сейчас 3 014" in said(asked, "ru")


def test_looks_say_how_far_the_plan_is():
    asked = changed(FILLED, plan={"people": 6154})
    assert said(asked).endswith("No difference shown so far: 49 % of the plan.")
    assert said(asked, "ru").endswith("Разница пока не показана: пройдено 49 % плана.")
    assert said(changed(FILLED, plan={"rule": "always_valid"})).endswith("No difference shown so far.")


def test_a_control_without_any_has_no_lift():
    asked = changed(FILLED, metrics__0__of__control__x=0, metrics__0__of__b__x=3)
    assert said(asked).endswith("relative: cannot be said, the control has nothing). Too few for a verdict.")
    assert "относительно: нельзя сказать, в контроле ничего" in said(asked, "ru")


def lifts_of(control, arm):
    """What is said of two sums of 3,000 people that may be below 0."""
    of = {"control": {"sum": control, "squares": 900_000}, "b": {"sum": arm, "squares": 900_000}}
    arms = [{"name": name, "share": 1, "assigned": 3000} for name in of]
    asked = {"arms": arms, "metrics": [{"key": "margin", "kind": "mean", "of": of}], "plan": {"rule": "fixed"}}
    return said(asked), said(asked, "ru")


@pytest.mark.parametrize(("control", "arm"), [(-500, 300), (500, -300), (-500, -300), (500, 0)])
def test_sums_below_nothing_have_no_lift_and_the_control_has_something(control, arm):
    english, russian = lifts_of(control, arm)
    assert "relative: cannot be said, not both are above 0)" in english and "the control has nothing" not in english
    assert "относительно: нельзя сказать, не обе величины больше нуля)" in russian


def test_sums_that_come_to_nothing_are_a_control_that_has_nothing():
    english, russian = lifts_of(0, 300)
    assert "relative: cannot be said, the control has nothing)" in english and "в контроле ничего)" in russian


def test_what_is_not_enough_among_all_secondary_measures_says_so():
    """Two arms: the measure has one comparison, but is adjusted with those of three others."""
    asked = changed(FILLED, metrics__0__of__b__x=93)
    clicks = {"kind": "proportion", "of": {"control": {"x": 200}, "b": {"x": 241}}}
    others = [{"key": f"m{n}", "kind": "proportion", "of": {"control": {"x": 100 + n}, "b": {"x": 101 + n}}} for n in range(3)]
    asked["metrics"] += [{"key": "clicks", **clicks}, *others]
    _, clicked, other, *_ = (metric.comparisons[0] for metric in evaluated(asked).metrics)
    assert clicked.reading.p < 0.05 < clicked.p_adjusted and clicked.reading.interval.low > 0
    assert clicked.verdict == other.verdict == "not_shown"
    assert clicked.text.en.endswith("Among several comparisons this one alone is not enough.")
    assert clicked.text.ru.endswith("Среди нескольких сравнений этого недостаточно.")
    assert "not enough" not in other.text.en
    alone = evaluated(changed(FILLED, metrics__0__of__b__x=93, plan__people=3014)).metrics[0].comparisons[0]
    assert "not enough" not in alone.text.en


def test_money_is_told_in_its_unit_and_outliers_with_the_result_without_them():
    raw = {"sum": 1_200_000, "squares": 19_000_000_000, "currency": "RUB"}
    asked = changed(
        FILLED,
        metrics=[REVENUE],
        metrics__0__outliers={"rule": "ten_times", "cap": 100_000, "changed": 21},
        metrics__0__of__control__without_rule=raw,
        metrics__0__of__b__without_rule=raw,
    )
    text = said(asked)
    assert text.startswith(
        "Revenue per person: from 1.05 RUB less to 2.38 RUB more (b: 7.30 RUB, control: 6.64 RUB; relative, approximately: from"
    )
    assert text.endswith("Outliers: 21 values above 1,000.00 RUB left out; without this rule from 2.47 RUB less to 2.47 RUB more.")
    assert "больше 1 000,00 RUB и поэтому не учтено: 21 значение; без этого правила разница от −2,47 до +2,47 RUB" in said(
        asked, "ru"
    )
    cut = changed(asked, metrics__0__outliers={"rule": "winsorized", "cap": 100_000, "changed": 1})
    assert "Outliers: 1 value cut to 1,000.00 RUB;" in said(cut)
    assert "Выбросы: до 1 000,00 RUB урезано: 1 значение;" in said(cut, "ru")


def test_the_letters_in_words():
    assert said(hillstrom()).startswith("visit: between 7.0 and 8.3 points more (mens: 18.3 % of 21,307, none: 10.6 % of 21,306;")
    assert "conversion: больше на 0,50–0,86 процентного пункта (mens: 1,25 % из 21 307, none: 0,57 % из 21 306;" in (
        evaluated(hillstrom()).metrics[1].comparisons[0].text.ru.replace(NBSP, " ")
    )


@pytest.mark.parametrize(
    ("count", "word"),
    [(1, "1 человек"), (2, "2 человека"), (5, "5 человек"), (11, "11 человек"), (12, "12 человек"), (21, "21 человек"), (22, "22 человека"),
     (25, "25 человек"), (100, "100 человек"), (101, "101 человек"), (111, "111 человек"), (114, "114 человек"), (40_000, "40 000 человек")],
)  # fmt: skip
def test_russian_counts_people(count, word):
    assert counted("ru", count, "person").replace(NBSP, " ") == word


@pytest.mark.parametrize(
    ("days", "english", "russian"),
    [
        (1, "1 day", "1 день"),
        (3, "3 days", "3 дня"),
        (20, "20 days", "20 дней"),
        (11, "11 days", "11 дней"),
        (22, "4 weeks", "4 недели"),
        (56, "8 weeks", "8 недель"),
        (366, "1 year", "1 год"),
        (1169, "3.2 years", "3,2 года"),
        (2192, "6 years", "6 лет"),
        (4383, "12 years", "12 лет"),
        (12515, "34 years", "34 года"),
    ],
)
def test_long_is_told_in_years(days, english, russian):
    assert length("en", days).replace(NBSP, " ") == english
    assert length("ru", days).replace(NBSP, " ") == russian


def test_numbers():
    assert number("en", -1234.5, 1) == "−1,234.5" and number("ru", -1234.5, 1) == f"−1{NBSP}234,5"
    assert number("en", -0.00001, 1) == "0.0"
    assert percent("ru", 0.061) == f"6,1{NBSP}%"
    assert Money("JPY").say("en", 1250) == f"1,250{NBSP}JPY" and Money("RUB").say("ru", 1250) == f"12,50{NBSP}RUB"
    assert [places_of(value) for value in (0, 123, 1.5, 0.012, 1e-12)] == [0, 0, 1, 3, 6]


def test_a_plan_says_years_and_refuses():
    found = planned(base=0.05, effect={"relative": 0.05}, per_day=20)
    assert found.refused and found.needed.too_long and found.needed.people == 244_248
    assert "At 20 people a day that is 33 years. More than eight weeks: do not start it." in found.text.en.replace(NBSP, " ")
    assert "Если в день приходит 20 человек, это 33 года. Больше восьми недель" in found.text.ru.replace(NBSP, " ")
    soon = planned(base=0.05, effect={"relative": 0.5}, per_day=200)
    assert not soon.refused and soon.needed.days == 15 and "do not start" not in soon.text.en


def test_a_plan_tells_points_and_parts_apart():
    found = planned(base=0.045, effect={"points": 0.016})
    assert found.needed.arms == (3077, 3077)
    assert found.text.en.replace(NBSP, " ") == (
        "To see a difference of 1.6 points (relative: 36 %; from 4.5 % to 6.1 %) with a chance of 80 % it takes 6,154 people (3,077 + 3,077)."
    )
    assert found.text.ru.replace(NBSP, " ") == (
        "Чтобы с вероятностью 80 % увидеть разницу в 1,6 процентного пункта (относительно: 36 %; с 4,5 % до 6,1 %), "
        "нужно 6 154 человека (3 077 + 3 077)."
    )


def test_what_can_be_seen_with_what_there_is():
    found = planned(base=0.05, people=20)
    assert found.seen.points > 0.5 and "With 20 people the smallest" in found.text.en.replace(NBSP, " ")
    nothing = planned(base=0.9, people=8)
    assert (
        nothing.seen.points is None
        and nothing.text.ru.replace(NBSP, " ") == "Столько людей (8 человек) не покажут никакой разницы."
    )


def test_several_arms_and_looks_take_more():
    one = planned(base=0.05, effect={"relative": 0.2})
    three = planned(base=0.05, effect={"relative": 0.2}, shares=[1, 1, 1])
    looked = planned(base=0.05, effect={"relative": 0.2}, looks=5)
    assert three.needed.arms[0] > one.needed.arms[0] and len(three.needed.arms) == 3
    assert 1.02 < looked.needed.inflation < 1.03 and looked.needed.people > one.needed.people
    held = planned(base=0.05, effect={"relative": 0.2}, shares=[10, 90])
    assert held.needed.arms[1] == pytest.approx(9 * held.needed.arms[0], rel=1e-3)
    assert held.needed.arms[0] < one.needed.arms[0] < held.needed.arms[1]


def test_the_table_of_control_groups():
    found = planned(base=0.05, global_base=389_000)
    assert [row.people for row in found.control_groups.rows] == [3890, 19450, 38900]
    assert not found.refused and found.text.en.startswith("The smallest relative uplift")
