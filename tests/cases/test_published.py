"""A2: published tests asked of the installation: counts with the printed rates and what they show, and the people that their confidence takes.

Rates, confidences and forecasts are as published (tests/experiments/table.py names whom by); sizes of arms were not: these are whole people with
the printed rates, p by scipy's chi2_contingency without a correction. `per_day` of plans is an example.
"""

from typing import Any, NamedTuple

import pytest

from tests.support.installation import Installation

Of = tuple[int, int]  # x of n people


class Told(NamedTuple):
    """What counts show. lift: percent, both ends of its interval, whole; says: a part of the sentence."""

    what: str
    control: Of
    arm: Of
    alpha: float
    verdict: str
    p: float
    lift: tuple[int, int]
    says: str


LEAST = "No difference shown; to see 10 % you need "
TOLD = (
    Told("profile, 6.1 against 4.5 % at 95 %", (68, 1520), (93, 1520), 0.05, "more", 0.0429, (1, 85), "between 0.1 and 3.3 points more"),
    Told("profile in the least whole people: not quite", (68, 1507), (92, 1507), 0.05, "not_shown", 0.0512, (0, 83), LEAST + "67,000"),
    Told("dynamic block, 1.5 against 1.2 % at 95 %", (136, 11369), (171, 11369), 0.05, "more", 0.0443, (1, 57), "between 0.01 and 0.61 points"),
    Told("AMP, 0.96 against 0.75 % at 95 %", (112, 14950), (144, 14950), 0.05, "more", 0.0446, (1, 64), "between 0.01 and 0.43 points"),
    Told("AMP in the least whole people: not quite", (111, 14769), (142, 14769), 0.05, "not_shown", 0.0503, (0, 64), LEAST + "410,000"),
    Told("chain of letters, +35.5 % at 99.2 %, of 5 %", (124, 2474), (168, 2474), 0.008, "more", 0.0079, (0, 84), "6.8 % of 2,474"),
    Told("its interval at 95 % holds the forecast of +11 %", (124, 2474), (168, 2474), 0.05, "more", 0.0079, (8, 70), "from +8.2 % to +70 %"),
    Told("of 1 %", (130, 12989), (176, 12989), 0.05, "more", 0.0082, (8, 70), "from +8.1 % to +70 %"),
    Told("of 2 %", (128, 6417), (174, 6417), 0.05, "more", 0.0074, (9, 70), "from +8.5 % to +70 %"),
    Told("of 3 %", (127, 4227), (172, 4227), 0.05, "more", 0.0081, (8, 70), "from +8.2 % to +70 %"),
    Told("of 10 %", (116, 1160), (157, 1160), 0.05, "more", 0.0082, (8, 70), "from +8.1 % to +70 %"),
    Told("first letter with a signature, 30.73 against 20.67 %", (37, 179), (55, 179), 0.10, "more", 0.0295, (10, 102), "30.7 % of 179"),
    Told("last letter, paid 14 % more: not at 90 %", (252, 5032), (287, 5032), 0.10, "not_shown", 0.1212, (-1, 31), LEAST + "40,000"),
    Told("the same of twice the people: it would have been", (504, 10064), (574, 10064), 0.10, "more", 0.0284, (3, 26), "points more"),
    Told("NPS on early figures, 1.9 points of 10 %", (208, 2076), (247, 2076), 0.05, "not_shown", 0.0527, (0, 41), "from 0.0 points less to 3.8 points more"),
    Told("NPS a few people later", (208, 2080), (248, 2080), 0.05, "more", 0.0471, (0, 42), "between 0.0 and 3.8 points more"),
    Told("NPS, 1.9 % of the same people: nothing", (208, 2076), (212, 2076), 0.05, "not_shown", 0.8369, (-15, 22), "relative: from −15 % to +22 %"),
    Told("NPS, 1.9 % of 10 % takes a hundred times as many", (20000, 200000), (20380, 200000), 0.05, "more", 0.0461, (0, 4), "relative: from 0.0 % to +3.8 %"),
)  # fmt: skip


@pytest.mark.case("A2")
@pytest.mark.parametrize("told", TOLD, ids=lambda one: one.what)
async def test_counts_of_a_published_test_say_what_they_carry(installation: Installation, told: Told):
    found = await asked(installation, "evaluate", _question(told))
    (comparison,) = found["metrics"][0]["comparisons"]
    reading = comparison["reading"]
    assert (found["verdict"], reading["p"]) == (told.verdict, pytest.approx(told.p, abs=5e-5))
    ends = tuple(round(reading["lift_interval"][end] * 100) for end in ("low", "high"))
    assert ends == told.lift
    assert told.says in found["text"]["en"].replace("\N{NO-BREAK SPACE}", " ")
    assert ("Разница не показана" in found["text"]["ru"]) is (told.verdict == "not_shown")
    for rate, of in zip(found["metrics"][0]["rates"], (told.control, told.arm), strict=True):
        assert (rate["x"], rate["n"]) == of and rate["interval"]["low"] < of[0] / of[1] < rate["interval"]["high"]


