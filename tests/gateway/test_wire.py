"""What every call has in common: problems in two languages, repeated requests, descriptions, probes."""

import asyncio
import json

import asyncpg
import pytest

from runtime.db import Database
from services.gateway.domain.catalogue import PROBLEMS
from services.gateway.domain.faults import FAULTS
from services.gateway.domain.problems import Fault, Problem, language_of
from tests.gateway.conftest import problem_of
from tests.support.live import rows, until

BODY = {"condition": {"kind": "all", "of": []}}


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en;q=0.5, ru;q=0.7", "ru"),
        ("de, ru;q=0", "en"),
        ("de,en", "en"),
        ("ru;q=high", "en"),
        ("RU", "ru"),
    ],
)
def test_the_language_that_is_liked_best(accept, language):
    assert language_of(accept) == language


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_speaks_both_languages(code):
    entry = PROBLEMS[code]
    assert 400 <= entry.status < 600
    told = {language: Problem(code).document(language) for language in ("en", "ru")}
    assert told["en"]["code"] == told["ru"]["code"] == code
    for field in ("title", "detail"):
        assert told["en"][field].isascii() and not told["ru"][field].isascii()


@pytest.mark.parametrize("code", FAULTS)
def test_every_fault_speaks_both_languages(code):
    assert Fault("x", code).told("en")["message"].isascii()
    assert not Fault("x", code, "an exact text in English").told("ru")["message"].isascii()


async def test_answers_are_in_the_callers_language(site):
    russian = {"Accept-Language": "ru-RU,ru;q=0.9"}
    missing = await site.http.get("/api/segments/none", headers=russian)
    assert problem_of(missing, 404, "document_not_found")["detail"] == "Нет документа segment `none`."
    assert missing.headers["content-language"] == "ru"
    wrong = await site.http.put("/api/topics/t", json={"name": {"en": ""}, "x": 1}, headers=russian)
    messages = {one["path"]: one["message"] for one in problem_of(wrong, 422, "invalid")["errors"]}
    assert messages == {"name.en": "не меньше 1 знаков", "x": "такого поля нет"}
    english = await site.http.put("/api/topics/t", json={"name": {"en": ""}})
    assert english.json()["errors"][0]["message"] == "at least 1 characters"


async def test_unknown_addresses_and_methods_are_problems_too(site):
    for path in ("/", "/api", "/api/nothing", "/api/segments/a/b/c"):
        problem_of(await site.http.get(path), 404, "not_found")
    problem_of(await site.http.patch("/api/segments/a"), 405, "method_not_allowed")


async def test_cursors_and_addresses_that_nobody_gave(site):
    for path in (
        "/api/segments/a%00b",
        "/api/segments?next=%00",
        "/api/segments/a/versions?next=99999999999999999999",
        "/api/segments/a/versions/-1",
        "/api/audit?next=-1",
        "/api/keys?limit=0",
        "/api/topics?limit=many",
    ):
        problem_of(await site.http.get(path), 422, "invalid")
    for next_ in ("nobody:1", "gateway:99999999999999999999999", ":", "x"):
        assert (await site.http.get("/api/dead-letters", params={"next": next_})).status_code == 200
    problem_of(await site.http.delete("/api/segments/a%00b"), 422, "invalid")


async def test_a_repeated_post_gets_the_same_answer_and_acts_once(site):
    await site.http.put("/api/segments/once", json=BODY)
    headers = {"Idempotency-Key": "k1"}
    asked = {"name": "robot", "scopes": ["read"]}
    first, second = [await site.http.post("/api/keys", json=asked, headers=headers) for _ in range(2)]
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert "idempotency-replayed" not in first.headers and second.headers["idempotency-replayed"] == "true"
    robots = [key for key in (await site.http.get("/api/keys")).json()["items"] if key["name"] == "robot"]
    assert len(robots) == 1
    problem_of(await site.http.post("/api/keys", json={**asked, "name": "x"}, headers=headers), 422, "idempotency_mismatch")
    # The same words for another address, or from another caller, are another request.
    assert "idempotency-replayed" not in (await site.http.post("/api/segments/once/publish", headers=headers)).headers
    other = await site.new_key("admin", "read")
    theirs = await site.as_key("POST", "/api/keys", other, json=asked, headers=headers)
    assert theirs.json()["key"] != first.json()["key"]
    kept = await rows(site.context, "SELECT body FROM gateway.idempotency")
    assert not any(first.json()["key"].encode() in row["body"] for row in kept)


async def test_repeated_posts_at_the_same_time_act_once(site):
    asked = {"name": "twin", "scopes": ["read"]}
    calls = (site.http.post("/api/keys", json=asked, headers={"Idempotency-Key": "twins"}) for _ in range(6))
    answers = await asyncio.gather(*calls)
    assert len({answer.json()["key"] for answer in answers}) == 1


async def test_a_refused_post_may_be_mended_and_sent_again_under_its_key(site):
    headers = {"Idempotency-Key": "again"}
    problem_of(await site.http.post("/api/segments/later/publish", headers=headers), 404, "document_not_found")
    await site.http.put("/api/segments/later", json=BODY)
    assert (await site.http.post("/api/segments/later/publish", headers=headers)).status_code == 200


async def test_an_answer_is_kept_for_a_day(site):
    headers = {"Idempotency-Key": "old"}
    asked = {"name": "old", "scopes": ["read"]}
    first = await site.http.post("/api/keys", json=asked, headers=headers)
    db = await Database(site.config, "gateway").open()
    async with db.transaction() as connection:
        await connection.execute("UPDATE idempotency SET at = at - 86400001")
    await db.close()
    second = await site.http.post("/api/keys", json=asked, headers=headers)
    assert second.status_code == 201 and second.json()["key"] != first.json()["key"]


async def test_the_description_is_whole(site):
    description = (await site.http.get("/api/openapi.json", headers={"Authorization": ""})).json()
    text = json.dumps(description)
    schemas = description["components"]["schemas"]
    assert {"Segment", "Journey", "Template", "Topic", "Brand", "Rule"} <= set(schemas)
    names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names <= set(schemas)
    put = description["paths"]["/api/segments/{key}"]["put"]
    assert put["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Segment"}
    assert "HTTPBearer" in json.dumps(put["security"])


async def test_probes_need_no_key(site):
    nobody = {"Authorization": ""}
    assert (await site.http.get("/livez", headers=nobody)).json() == {"ok": True}
    ready = (await site.http.get("/readyz", headers=nobody)).json()
    assert ready == {"ok": True, "services": {"gateway": {"started": True}}}
    assert "otklik_relayed_total" in (await site.http.get("/metrics", headers=nobody)).text
    assert (await site.http.get("/internal/quiet", headers=nobody)).status_code == 404  # of the admin port alone


async def test_a_database_that_is_away_for_a_moment_is_a_problem_to_try_again(site):
    server = await asyncpg.connect(site.config.database_url)
    lock = server.transaction()
    await lock.start()
    await server.execute("LOCK TABLE gateway.api_key IN ACCESS EXCLUSIVE MODE")
    call = asyncio.create_task(site.http.get("/api/segments"))
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'gateway.api_key'::regclass"

    async def blocked():
        return await server.fetchval(waiting)

    pid = await until(blocked)
    await server.execute("SELECT pg_terminate_backend($1)", pid)
    answer = await call
    problem_of(answer, 503, "database_unavailable")
    assert answer.headers["retry-after"]
    await lock.rollback()
    await server.close()
    assert (await site.http.get("/api/segments")).status_code == 200
