"""One person through the gateway, dead letters, doubts, and whether anything still moves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from runtime import health, internal
from runtime.drive import set_clock
from runtime.kafka import Reader
from runtime.service import Consumes, Service
from runtime.serving import serving
from schemas import facts
from schemas.topics import FACTS
from services.gateway.api import clock
from services.profile.__main__ import service as profile
from tests.gateway.conftest import open_site, problem_of
from tests.support.live import T0, fact, publish, read, rows, running, until

ANN = "email:ann@example.org"


async def settled(site):
    async def quiet():
        return (await site.http.get("/api/quiet")).json()["quiet"]

    await until(quiet)


async def test_a_person_is_found_by_any_identifier_and_any_id_he_had(config):
    await publish(
        config,
        [
            fact("1", "user_id:u1", at=T0, type="identify", attributes={"city": "Kazan", "left": 1}),
            fact("2", ANN, at=T0 + 1, type="identify", attributes={"city": "Omsk", "left": None}),
            fact("3", "phone:+79161234567", at=T0 + 2),
        ],
    )
    async with open_site(config, profile()) as site:
        await settled(site)
        before = (await site.http.get("/api/profiles", params={"identifier": ANN})).json()
        await publish(config, [fact("4", "user_id:u1", ANN, "phone:+79161234567", at=T0 + 3)])
        await settled(site)
        found = (await site.http.get("/api/profiles", params={"identifier": "email: ANN@example.org "})).json()
        assert found["identifiers"] == [ANN, "phone:+79161234567", "user_id:u1"]
        assert found["attributes"] == {"city": "Omsk"}
        assert found["first_received_at"] == T0 and found["bucketing_id"]
        assert before["id"] in found["merged"] and len(found["merged"]) == 2
        for path in (
            f"/api/profiles/{found['id']}",
            f"/api/profiles/{before['id']}",
            "/api/profiles?identifier=phone:+79161234567",
        ):
            assert (await site.http.get(path)).json() == found
        for path in (f"/api/profiles/{uuid4()}", "/api/profiles/zzz", "/api/profiles/..%2fquiet"):
            assert (await site.http.get(path)).status_code == 404
        problem_of(
            await site.http.get("/api/profiles", params={"identifier": "email:nobody@example.org"}), 404, "profile_not_found"
        )
        for junk in ("ann@example.org", "email:", "user_id:null", "shoe:45", "user_id:a\x00b"):
            problem_of(await site.http.get("/api/profiles", params={"identifier": junk}), 422, "invalid")
        problem_of(await site.http.get("/api/profiles"), 422, "invalid")


@asynccontextmanager
async def admin(context) -> AsyncIterator[str]:
    async with serving(health.app([context], "a secret"), "127.0.0.1", 0, context.stopping) as port:
        yield f"http://127.0.0.1:{port}"


async def test_what_services_ask_each_other_is_for_services_alone(config):
    async with running(config, profile()) as (context,), admin(context) as url, httpx.AsyncClient(trust_env=False) as http:
        await until(context.ready.is_set)
        paths = ("/internal/profiles?identifier=user_id:u1", "/internal/dead-letters", "/internal/quiet")
        for path in paths:
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                assert (await http.get(url + path, headers=headers)).status_code == 401
            allowed = await http.get(url + path, headers={"Authorization": f"Bearer {internal.token('a secret')}"})
            assert allowed.status_code in (200, 404)
        assert (await http.get(f"{url}/livez")).status_code == 200


async def test_a_neighbour_that_is_away_is_a_problem(config):
    async with open_site(config, profile="http://127.0.0.1:1") as site:
        problem_of(await site.http.get(f"/api/profiles/{uuid4()}"), 503, "service_unavailable")
        problem_of(await site.http.get("/api/in-doubt"), 503, "service_unknown")
        problem_of(await site.http.get("/api/dead-letters"), 503, "service_unavailable")


async def test_dead_letters_are_listed_and_replayed_once_the_cause_is_mended(config):
    """A record that the code could not take, its neighbours, and one that is no JSON at all."""
    good = fact("g", "user_id:1")
    late = facts.encode(fact("late", "user_id:2")).replace(b'"received_at":', b'"received_at":-')
    await publish(config, [good, late, b"\xff\x00"], key="one partition")
    async with open_site(config, profile()) as site:
        await settled(site)
        page = (await site.http.get("/api/dead-letters", params={"limit": 1})).json()
        rest = (await site.http.get("/api/dead-letters", params={"limit": 1, "next": page["next"]})).json()
        assert page["next"] and rest["next"] is None
        letters = page["items"] + rest["items"]
        assert [(one["service"], one["topic"], one["reason"]) for one in letters] == [("profile", "facts.raw", "undecodable")] * 2
        assert all("record" not in one and one["replayed_at"] is None for one in letters)
        ids = [one["id"] for one in letters]
        answer = (await site.http.post("/api/dead-letters/replay", json={"ids": [*ids, "profile:999999"]})).json()
        assert answer["replayed"] == [ids[0]]
        assert answer["refused"] == [{"id": ids[1], "code": "not_json"}, {"id": "profile:999999", "code": "not_found"}]
        again = (await site.http.post("/api/dead-letters/replay", json={"ids": ids[:1]})).json()
        assert again["replayed"] == []
        await settled(site)  # the code is as it was: it is buried a second time
        assert len((await site.http.get("/api/dead-letters")).json()["items"]) == 3
        problem_of(await site.http.post("/api/dead-letters/replay", json={"ids": ["17"]}), 422, "invalid")
        assert (await site.http.get("/api/dead-letters", params={"service": "profile"})).status_code == 200
        problem_of(await site.http.get("/api/dead-letters", params={"service": "nobody"}), 503, "service_unknown")
    raw = await read_raw(config)
    assert [json.loads(value)["id"] for value in raw if value[:1] == b"{"] == [good.id, fact("late").id, fact("late").id]


async def read_raw(config):
    reader = Reader(config, f"raw-{uuid4()}", "live", ["facts.raw"])
    await reader.start()
    try:
        await until(lambda: reader.assigned)
        ends = await reader.ends(reader.assigned)
        for place in ends:
            reader.seek(place, 0)
        found = []
        while len(found) < sum(ends.values()):
            await reader.fetch(200, 1000)
            found += [record.value for records in reader.take(1000, 1 << 30).values() for record in records]
        return found
    finally:
        await reader.stop()


class Picky:
    """A reader of `facts` that cannot take a record until it is mended."""

    def __init__(self, name: str) -> None:
        self.name, self.broken, self.took = name, name == "broken", []

    async def __call__(self, _tx, items):
        if self.broken and any(item.value.event == "Bad" for item in items):
            raise KeyError("a bug")
        self.took += [item.value.event for item in items]
        return []

    def service(self) -> Service:
        def decode(record):
            kind = next((value for name, value in record.headers if name == "t"), b"")
            return facts.decode(record.value) if kind in (b"Bad", b"Good") else None

        return Service(name=self.name, consumes=(Consumes(FACTS, decode),), handle=self)


async def test_a_replay_on_a_topic_of_ours_reaches_the_one_who_needs_it_although_it_saw_later_ones(config):
    """`facts` carry src and seq: sent again as they were they would be dropped, and the others would count them twice."""
    broken, healthy = Picky("broken"), Picky("healthy")
    await publish(config, [fact(f"{n}", "user_id:1", event=name, at=T0 + n) for n, name in enumerate(("Good", "Bad", "Good"))])
    async with open_site(config, profile(), broken.service(), healthy.service()) as site:
        await settled(site)
        assert (broken.took, healthy.took) == (["Good", "Good"], ["Good", "Bad", "Good"])
        broken.broken = False
        (letter,) = (await site.http.get("/api/dead-letters")).json()["items"]
        assert letter["service"] == "broken" and letter["reason"] == "unhandled"
        answer = await site.http.post("/api/dead-letters/replay", json={"ids": [letter["id"]]})
        assert answer.json() == {"replayed": [letter["id"]], "refused": []}
        await until(lambda: len(broken.took) == 3)
        await settled(site)
        assert (broken.took, healthy.took) == (["Good", "Good", "Bad"], ["Good", "Bad", "Good"])
        (letter,) = (await site.http.get("/api/dead-letters")).json()["items"]
        assert letter["replayed_at"] is not None


async def test_doubts_come_from_the_sender(config):
    asked = []

    async def in_doubt(request):
        asked.append((request.query_params.get("limit"), request.query_params.get("next"), "authorization" in request.headers))
        return JSONResponse({"items": [{"id": "i1"}], "next": None})

    sender = Starlette(routes=[Route("/internal/in-doubt", in_doubt)])
    async with (
        serving(sender, "127.0.0.1", 0, asyncio.Event()) as port,
        open_site(config, sender=f"http://127.0.0.1:{port}") as site,
    ):
        answer = await site.http.get("/api/in-doubt", params={"limit": 7, "next": "x"})
        assert answer.json() == {"items": [{"id": "i1"}], "next": None}
        assert asked == [("7", "x", True)]


async def test_quiet_in_live_time_sees_what_waits(config):
    async with open_site(config, profile()) as site:
        await settled(site)
        (context,) = site.neighbours
        async with context.db.transaction() as connection:  # its batch cannot begin
            await connection.execute("SELECT 1 FROM watermark FOR UPDATE")
            await publish(config, [fact("1", "user_id:1")])
            busy = (await site.http.get("/api/quiet")).json()
            assert busy["quiet"] is False and any("facts.raw" in why for why in busy["busy"]["profile"])
        await settled(site)
        assert len(await rows(context, "SELECT 1 FROM profile")) == 1
        assert "Seen" in [one.get("event") for one in await read(config, "facts")]


async def test_the_driven_clock_through_the_gateway(config):
    async with open_site(config, profile()) as site:
        live = (await site.http.get("/api/clock")).json()
        assert live["driven"] is False and live["now"] > 1_700_000_000_000
        assert (await site.http.put("/api/clock", json={"now": T0})).json() == {"driven": True, "now": T0}
        await publish(config, [fact(f"{n}", f"user_id:{n}") for n in range(5)])
        told = (await site.http.get("/api/quiet")).json()
        assert told["quiet"] is True and told["now"] == T0 and told["rounds"] == 2  # one that moved, one that did not
        (context,) = site.neighbours
        assert len(await rows(context, "SELECT 1 FROM profile")) == 5
        assert (await site.http.get("/api/quiet")).json()["rounds"] == 2
        iso = "2010-11-18T00:00:00Z"
        assert (await site.http.put("/api/clock", json={"now": iso})).json()["now"] == 1_290_038_400_000
        problem_of(await site.http.put("/api/clock", json={"now": T0}), 409, "clock_backwards")
        for wrong in ({"now": "soon"}, {"now": -1}, {"now": 1.5}, {"now": True}, {}, [], {"now": 10**15}):
            problem_of(await site.http.put("/api/clock", json=wrong), 422, "invalid")
        assert (await site.http.put("/api/clock", json={"now": None})).json()["driven"] is False
        await settled(site)


async def test_two_who_ask_for_quiet_at_once_take_turns(config):
    async with open_site(config, profile()) as site:
        await set_clock(site.context.db, T0)
        await publish(config, [fact("1", "user_id:1")])
        answers = await asyncio.gather(*(site.http.get("/api/quiet") for _ in range(3)))
        assert all(answer.json()["quiet"] for answer in answers)


async def test_a_service_that_does_not_move_is_named(config, monkeypatch):
    monkeypatch.setattr(clock, "PATIENCE_S", 0.3)
    async with open_site(config, profile()) as site:
        await settled(site)
        await set_clock(site.context.db, T0)
        (context,) = site.neighbours
        async with context.db.transaction() as connection:
            await connection.execute("SELECT 1 FROM watermark FOR UPDATE")
            await publish(config, [fact("1", "user_id:1")])
            assert "profile" in problem_of(await site.http.get("/api/quiet"), 503, "stuck")["detail"]
        monkeypatch.undo()
        assert (await site.http.get("/api/quiet")).json()["quiet"] is True
