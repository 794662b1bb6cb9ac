"""The public paths on the gateway's port."""

import asyncio
import gzip
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from runtime.serving import serving
from tests.gateway.conftest import open_site, problem_of
from tests.support.live import until


class Upstream:
    """Remembers what came, answers what it is told to."""

    def __init__(self) -> None:
        self.seen: list[dict] = []
        self.answer = Response(b"ok")
        self.arrived = asyncio.Event()

    async def take(self, request: Request) -> Response:
        self.arrived.set()
        headers = {name.decode(): value.decode() for name, value in request.headers.raw}
        self.seen.append(
            {
                "method": request.method,
                "path": request.scope["raw_path"].decode(),
                "query": request.scope["query_string"].decode(),
                "headers": headers,
                "body": await request.body(),
            }
        )
        return self.answer


@asynccontextmanager
async def upstream(told: Upstream):
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    app = Starlette(routes=[Route("/{rest:path}", told.take, methods=methods)])
    async with serving(app, "127.0.0.1", 0, asyncio.Event()) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
async def ways(shared):
    ingest, sender = Upstream(), Upstream()
    async with (
        upstream(ingest) as one,
        upstream(sender) as two,
        open_site(shared, ingest_public=one, sender_public=two) as site,
        httpx.AsyncClient(base_url=site.http.base_url, trust_env=False) as http,
    ):
        yield http, ingest, sender


@pytest.fixture
def way(ways):
    """(client without a key, ingest, sender), nothing seen yet."""
    for one in ways[1:]:
        one.seen.clear()
        one.answer = Response(b"ok")
    return ways


async def test_a_call_goes_through_as_it_came(way):
    http, ingest, _ = way
    body = gzip.compress(b'{"event":"E"}')
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain", "Authorization": "Basic d2s6", "Traceparent": "00-a-b-01"}
    ingest.answer = Response(b'{"success":true}', 429, {"Retry-After": "60", "Access-Control-Allow-Origin": "https://a.example"})
    ingest.answer.headers.append("set-cookie", "a=1")
    ingest.answer.headers.append("set-cookie", "b=2")
    answer = await http.post("/v1/t?strict=1&x=%2F%20+", content=body, headers=headers)
    assert (answer.status_code, answer.content) == (429, b'{"success":true}')
    assert answer.headers["retry-after"] == "60" and answer.headers["access-control-allow-origin"] == "https://a.example"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    (seen,) = ingest.seen
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/v1/t", "strict=1&x=%2F%20+")
    assert seen["body"] == body and seen["headers"]["content-length"] == str(len(body))
    assert {name: seen["headers"][name.lower()] for name in headers} == headers
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert seen["headers"]["x-forwarded-host"] == f"127.0.0.1:{http.base_url.port}"


@pytest.mark.parametrize("path", ["/v1/batch", "/hooks/tilda/secret", "/c/abc", "/o/x.gif", "/u/t", "/p/t", "/d/t"])
async def test_every_public_path_has_its_service(way, path):
    http, ingest, sender = way
    assert (await http.get(path)).content == b"ok"
    assert [one["path"] for one in (ingest if path[1:3] in ("v1", "ho") else sender).seen] == [path]
    assert len(ingest.seen) + len(sender.seen) == 1


async def test_the_gateways_own_paths_stay_its_own(way):
    http, ingest, sender = way
    problem_of(await http.get("/api/segments"), 401, "unauthorized")
    assert (await http.get("/livez")).status_code == 200
    assert not ingest.seen and not sender.seen


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
async def test_methods_without_a_body_send_none(way, method):
    http, ingest, _ = way
    await http.request(method, "/v1/t", headers={"Origin": "https://a.example"})
    (seen,) = ingest.seen
    assert seen["method"] == method and seen["body"] == b"" and "transfer-encoding" not in seen["headers"]
    assert seen["headers"]["origin"] == "https://a.example"


async def test_a_redirect_is_passed_on_and_not_followed(way):
    http, _, sender = way
    sender.answer = Response(status_code=302, headers={"Location": "https://shop.example/?a=%20b"})
    answer = await http.get("/c/token")
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/?a=%20b")
    assert len(sender.seen) == 1


async def test_an_encoded_path_is_not_decoded_on_the_way(way):
    http, _, sender = way
    await http.get("/c/a%2Fb%20c")
    assert sender.seen[0]["path"] == "/c/a%2Fb%20c"


async def test_a_large_body_streams(way):
    http, ingest, _ = way

    async def parts():
        for number in range(64):
            yield bytes([number]) * 100_000

    answer = await http.post("/v1/import", content=parts())
    assert answer.status_code == 200 and len(ingest.seen[0]["body"]) == 6_400_000


async def test_an_answer_streams_before_it_is_whole(way):
    http, ingest, _ = way
    go_on = asyncio.Event()

    async def parts():
        yield b"first"
        await go_on.wait()
        yield b"second"

    ingest.answer = StreamingResponse(parts())
    async with http.stream("GET", "/v1/slow") as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b"first"
        go_on.set()
        assert await anext(chunks) == b"second"


async def test_who_forwarded_before_is_kept(way):
    http, ingest, _ = way
    await http.get("/v1/t", headers={"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "gopher"})
    assert "203.0.113.7" in ingest.seen[0]["headers"]["x-forwarded-for"]
    assert ingest.seen[0]["headers"]["x-forwarded-proto"] in ("http", "https", "gopher")


async def test_what_is_away_is_a_problem_to_try_again(config):
    async with open_site(config, ingest_public="http://127.0.0.1:1") as site:
        answer = await site.http.post("/v1/t", json={})
        problem_of(answer, 503, "service_unavailable")
        assert answer.headers["retry-after"]
        problem_of(await site.http.get("/c/x"), 503, "service_unknown")


async def test_a_caller_who_hangs_up_ends_the_call_behind(way):
    http, ingest, _ = way
    never = asyncio.Event()
    gone = asyncio.Event()

    async def parts():
        try:
            yield b"first"
            await never.wait()
        finally:
            gone.set()

    ingest.answer = StreamingResponse(parts())
    async with http.stream("GET", "/v1/slow") as answer:
        assert await anext(answer.aiter_raw()) == b"first"
    await until(gone.is_set)
