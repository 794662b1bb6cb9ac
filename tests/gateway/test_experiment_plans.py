"""How large a test of a document is to be, by the traffic that there really is. Pure; over HTTP: test_experiment_documents.py."""

from typing import Any

from schemas.experiments import Flow, Planning
from services.gateway.domain import experiment_plans as plans
from tests.gateway.experimenting import document

JOURNEY = {"kind": "split", "journey": "j", "step": "s"}


def came(day: str, a: int, b: int = 0) -> dict[str, Any]:
    return {"day": day, "arms": {"a": a, "b": b}}


def test_the_flow_is_of_days_that_are_over_from_the_first_on_which_somebody_came() -> None:
    assert plans.flow([], "2027-01-05") is plans.flow([came("2027-01-05", 9)], "2027-01-05") is None
    assert plans.flow([came("2027-01-01", 0), came("2027-01-04", 7, 3), came("2027-01-05", 90)], "2027-01-05") == Flow(
        since="2027-01-04", days=1, people=10, per_day=10.0
    )
    both = [came("2026-12-31", 1, 1), came("2027-01-02", 3), came("2027-01-02", 4, 1)]  # of two periods; nobody on New Year's day
    assert plans.flow(both, "2027-01-05") == Flow(since="2026-12-31", days=5, people=10, per_day=2.0)


def test_a_campaign_comes_at_once_and_what_was_imported_comes_no_more() -> None:
    assert plans.flows(document(of=JOURNEY)) and plans.flows(document(of={"kind": "global"}))
    assert not plans.flows(document())
    arms = [{"name": "a", "share": 50}, {"name": "b", "share": 50}]
    imported = {"kind": "imported", "document": "journey:old"}
    assert not plans.flows(document(of=imported, arms=arms, start="2026-01-01T00:00:00Z"))


def test_what_is_asked_goes_before_what_the_document_says() -> None:
    flow = Flow(since="2027-01-01", days=4, people=40, per_day=10.0)
    shares = {"b": 3000, "a": 7000}
    question = plans.planning(document(alpha=0.1, effect=0.2), shares, flow, {"base": 0.05})
    assert question == {
        "shares": [70.0, 30.0],
        "alpha": 0.1,
        "power": 0.8,
        "per_day": 10.0,
        "effect": {"relative": 0.2},
        "base": 0.05,
    }
    assert "per_day" not in plans.planning(document(), shares, None, {"base": 0.05})
    mine = plans.planning(document(), shares, flow, {"base": 0.05, "people": 500, "per_day": 3, "alpha": 0.01})
    assert (mine["per_day"], mine["alpha"], "effect" in mine) == (3, 0.01, False)
    assert Planning.model_validate(question).shares == (70.0, 30.0)