def _question(told: Told) -> dict[str, Any]:
    people = {"control": told.control, "letters": told.arm}
    return {
        "arms": [{"name": name, "share": 50, "assigned": n} for name, (_, n) in people.items()],
        "metrics": [{"key": "did", "kind": "proportion", "of": {name: {"x": x} for name, (x, _) in people.items()}}],
        "plan": {"rule": "fixed", "alpha": told.alpha},
    }


# base, effect in points (or a part of it), alpha, power (0.5: the rates are just at the bound), people of each arm
SIZES = (
    ("profile", 0.045, 0.016, 0.05, 0.5, 1507),
    ("profile, as far apart as rounding allows", 0.0445, 0.017, 0.05, 0.5, 1335),
    ("profile, as near", 0.0455, 0.015, 0.05, 0.5, 1714),
    ("profile, seen in four of five", 0.045, 0.016, 0.05, 0.8, 3077),
    ("block", 0.012, 0.003, 0.05, 0.5, 11369),
    ("block, as far apart as rounding allows", 0.0115, 0.004, 0.05, 0.5, 6395),
    ("block, as near", 0.0125, 0.002, 0.05, 0.5, 25580),
    ("block, seen in four of five", 0.012, 0.003, 0.05, 0.8, 23228),
    ("AMP", 0.0075, 0.0021, 0.05, 0.5, 14769),
    ("AMP, as far apart as rounding allows", 0.00745, 0.0022, 0.05, 0.5, 13457),
    ("AMP, as near", 0.00755, 0.002, 0.05, 0.5, 16282),
    ("AMP, seen in nine of ten", 0.0075, 0.0021, 0.05, 0.9, 40393),
    ("chain of 1 %", 0.01, 0.00355, 0.008, 0.5, 12989),
    ("chain of 2 %", 0.02, 0.0071, 0.008, 0.5, 6417),
    ("chain of 3 %", 0.03, 0.01065, 0.008, 0.5, 4227),
    ("chain of 5 %", 0.05, 0.01775, 0.008, 0.5, 2474),
    ("chain of 10 %", 0.10, 0.0355, 0.008, 0.5, 1160),
    ("chain of 5 %, seen in four of five at 95 %", 0.05, 0.01775, 0.05, 0.8, 2760),
    ("chain of 5 %, as forecast: +11 %", 0.05, 0.0055, 0.05, 0.8, 25929),
    ("signature", 0.2067, 0.1006, 0.10, 0.5, 103),
    ("signature, seen in four of five", 0.2067, 0.1006, 0.10, 0.8, 233),
    ("last letter of 2 %", 0.02, 0.0028, 0.10, 0.5, 14454),
    ("last letter of 5 %", 0.05, 0.007, 0.10, 0.5, 5592),
    ("last letter of 10 %", 0.10, 0.014, 0.10, 0.5, 2638),
    ("NPS in points, of 5 %", 0.05, 0.019, 0.05, 0.5, 1191),
    ("NPS in points, of 10 %", 0.10, 0.019, 0.05, 0.5, 2076),
    ("NPS in points, of 20 %", 0.20, 0.019, 0.05, 0.5, 3525),
    ("NPS as a part of 5 %", 0.05, "0.019", 0.05, 0.5, 408002),
    ("NPS as a part of 10 %", 0.10, "0.019", 0.05, 0.5, 193157),
    ("top-ups of people, a twentieth of 30 %", 0.30, "0.05", 0.05, 0.8, 14856),
    ("top-ups of companies, a twentieth of 80 %", 0.80, "0.05", 0.05, 0.8, 1447),
)


@pytest.mark.case("A2")
async def test_the_people_that_a_published_confidence_takes_and_years_where_it_is_years(installation: Installation):
    for what, base, size, alpha, power, people in SIZES:
        effect = {"relative": float(size)} if isinstance(size, str) else {"points": size}
        plan = await asked(installation, "plan", {"base": base, "effect": effect, "alpha": alpha, "power": power})
        assert plan["needed"]["arms"] == [people, people], what
    for base, per_day, years in ((0.30, 20, "4.1 years"), (0.80, 2, "4 years")):
        question = {"base": base, "effect": {"relative": 0.05}, "per_day": per_day}
        long = await asked(installation, "plan", question)
        assert long["refused"] and f"that is {years}. More than eight weeks: do not start it." in _plain(long["text"]["en"])
        assert "года" in long["text"]["ru"] or "лет" in long["text"]["ru"]


async def asked(installation: Installation, call: str, question: dict[str, Any]) -> dict[str, Any]:
    answer = await installation.api.post(f"/api/experiments/{call}", json=question)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")
