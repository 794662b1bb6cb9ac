"""Members over the API: what cannot be asked gets a clear answer, and a key of a brand sees its own segments and its own people only."""

import csv
import io
import json

import httpx
import pytest

from schemas.facts import encode
from schemas.memberships import Membership
from services.profile.__main__ import service as profile
from services.warehouse.__main__ import service as warehouse
from tests.gateway.conftest import faults_of, open_site, problem_of
from tests.gateway.test_people import settled
from tests.support.live import T0, fact, publish, rows, until

ANYBODY = {"kind": "identifier", "has": "email"}


async def test_who_asks_amiss_is_told_what_and_how_to_mend_it(config):
    async with open_site(config) as site:
        await site.publish("segments", {"key": "vip", "condition": ANYBODY})
        problem_of(await site.http.get("/api/segments/none/members"), 404, "document_not_found")
        for bad in ("yesterday", "-1", "2026-02-30", "99999999999999999"):
            assert faults_of(await site.http.get("/api/segments/vip/members", params={"as_of": bad})) == {("as_of", "time")}
        flows = "/api/segments/flows"
        assert faults_of(await site.http.get(flows, params={"keys": "vip"})) == {("from", "missing")}
        assert faults_of(await site.http.get(flows, params={"keys": "vip", "from": "2", "to": "1"})) == {("to", "order")}
        assert faults_of(await site.http.get(flows, params={"keys": ",", "from": "2"})) == {("keys", "too_short")}
        many = ",".join(f"s{n}" for n in range(7))
        assert faults_of(await site.http.get("/api/segments/overlap", params={"keys": many})) == {("keys", "too_long")}
        problem_of(await site.http.get(flows, params={"keys": "vip,none", "from": "1"}), 404, "document_not_found")
        asked = {"as": "UPPER", "as_of": "soon"}
        assert faults_of(await site.http.post("/api/segments/vip/freeze", json=asked)) == {("as_of", "time")}
        assert faults_of(await site.http.post("/api/segments/vip/freeze", json={"as": "UPPER"})) == {("key", "key")}
        problem_of(await site.http.post("/api/segments/vip/freeze", json={"as": "vip"}), 409, "list_exists")
        reader = await site.new_key("read")
        problem_of(await site.as_key("POST", "/api/segments/vip/freeze", reader, json={"as": "x"}), 403, "scope_missing")
        problem_of(await site.http.get("/api/segments/vip/members"), 503, "service_unknown")


async def test_a_key_of_a_brand_sees_its_segments_and_its_people(config):
    async with open_site(config, profile(), warehouse(pace_s=0)) as site:
        for brand in ("shop", "club"):
            await site.http.put(f"/api/brands/{brand}", json={"name": brand, "from_email": f"a@{brand}.example"})
            await site.http.post(f"/api/brands/{brand}/publish")
            await site.publish("segments", {"key": f"{brand}-vip", "brand": brand, "condition": ANYBODY})
        await site.publish("segments", {"key": "all", "condition": ANYBODY})
        people = {}
        said = {"type": "track", "event": "Consent Granted", "properties": {"channel": "email"}}
        await publish(
            config,
            [
                fact("1", "email:ann@x.example", type="identify", event="", attributes={"city": "Omsk"}),
                fact("2", "email:bob@x.example", brand="club", **said),
                fact("3", "email:ann@x.example", **said),
            ],
        )
        await settled(site)
        for who in ("ann", "bob"):
            people[who] = (await site.http.get("/api/profiles", params={"identifier": f"email:{who}@x.example"})).json()["id"]
        told = [
            Membership(type="entered", received_at=T0, at=T0, id=f"{segment}{who}", profile=people[who], segment=segment)
            for segment in ("shop-vip", "all")
            for who in people
        ]
        await publish(config, [encode(one) for one in told], "memberships", key="k")
        await settled(site)
        mine = await site.new_key("read", brands=["shop"])

        async def ids(path: str, **params) -> list[str]:
            answer: httpx.Response = await site.as_key("GET", path, mine, params=params)
            assert answer.status_code == 200, answer.text
            return [one["profile"] for one in answer.json()["items"]]

        assert await ids("/api/segments/shop-vip/members") == [people["ann"]]
        assert await ids("/api/segments/shop-vip/members", as_of=T0) == [people["ann"]]
        for other in ("club-vip", "all"):
            problem_of(await site.as_key("GET", f"/api/segments/{other}/members", mine), 403, "brand_forbidden")
            problem_of(await site.as_key("GET", f"/api/segments/flows?keys={other}&from=1", mine), 403, "brand_forbidden")
        history = f"/api/segments/shop-vip/history?profile={people['bob']}"
        problem_of(await site.as_key("GET", history, mine), 404, "profile_not_found")
        assert (await site.http.get(history)).json()["items"][0]["type"] == "entered"
        whole = await site.as_key("GET", "/api/segments/shop-vip/members?format=csv", mine)
        (row,) = csv.DictReader(io.StringIO(whole.content.decode("utf-8-sig")))
        assert (row["email"], row["attributes.city"], row["brands"]) == ("ann@x.example", "Omsk", "shop")
        lines = (await site.http.get("/api/segments/all/members?format=jsonl")).text.splitlines()
        told_of = {one["id"]: one for one in map(json.loads, lines)}
        assert told_of.keys() == set(people.values()) and told_of[people["bob"]]["consents"][0]["brand"] == "club"
        await site.http.delete("/api/segments/all")
        assert len((await site.http.get("/api/segments/all/members")).json()["items"]) == 2, "its history is still there"


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_a_file_whose_people_cannot_be_told_breaks_off(config, form):
    """The answer has begun when a neighbour goes: half a file must not look whole."""
    async with open_site(config, warehouse(pace_s=0)) as site:
        await site.publish("segments", {"key": "vip", "condition": ANYBODY})
        entered = Membership(
            type="entered", received_at=T0, at=T0, id="m", profile="00000000-0000-4000-8000-000000000001", segment="vip"
        )
        await publish(config, [encode(entered)], "memberships", key="k")
        await until(lambda: rows(site.neighbours[0], "SELECT FROM member"))
        try:
            answer = await site.http.get("/api/segments/vip/members", params={"format": form})
        except httpx.RemoteProtocolError:
            return
        problem_of(answer, 503, "service_unavailable")
