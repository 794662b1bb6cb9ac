"""Questions about conditions: who may ask, about which brands, and what is wrong with what he asks."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.serving import serving
from tests.gateway.conftest import faults_of, open_site, problem_of

EVERYBODY = {"kind": "all", "of": []}
BOUGHT = {"kind": "did", "event": "Order Completed"}


async def test_questions_go_to_the_audience_service_with_the_brands_that_the_key_may_see(config):
    asked = []

    async def answer(request: Request) -> Response:
        asked.append((request.path_params["question"], await request.json()))
        if asked[-1][1].get("profile") == "nobody":
            return JSONResponse({"code": "profile_not_found"}, 404)
        if asked[-1][1].get("condition") == BOUGHT:
            return JSONResponse(
                {"code": "invalid", "errors": [{"path": "condition.event", "code": "not_in_lake", "message": "no"}]}, 422
            )
        return JSONResponse({"count": 3})

    async def person(_request: Request) -> Response:
        return JSONResponse({"id": "p1"})

    routes = [Route("/internal/audience/{question}", answer, methods=["POST"])]
    neighbour = Starlette(routes=[*routes, Route("/internal/profiles/{id}", person)])
    async with (
        serving(neighbour, "127.0.0.1", 0, asyncio.Event()) as port,
        open_site(config, audience=f"http://127.0.0.1:{port}", profile=f"http://127.0.0.1:{port}") as site,
    ):
        for brand in ("one", "two"):
            await site.publish("brands", {"key": brand, "name": brand})
        for key, brand in (("ours", "one"), ("theirs", "two"), ("all", None)):
            await site.publish("segments", {"key": key, "brand": brand, "condition": EVERYBODY})
        one = await site.new_key("read", brands=["one"])

        told = await site.as_key("POST", "/api/segments/preview", one, json={"condition": EVERYBODY})
        assert told.json() == {"count": 3} and asked.pop() == (
            "preview",
            {"brands": ["one"], "as_of": None, "condition": EVERYBODY},
        )
        problem_of(
            await site.as_key("POST", "/api/segments/preview", one, json={"condition": EVERYBODY, "brand": "two"}),
            403,
            "brand_forbidden",
        )
        for path in ("theirs/diff", "none/diff"):
            problem_of(await site.as_key("POST", f"/api/segments/{path}", one, json={}), 404, "document_not_found")
        sets = [{"key": "theirs"}, {"condition": BOUGHT}]
        problem_of(await site.as_key("POST", "/api/segments/overlap", one, json={"sets": sets}), 404, "document_not_found")
        writer = await site.new_key("write")
        problem_of(await site.as_key("POST", "/api/segments/preview", writer, json={"condition": EVERYBODY}), 403, "scope_missing")

        await site.http.post("/api/segments/all/diff", json={"as_of": 5})
        assert asked.pop() == ("diff", {"brands": [], "as_of": 5, "key": "all", "condition": EVERYBODY}), (
            "the draft, where nothing is given"
        )
        await site.http.post(
            "/api/segments/overlap", json={"brand": "two", "sets": [{"key": "all"}, {"name": "b", "condition": EVERYBODY}]}
        )
        named = {"all": {"key": "all"}, "b": {"condition": EVERYBODY}}
        assert asked.pop() == ("overlap", {"brands": ["two"], "as_of": None, "sets": named})
        await site.http.post("/api/segments/all/explain", json={"profile": "p"})
        assert asked.pop() == ("explain", {"brands": [], "as_of": None, "profile": "p1", "key": "all"})

        assert faults_of(await site.http.post("/api/segments/preview", json={"condition": BOUGHT})) == {
            ("condition.event", "not_in_lake")
        }
        wrong = {"kind": "any", "of": [{"kind": "did"}]}
        assert faults_of(await site.http.post("/api/segments/preview", json={"condition": wrong})) == {
            ("condition.of.0.event", "missing")
        }
        twice = {"sets": [{"key": "all"}, {"key": "all"}]}
        assert faults_of(await site.http.post("/api/segments/overlap", json=twice)) == {("sets.1.name", "twice")}
        assert faults_of(await site.http.post("/api/segments/overlap", json={"sets": []})) == {("sets", "too_short")}
        assert faults_of(await site.http.post("/api/segments/preview", json={"condition": EVERYBODY, "as_of": "now"})) == {
            ("as_of", "int_type")
        }


async def test_without_the_service_the_answer_says_so(config):
    async with open_site(config) as site:
        problem_of(await site.http.post("/api/segments/preview", json={"condition": EVERYBODY}), 503, "service_unknown")
