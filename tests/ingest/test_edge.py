"""The Segment API over HTTP, with a log in memory."""

import base64
import gzip
import json
import tracemalloc
import zlib

import pytest

from schemas import ids
from services.ingest.api import Overloaded, Unavailable
from services.ingest.api.wire import gunzip
from services.ingest.domain import MAX_BODY, Malformed

KEY = "wk_site"
NOW = 1_795_341_600_000
TRACK = {"event": "E", "userId": "u1", "messageId": "m1"}
BAD = {"type": "track", "event": "E"}


def batch(*events, **more):
    return {"batch": [{"type": "track", **event} for event in events], **more}


def problem_of(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert {"type", "title", "status", "detail", "code"} <= document.keys()
    assert (document["status"], document["code"]) == (status, code)
    return document


CALLS = {
    "identify": {}, "track": {"event": "E"}, "page": {}, "screen": {}, "group": {"groupId": "g"}, "alias": {"previousId": "p"},
}  # fmt: skip


@pytest.mark.parametrize("kind", CALLS)
async def test_every_call_has_two_addresses(stage, kind):
    for path in (f"/v1/{kind}", f"/v1/{kind[0]}", f"/v1/{kind}/"):
        response = await stage.post(path, {"userId": "u1", **CALLS[kind]})
        assert (response.status_code, response.json()) == (200, {"success": True})
    assert [fact.type for fact in stage.log.facts] == [kind] * 3


@pytest.mark.parametrize(("path", "lane"), [("/v1/batch", "live"), ("/v1/b", "live"), ("/v1/import", "bulk")])
async def test_batches(stage, path, lane):
    events = [{**TRACK, "messageId": f"m{number}", "userId": f"u{number}"} for number in range(50)]
    response = await stage.post(path, batch(*events, sentAt=NOW, context={"app": {"name": "x"}}))
    assert response.status_code == 200
    assert [fact.id for fact in stage.log.facts] == [ids.derive("site", f"m{number}") for number in range(50)]
    assert all(fact.lane == lane and fact.context == {"app": {"name": "x"}} for fact in stage.log.facts)
    for record, fact in zip(stage.log.records, stage.log.facts, strict=True):
        assert record.topic == ("facts.raw" if lane == "live" else "facts.raw.bulk")
        assert record.key.decode() == f"site|{fact.identifiers[0]}"
        assert record.partition == ids.partition_of(record.key.decode(), 12)


async def test_an_empty_batch_is_a_success(stage):
    assert (await stage.post("/v1/batch", {"batch": []})).status_code == 200
    assert not stage.log.records


async def test_gzip_and_text_plain(stage):
    body = gzip.compress(json.dumps(batch(TRACK)).encode())
    headers = {"content-encoding": "gzip", "content-type": "text/plain"}
    assert (await stage.post("/v1/batch", body, headers=headers)).status_code == 200
    assert len(stage.log.records) == 1


def test_a_zip_bomb_is_not_unpacked():
    bomb = gzip.compress(b" " * 100_000_000)
    tracemalloc.start()
    with pytest.raises(Malformed):
        gunzip(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MAX_BODY


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (b"not gzip", "gzip", "gzip_broken"),
        (gzip.compress(b"x" * 1_000)[:-9], "gzip", "gzip_broken"),
        (gzip.compress(b" " * (MAX_BODY + 1)), "gzip", "body_too_large"),
        (gzip.compress(b"{}") * 2, "gzip", "gzip_broken"),
        (b"", "gzip", "gzip_broken"),
        (b" " * (MAX_BODY + 1), "identity", "body_too_large"),
        (zlib.compress(b"{}"), "deflate", "encoding_unsupported"),
        (b"{", "identity", "json_broken"),
        (b"", "identity", "json_broken"),
        (b'{"events":[]}', "identity", "body_wrong"),
        (json.dumps(batch(TRACK, context=[1])).encode(), "identity", "wrong_type"),
        (json.dumps(batch(TRACK, context={"a": "x" * 9_000})).encode(), "identity", "context_too_large"),
        (json.dumps(batch(TRACK, context={"a": "\x00"})).encode(), "identity", "bad_text"),
        (json.dumps(batch(*[TRACK] * 2_501)).encode(), "identity", "batch_too_long"),
    ],
)
async def test_requests_that_cannot_be_read(stage, body, encoding, code):
    document = problem_of(await stage.post("/v1/batch", body, headers={"content-encoding": encoding}), 400, code)
    assert document["errors"][0]["code"] == code
    assert not stage.log.records and not stage.buried.unread


