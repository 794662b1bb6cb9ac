"""A webhook from its first test call to its facts: through the gateway's documents and ingest's own port."""

import httpx

from services.ingest.__main__ import service as ingest
from services.ingest.settings import IngestSettings
from tests.gateway.conftest import open_site, problem_of
from tests.support.live import read, until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BODY = b"Email=ann%40example.org&Name=Ann&tranid=1&price=100"
DRAFT = {
    "key": "form",
    "brand": "shop",
    "region": "RU",
    "currency": "RUB",
    "calls": [
        {
            "call": "track",
            "event": "Form Submitted",
            "id": "body.tranid",
            "traits": {"email": "body.Mail"},
            "properties": {"price": "body.price"},
        }
    ],
}
RIGHT = {**DRAFT, "calls": [{**DRAFT["calls"][0], "traits": {"email": "body.Email"}}]}


async def test_a_marketer_connects_a_form_sees_what_came_mends_the_mapping_and_replays(config):
    async with open_site(config, ingest(IngestSettings(ingest_port=0))) as site:
        await site.publish("brands", {"key": "shop", "name": "Shop"})
        await site.publish("connectors", DRAFT)
        path = (await site.http.get("/api/connectors/form/url")).json()["path"]
        port = site.neighbours[0].apps["ingest"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as source:

            async def known():
                return (await source.get(path)).status_code == 200

            await until(known)
            for wrong in (f"{path}x", path[:-1], "/hooks/form/", "/hooks/form", path.replace("form", "other"), f"{path}/x"):
                answer = await source.post(wrong, content=BODY, headers=FORM)
                assert (answer.status_code, answer.json()["code"]) == (404, "hook_unknown")
            answer = await source.post(f"{path}?from=tilda", content=BODY, headers=FORM)
            assert (answer.status_code, answer.text) == (200, "ok")
            assert (await source.post(path, content=b"x" * 300_000, headers=FORM)).json()["code"] == "body_too_large"
            assert (await source.post(path, content=b"x" * 10_000_000, headers=FORM)).json()["code"] == "body_too_large"

            (kept,) = (await site.http.get("/api/connectors/form/payloads")).json()["items"]
            assert kept["body"] == {"Email": "ann@example.org", "Name": "Ann", "tranid": "1", "price": "100"}
            assert (kept["query"], kept["facts"]) == ({"from": "tilda"}, 0)
            assert [fault["code"] for fault in kept["faults"]] == ["identifiers_missing"]

            tried = (await site.http.post("/api/connectors/form/test", json={"document": RIGHT})).json()
            assert tried["faults"] == [] and tried["calls"][0]["event"] == "Form Submitted"
            assert tried["facts"][0]["identifiers"] == ["email:ann@example.org"]
            given = {"document": RIGHT, "payload": {"body": {"Email": "bob@example.org"}}}
            assert (await site.http.post("/api/connectors/form/test", json=given)).json()["facts"][0]["identifiers"] == [
                "email:bob@example.org"
            ]
            assert await read(config, "facts.raw") == [], "nothing was sent"

            await site.publish("connectors", RIGHT)

            async def replayed():
                told = (await site.http.post("/api/connectors/form/replay", json={"ids": [kept["id"]]})).json()["items"]
                return told if told[0]["facts"] else None

            assert (await until(replayed)) == [{"id": kept["id"], "facts": 1, "faults": []}]
            await source.post(path, content=BODY, headers=FORM)
        facts = await read(config, "facts.raw")
        assert len({fact["id"] for fact in facts}) == 1 and len(facts) >= 2, "sent again and replayed: the same fact"
        assert facts[0]["source"] == "hook.form" and facts[0]["properties"]["price"] == {"minor": 10_000, "currency": "RUB"}

        await site.publish("connectors", {**RIGHT, "secret_version": 2})
        renewed = (await site.http.get("/api/connectors/form/url")).json()["path"]
        assert renewed != path


async def test_samples_send_nothing_and_operations_of_mindbox_are_kept_only_where_they_were_not_understood(config):
    operations = {**RIGHT["calls"][0], "operations": ["Site.Form"], "traits": {"email": "body.customer.email"}}
    mindbox = {**RIGHT, "key": "shop.site", "endpoint": {"open": ["Site.Form", "Site.Other"]}, "calls": [operations]}
    async with open_site(config, ingest(IngestSettings(ingest_port=0))) as site:
        await site.publish("brands", {"key": "shop", "name": "Shop"})
        await site.publish("connectors", RIGHT)
        await site.publish("connectors", mindbox)
        path = (await site.http.get("/api/connectors/form/url")).json()["path"]
        port = site.neighbours[0].apps["ingest"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as source:

            async def operate(operation: str, email: str) -> dict:
                asked = {"endpointId": "Shop.Site", "operation": operation, "transactionId": "1"}
                return (await source.post("/v3/operations/async", params=asked, json={"customer": {"email": email}})).json()

            async def known():
                return (await source.get(path)).status_code == 200 and (await operate("Site.Form", ""))["status"] != "ProtocolError"

            await until(known)
            echo = (await source.post(f"{path}?test=1", content=BODY, headers=FORM)).json()
            assert echo["faults"] == [] and [call["event"] for call in echo["calls"]] == ["Form Submitted"]
            assert len((await site.http.get("/api/connectors/form/payloads")).json()["items"]) == 1, "to try mappings on"
            assert await read(config, "facts.raw") == [], "nothing was sent"
            before = len((await site.http.get("/api/connectors/shop.site/payloads")).json()["items"])
            assert (await operate("Site.Form", "ann@example.org"))["status"] == "Success"
            assert (await operate("Site.Other", "ann@example.org"))["status"] == "ProtocolError"
            (fact,) = await read(config, "facts.raw")
            assert (fact["source"], fact["identifiers"]) == ("hook.shop.site", ["email:ann@example.org"])
            kept = (await site.http.get("/api/connectors/shop.site/payloads")).json()["items"]
            assert len(kept) == before + 1 and kept[0]["query"]["operation"] == "Site.Other"
            both = {**operations, "operations": ["Site.Form", "Site.Other"]}
            await site.publish("connectors", {**mindbox, "calls": [both]})

            async def replayed():
                told = await site.http.post("/api/connectors/shop.site/replay", json={"ids": [kept[0]["id"]]})
                return told.json()["items"][0]["facts"]

            await until(replayed)
        assert len(await read(config, "facts.raw")) >= 2


async def test_a_mapping_is_judged_when_it_is_written_and_who_may_do_what(config):
    async with open_site(config, ingest(IngestSettings(ingest_port=0))) as site:
        wrong = {
            **DRAFT,
            "calls": [{"call": "track", "event": "E", "each": "body.", "traits": {"email": "import os", "x": "body.ok"}}],
        }
        faults = problem_of(await site.http.put("/api/connectors/form", json=wrong), 422, "invalid")["errors"]
        assert {fault["path"] for fault in faults} == {"calls.0.each", "calls.0.traits.email"}
        assert all("not CEL at" in fault["message"] for fault in faults)
        await site.publish("brands", {"key": "shop", "name": "Shop"})
        await site.publish("connectors", RIGHT)
        other = await site.new_key("read", "write", "publish", "admin", brands=["school"])
        problem_of(await site.as_key("GET", "/api/connectors/form/url", other), 403, "brand_forbidden")
        assert (await site.as_key("GET", "/api/connectors/form/payloads", other)).json()["items"] == []
        problem_of(await site.as_key("POST", "/api/connectors/form/test", other, json={"document": RIGHT}), 403, "brand_forbidden")
        problem_of(await site.as_key("POST", "/api/connectors/form/replay", other, json={"ids": [1]}), 403, "brand_forbidden")
        port = site.neighbours[0].apps["ingest"]
        path = (await site.http.get("/api/connectors/form/url")).json()["path"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as source:

            async def taken():
                return (await source.post(path, content=BODY, headers=FORM)).status_code == 200

            await until(taken)
        own = {"document": {**RIGHT, "brand": "school"}}
        problem_of(await site.as_key("POST", "/api/connectors/form/test", other, json=own), 404, "payload_not_found")
        problem_of(
            await site.as_key("POST", "/api/connectors/form/test", other, json={**own, "payload": 1}), 404, "payload_not_found"
        )
        writer = await site.new_key("write")
        problem_of(await site.as_key("POST", "/api/connectors/form/test", writer, json={"document": RIGHT}), 403, "scope_missing")
        tried = await site.as_key("POST", "/api/connectors/form/test", writer, json={"document": RIGHT, "payload": {"body": {}}})
        assert tried.status_code == 200
        problem_of(await site.http.post("/api/connectors/form/replay", json={"ids": []}), 422, "invalid")
        problem_of(await site.http.post("/api/connectors/form/replay", json={"ids": list(range(200))}), 422, "invalid")
        problem_of(await site.http.get("/api/connectors/form/payloads", params={"before": 10**20}), 422, "invalid")
        problem_of(await site.http.get("/api/connectors/nobody/url"), 404, "document_not_found")
