"""A gateway on a free port, over the real Kafka and PostgreSQL, with the neighbours that a test asks for."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from runtime import health
from runtime.process import Context, secret
from runtime.serving import serving
from runtime.settings import Settings
from services.gateway.__main__ import service
from services.gateway.settings import GatewaySettings
from tests.support.live import running, settings, until

API_KEY = "the installation's key"
WRITE_KEY = "the first write key"


class Site:
    """http: a client with the installation's key."""

    def __init__(self, config: Settings, context: Context, http: httpx.AsyncClient, neighbours: list[Context]) -> None:
        self.config, self.context, self.http, self.neighbours = config, context, http, neighbours

    async def as_key(self, method: str, path: str, key: str, **more) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **more)

    async def new_key(self, *scopes: str, brands=(), **more) -> str:
        asked = {"name": "test", "scopes": scopes, "brands": brands, **more}
        answer = await self.http.post("/api/keys", json=asked)
        assert answer.status_code == 201, answer.text
        return answer.json()["key"]

    async def publish(self, plural: str, body: dict) -> int:
        """Save and publish; the version."""
        saved = await self.http.put(f"/api/{plural}/{body['key']}", json=body)
        assert saved.status_code in (200, 201), saved.text
        answer = await self.http.post(f"/api/{plural}/{body['key']}/publish")
        assert answer.status_code == 200, answer.text
        return answer.json()["version"]

    async def relayed(self) -> None:
        await until(self.context.relay.drained)


def make_config(kafka: str, database: str, prefix: str, folder: Path) -> Settings:
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"api_key": API_KEY, "write_key": WRITE_KEY}))
    return settings(kafka, database, prefix, keys_file=keys, home=folder)


@asynccontextmanager
async def open_site(config: Settings, *neighbours, **addresses: str) -> AsyncIterator[Site]:
    """addresses: of further services, `sender=`; the underscore of `ingest_public` is a dot."""
    known = {name.replace("_", "."): (url,) for name, url in addresses.items()}
    async with AsyncExitStack() as stack:
        beside = await stack.enter_async_context(running(config, *neighbours)) if neighbours else []
        for one in beside:
            admin = serving(health.app([one], secret(config)), "127.0.0.1", 0, one.stopping)
            known[one.service.name] = (f"http://127.0.0.1:{await stack.enter_async_context(admin)}",)
            await until(one.ready.is_set)
        (context,) = await stack.enter_async_context(
            running(config, service(GatewaySettings(port=0, services=known, bi_every_s=0)))
        )
        await until(lambda: "gateway" in context.apps)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        base = f"http://127.0.0.1:{context.apps['gateway']}"
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=60))
        yield Site(config, context, http, beside)


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> Settings:
    return make_config(kafka, database, topic_prefix, tmp_path)


@pytest.fixture(scope="module")
async def shared(kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """A database and topics for all tests of a file."""
    name = f"t{os.urandom(6).hex()}"
    server = await asyncpg.connect(postgres)
    await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    url = urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
    try:
        yield make_config(kafka, url, f"{name}.", tmp_path_factory.mktemp("gateway"))
    finally:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


@pytest.fixture(scope="module")
async def site(shared: Settings) -> AsyncIterator[Site]:
    """One for all tests of a file: they use keys of their own."""
    async with open_site(shared) as made:
        yield made


def problem_of(answer: httpx.Response, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= document.keys()
    assert (document["status"], document["code"]) == (status, code)
    return document


def faults_of(answer: httpx.Response) -> set[tuple[str, str]]:
    document = problem_of(answer, 422, "invalid")
    assert all(set(one) == {"path", "code", "message"} and one["message"] for one in document["errors"])
    return {(one["path"], one["code"]) for one in document["errors"]}