async def test_a_body_without_an_announced_length_is_bounded_too(stage):
    async def endless():
        while True:
            yield b" " * 65_536

    response = await stage.http.post("/v1/batch", content=endless(), auth=(KEY, ""))
    problem_of(response, 400, "body_too_large")


async def test_a_single_event_that_is_too_large_is_told_so(stage):
    response = await stage.post("/v1/track", {**TRACK, "properties": {"a": "x" * 33_000}})
    problem_of(response, 400, "event_too_large")


class TestKeys:
    @pytest.mark.parametrize("text", [f"{KEY}:", KEY, f"{KEY}:ignored"])
    async def test_basic(self, stage, text):
        credentials = base64.b64encode(text.encode()).decode()
        for value in (f"Basic {credentials}", f"basic {credentials.rstrip('=')}"):
            response = await stage.post("/v1/track", TRACK, key=None, headers={"authorization": value})
            assert response.status_code == 200

    async def test_body_and_query(self, stage):
        assert (await stage.post("/v1/track", {**TRACK, "writeKey": KEY}, key=None)).status_code == 200
        assert (await stage.post("/v1/batch", batch(TRACK, writeKey=KEY), key=None)).status_code == 200
        assert (await stage.post("/v1/track", TRACK, key=None, writeKey=KEY)).status_code == 200
        bearer = {"authorization": "Bearer token"}
        assert (await stage.post("/v1/track", {**TRACK, "writeKey": KEY}, key=None, headers=bearer)).status_code == 200

    @pytest.mark.parametrize("write_key", ["wrong", "", None, 5, {}, [KEY]])
    async def test_unknown(self, stage, write_key):
        problem_of(await stage.post("/v1/track", {**TRACK, "writeKey": write_key}, key=None), 401, "write_key_unknown")
        problem_of(await stage.post("/v1/track", TRACK, key="wrong"), 401, "write_key_unknown")
        assert not stage.log.records

    async def test_a_wrong_key_is_not_excused_by_another(self, stage):
        problem_of(await stage.post("/v1/track", {**TRACK, "writeKey": KEY}, key="wrong"), 401, "write_key_unknown")


class TestFaultyEvents:
    EVENTS = batch(TRACK, {"event": "E"}, {**TRACK, "messageId": "m2"}, {**TRACK, "timestamp": "1970-01-01"})

    async def test_are_buried(self, stage):
        response = await stage.post("/v1/batch", self.EVENTS)
        assert (response.status_code, response.json()) == (200, {"success": True})
        assert [fact.id for fact in stage.log.facts] == [ids.derive("site", "m1"), ids.derive("site", "m2")]
        first, second = stage.buried.unread
        assert (first.index, first.fault.code, json.loads(first.raw)) == (1, "identifiers_missing", BAD)
        assert (second.index, second.fault.code, second.source.name) == (3, "timestamp_invalid", "site")
        assert (first.kind, first.received_at) == (None, NOW)

    async def test_are_told_when_strict(self, stage):
        document = problem_of(await stage.post("/v1/batch", self.EVENTS, strict="1"), 400, "events_refused")
        assert [(error["index"], error["path"], error["code"]) for error in document["errors"]] == [
            (1, "", "identifiers_missing"),
            (3, "timestamp", "timestamp_invalid"),
        ]
        assert all(error["message"] and error["mend"] for error in document["errors"])
        assert document["accepted"] == len(stage.log.records) == 2
        assert not stage.buried.unread

    async def test_a_strict_success_tells_what_was_left_out(self, stage):
        assert (await stage.post("/v1/track", TRACK, strict="1")).json() == {"success": True}
        response = await stage.post("/v1/batch", batch(TRACK, {**TRACK, "anonymousId": "null"}), strict="1")
        assert response.status_code == 200
        (warning,) = response.json()["warnings"]
        assert (warning["index"], warning["path"], warning["code"]) == (1, "anonymousId", "identifier_refused")

    async def test_a_single_one(self, stage):
        assert (await stage.post("/v1/track", {"event": "E"})).status_code == 200
        assert [(one.kind, one.index) for one in stage.buried.unread] == [("track", 0)]


