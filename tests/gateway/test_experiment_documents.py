"""Experiments as documents: do they agree with what they compare, what may change while they run, and what their results are asked of."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.serving import serving
from schemas.experiment_documents import Experiment
from schemas.experiments import Evaluation
from services.gateway.domain import experiments as domain
from services.gateway.domain.experiment_evaluation import marks, question
from tests.gateway.conftest import faults_of, open_site, problem_of

EVERYBODY = {"kind": "all", "of": []}
DOCUMENT: dict[str, Any] = {
    "key": "e", "brand": "one", "of": {"kind": "variants", "campaign": "x"},
    "primary": {"key": "bought", "target": {"event": "Order Completed", "window": "7d"}},
    "secondary": [{"key": "money", "kind": "mean", "target": {"event": "Order Completed", "value": "total", "window": "7d"}}], "control": "a",
}  # fmt: skip
CAMPAIGN = {
    "key": "x",
    "brand": "one",
    "audience": EVERYBODY,
    "variants": [{"name": "a", "template": "t", "share": 50}, {"name": "b", "template": "u", "share": 50}],
}
SHARES = {"a": 5000, "b": 5000}


def document(**more: Any) -> Experiment:
    return Experiment.model_validate({**DOCUMENT, **more})


def measured(n: int, did: int, amount: int, currency: str | None = "RUB") -> dict[str, Any]:
    return {
        "people": n, "merged": 0, "contaminated": 0,
        "measures": {"bought": {"all": {"n": n, "sum_y": did, "sum_yy": did}, "currency": None, "immature": 0},
                     "money": {"all": {"n": n, "sum_y": amount, "sum_yy": amount * amount}, "currency": currency, "immature": 0}},
    }  # fmt: skip


def period(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    return {"period": 0, "arms": {"a": a, "b": b}, "outliers": {}, "days": []}


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"arms": [{"name": "a"}]}, "arms"),
        ({"arms": [{"name": "a", "share": 50}, {"name": "b"}]}, "shares of all"),
        ({"arms": [{"name": "a", "share": 50}, {"name": "b", "share": 49}]}, "must make 100"),
        ({"looks": {"kind": "sequential"}}, "size"),
        ({"looks": {"kind": "fixed"}}, "size"),
        ({"size": 10, "looks": {"kind": "sequential", "at": [0.5, 0.2, 1]}}, "rising"),
        ({"secondary": [DOCUMENT["primary"]]}, "key of its own"),
        ({"primary": {**DOCUMENT["primary"], "kind": "ratio"}}, "over"),
        ({"outliers": {"rule": "quantile", "at": 2}}, "between 0 and 1"),
        ({"of": {"kind": "control"}}, "give one"),
    ],
)
def test_what_makes_no_sense_is_refused(more: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        document(**more)


def test_arms_are_those_of_what_is_compared() -> None:
    with_control = domain.compared(document().of, {**CAMPAIGN, "control": 10})
    assert with_control is not None and with_control.weights == {"a": 4500, "b": 4500, "control": 1000}
    arms = [{"name": "a", "share": 45}, {"name": "b", "share": 50}, {"name": "z", "share": 5}]
    found = {(fault.path, fault.code) for fault in domain.faults(document(arms=arms), with_control)}
    assert found == {("arms.1.share", "share_differs"), ("arms.2.name", "unknown_arm"), ("arms", "arms_missing")}
    assert [fault.code for fault in domain.faults(document(), None)] == ["nothing_compared"]
    split = {"steps": [{"id": "s", "split": [{"name": "a", "share": 30}, {"name": "b", "share": 70}]}]}
    ours = domain.compared(document(of={"kind": "split", "journey": "j", "step": "s"}).of, split)
    assert ours is not None and ours.weights == {"a": 3000, "b": 7000}
    group = domain.compared(document(of={"kind": "control", "journey": "j"}).of, {"control": {"share": 500}})
    assert group == domain.Compared({"control": 500, "treatment": 9500}, "j")


def test_versions_with_the_same_shares_are_one_period() -> None:
    one, two = domain.Compared({"a": 5000, "b": 5000}), domain.Compared({"a": 1000, "b": 9000})
    assert domain.periods({1: one, 2: one, 3: None, 4: two, 5: one}) == (
        [one.weights, two.weights, one.weights],
        {1: 0, 2: 0, 4: 1, 5: 2},
    )


def test_a_run_ends_when_it_is_stopped_and_the_next_publication_begins_another() -> None:
    run = domain.run_of([(1, 10, {"n": 1}), (2, 20, {"n": 2}), (3, 30, {"n": 2, "stopped": 30})])
    assert run == domain.Run(1, 10, {"n": 2, "stopped": 30}, 30)
    assert domain.run_of([(3, 30, {"stopped": 30}), (4, 40, {"n": 4})]) == domain.Run(4, 40, {"n": 4}, None)
    assert domain.run_of([]) is None


def test_what_is_judged_is_a_question_that_the_judge_takes() -> None:
    asked = question(document(size=1000), SHARES, period(measured(500, 20, 100), measured(500, 30, 90)), [200, 400])
    assert asked.faults == [] and asked.body is not None
    told = Evaluation.model_validate(asked.body)
    assert (told.plan.people, told.plan.looks, told.deciding, told.base.name) == (1000, (200, 400), "bought", "a")
    assert marks(document(size=1001)) == [201, 401, 601, 801, 1001]


def test_a_measure_of_which_nothing_can_be_said_is_left_out_and_told_and_of_one_person_nothing_is_judged() -> None:
    asked = question(document(), SHARES, period(measured(500, 20, -100), measured(500, 30, 90)), [])
    assert asked.body is not None and [one["key"] for one in asked.body["metrics"]] == ["bought"]
    assert "money_negative" in {fault.code for fault in asked.faults}
    alone = question(document(), SHARES, period(measured(1, 0, 0), measured(500, 30, 90)), [])
    assert alone.body is None and "one_alone" in {fault.code for fault in alone.faults}


async def test_an_experiment_runs_unchanged_is_judged_and_stopped(config: Any) -> None:
    told: dict[str, Any] = {"people": 0, "reached": [], "periods": [], "as_of": 10**13, "complete_up_to": 1, "took_ms": 1}
    judged = []

    async def audience(_request: Request) -> Response:
        return JSONResponse(told)

    async def judge(request: Request) -> Response:
        judged.append(await request.json())
        return JSONResponse({"verdict": "not_shown"})

    routes = [
        Route("/internal/audience/experiment", audience, methods=["POST"]),
        Route("/internal/experiments/evaluate", judge, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes), "127.0.0.1", 0, asyncio.Event()) as port:
        here = f"http://127.0.0.1:{port}"
        async with open_site(config, audience=here, experiments=here) as site:
            await site.publish("brands", {"key": "one", "name": "one"})
            assert faults_of(await _published(site, DOCUMENT)) == {("of", "nothing_compared")}
            assert (await site.http.put("/api/campaigns/x", json=CAMPAIGN)).status_code == 201
            assert faults_of(await _published(site, {**DOCUMENT, "control": "z"})) == {("control", "unknown_arm")}
            assert (await _published(site, DOCUMENT)).status_code == 200
            nobody = (await site.http.get("/api/experiments/e/results", headers={"Accept-Language": "ru"})).json()
            assert (nobody["state"], nobody["judged"], nobody["why"][0]["code"]) == ("running", None, "no_people")
            assert "никто" in nobody["why"][0]["message"]
            changed = await site.http.put("/api/experiments/e", json={**DOCUMENT, "alpha": 0.1, "secondary": [], "name": "other"})
            assert faults_of(changed) == {("alpha", "experiment_running"), ("secondary", "experiment_running")}
            problem_of(await site.http.delete("/api/experiments/e"), 409, "experiment_running")
            assert (await site.http.put("/api/experiments/e", json={**DOCUMENT, "name": "other"})).status_code == 200
            told |= {"people": 1000, "periods": [period(measured(500, 20, 100), measured(500, 30, 90))]}
            found = (await site.http.get("/api/experiments/e/results")).json()
            assert (found["judged"], found["periods"][0]["shares"], judged[0]["plan"]["rule"]) == (
                {"verdict": "not_shown"},
                {"a": 50.0, "b": 50.0},
                "always_valid",
            )
            assert (await site.http.post("/api/experiments/e/stop")).status_code == 200
            problem_of(await site.http.post("/api/experiments/e/stop"), 409, "experiment_not_running")
            assert (await site.http.get("/api/experiments/e/results")).json()["state"] == "stopped"
            assert (await site.http.delete("/api/experiments/e")).status_code == 204


async def _published(site: Any, body: dict[str, Any]) -> Any:
    assert (await site.http.put(f"/api/experiments/{body['key']}", json=body)).status_code in (200, 201)
    return await site.http.post(f"/api/experiments/{body['key']}/publish")
