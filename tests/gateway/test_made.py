"""Journeys with parameters and what is made of them, wherever else than in publishing itself a journey is looked at."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.serving import serving
from tests.gateway.conftest import faults_of, open_site, problem_of
from tests.support.live import read

PARAMETERS = [{"name": "letter", "type": "text"}, {"name": "pause", "type": "duration", "default": "1d"}]
PAUSE, MAIL = {"id": "pause", "wait": {"param": "pause"}}, {"id": "mail", "template": {"param": "letter"}}
DAY = {"date": {"attribute": "birthday", "every": "year", "at": "10:00"}}


def warm(key, *steps, **more):
    more = {"parameters": PARAMETERS, "trigger": {"event": "E"}, **more}
    return {"key": key, "brand": "far", "steps": list(steps or (PAUSE, MAIL)), **more}


def plain(key, **more):
    return {"key": key, "brand": "far", "trigger": {"event": "E"}, "steps": [{"id": "mail", "template": "hello"}], **more}


def made(key, of, **values):
    return {"key": key, "brand": "far", "of": of, "with": {"letter": "hello", **values}}


@pytest.fixture(scope="module")
async def ready(site):
    await prepare(site)
    return site


async def prepare(site):
    await site.publish("brands", {"key": "far", "name": "Far", "time_zone": "Asia/Tokyo"})
    await site.publish("templates", {"key": "hello", "subject": "Hi", "text": "Hello"})


async def save(site, body):
    saved = await site.http.put(f"/api/journeys/{body['key']}", json=body)
    assert saved.is_success, saved.text


async def publish(site, key, **asked):
    return await site.http.post(f"/api/journeys/{key}/publish", json=asked)


async def diff(site, key, **params):
    return await site.http.get(f"/api/journeys/{key}/diff", params=params)


async def test_the_rules_in_words_have_what_is_made_of_it_and_not_itself(ready):
    await ready.publish("journeys", warm("loud", priority="high"))
    await ready.publish("journeys", made("louder", "loud"))
    answer = await ready.http.get("/api/rules/effective")
    assert answer.status_code == 200, answer.text
    assert {one["journey"] for one in answer.json()["journeys"]} >= {"louder"} and "loud" not in answer.text.split('"')


async def test_a_draft_of_values_differs_by_what_it_comes_to(ready):
    await ready.publish("journeys", warm("mild"))
    await ready.publish("journeys", made("milder", "mild"))
    assert (await diff(ready, "milder")).json()["same"] is True
    await save(ready, made("milder", "mild", pause="3d"))
    assert "Step `pause`, `wait`: 1d → 3d" in (await diff(ready, "milder")).json()["text"]
    await ready.publish("journeys", made("milder", "mild", pause="3d"))
    told = (await diff(ready, "milder", **{"from": "1", "to": "2"})).json()
    assert [one["step"] for one in told["steps"]["changed"]] == ["pause"]
    assert faults_of(await diff(ready, "mild")) == {("from", "is_pattern")}
    assert faults_of(await diff(ready, "mild", **{"from": "draft"})) == {("", "is_pattern")}
    await save(ready, made("nobodys", "nobody"))
    assert faults_of(await diff(ready, "nobodys")) == {("of", "unknown_reference")}


async def test_what_was_just_published_does_not_differ_by_the_zone_of_its_brand(ready):
    await ready.publish("journeys", plain("dated", trigger=DAY))
    assert (await diff(ready, "dated")).json()["same"] is True


async def test_people_of_one_that_is_made_of_another_can_be_led(ready):
    await ready.publish("journeys", warm("cool"))
    await ready.publish("journeys", made("cooler", "cool"))
    await save(ready, made("cooler", "cool", pause="2d"))
    answer = await publish(ready, "cooler", move={"pause": "mail"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["version"], answer.json()["moves"]) == (2, {"1": {"pause": "mail"}})
    await ready.publish("journeys", warm("cool", MAIL))
    answer = await publish(ready, "cooler", move={"pause": "leave"})
    assert answer.json()["changed"] is False and answer.json()["moves"] == {"1": {"pause": "leave"}, "2": {"pause": "leave"}}
    await ready.relayed()
    led = [one["body"] for one in await read(ready.config, "definitions") if one["kind"] == "migration"]
    assert [(one["key"], one["to"]) for one in led] == [("cooler", 2), ("cooler", 3)]


async def test_an_earlier_version_of_one_that_is_made_of_another_is_put_in_force_anew(ready):
    await ready.publish("journeys", warm("soft"))
    await ready.publish("journeys", made("softer", "soft"))
    await ready.publish("journeys", made("softer", "soft", pause="5d"))
    answer = await publish(ready, "softer", version=1)
    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] == 3
    assert (await diff(ready, "softer", **{"from": "1", "to": "3"})).json()["same"] is True


async def test_an_earlier_version_of_another_brand_is_not_there_for_a_key(ready):
    for brand in ("red", "blue"):
        await ready.publish("brands", {"key": brand, "name": brand})
        await ready.publish("journeys", plain("sold", brand=brand))
    blue = await ready.new_key("write", "publish", brands=["blue"])
    answer = await ready.as_key("POST", "/api/journeys/sold/publish", blue, json={"version": 1})
    problem_of(answer, 404, "document_not_found")
    assert (await ready.as_key("POST", "/api/journeys/sold/publish", blue, json={"version": 2})).status_code == 200


async def test_one_that_others_name_neither_gets_parameters_nor_loses_them(ready):
    await ready.publish("journeys", plain("goal"))
    await ready.publish("journeys", plain("jumper", steps=[{"id": "j", "jump": "goal"}]))
    await save(ready, warm("goal"))
    told = problem_of(await publish(ready, "goal"), 409, "used_otherwise")
    assert [(one["path"], one["code"]) for one in told["errors"]] == [("journeys.jumper.steps.0.jump", "is_pattern")]
    await ready.publish("journeys", warm("mould"))
    await ready.publish("journeys", made("cast", "mould"))
    await save(ready, plain("mould"))
    told = problem_of(await publish(ready, "mould"), 409, "used_otherwise")
    assert [(one["path"], one["code"]) for one in told["errors"]] == [("journeys.cast.of", "no_pattern")]


async def test_a_rehearsal_and_a_walk_get_what_would_be_in_force(config):
    asked = []

    async def answer(request: Request) -> Response:
        asked.append(await request.json())
        return JSONResponse({"id": "r", "report": None}, 202 if "asked" in asked[-1] else 200)

    fake = Starlette(routes=[Route("/internal/{path}", answer, methods=["POST"])])
    async with (
        serving(fake, "127.0.0.1", 0, asyncio.Event()) as port,
        open_site(config, orchestrator=f"http://127.0.0.1:{port}") as site,
    ):
        await prepare(site)
        await site.publish("journeys", warm("hot", trigger=DAY))
        await save(site, made("hotter", "hot", pause="4d"))
        for verb, status in (("rehearse", 202), ("walk", 200)):
            told = await site.http.post(f"/api/journeys/hotter/{verb}", json={})
            assert told.status_code == status, told.text
            body = asked.pop()["asked" if verb == "rehearse" else "body"]
            body = body["body"] if verb == "rehearse" else body
            assert body["steps"][0]["wait"] == "4d" and body["trigger"]["date"]["zone"] == "Asia/Tokyo"
            assert faults_of(await site.http.post(f"/api/journeys/hot/{verb}", json={})) == {("", "is_pattern")}
        assert asked == []
