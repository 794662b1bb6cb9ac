"""Who may call what."""

import asyncio
import json

import pytest

from runtime.clock import wall_ms
from runtime.db import Database
from schemas.write_keys import hash_of
from services.gateway.domain.analyses import MODELS
from tests.gateway.conftest import API_KEY, WRITE_KEY, open_site, problem_of
from tests.support.live import read, rows, until

BRAND = {"key": "b1", "name": "One"}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {API_KEY}", f"bearer{API_KEY}"])
async def test_nobody_comes_in_without_a_good_key(site, header):
    headers = {} if header is None else {"Authorization": header}
    answer = await site.http.get("/api/segments", headers={"Authorization": "", **headers})
    problem_of(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


CALLS = [
    ("GET", "/api/segments", "read"),
    ("GET", "/api/segments/x", "read"),
    ("GET", "/api/segments/x/versions", "read"),
    ("GET", "/api/segments/x/versions/1", "read"),
    ("PUT", "/api/brands/x", "write"),
    ("DELETE", "/api/brands/x", "write"),
    ("POST", "/api/brands/x/publish", "publish"),
    ("POST", "/api/documents/import", "publish"),
    ("GET", "/api/segments/language", "read"),
    ("GET", "/api/rules/effective", "read"),
    ("POST", "/api/segments/describe", "read"),
    ("POST", "/api/segments/preview", "read"),
    ("POST", "/api/segments/overlap", "read"),
    ("POST", "/api/segments/x/diff", "read"),
    ("POST", "/api/segments/x/explain", "read"),
    ("GET", "/api/segments/x/progress", "read"),
    ("GET", "/api/segments/flows?keys=x&from=2026-03-01", "read"),
    ("GET", "/api/segments/overlap?keys=x", "read"),
    ("GET", "/api/segments/x/members", "read"),
    ("GET", "/api/segments/x/history?profile=x", "read"),
    ("GET", "/api/segments/x/freeze?as=y", "read"),
    ("POST", "/api/segments/x/freeze", "publish"),
    ("GET", "/api/profiles?identifier=email:a@b.cd", "read"),
    ("GET", "/api/profiles/x", "read"),
    ("GET", "/api/profiles/x/decisions", "read"),
    ("GET", "/api/profiles/x/timeline", "read"),
    ("GET", "/api/profiles/x/consents", "read"),
    ("GET", "/api/accounts", "read"),
    ("GET", "/api/accounts/x", "read"),
    ("GET", "/api/deals/x", "read"),
    ("GET", "/api/profiles/x/export", "admin"),
    ("DELETE", "/api/profiles/x", "admin"),
    ("GET", "/api/erasures/x", "read"),
    ("POST", "/api/profiles/x/unmerge", "admin"),
    ("GET", "/api/consents/verify", "read"),
    ("POST", "/api/identity/rules/rehearse", "read"),
    ("GET", "/api/connectors/x/url", "admin"),
    ("GET", "/api/bots/x/url", "admin"),
    ("POST", "/api/webhooks/x/secret", "admin"),
    ("GET", "/api/webhooks/x/status", "read"),
    ("GET", "/api/bots/x/start?profile=x", "write"),
    ("GET", "/api/connectors/x/payloads", "read"),
    ("POST", "/api/connectors/x/test", "write"),
    ("POST", "/api/connectors/x/replay", "publish"),
    ("POST", "/api/promo-pools/x/codes", "publish"),
    ("POST", "/api/journeys/x/start", "write"),
    ("GET", "/api/journeys/x/standing", "read"),
    ("GET", "/api/journeys/x/diff", "read"),
    ("GET", "/api/journeys/x/stats", "read"),
    ("POST", "/api/journeys/x/pause", "publish"),
    ("POST", "/api/journeys/x/resume", "publish"),
    ("POST", "/api/journeys/x/archive", "publish"),
    ("POST", "/api/journeys/x/end", "publish"),
    ("POST", "/api/journeys/x/rehearse", "write"),
    ("POST", "/api/rules/x/rehearse", "write"),
    ("POST", "/api/campaigns/x/rehearse", "write"),
    ("POST", "/api/journeys/x/walk", "read"),
    ("GET", "/api/rehearsals/x", "read"),
    ("POST", "/api/rehearsals/x/stop", "write"),
    ("GET", "/api/profiles/x/why?journey=x", "read"),
    ("POST", "/api/campaigns/x/pilot", "publish"),
    ("POST", "/api/campaigns/x/rollout", "publish"),
    ("POST", "/api/campaigns/x/pause", "publish"),
    ("POST", "/api/campaigns/x/resume", "publish"),
    ("POST", "/api/campaigns/x/stop", "publish"),
    ("POST", "/api/campaigns/x/preflight", "read"),
    ("GET", "/api/campaigns/x/report", "read"),
    ("GET", "/api/events/x/registrations", "read"),
    ("POST", "/api/events/x/registrations", "write"),
    ("POST", "/api/events/x/check-in", "write"),
    ("POST", "/api/events/x/select", "write"),
    ("GET", "/api/events/x/stats", "read"),
    ("POST", "/api/experiments/evaluate", "read"),
    ("POST", "/api/experiments/plan", "read"),
    ("GET", "/api/mechanics", "read"),
    ("GET", "/api/mechanics/x", "read"),
    ("POST", "/api/mechanics/x/install", "write"),
    ("GET", "/api/dead-letters", "read"),
    ("POST", "/api/dead-letters/replay", "admin"),
    ("GET", "/api/in-doubt", "read"),
    ("GET", "/api/imports", "read"),
    ("POST", "/api/imports", "write"),
    ("GET", "/api/imports/x", "read"),
    ("GET", "/api/imports/x/refused", "read"),
    ("GET", "/api/imports/x/bad", "read"),
    ("POST", "/api/imports/preview", "write"),
    ("PATCH", "/api/imports/x", "write"),
    ("GET", "/api/reports/outcomes", "read"),
    ("GET", "/api/reports/people?figure=sent", "read"),
    *(("GET", f"/api/reports/{name}", "read") for name in MODELS),
    ("POST", "/api/reports/forecast", "read"),
    ("GET", "/api/traffic", "read"),
    ("POST", "/api/traffic", "write"),
    ("POST", "/api/bi/refresh", "write"),
    ("GET", "/api/experiments/x/results", "read"),
    ("POST", "/api/experiments/x/stop", "publish"),
    ("POST", "/api/experiments/x/plan", "read"),
    ("GET", "/api/keys", "admin"),
    ("POST", "/api/keys", "admin"),
    ("DELETE", "/api/keys/x", "admin"),
    ("GET", "/api/write-keys", "admin"),
    ("POST", "/api/write-keys", "admin"),
    ("DELETE", "/api/write-keys/x", "admin"),
    ("GET", "/api/audit", "admin"),
    ("GET", "/api/clock", "read"),
    ("PUT", "/api/clock", "clock"),
    ("GET", "/api/quiet", "clock"),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
async def test_every_call_needs_its_scope_and_only_that(site, method, path, scope):
    others = [one for one in ("read", "write", "publish", "admin", "clock") if one != scope]
    answer = await site.as_key(method, path, await site.new_key(*others))
    assert scope in problem_of(answer, 403, "scope_missing")["detail"]
    answer = await site.as_key(method, path, await site.new_key(scope))
    assert answer.status_code not in (401, 403, 500)


async def test_the_calls_above_are_all_there_are(site):
    described = (await site.http.get("/api/openapi.json")).json()["paths"]
    known = {(m, p.partition("?")[0].replace("brands", "segments")) for m, p, _ in CALLS}
    for path, methods in described.items():
        plain = path
        for name in (
            "{segment}",
            "{key}",
            "{key_id}",
            "{profile}",
            "{journey}",
            "{rehearsal}",
            "{name}",
            "{account}",
            "{deal}",
            "{id}",
            "{act}",
        ):
            plain = plain.replace(name, "x")
        plain = own = plain.replace("{version}", "1")
        for kind in (
            "journeys",
            "templates",
            "topics",
            "brands",
            "rules",
            "identity",
            "connectors",
            "bots",
            "policies",
            "surveys",
            "promo-pools",
            "events",
            "webhooks",
            "campaigns",
            "experiments",
        ):
            plain = plain.replace(f"/api/{kind}", "/api/segments")
        for method in methods:
            assert {(method.upper(), plain), (method.upper(), own)} & known


async def test_a_key_is_shown_once_and_kept_as_a_hash(site):
    shown = await site.new_key("read")
    kept = await rows(site.context, "SELECT * FROM gateway.api_key")
    assert hash_of(shown) in {row["hash"] for row in kept}
    everything = json.dumps([dict(row) for row in kept]) + (await site.http.get("/api/keys")).text
    assert shown not in everything and API_KEY not in everything
    assert len(shown) >= 43


async def test_a_revoked_key_is_refused_at_once_and_an_expired_one_too(site):
    answer = await site.http.post("/api/keys", json={"name": "gone", "scopes": ["read"]})
    made = answer.json()
    assert (await site.as_key("GET", "/api/segments", made["key"])).status_code == 200
    assert (await site.http.delete(f"/api/keys/{made['id']}")).status_code == 204
    problem_of(await site.as_key("GET", "/api/segments", made["key"]), 401, "unauthorized")
    old = await site.new_key("read", expires_at=wall_ms() - 1)
    problem_of(await site.as_key("GET", "/api/segments", old), 401, "unauthorized")
    young = await site.new_key("read", expires_at=wall_ms() + 60_000)
    assert (await site.as_key("GET", "/api/segments", young)).status_code == 200
    problem_of(await site.http.delete("/api/keys/nobody"), 404, "not_found")


async def test_a_key_gives_no_more_than_it_has(site):
    for brand in ("b1", "b2"):
        await site.publish("brands", {**BRAND, "key": brand})
    admin = await site.new_key("admin", "read")
    answer = await site.as_key("POST", "/api/keys", admin, json={"name": "x", "scopes": ["read", "publish"]})
    assert "publish" in problem_of(answer, 403, "rights_exceeded")["detail"]
    narrow = await site.new_key("admin", brands=["b1"])
    for brands in ([], ["b2"], ["b1", "b2"]):
        answer = await site.as_key("POST", "/api/keys", narrow, json={"name": "x", "scopes": ["admin"], "brands": brands})
        problem_of(answer, 403, "rights_exceeded")
    answer = await site.as_key("POST", "/api/keys", narrow, json={"name": "x", "scopes": ["admin"], "brands": ["b1"]})
    assert answer.status_code == 201
    all_brands = await rows(site.context, "SELECT id FROM gateway.api_key WHERE brands = '{}' LIMIT 1")
    problem_of(await site.as_key("DELETE", f"/api/keys/{all_brands[0]['id']}", narrow), 403, "rights_exceeded")
    seen = (await site.as_key("GET", "/api/keys", narrow)).json()["items"]
    assert seen and all(key["brands"] == ["b1"] for key in seen)


async def test_a_key_of_one_brand_touches_that_brand_alone(site):
    for brand in ("b1", "b2"):
        await site.publish("brands", {**BRAND, "key": brand})
    mine, other, every = (
        {"key": f"brand-{brand or 'all'}", "brand": brand, "condition": {"kind": "all", "of": []}} for brand in ("b1", "b2", None)
    )
    for body in (other, every):
        await site.publish("segments", body)
    key = await site.new_key("read", "write", "publish", "admin", brands=["b1"])
    assert (await site.as_key("PUT", "/api/segments/brand-b1", key, json=mine)).status_code == 201
    assert (await site.as_key("POST", "/api/segments/brand-b1/publish", key)).status_code == 200
    for body in (other, every):
        answer = await site.as_key("PUT", f"/api/segments/{body['key']}", key, json={**body, "name": "mine now"})
        problem_of(answer, 403, "brand_forbidden")
        taken = await site.as_key("PUT", f"/api/segments/{body['key']}", key, json={**body, "brand": "b1"})
        problem_of(taken, 403, "brand_forbidden")
        assert (await site.as_key("DELETE", f"/api/segments/{body['key']}", key)).status_code in (403, 404)
        assert (await site.as_key("POST", f"/api/segments/{body['key']}/publish", key)).status_code in (403, 404)
    imported = {"documents": [{"kind": "segment", "body": other}]}
    problem_of(await site.as_key("POST", "/api/documents/import", key, json=imported), 403, "brand_forbidden")
    problem_of(await site.as_key("GET", "/api/segments/brand-b2", key), 404, "document_not_found")
    problem_of(await site.as_key("GET", "/api/segments/brand-b2/versions/1", key), 404, "document_not_found")
    assert (await site.as_key("GET", "/api/segments/brand-b2/versions", key)).json()["items"] == []
    listed = {one["key"] for one in (await site.as_key("GET", "/api/segments", key)).json()["items"]}
    assert "brand-b2" not in listed and {"brand-b1", "brand-all"} <= listed
    asked = {"brand": "b2", "source": "s"}
    problem_of(await site.as_key("POST", "/api/write-keys", key, json=asked), 403, "brand_forbidden")
    for path in ("consents/verify", "dead-letters", "in-doubt", "audit", "profiles/x/export", "erasures/x"):
        problem_of(await site.as_key("GET", f"/api/{path}", key), 403, "brand_forbidden")
    problem_of(await site.as_key("DELETE", "/api/profiles/x", key, json={"reason": "asked"}), 403, "brand_forbidden")
    for path in ("identity/rules/rehearse", "profiles/x/unmerge"):
        problem_of(await site.as_key("POST", f"/api/{path}", key, json={}), 403, "brand_forbidden")


async def test_who_did_what_is_kept(site):
    await site.publish("topics", {"key": "audited", "name": {"en": "News"}})
    await site.http.delete("/api/topics/audited")
    first = (await site.http.get("/api/audit", params={"limit": 2})).json()
    assert [one["action"] for one in first["items"]] == ["delete", "publish"]
    assert {one["what"] for one in first["items"]} == {"topic audited"}
    assert {one["key_id"] for one in first["items"]} == {"installation"}
    then = (await site.http.get("/api/audit", params={"limit": 1, "next": first["next"]})).json()
    assert then["items"][0]["action"] == "save"


async def test_the_keys_file_rules_the_installations_key(config):
    async with open_site(config) as site:
        assert (await site.http.get("/api/segments")).status_code == 200
        await site.http.delete("/api/keys/installation")
    async with open_site(config) as site:
        problem_of(await site.http.get("/api/segments"), 401, "unauthorized")  # a restart does not bring it back
    config.keys_file.write_text(json.dumps({"api_key": "another", "write_key": WRITE_KEY}))
    async with open_site(config) as site:
        problem_of(await site.http.get("/api/segments"), 401, "unauthorized")
        assert (await site.as_key("GET", "/api/segments", "another")).status_code == 200


async def test_the_first_write_key_and_its_brand_are_published_once(config):
    for _ in range(2):
        async with open_site(config) as site:
            await site.relayed()
    found = await read(config, "definitions")
    assert [(d["kind"], d["key"], d["version"]) for d in sorted(found, key=lambda d: d["kind"])] == [
        ("brand", "shop", 1),
        ("write_key", hash_of(WRITE_KEY), 1),
    ]
    body = next(d["body"] for d in found if d["kind"] == "write_key")
    assert body == {"hash": hash_of(WRITE_KEY), "brand": "shop", "source": "default", "lane": "live", "region": ""}
    assert WRITE_KEY not in json.dumps(found)


async def test_write_keys_are_made_listed_and_revoked(config):
    async with open_site(config) as site:
        asked = {"brand": "shop", "source": "site", "currency": "RUB", "region": "RU"}
        made = (await site.http.post("/api/write-keys", json=asked)).json()
        assert made["id"] == hash_of(made["key"])
        listed = (await site.http.get("/api/write-keys")).json()["items"]
        assert {one["source"] for one in listed} == {"default", "site"}
        assert made["key"] not in json.dumps(listed)
        wrong = {"brand": "nobody", "source": "a b", "currency": "rub", "hash": "0" * 64}
        errors = problem_of(await site.http.post("/api/write-keys", json=wrong), 422, "invalid")["errors"]
        assert {one["path"] for one in errors} == {"source", "currency"}
        errors = problem_of(await site.http.post("/api/write-keys", json={"brand": "nobody", "source": "s"}), 422, "invalid")
        assert [(one["path"], one["code"]) for one in errors["errors"]] == [("brand", "unknown_reference")]
        assert (await site.http.delete(f"/api/write-keys/{made['id']}")).status_code == 204
        problem_of(await site.http.delete(f"/api/write-keys/{made['id']}"), 404, "not_found")
        await site.relayed()
    mine = [d for d in await read(config, "definitions") if d["key"] == made["id"]]
    assert [bool(d.get("deleted")) for d in mine] == [False, True]
    assert mine[0]["body"]["currency"] == "RUB"


async def test_a_taken_port_stops_the_start(config):
    async with open_site(config) as site:
        from runtime.process import open_context, run_service
        from services.gateway.__main__ import service
        from services.gateway.settings import GatewaySettings

        second = await open_context(service(GatewaySettings(port=site.context.apps["gateway"])), config)
        with pytest.raises(OSError, match="in use"):
            await asyncio.wait_for(run_service(second), 20)


async def test_a_key_that_is_being_revoked_finishes_what_it_began(config):
    """FOR SHARE: a call in its transaction and a revocation of its key do not cross."""
    async with open_site(config) as site:
        made = (await site.http.post("/api/keys", json={"name": "x", "scopes": ["write"]})).json()
        db = await Database(config, "gateway").open()
        try:
            async with db.transaction() as connection:
                await connection.execute("UPDATE api_key SET revoked_at = 1 WHERE id = $1", made["id"])
                call = asyncio.create_task(site.as_key("PUT", "/api/topics/t", made["key"], json={"name": {"en": "T"}}))
                blocked = (
                    "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
                await until(lambda: _count(site, blocked))
            problem_of(await call, 401, "unauthorized")
        finally:
            await db.close()


async def _count(site, query: str) -> int:
    return (await rows(site.context, query))[0]["n"]