class TestNoRoom:
    async def test_overloaded(self, stage):
        stage.log.fails = Overloaded(7)
        response = await stage.post("/v1/track", TRACK)
        problem_of(response, 429, "overloaded")
        assert response.headers["retry-after"] == "7"
        assert response.headers["x-ratelimit-reset"] == str(NOW // 1_000 + 7)
        stage.clock = (NOW, True)
        assert "x-ratelimit-reset" not in (await stage.post("/v1/track", TRACK)).headers

    async def test_unavailable(self, stage):
        stage.log.fails = Unavailable()
        response = await stage.post("/v1/track", TRACK)
        problem_of(response, 503, "log_unavailable")
        assert int(response.headers["retry-after"]) > 0

    async def test_what_cannot_be_buried_is_not_acknowledged(self, stage):
        stage.buried.fails = Unavailable()
        problem_of(await stage.post("/v1/batch", {"batch": [BAD]}), 503, "log_unavailable")


class TestPixel:
    @staticmethod
    def data(event) -> str:
        return base64.b64encode(json.dumps(event).encode()).decode()

    @pytest.mark.parametrize("name", ["track", "t"])
    async def test_it(self, stage, name):
        event = {**TRACK, "writeKey": KEY, "properties": {"text": "???>>>"}}
        for data in (self.data(event), self.data(event).rstrip("="), self.data(event).replace("/", "_").replace("+", "-")):
            response = await stage.http.get(f"/v1/pixel/{name}", params={"data": data})
            assert response.status_code == 200
            assert response.headers["content-type"] == "image/gif"
            assert response.content.startswith(b"GIF89a") and response.content.endswith(b";")
        assert [fact.event for fact in stage.log.facts] == ["E"] * 3

    async def test_plus_signs_that_were_not_escaped(self, stage):
        data = self.data({**TRACK, "writeKey": KEY, "properties": {"text": "~~~>>>>>>"}})
        assert "+" in data
        assert (await stage.http.get(f"/v1/pixel/track?data={data}")).status_code == 200

    async def test_only_what_the_log_has_is_a_success(self, stage):
        stage.log.fails = Unavailable()
        response = await stage.http.get("/v1/pixel/track", params={"data": self.data(TRACK), "writeKey": KEY})
        problem_of(response, 503, "log_unavailable")

    async def test_bad_ones(self, stage):
        problem_of(await stage.http.get("/v1/pixel/track", params={"data": "%%", "writeKey": KEY}), 400, "data_broken")
        problem_of(await stage.http.get("/v1/pixel/track", params={"data": "e30"}), 401, "write_key_unknown")
        problem_of(await stage.http.get("/v1/pixel/track", params={"writeKey": KEY}), 400, "json_broken")
        problem_of(await stage.http.get("/v1/pixel/batch"), 404, "not_found")
        problem_of(await stage.post("/v1/pixel/track", {}), 405, "method_not_allowed")


class TestCors:
    async def test_preflight(self, stage):
        asked = {
            "origin": "https://shop.example.org",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        response = await stage.http.options("/v1/t", headers=asked)
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == "https://shop.example.org"
        assert {"authorization", "content-type"} <= set(response.headers["access-control-allow-headers"].split(", "))
        assert "POST" in response.headers["access-control-allow-methods"]

    async def test_every_answer_may_be_read(self, stage):
        good = await stage.post("/v1/track", TRACK)
        assert good.headers["access-control-allow-origin"] == "*"
        bad = await stage.post("/v1/track", b"{", headers={"origin": "https://shop.example.org"})
        assert bad.headers["access-control-allow-origin"] == "https://shop.example.org"
        assert "origin" in bad.headers["vary"]


async def test_other_addresses(stage):
    problem_of(await stage.post("/v1/trick", {}), 404, "not_found")
    problem_of(await stage.http.get("/v1/track"), 405, "method_not_allowed")


async def test_the_connections_address_and_the_trace(stage):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {**TRACK, "context": {"direct": True}}
    await stage.post("/v1/track", body, headers={"traceparent": trace})
    await stage.post("/v1/track", body, headers={"traceparent": "junk"})
    first, second = stage.log.facts
    assert first.context == {"direct": True, "ip": "203.0.113.7"}
    assert (first.traceparent, second.traceparent) == (trace, None)


async def test_the_driven_clock(stage):
    stage.clock = (NOW, True)
    await stage.post("/v1/batch", batch({**TRACK, "timestamp": NOW - 5_000}, TRACK, sentAt=NOW + 10**10))
    assert [(fact.occurred_at, fact.received_at) for fact in stage.log.facts] == [(NOW - 5_000,) * 2, (NOW, NOW)]


async def test_a_client_that_leaves_is_not_answered(stage):
    messages = iter([{"type": "http.request", "body": b'{"ba', "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/batch", "headers": [], "query_string": f"writeKey={KEY}".encode()}
    await stage.app(scope, receive, send)
    assert sent == [] and not stage.log.records
