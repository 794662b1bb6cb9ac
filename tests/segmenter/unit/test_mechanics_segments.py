"""The segments of the ready-made mechanics begin and end when their rows say, to the millisecond."""

from typing import Any

import pytest

from schemas.audience_reading import parse
from schemas.facts import Fact
from services.gateway.store.mechanics import shipped
from services.segmenter.domain.live import decide, fire
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.state import State

DAY, T0 = 86_400_000, 1_790_000_000_000
BODIES = [one["body"] for mechanic in shipped().values() for one in mechanic.documents if one["kind"] == "segment"]
PLAN = compile_plan({body["key"]: parse(body["condition"]) for body in BODIES}, 1)
Told = tuple[int, str | dict[str, Any], dict[str, Any]]  # days from T0; an event, or attributes; its properties


def members(now: int, *told: Told) -> set[str]:
    """The segments of somebody of whom this was told, at `now` (ms)."""
    state = State()
    for number, (day, what, properties) in enumerate(told):
        at = T0 + day * DAY
        said = {"type": "identify", "attributes": what} if isinstance(what, dict) else {"type": "track", "event": what}
        fact = Fact(id=f"f{number}", brand="shop", source="s", received_at=at, occurred_at=at, properties=properties, **said)
        state = decide(state, fact, at, PLAN).state
    return set(fire(state, now, PLAN).state.members)


ORDER: Told = (0, "Order Completed", {})
SUPPLIED: Told = (0, "Order Completed", {"usual_supplier": True})
JOINED: Told = (0, "Registered", {})


@pytest.mark.parametrize(
    ("segment", "days", "told", "ended_by"),
    [
        ("nps-due", 30, ORDER, (31, "Order Completed", {})),
        ("winback-gone", 182, ORDER, (183, "Order Completed", {})),
        ("winback-gone", 182, ORDER, (183, {"churned": True}, {})),
        ("winback-never", 30, JOINED, (31, "Order Completed", {})),
        ("winback-never", 30, JOINED, (31, {"churned": True}, {})),
        ("supplier-quiet", 30, SUPPLIED, (31, "Order Completed", {"usual_supplier": True})),
    ],
)
def test_it_begins_to_the_millisecond_and_ends_with_what_ends_it(segment, days, told, ended_by):
    begins, later = T0 + days * DAY, T0 + (days + 2) * DAY
    assert segment not in members(begins - 1, told)
    assert segment in members(begins, told) and segment in members(later, told)
    assert segment not in members(later, told, ended_by)


def test_an_order_elsewhere_is_none_from_the_usual_supplier_and_who_bought_never_was_one_who_never_did():
    assert "supplier-quiet" in members(T0 + 31 * DAY, SUPPLIED, (30, "Order Completed", {}))
    assert "winback-never" not in members(T0 + 31 * DAY, JOINED, (1, "Order Completed", {}))


@pytest.mark.parametrize(
    ("profit", "expected"),
    [(4_999_999, set()), (5_000_000, {"trial-middle"}), (49_999_999, {"trial-middle"}), (50_000_000, {"caps-manager-only"})],
)
def test_middle_ones_have_a_manager_beside_the_mail_and_large_ones_only_him(profit, expected):
    assert members(T0, (0, {"expected_profit": {"minor": profit, "currency": "RUB"}}, {})) == expected


def test_cold_leads_those_of_whom_nothing_is_known_and_the_three_of_a_webinar():
    assert members(T0, (0, {"score": 29}, {})) == {"caps-cold"}
    assert members(T0, (0, {"score": 30}, {})) == members(T0, (0, {"score": 29}, {}), ORDER) == set()
    assert members(T0, JOINED) == {"discovery-unknown"}
    for known in ({"interest": "cloud"}, {"survey.discovery.interest": "cloud"}):
        assert members(T0, JOINED, (0, known, {})) == {"discovery-unknown"}, "his kind is not"
        assert members(T0, JOINED, (0, {**known, "kind": "legal"}, {})) == set()
    assert members(T0, JOINED, (0, {"kind": "legal"}, {})) == {"discovery-unknown"}, "his interest is not"
    came: list[Told] = [(0, "Webinar Registered", {}), (1, "Webinar Attended", {}), (2, "Order Completed", {})]
    assert members(T0 + 2 * DAY, *came) == {"webinar-registered", "webinar-attended", "webinar-paid"}
    assert "webinar-paid" not in members(T0 + 2 * DAY, came[0], came[1])
