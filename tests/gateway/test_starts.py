"""Starting journeys by the API, and what becomes of journeys with parameters when they are published: over the real Kafka."""

import pytest

from schemas.journeys import Journey
from tests.gateway.conftest import faults_of, problem_of
from tests.support.live import read

TEMPLATE = {"key": "hello", "subject": "Hi", "text": "Hello"}


def journey(key, **more):
    return {"key": key, "brand": "shop", "trigger": {"api": True}, "steps": [{"id": "mail", "template": "hello"}], **more}


@pytest.fixture(scope="module")
async def ready(site):
    await site.publish("templates", TEMPLATE)
    await site.publish("journeys", journey("call"))
    await site.publish("journeys", journey("other", trigger={"event": "E"}))
    await site.http.put("/api/journeys/draft", json=journey("draft"))
    return site


async def started(site):
    await site.relayed()
    return [one for one in await read(site.config, "facts.raw") if one["type"] == "journey.start"]


async def test_it_is_a_fact_of_its_own_type_that_says_whom_and_what_once_for_each_key(ready):
    people = [{"identifier": "email: Ann@Example.org", "data": {"order": 7}}, {"profile": "6F1D3C5E-0b55-5c0e-9d0b-0a7f6b1f2a11"}]
    answers = [
        await ready.http.post("/api/journeys/call/start", json={"people": people}, headers={"Idempotency-Key": "a"}) for _ in "12"
    ]
    assert [one.status_code for one in answers] == [202, 202] and answers[0].json() == answers[1].json()
    ids = answers[0].json()["ids"]
    found = {one["id"]: one for one in await started(ready)}
    ann, other = (found[id_] for id_ in ids)
    assert (ann["identifiers"], ann["properties"], ann["source"], ann["brand"]) == (
        ["email:ann@example.org"],
        {"order": 7, "journey": "call"},
        "api",
        "shop",
    )
    assert other["about"] == "6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11" and "identifiers" not in other
    assert len(found) == 2, "the second call was the first once more"
    again = [(await ready.http.post("/api/journeys/call/start", json=people[0])).json()["id"] for _ in "12"]
    assert len({*again, *ids}) == 4, "without a key each call is one"


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("nobody", 404, "document_not_found"), ("draft", 409, "not_in_force"), ("other", 409, "no_api_trigger")],
)
async def test_what_cannot_be_started_is_said(ready, key, status, code):
    problem_of(await ready.http.post(f"/api/journeys/{key}/start", json={"identifier": "email:a@b.example"}), status, code)


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ([], {("", "object")}),
        ({}, {("profile", "one_person")}),
        ({"people": []}, {("people", "too_short")}),
        ({"people": [{"identifier": f"email:{n}@b.example"} for n in range(1001)]}, {("people", "too_long")}),
        ({"people": [{"identifier": "email:a@b.example"}, {"identifier": "shoe:44"}, {"profile": "x"}]}, {("people.2.profile", "uuid_parsing")}),
        ({"people": [{"identifier": "email:a@b.example"}, {"identifier": "email:no"}, {"data": {"journey": 1}}]},
         {("people.1.identifier", "identifier"), ("people.2.profile", "one_person"), ("people.2.data.journey", "reserved_property")}),
        ({"identifier": "email:a@b.example", "data": {"x": 2**70}}, {("data", "number_too_long")}),
        ({"identifier": "email:a@b.example", "data": {"x": "x" * 70_000}}, {("data", "data_size")}),
        ({"identifier": "email:a@b.example", "dta": {}}, {("dta", "extra_forbidden")}),
    ],
)  # fmt: skip
async def test_all_that_is_wrong_with_a_call_is_said_at_once_and_nobody_is_started(ready, body, faults):
    before = len(await started(ready))
    assert faults_of(await ready.http.post("/api/journeys/call/start", json=body)) == faults
    assert len(await started(ready)) == before


async def test_a_key_needs_the_right_and_the_brand(ready):
    body = {"identifier": "email:a@b.example"}
    reader, foreign = await ready.new_key("read"), await ready.new_key("write", brands=["sister"])
    problem_of(await ready.as_key("POST", "/api/journeys/call/start", reader, json=body), 403, "scope_missing")
    problem_of(await ready.as_key("POST", "/api/journeys/call/start", foreign, json=body), 404, "document_not_found")


# ---- journeys with parameters


def warm(**more):
    parameters = [{"name": "letter", "type": "text"}, {"name": "pause", "type": "duration", "default": "1d"}]
    steps = [{"id": "pause", "wait": {"param": "pause"}}, {"id": "mail", "template": {"param": "letter"}}]
    return {"key": "warm", "brand": "shop", "parameters": parameters, "trigger": {"event": "E"}, "steps": steps, **more}


def of_warm(key, **values):
    return {"key": key, "brand": "shop", "of": "warm", "with": values}


async def in_force(site, key):
    await site.relayed()
    found = [one for one in await read(site.config, "definitions") if (one["kind"], one["key"]) == ("journey", key)]
    last = max(found, key=lambda one: one["seq"])
    return None if last.get("deleted") else Journey.model_validate(last["body"])


