"""Calls that ask other services first do so before their transaction begins, and what is said of people at events is said once for each act."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runtime.serving import serving
from schemas.events import EVENT
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import guests
from services.gateway.domain.problems import Problem
from tests.gateway.conftest import Site, faults_of, open_site, problem_of
from tests.support.live import read

ANN, BOB = str(UUID(int=7)), str(UUID(int=4000))
TALK = {
    "key": "talk", "brand": "shop", "title": "Talk", "format": "offline", "seats": 2,
    "starts_at": "2026-06-01T10:00:00Z", "ends_at": "2026-06-01T12:00:00Z",
}  # fmt: skip
EVERYBODY = {"kind": "all", "of": []}


class Others:
    """The other services. before: awaited before each answer; codes: what is answered to codes that are loaded."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.before, self.pages, self.codes = None, 0, None
        self.members = [str(UUID(int=place)) for place in range(1, 9000)]

    async def answer(self, request: Request) -> Response:
        if self.before is not None:
            await self.before()
        path, query = request.url.path, request.query_params
        if path.endswith(f"/profiles/{ANN}"):
            return JSONResponse({"id": ANN, "merged": [], "attributes": {}})
        if path.endswith("/decisions"):
            held = [{"verdict": "deferred", "rule": "cap:mass:week", "until": 1, "detail": {"of": name}} for name in ("few", "new")]
            return JSONResponse({"items": held, "next": None})
        if path.endswith("/codes"):
            return self.codes
        if path.endswith("/standing"):
            return JSONResponse({"versions": {"1": {"mail": 0}}})
        if path.endswith("/profiles/said"):
            self.asked = (await request.json())["names"]
            return JSONResponse({ANN: {"firstName": [1, "Ann"], "last_name": [1, "=Lee"], "name": [9, "other"]}})
        if path.endswith("/registrations"):
            more = {"status": "requested", "online": False, "coming": False, "code": "abc", "answers": {}}
            items = [{"profile": one, **more} for one in (BOB, ANN)]
            return JSONResponse({"items": items[:1] if "code" in query else items, "next": None})
        self.pages += 1
        found = [one for one in self.members if one > query["after"]]
        limit = int(query["limit"])
        items = [{"profile": one} for one in found[:limit]]
        return JSONResponse({"items": items, "next": found[limit - 1] if len(found) > limit else None})


@pytest.fixture(scope="module")
async def all_there(shared) -> AsyncIterator[tuple[Site, Others]]:
    others = Others()
    fake = Starlette(routes=[Route("/internal/{path:path}", others.answer, methods=["GET", "POST"])])
    async with serving(fake, "127.0.0.1", 0, asyncio.Event()) as port:
        address = f"http://127.0.0.1:{port}"
        async with open_site(shared, orchestrator=address, warehouse=address, profile=address) as site:
            await site.publish("brands", {"key": "shop", "name": "Shop"})
            await site.publish("events", TALK)
            await site.publish("segments", {"key": "all", "condition": EVERYBODY})
            yield site, others


@pytest.fixture
def there(all_there) -> tuple[Site, Others]:
    all_there[1].begin()
    return all_there


async def journey(site: Site, key: str, template: str) -> int:
    await site.publish("templates", {"key": template, "subject": "Hi", "text": "Hello"})
    steps = [{"id": "mail", "template": template}]
    return await site.publish("journeys", {"key": key, "brand": "shop", "trigger": {"event": "E"}, "steps": steps})


