"""Who is in which arm of an experiment, and the sums that it is judged by."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.facts import Fact
from schemas.ids import derive
from schemas.messages import Decision
from schemas.reports import Exposures
from services.audience.domain.world import World
from services.audience.handler import reporting
from services.audience.handler.answering import Refused
from services.audience.reports.exposures import Told, settled
from services.audience.reports.statistics import quantile, sums_of, trimmed
from services.audience.store.answers import Answers
from tests.audience.kept import Kept, fact, merged

PEOPLE = [derive("person", n) for n in range(8)]
BOUGHT = {"event": "Bought", "value": "total", "window": 1_000}
ASKED: dict[str, Any] = {
    "document": "journey:a", "step": "split", "arms": ["control", "b"], "versions": {1: 0, 2: 0, 3: 1}, "pre_period": 500,
    "measures": [{"key": "did", "kind": "conversion", "target": BOUGHT}, {"key": "money", "kind": "mean", "target": BOUGHT}],
}  # fmt: skip


def exposed(person: str, arm: str, at: int = 10_000, version: int = 1, step: str = "split") -> Decision:
    return Decision(
        id=derive("exposed", person, arm, at, step), brand="shop", profile=person, verdict="exposed", by="orchestrator", received_at=at,
        document="journey:a", version=version, step=step, occurrence=derive("run", person, at), rule=f"arm:{arm}", detail={"salt": "a.split"},
    )  # fmt: skip


def bought(person: str, at: int, amount: int, currency: str = "RUB") -> Fact:
    return fact(person, ("bought", at, amount), "Bought", at, properties={"total": {"minor": amount, "currency": currency}})


def born(person: str, at: int) -> Fact:
    """When he first could be written to."""
    return fact(person, "born", "Seen", at, bucketed_at=at, bucketing_id=person)


def results(kept: Kept, now: int = 10**9, **more: Any) -> dict[str, Any]:
    return reporting.exposed(Answers(kept.index), World({}), {"asked": {**ASKED, **more}}, None, now)


def behind(kept: Kept, figure: str) -> set[str]:
    """Who is behind a figure, page by page."""
    found: list[str] = []
    after: str | None = "-1"
    while after is not None:
        body = {"asked": ASKED, "figure": figure, "after": int(after), "limit": 1}
        page = reporting.exposed(Answers(kept.index), World({}), body, None, 10**9)
        found, after = [*found, *page["people"]], page["next"]
        assert page["count"] >= len(found)
    assert len(set(found)) == len(found) == page["count"]
    return set(found)


def test_each_person_stands_in_one_arm_from_his_first_exposure_on(kept: Kept) -> None:
    one, two, three, four = PEOPLE[:4]
    kept.lake.decide(
        [
            exposed(one, "control"),
            exposed(one, "control", 20_000),
            exposed(two, "b"),
            exposed(three, "b"),
            exposed(four, "b", step="other"),
        ]
    )
    kept.told(
        bought(one, 10_000, 1),
        bought(one, 10_001, 100),
        bought(one, 11_000, 50),
        bought(one, 11_001, 7),
        bought(one, 9_500, 3),
        bought(two, 9_999, 9),
    )
    found = results(kept)
    assert found["people"] == 3
    (period,) = found["periods"]
    control, b = period["arms"]["control"], period["arms"]["b"]
    assert control["measures"]["did"]["all"]["sum_y"] == 1
    assert control["measures"]["money"]["all"] == {
        "n": 1, "sum_y": 150, "sum_yy": 22_500, "sum_yx": 450, "sum_x": 3, "sum_xx": 9
    }, "(s, s + window] after, [s - period, s) before"  # fmt: skip
    assert b["measures"]["money"]["all"] == {"n": 2, "sum_y": 0, "sum_yy": 0, "sum_yx": 0, "sum_x": 9, "sum_xx": 81}
    assert period["days"] == [{"day": "1970-01-01", "arms": {"control": 1, "b": 2}}]


def test_measures_of_a_brand_count_what_was_done_in_it(kept: Kept) -> None:
    kept.lake.decide([exposed(PEOPLE[0], "b")])
    elsewhere = fact(PEOPLE[0], "elsewhere", "Bought", 10_002, brand="other", properties={"total": {"minor": 7, "currency": "USD"}})
    kept.told(bought(PEOPLE[0], 10_001, 100), elsewhere)
    (period,) = results(kept, brands=["shop"])["periods"]
    assert period["arms"]["b"]["measures"]["money"]["all"]["sum_y"] == 100


def test_two_who_became_one_count_once_in_the_arm_of_the_older_pair_and_are_told(kept: Kept) -> None:
    young, old, gone, alone = PEOPLE[:4]
    kept.told(born(young, 500), born(old, 400), born(alone, 1))
    kept.lake.decide([exposed(young, "control", 10_000), exposed(old, "b", 10_500), exposed(gone, "b"), exposed(alone, "b")])
    kept.told(bought(young, 10_600, 5), bought(old, 10_700, 6), bought(gone, 10_700, 7))
    kept.told(merged(young, old, 30_000))
    kept.lake.erased.append(gone)
    kept.take()
    (period,) = results(kept)["periods"]
    assert {name: (arm["people"], arm["contaminated"], arm["merged"]) for name, arm in period["arms"].items()} == {
        "control": (0, 0, 0),
        "b": (2, 1, 1),
    }
    assert period["arms"]["b"]["measures"]["money"]["all"]["sum_y"] == 11, "of both parts, from the first exposure on"
    assert behind(kept, "people") == behind(kept, "0.b.people") == {young, alone} and behind(kept, "0.control.people") == set()
    assert behind(kept, "0.b.contaminated") == behind(kept, "0.b.merged") == behind(kept, "0.b.did.did") == {young}
    with pytest.raises(Refused, match="no figure"):
        behind(kept, "1.b.people")


def test_changed_shares_begin_a_period_of_their_own(kept: Kept) -> None:
    one, two, three = PEOPLE[:3]
    kept.lake.decide([exposed(one, "b", version=1), exposed(two, "b", version=2), exposed(three, "control", version=3)])
    kept.take()
    assert [(one["period"], one["arms"]["b"]["people"], one["arms"]["control"]["people"]) for one in results(kept)["periods"]] == [
        (0, 2, 0),
        (1, 0, 1),
    ]


def test_nobody_yet_is_an_answer_and_mixed_currencies_are_none(kept: Kept) -> None:
    kept.told(fact(PEOPLE[0], 1))
    assert (results(kept)["people"], results(kept)["periods"]) == (0, [])
    kept.lake.decide([exposed(PEOPLE[0], "b")])
    kept.told(bought(PEOPLE[0], 10_001, 1), bought(PEOPLE[0], 10_002, 1, "USD"))
    with pytest.raises(Refused) as refused:
        results(kept)
    assert [(one.path, one.code) for one in refused.value.faults] == [("measures.1.target.currency", "currencies_mixed")], (
        "a conversion sums nothing"
    )


GLOBAL: dict[str, Any] = {"document": None, "step": "", "arms": ["control", "treatment"], "versions": None}


def told(person: str, verdict: Any, rule: str = "", message_class: str = "mass", at: int = 10_000) -> Decision:
    return Decision(id=derive(person, verdict), brand="shop", profile=person, verdict=verdict, by="orchestrator", received_at=at,
                    document="campaign:x", intent=derive("i", person), message_class=message_class, rule=rule)  # fmt: skip


def test_the_global_group_stands_against_all_who_passed_it(kept: Kept) -> None:
    held, sent, service, local, late, barred, waited = PEOPLE[:7]
    kept.lake.decide(
        [
            told(held, "would_have_sent", "global_control"),
            told(sent, "sent"),
            told(service, "sent", "", "service"),
            told(local, "would_have_sent", "local_control"),
            told(late, "skipped", "expired"),
            told(barred, "skipped", "no_address"),
            told(waited, "skipped", "expired", ""),
        ]
    )
    kept.take()
    (period,) = results(kept, **GLOBAL)["periods"]
    assert {name: arm["people"] for name, arm in period["arms"].items()} == {"control": 1, "treatment": 3}


def test_people_of_the_global_group_are_of_the_period_that_their_first_message_is_in(kept: Kept) -> None:
    kept.lake.decide([told(person, "sent", at=at) for person, at in zip(PEOPLE, (9, 10, 19, 20, 29, 30), strict=False)])
    kept.take()
    found = results(kept, **GLOBAL, spans=[[10, 0], [20, -1], [30, 1]])["periods"]
    assert [(one["period"], one["arms"]["treatment"]["people"]) for one in found] == [(-1, 3), (0, 2), (1, 1)]


def test_arms_of_other_names_count_as_one_and_those_that_are_asked_for_as_themselves(kept: Kept) -> None:
    kept.lake.decide([exposed(person, arm) for person, arm in zip(PEOPLE, ("control", "b", "c", "c"), strict=False)])
    kept.take()
    (period,) = results(kept, arms=["control", "b", "treatment"], others="treatment")["periods"]
    assert {name: arm["people"] for name, arm in period["arms"].items()} == {"control": 1, "b": 1, "treatment": 2}
    assert (results(kept, salts=["a.split"])["people"], results(kept, salts=["other"])["people"]) == (2, 0)


def test_what_was_before_is_asked_of_means_alone(kept: Kept) -> None:
    kept.lake.decide([exposed(PEOPLE[0], "b"), exposed(PEOPLE[1], "control")])
    kept.told(bought(PEOPLE[0], 9_900, 5), bought(PEOPLE[0], 10_001, 5))
    (period,) = results(kept)["periods"]
    sums = period["arms"]["b"]["measures"]
    assert (sums["did"]["all"].keys(), sums["money"]["all"]["sum_x"]) == ({"n", "sum_y", "sum_yy"}, 5)


def test_when_so_many_people_were_there(kept: Kept) -> None:
    kept.lake.decide([exposed(person, "b", 10_000 + n) for n, person in enumerate(PEOPLE)])
    kept.take()
    (period,) = results(kept, marks=[1, 8, 9])["periods"]
    assert period["reached"] == [10_000, 10_007, None]
    first, last = results(kept, marks=[1, 3, 6], versions=None, spans=[[9_000, 0], [10_003, 1]])["periods"]
    assert (first["reached"], last["reached"]) == ([10_000, 10_002, None], [10_003, 10_005, None]), "of each period its own"


NUMBERS = st.lists(st.integers(-(2**53), 2**53), max_size=20)


@given(NUMBERS, st.integers(-(2**53), 2**53))
def test_sums_are_exact_however_large(values: list[int], other: int) -> None:
    y, x = np.array(values, dtype=object), np.array([other] * len(values), dtype=object)
    told = sums_of(y, None, x)
    assert (told["n"], told["sum_y"], told["sum_yy"]) == (len(values), sum(values), sum(v * v for v in values))
    assert (told["sum_yx"], told["sum_xx"]) == (sum(v * other for v in values), other * other * len(values))


def test_outliers_are_found_over_all_arms_together() -> None:
    y, everybody = np.array([0] * 20 + [1, 2, 3, 1000], dtype=object), np.ones(24, dtype=bool)

    def asked(rule: str, at: float) -> Exposures:
        return Exposures.model_validate({**ASKED, "outliers": rule, "at": at})

    assert trimmed(y, everybody, asked("none", 0))[2] is None
    capped, _, cut = trimmed(y, everybody, asked("cap", 2.5))
    assert (max(capped), cut) == (2, {"rule": "cap", "at": 2.5, "cap": 2, "changed": 2})
    capped, _, cut = trimmed(y, everybody, asked("quantile", 0.75))
    assert (max(capped), cut and cut["changed"]) == (3, 1)
    few = np.array([0] * 980 + [1] * 19 + [1000], dtype=object)
    _, kept_, cut = trimmed(few, np.ones(1000, dtype=bool), asked("mean", 10))
    assert (int(kept_.sum()), cut) == (999, {"rule": "mean", "at": 10.0, "cap": 509, "changed": 1}), "not every single buyer"
    assert trimmed(few[:9], np.ones(9, dtype=bool), asked("mean", 10))[2] == {"rule": "mean", "at": 10.0, "cap": None, "changed": 0}
    assert quantile([], 0.5) is None


def test_the_arm_of_the_surviving_pair_counts() -> None:
    a, b, late = Told(1, 10, "a"), Told(2, 20, "b"), Told(1, 30, "b")
    assert settled([a, b], {1: [(5, "x")], 2: [(4, "y")]}) == "b", "the older pair"
    assert settled([a, b], {1: [(5, "x"), (4, "y")], 2: [(4, "y")]}) == "b", "the winner has both since"
    assert settled([a, b], {1: [(3, "x")], 2: [(4, "y")]}) == "a"
    assert settled([a, late], {1: [(5, "x"), (4, "y")], 2: [(4, "y")]}) == "b", (
        "who brought it was never exposed: by the pair that survives"
    )
    assert settled([a, b], {}) == "b"
    assert settled([a, b, Told(2, 40, "c")], {1: [(5, "x")], 2: [(4, "y")]}) == "b", "the first of the piece that brought it"