async def publish(site, body):
    saved = await site.http.put(f"/api/journeys/{body['key']}", json=body)
    assert saved.is_success, saved.text
    return await site.http.post(f"/api/journeys/{body['key']}/publish")


async def test_what_is_made_of_it_is_put_in_force_whole_and_anew_when_it_changes(ready):
    await ready.publish("journeys", warm())
    assert await in_force(ready, "warm") is None, "by itself it starts nobody"
    for key, values in (("a", {"letter": "hello"}), ("b", {"letter": "hello", "pause": "3d"})):
        assert await ready.publish("journeys", of_warm(key, **values)) == 1
    assert [(await in_force(ready, key)).steps[0].wait for key in "ab"] == ["1d", "3d"]
    parameters = [warm()["parameters"][0], {"name": "pause", "type": "duration", "default": "2d"}]
    await ready.publish("journeys", warm(parameters=parameters, goal={"event": "Paid"}))
    made = [await in_force(ready, key) for key in "ab"]
    assert [(one.steps[0].wait, one.goal.event, one.param["pause"]) for one in made] == [("2d", "Paid", "2d"), ("3d", "Paid", "3d")]
    shown = (await ready.http.get("/api/journeys/a")).json()
    assert {name: value for name, value in shown.items() if name != "_meta"} == of_warm("a", letter="hello")
    assert shown["_meta"]["published_version"] == 2
    again = (await ready.http.post("/api/journeys/a/publish")).json()
    assert (again["version"], again["changed"]) == (2, False)


async def test_faults_name_the_value_and_the_place_that_it_stands_in(ready):
    await ready.publish("journeys", warm(key="cold"))
    assert faults_in(await publish(ready, {**of_warm("c", letter="nope"), "of": "cold"})) == {
        ("with.letter", "unknown_reference", "journeys.cold.steps.1.template")
    }
    assert faults_in(await publish(ready, {**of_warm("c", pause="soon"), "of": "cold"})) == {
        ("with.letter", "missing", "journeys.cold.parameters.0"), ("with.pause", "parameter_type", "journeys.cold.parameters.1"),
    }  # fmt: skip
    assert faults_of(await publish(ready, {**of_warm("c"), "of": "nobody"})) == {("of", "unknown_reference")}
    assert faults_of(await publish(ready, {**of_warm("c"), "of": "call"})) == {("of", "no_pattern")}
    jumps = journey("jumps", steps=[{"id": "j", "jump": "cold"}])
    assert faults_of(await publish(ready, jumps)) == {("steps.0.jump", "is_pattern")}
    assert (await publish(ready, {**of_warm("c", letter="hello"), "of": "cold"})).is_success
    problem_of(await ready.http.delete("/api/journeys/cold"), 409, "referenced")
    problem_of(await ready.http.post("/api/journeys/cold/start", json={"identifier": "email:a@b.example"}), 409, "not_in_force")
    answer = await publish(
        ready,
        warm(
            key="cold",
            steps=[{"id": "w", "wait": {"param": "pause"}}, {"id": "mail", "template": {"param": "letter"}, "channel": "sms"}],
        ),
    )
    assert problem_of(answer, 409, "used_otherwise")["errors"] == [
        {"path": "journeys.c.with.letter", "code": "other_channel", "message": "template `hello` is for email", "in": "journeys.cold.steps.1.template"}
    ]  # fmt: skip
    assert (await in_force(ready, "c")).steps[0].id == "pause", "nothing of it was published"


async def test_an_import_may_change_it_together_with_what_is_made_of_it(ready):
    await ready.publish("journeys", warm(key="tepid"))
    made = {**of_warm("d", letter="hello"), "of": "tepid"}
    await ready.publish("journeys", made)
    more = warm(
        key="tepid", parameters=[*warm()["parameters"], {"name": "goal", "type": "text"}], goal={"event": {"param": "goal"}}
    )
    both = [{"kind": "journey", "body": {**made, "with": {"letter": "hello", "goal": "Paid"}}}, {"kind": "journey", "body": more}]
    answer = await ready.http.post("/api/documents/import", json={"documents": both})
    assert answer.is_success, answer.text
    assert (await in_force(ready, "d")).goal.event == "Paid"


async def test_a_day_is_of_the_brands_zone_where_his_own_is_unknown(ready):
    await ready.publish("brands", {"key": "far", "name": "Far", "time_zone": "Asia/Tokyo"})
    dated = {"date": {"attribute": "birthday", "every": "year", "at": "10:00"}}
    await ready.publish("journeys", journey("day", brand="far", trigger=dated, steps=[{"id": "e", "wait": "1d"}]))
    found = await in_force(ready, "day")
    assert found.trigger.date.zone == "Asia/Tokyo" and found.reentry.mode == "outside"
    segments = [
        one["body"]
        for one in await read(ready.config, "definitions")
        if one["kind"] == "segment" and one["key"].startswith("~journey.day.")
    ]
    assert [one["condition"] for one in segments] == [
        {"kind": "anniversary", "name": "birthday", "path": "", "before": 0, "days": 1, "zone": "Asia/Tokyo"}
    ]


def faults_in(answer):
    return {(one["path"], one["code"], one.get("in", "")) for one in problem_of(answer, 422, "invalid")["errors"]}