CALLS = [
    ("DELETE", "/api/templates/hello", None),
    ("POST", "/api/events/talk/check-in", {"code": "abc"}),
    ("POST", "/api/events/talk/select", {"segment": "all"}),
    ("POST", "/api/events/talk/select", {"profiles": [ANN]}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_others_are_asked_while_nothing_is_locked(there, method, path, body):
    """While they are asked, the key of the call is revoked: that would wait for the end of a transaction of the call."""
    site, others = there
    await journey(site, "first", "hello")
    await journey(site, "first", "other")
    made = (await site.http.post("/api/keys", json={"name": "test", "scopes": ["write", "publish"]})).json()

    async def revoke() -> None:
        others.before = None
        gone = await asyncio.wait_for(site.http.delete(f"/api/keys/{made['id']}"), 3)
        assert gone.status_code == 204

    others.before = revoke
    answer = await site.as_key(method, path, made["key"], json=body)
    assert others.before is None, "somebody was asked"
    problem_of(answer, 401, "unauthorized")


async def test_what_went_out_of_force_while_it_was_asked_who_stands_where_counts_as_stood_in(there):
    site, others = there
    for template in ("letter", "other"):
        await journey(site, "chain", template)

    async def meanwhile() -> None:
        others.before = None
        for template in ("letter", "other"):
            await journey(site, "chain", template)

    others.before = meanwhile
    told = problem_of(await site.http.delete("/api/templates/letter"), 409, "stood_in")
    assert "journey chain@3" in told["detail"] and "chain@1" not in told["detail"]
    assert (await site.http.delete("/api/templates/letter")).status_code == 204, "nobody stands in any of them"


async def _cut() -> AsyncIterator[bytes]:
    yield b'{"added": '
    raise ConnectionError


@pytest.mark.parametrize("answer", [Response("Internal Server Error", 500), JSONResponse({}, 500), StreamingResponse(_cut())])
async def test_codes_are_unavailable_where_nothing_is_said_of_them(there, answer):
    site, others = there
    await site.publish("promo-pools", {"key": "ten", "brand": "shop"})
    others.codes = answer
    problem_of(await site.http.post("/api/promo-pools/ten/codes", content=b"A1"), 503, "service_unavailable")


async def test_members_of_a_large_segment_are_asked_about_candidates_alone(there):
    site, others = there
    answer = await site.http.post("/api/events/talk/select", json={"segment": "all"})
    assert (answer.status_code, answer.json()) == (202, {"selected": 2, "rest": 0})
    assert others.pages == 2
    others.members = [one for one in others.members if one != BOB]
    assert (await site.http.post("/api/events/talk/select", json={"segment": "all"})).json() == {"selected": 1, "rest": 0}


async def test_why_has_the_numbers_of_rules_in_force_and_of_those_before(there):
    site, _ = there
    for name, most in (("few", 3), ("new", 4)):
        await site.publish("rules", {"key": "house", "caps": [{"name": name, "class": "mass", "most": most, "per": "week"}]})
    told = (await site.http.get(f"/api/profiles/{ANN}/why", params={"journey": "x"})).json()["items"]
    assert ["at most 4" in told[0]["text"], "at most 3" in told[1]["text"]] == [True, True], told


async def test_one_idempotency_key_for_several_acts_of_a_person_loses_none(there):
    site, _ = there
    await site.publish("events", {**TALK, "key": "party"})
    acts = [
        ("registrations", {"profile": ANN}), ("check-in", {"profile": ANN}), ("select", {"profiles": [ANN]}),
        ("check-in", {"profile": ANN}),
    ]  # fmt: skip
    answers = [
        await site.http.post(f"/api/events/party/{verb}", json=body, headers={"Idempotency-Key": "a"}) for verb, body in acts
    ]
    assert [one.status_code for one in answers] == [202] * 4
    assert answers[1].json() == answers[3].json() and answers[3].headers["idempotency-replayed"] == "true"
    await site.relayed()
    facts = [one for one in await read(site.config, "facts.raw") if one["properties"].get(EVENT) == "party"]
    assert len(facts) == 3 and len({one["id"] for one in facts}) == 3


async def test_faults_of_one_person_are_told_where_he_wrote_them(there):
    site, _ = there
    for body in ({"answers": {"no": "x"}}, {"people": [{"answers": {"no": "x"}}]}):
        place = "people.0." if "people" in body else ""
        told = await site.http.post("/api/events/talk/registrations", json=body)
        assert faults_of(told) == {(f"{place}profile", "one_person"), (f"{place}answers.no", "no_question")}
        body = {**body, "status": "x"} if not place else {"people": [{"profile": ANN, "status": "x"}]}
        told = await site.http.post("/api/events/talk/registrations", json=body)
        assert faults_of(told) == {(f"{place}status", "literal_error")}


async def test_a_file_of_registrations_is_in_the_audit_and_its_place_has_bounds(there):
    site, _ = there
    path = "/api/events/talk/registrations"
    assert faults_of(await site.http.get(path, params={"next": 2**63})) == {("next", "less_than_equal")}
    assert faults_of(await site.http.get(path, params={"next": -1})) == {("next", "greater_than_equal")}
    before = (await site.http.get("/api/audit")).json()["items"]
    assert (await site.http.get(path)).status_code == 200
    assert (await site.http.get("/api/audit")).json()["items"] == before
    assert (await site.http.get(path, params={"format": "csv", "status": "requested"})).status_code == 200
    newest = (await site.http.get("/api/audit")).json()["items"][0]
    assert (newest["action"], newest["what"]) == ("export", "event talk")
    assert newest["detail"] == {"format": "csv", "status": ["requested"], "next": 0}


async def test_a_list_for_the_door_has_names_where_they_are_asked_for_and_the_audit_says_so(there):
    site, others = there
    path = "/api/events/talk/registrations"
    assert all("name" not in one for one in (await site.http.get(path)).json()["items"])
    items = (await site.http.get(path, params={"names": "true"})).json()["items"]
    assert {one["profile"]: one["name"] for one in items} == {ANN: "Ann =Lee", BOB: None}
    assert {"firstName", "lastName", "name"} <= set(others.asked)
    newest = (await site.http.get("/api/audit")).json()["items"][0]
    assert newest["detail"] == {"format": "json", "status": None, "next": 0, "names": True}
    lines = (await site.http.get(path, params={"names": "true", "format": "csv"})).text.splitlines()
    assert lines[0].split(",")[:3] == ["profile", "name", "status"]
    assert [line.split(",")[1] for line in lines[1:]] == ["", "Ann =Lee"]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({}, None),
        ({"name": [1, "Ann Lee"]}, "Ann Lee"),
        ({"firstName": [1, "Ann"]}, "Ann"),
        ({"firstName": [1, "Ann"], "name": [1, "Ann Lee"]}, "Ann Lee"),
        ({"firstName": [1, "Ann"], "first_name": [2, "Anna"], "lastName": [1, "Lee"], "name": [3, "A. Lee"]}, "Anna Lee"),
        ({"name": [1, None]}, None),
        ({"name": [1, 7], "lastName": [1, " Lee "]}, "Lee"),
    ],
)
def test_somebody_is_called_by_his_names(said, name):
    assert guests.called(said) == name


async def test_a_stream_is_asked_of_the_process_that_can_be_reached():
    async def answer(request: Request) -> Response:
        return JSONResponse(await request.json(), 503 if request.url.path.endswith("/late") else 200)

    routes = [Route("/internal/{path:path}", answer, methods=["POST"])]
    async with serving(Starlette(routes=routes), "127.0.0.1", 0, asyncio.Event()) as port:
        here, gone = f"http://127.0.0.1:{port}", "http://127.0.0.1:1"
        neighbours = Neighbours({"audience": (gone, here), "none": (gone,)}, "token")
        told = await neighbours.stream("POST", "audience", "/outcomes", json={"a": 1})
        assert (told.status_code, await told.aread()) == (200, b'{"a":1}')
        await told.aclose()
        for service, path in (("none", "/outcomes"), ("audience", "/late"), ("unknown", "/outcomes")):
            with pytest.raises(Problem, match="service_unavailable"):
                await neighbours.stream("POST", service, path, json={})
        await neighbours.close()
