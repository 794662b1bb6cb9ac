"""Experiments as documents: do they agree with what they compare, what may change while they run, and what their results are asked of."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.serving import serving
from schemas.experiments import Evaluation, Planning, as_json
from services.experiments.domain.evaluating import evaluate
from services.experiments.domain.planning import plan
from services.gateway.domain import experiments as domain
from services.gateway.domain.experiment_evaluation import question
from services.gateway.domain.experiment_looks import Look
from tests.gateway.conftest import Site, faults_of, open_site, problem_of
from tests.gateway.experimenting import DOCUMENT, SHARES, document, measured, period

EVERYBODY = {"kind": "all", "of": []}
CAMPAIGN = {
    "key": "x",
    "brand": "one",
    "audience": EVERYBODY,
    "variants": [{"name": "a", "template": "t", "share": 50}, {"name": "b", "template": "u", "share": 50}],
}


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
    asked = question(document(size=1000), SHARES, period(measured(500, 20, 100), measured(500, 30, 90)), Look(5, 9, (200, 400)))
    assert asked.faults == [] and asked.body is not None
    told = Evaluation.model_validate(asked.body)
    assert (told.plan.people, told.plan.looks, told.deciding, told.base.name) == (1000, (200, 400), "bought", "a")


FULL = measured(500, 30, 90)


@pytest.mark.parametrize(
    ("a", "b", "codes", "verdict"),
    [
        (measured(500, 20, -100), FULL, {"money_negative"}, "not_yet"),
        (measured(500, 20, 0), FULL, {"no_spread"}, "not_yet"),  # nobody of the control has bought for money yet
        (measured(500, 0, 0), measured(500, 0, 0), {"no_spread"}, "too_few"),
        (measured(500, 0, 0), measured(500, 90, 90), {"no_spread"}, "more"),
        (measured(1, 0, 0), FULL, {"one_alone"}, None),
        (FULL, measured(1, 1, 9), {"one_alone"}, None),
        (measured(0, 0, 0), FULL, {"no_people"}, None),
        (measured(0, 0, 0), measured(0, 0, 0), {"no_people"}, None),
    ],
)
def test_a_measure_of_which_nothing_can_be_said_is_left_out_and_told_and_of_one_person_nothing_is_judged(
    a: dict[str, Any], b: dict[str, Any], codes: set[str], verdict: str | None
) -> None:
    asked = question(document(), SHARES, period(a, b), None)
    assert {fault.code for fault in asked.faults} == codes
    assert (asked.body is None) is (verdict is None)
    if asked.body is not None:
        assert [one["key"] for one in asked.body["metrics"]] == ["bought"]
        assert evaluate(Evaluation.model_validate(asked.body)).verdict == verdict


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        (measured(700, 20, 100), FULL, "700 / 500 in place of 600 / 600"),
        (measured(500, 20, 100) | {"merged": 5}, measured(500, 60, 90) | {"merged": 60}, "profiles merge at different rates"),
    ],
)
def test_a_document_whose_split_or_merges_are_not_as_they_should_be_has_no_verdict(
    a: dict[str, Any], b: dict[str, Any], why: str
) -> None:
    asked = question(document(), SHARES, period(a, b), None)
    assert asked.body is not None and asked.faults == []
    told = evaluate(Evaluation.model_validate(asked.body))
    assert told.verdict == "blocked" and why in told.text.en
    assert {one.verdict for metric in told.metrics for one in metric.comparisons} == {"blocked"}


class Stood(NamedTuple):
    """A gateway. told: what the audience service answers; asked, judged: what that was asked, and the judge."""

    site: Site
    told: dict[str, Any]
    asked: list[dict[str, Any]]
    judged: list[dict[str, Any]]


NOBODY: dict[str, Any] = {"people": 0, "periods": [], "as_of": 10**13, "complete_up_to": 1, "took_ms": 1}


@pytest.fixture(scope="module")
async def stood(shared: Any) -> AsyncIterator[Stood]:
    told: dict[str, Any] = {}
    asked: list[dict[str, Any]] = []
    judged: list[dict[str, Any]] = []

    async def audience(request: Request) -> Response:
        body = await request.json()
        asked.append(body["asked"])
        if "figure" in body:
            return JSONResponse({"people": [body["figure"]], "count": body["limit"], "next": str(body["after"])})
        return JSONResponse(NOBODY | told)

    async def judge(request: Request) -> Response:
        judged.append(await request.json())
        return JSONResponse({"verdict": "not_shown", "metrics": [{"key": "bought"}]})

    async def planner(request: Request) -> Response:
        return JSONResponse(as_json(plan(Planning.model_validate(await request.json()))))

    routes = [
        Route("/internal/audience/experiment", audience, methods=["POST"]),
        Route("/internal/experiments/evaluate", judge, methods=["POST"]),
        Route("/internal/experiments/plan", planner, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes), "127.0.0.1", 0, asyncio.Event()) as port:
        here = f"http://127.0.0.1:{port}"
        async with open_site(shared, audience=here, experiments=here) as site:
            for brand in ("one", "two"):
                await site.publish("brands", {"key": brand, "name": brand})
            yield Stood(site, told, asked, judged)


async def test_an_experiment_runs_unchanged_is_judged_and_stopped(stood: Stood) -> None:
    site, told = stood.site, stood.told
    told.clear()
    assert faults_of(await _published(site, DOCUMENT)) == {("of", "nothing_compared")}
    assert (await site.http.put("/api/campaigns/x", json=CAMPAIGN)).status_code == 201
    assert faults_of(await _published(site, {**DOCUMENT, "control": "z"})) == {("control", "unknown_arm")}
    assert (await _published(site, DOCUMENT)).status_code == 200
    nobody = (await site.http.get("/api/experiments/e/results", headers={"Accept-Language": "ru"})).json()
    assert (nobody["state"], nobody["judged"], nobody["why"][0]["code"]) == ("running", None, "no_people")
    assert "никто" in nobody["why"][0]["message"]
    changed = await site.http.put("/api/experiments/e", json={**DOCUMENT, "alpha": 0.1, "secondary": [], "name": "other"})
    assert faults_of(changed) == {("alpha", "experiment_running"), ("secondary", "experiment_running")}
    backdated = await site.http.put("/api/experiments/e", json={**DOCUMENT, "stopped": 5, "ends": 5})
    assert faults_of(backdated) == {("stopped", "experiment_stopped_by"), ("ends", "experiment_over")}
    problem_of(await site.http.delete("/api/experiments/e"), 409, "experiment_running")
    assert (await site.http.put("/api/experiments/e", json={**DOCUMENT, "name": "other"})).status_code == 200
    counted, page = stood.asked[-1], await site.http.get("/api/experiments/e/results?figure=0.a.people&limit=2&next=5")
    assert (page.json(), stood.asked[-1]) == ({"people": ["0.a.people"], "count": 2, "next": "5"}, counted), "of the same exposures"
    assert faults_of(await site.http.get("/api/experiments/e/results?figure=0.a.people&limit=0&arm=a")) == {
        ("limit", "int_range"), ("arm", "extra_forbidden"),
    }  # fmt: skip
    told |= {"people": 1000, "periods": [period(measured(500, 20, 100), measured(500, 30, 90))]}
    found = (await site.http.get("/api/experiments/e/results")).json()
    assert found["judged"] == {"verdict": "not_shown", "metrics": [{"key": "bought", "better": "more"}]}
    assert (found["periods"][0]["shares"], stood.judged[-1]["plan"]["rule"]) == ({"a": 50.0, "b": 50.0}, "always_valid")
    for few, code in ((measured(1, 0, 0), "one_alone"), (measured(0, 0, 0), "no_people")):
        told["periods"] = [period(few, FULL)]
        nothing = (await site.http.get("/api/experiments/e/results", headers={"Accept-Language": "ru"})).json()
        assert nothing["judged"] is None and {one["code"] for one in nothing["why"]} == {code}
        assert "arms.0.assigned" in {one["path"] for one in nothing["why"]}
    told["periods"] = [period(measured(500, 20, 0), measured(500, 30, -90))]
    left = (await site.http.get("/api/experiments/e/results")).json()
    assert left["judged"] and [one["key"] for one in stood.judged[-1]["metrics"]] == ["bought"]
    assert {(one["path"], one["code"]) for one in left["why"]} == {
        ("metrics.1.of.a.squares", "no_spread"), ("metrics.1.of.b.sum", "money_negative"),
    }  # fmt: skip
    assert (await site.http.post("/api/experiments/e/stop")).status_code == 200
    problem_of(await site.http.post("/api/experiments/e/stop"), 409, "experiment_not_running")
    assert (await site.http.get("/api/experiments/e/results")).json()["state"] == "stopped"
    assert (await site.http.delete("/api/experiments/e")).status_code == 204


async def test_nothing_is_told_of_what_another_brand_ran_or_would_compare(stood: Stood) -> None:
    site = stood.site
    stood.told.clear()
    ours = {**CAMPAIGN, "key": "ours"}
    asked = {**DOCUMENT, "key": "theirs", "of": {"kind": "variants", "campaign": "ours"}}
    assert (await site.http.put("/api/campaigns/ours", json=ours)).status_code == 201
    assert (await _published(site, asked)).status_code == 200
    assert (await site.http.post("/api/experiments/theirs/stop")).status_code == 200
    assert (await site.http.delete("/api/experiments/theirs")).status_code == 204
    key = await site.new_key("read", "write", "publish", brands=["two"])
    assert (await site.as_key("PUT", "/api/experiments/theirs", key, json={**asked, "brand": "two"})).status_code == 201
    for of in ("", "?figure=0.a.people"):
        problem_of(await site.as_key("GET", f"/api/experiments/theirs/results{of}", key), 409, "not_in_force")
    refused = await site.as_key("POST", "/api/experiments/theirs/publish", key)
    assert faults_of(refused) == {("of.campaign", "other_brand")}
    problem_of(await site.as_key("POST", "/api/experiments/theirs/stop", key), 409, "experiment_not_running")
    assert (await site.http.get("/api/experiments/theirs/results")).json()["state"] == "stopped", "a key of all brands sees it"


async def test_a_version_with_other_arms_is_warned_of_and_none_makes_what_was_shown_vanish(stood: Stood) -> None:
    site = stood.site
    stood.told.clear()
    asked = {**DOCUMENT, "key": "s", "of": {"kind": "split", "journey": "j", "step": "s"}, "size": 6200}
    await site.publish("journeys", _journey(a=50, b=50))
    assert (await _published(site, asked)).status_code == 200
    await site.publish("journeys", _journey(a=20, b=80))
    for shares in ({"a": 20, "b": 40, "c": 40}, {}):
        assert (await site.http.put("/api/journeys/j", json=_journey(**shares))).status_code == 200
        answer = await site.http.post("/api/journeys/j/publish", headers={"Accept-Language": "ru"})
        (warning,) = answer.json()["warnings"]
        assert warning["code"] == "experiment_unsettled" and "`s`" in warning["message"]
    small = {**period(measured(500, 20, 100), measured(500, 30, 90), 1), "reached": [5, None, None, None, None]}
    small["arms"]["c"] = measured(0, 0, 0)
    stood.told.update({"people": 1000, "periods": [small]})
    found = await site.http.get("/api/experiments/s/results")
    sent = stood.asked[-1]
    assert (sent["arms"], sent["versions"], sent["until"]) == (["a", "b", "c"], {"1": 0, "2": 1, "3": 2}, 6)
    assert [arm["name"] for arm in stood.judged[-1]["arms"]] == ["a", "b"] and list(found.json()["periods"][0]["arms"]) == [
        "a",
        "b",
    ]
    assert (await site.http.post("/api/experiments/s/stop")).status_code == 200, "though there is nothing to compare any more"
    ended = (await site.http.get("/api/experiments/s/results")).json()
    assert (ended["look"]["final"], [one["code"] for one in ended["why"]]) == (True, ["ended_early"])
    assert (stood.judged[-1]["plan"]["people"], stood.asked[-1]["until"]) == (1000, ended["until"])


async def test_a_draft_is_planned_by_who_came_to_what_it_compares(stood: Stood) -> None:
    site, told = stood.site, stood.told
    told.clear()
    draft = {**DOCUMENT, "key": "planned", "of": {"kind": "split", "journey": "flowing", "step": "s"}}
    assert (await site.http.put("/api/experiments/planned", json=draft)).status_code == 201
    address, asked = "/api/experiments/planned/plan", {"base": 0.05, "power": 0.9}
    assert faults_of(await site.http.post(address, json=asked)) == {("of", "nothing_compared")}
    await site.publish("journeys", {**_journey(a=50, b=50), "key": "flowing"})
    assert (await site.http.post(address, json=asked)).json()["flow"] is None
    told |= {"periods": [{"days": [{"day": "2020-01-01", "arms": {"a": 30, "b": 20}}]}]}
    found = (await site.http.post(address, json=asked)).json()
    flow = found["flow"]
    assert (flow["since"], flow["people"], flow["per_day"]) == ("2020-01-01", 50, 50 / flow["days"])
    assert found["needed"]["days"] >= found["needed"]["people"] / flow["per_day"] and found["refused"]
    assert "years" in found["text"]["en"] and "90" in found["text"]["en"]
    question = stood.asked[-1]
    assert (question["measures"], question["until"], question["versions"]) == ([], None, {"1": 0})
    problem_of(await site.http.post(address, json=[]), 422, "invalid")
    assert faults_of(await site.http.post(address, json={"base": 5})) == {("base", "rate")}
    problem_of(await site.http.post("/api/experiments/none/plan", json=asked), 404, "document_not_found")


async def test_the_global_group_is_what_all_rules_make_of_it_from_instant_to_instant(stood: Stood) -> None:
    site = stood.site
    stood.told.clear()
    for key, share in (("g1", 500), ("g2", 500), ("g1", 1000)):
        await site.publish("rules", {"key": key, "global_control": {"share": share, "salt": key}})
    whole = {**DOCUMENT, "key": "g", "of": {"kind": "global"}, "control": "control"}
    assert (await _published(site, whole)).status_code == 200
    for key in ("g1", "g2"):
        assert (await site.http.delete(f"/api/rules/{key}")).status_code == 204
    small = period(measured(5, 1, 1), measured(5, 1, 1))
    stood.told.update({"people": 10, "periods": [{**small, "period": number} for number in range(4)]})
    found = (await site.http.get("/api/experiments/g/results")).json()
    spans = stood.asked[-1]["spans"]
    assert [number for _, number in spans] == [0, 1, 2, 3, -1] and sorted(spans) == spans
    assert [one["shares"]["control"] for one in found["periods"]] == [5.0, 9.75, 14.5, 5.0]
    assert faults_of(await _published(site, {**whole, "key": "late"})) == {("of", "nothing_compared")}


def _journey(**shares: int) -> dict[str, Any]:
    split = [{"id": "s", "split": [{"name": arm, "share": share} for arm, share in shares.items()]}] if shares else []
    return {"key": "j", "brand": "one", "trigger": {"event": "Signed Up"}, "steps": [*split, {"id": "w", "wait": "1d"}]}


async def _published(site: Any, body: dict[str, Any]) -> Any:
    assert (await site.http.put(f"/api/experiments/{body['key']}", json=body)).status_code in (200, 201)
    return await site.http.post(f"/api/experiments/{body['key']}/publish")
