"""Files of facts through the gateway: who may send one, who sees it, and what was refused of it."""

import json

from services.ingest.__main__ import service as ingest
from services.ingest.settings import IngestSettings
from tests.gateway.conftest import open_site, problem_of
from tests.support.live import read, until

MAPPING = json.dumps({"call": "identify", "identifiers": {"email": "mail"}, "attributes": {"city": "city"}})
FILE = b"mail,city\nann@example.org,York\nnobody,Bath\nbob@example.org,Ely\n"


async def test_a_file_comes_in_and_its_bad_line_comes_back(config):
    async with open_site(config, ingest(IngestSettings(ingest_port=0, first_brand="shop"))) as site:
        headers = {"Content-Type": "text/csv", "Idempotency-Key": "once"}
        answer = await site.http.post("/api/imports", params={"mapping": MAPPING, "name": "x.csv"}, content=FILE, headers=headers)
        assert answer.status_code == 202, answer.text
        made = answer.json()["id"]
        again = await site.http.post("/api/imports", params={"mapping": MAPPING}, content=FILE, headers=headers)
        assert again.json() == {"id": made}

        async def done():
            told = (await site.http.get(f"/api/imports/{made}")).json()
            return told if told["state"] == "done" else None

        told = await until(done)
        assert (told["facts"], told["refused"]) == (2, 1)
        refused = await site.http.get(f"/api/imports/{made}/refused")
        assert refused.headers["content-type"].startswith("text/csv") and "nobody" in refused.text and "\r\n3," in refused.text
        assert [one["id"] for one in (await site.http.get("/api/imports")).json()["items"]] == [made]
    facts = await read(config, "facts.raw.bulk")
    assert sorted(f["identifiers"][0] for f in facts) == ["email:ann@example.org", "email:bob@example.org"]


async def test_keys_reach_what_their_scopes_and_brands_allow(config):
    async with open_site(config, ingest(IngestSettings(ingest_port=0, first_brand="shop"))) as site:
        looker, other = await site.new_key("read"), await site.new_key("read", "write", brands=["school"])
        send = {"params": {"mapping": MAPPING}, "content": FILE, "headers": {"Content-Type": "text/csv"}}
        problem_of(await site.as_key("POST", "/api/imports", looker, **send), 403, "scope_missing")
        problem_of(await site.as_key("POST", "/api/imports", "stranger", **send), 401, "unauthorized")
        made = (await site.http.post("/api/imports", **send)).json()["id"]
        assert (await site.as_key("GET", f"/api/imports/{made}", looker)).status_code == 200
        everything = {"brands": "shop"}  # asking for more than the key has changes nothing
        assert (await site.as_key("GET", f"/api/imports/{made}", other, params=everything)).status_code == 404
        assert (await site.as_key("GET", "/api/imports", other, params=everything)).json()["items"] == []
        own = await site.as_key("POST", "/api/imports", other, **send)
        assert (await site.as_key("GET", f"/api/imports/{own.json()['id']}", other)).json()["brand"] == "school"


async def test_a_faulty_mapping_is_told_field_by_field(config):
    async with open_site(config, ingest(IngestSettings(ingest_port=0, first_brand="shop"))) as site:
        asked = {"mapping": json.dumps({"call": "identify", "identifiers": {"email": "address"}})}
        answer = await site.http.post("/api/imports", params=asked, content=FILE, headers={"Content-Type": "text/csv"})
        document = problem_of(answer, 400, "mapping_wrong")
        assert document["errors"][0]["path"].startswith("identifiers")


async def test_without_ingest_it_is_said_so(config):
    async with open_site(config) as site:
        answer = await site.http.post("/api/imports", content=FILE, headers={"Content-Type": "text/csv"})
        problem_of(answer, 503, "service_unavailable")


async def test_a_form_as_browsers_and_curl_send_it(config):
    async with open_site(config, ingest(IngestSettings(ingest_port=0, first_brand="shop"))) as site:
        answer = await site.http.post("/api/imports", data={"mapping": MAPPING}, files={"file": ("x.csv", FILE, "text/csv")})
        assert answer.status_code == 202, answer.text

        async def done():
            return (await site.http.get(f"/api/imports/{answer.json()['id']}")).json()["state"] == "done"

        await until(done)
