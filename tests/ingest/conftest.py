"""An in-memory log, and requests to the edge without a socket."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from schemas import facts
from services.ingest.api import Overloaded, Record, Unavailable, Unread, app
from services.ingest.domain import Source

NOW = 1_795_341_600_000  # 2026-11-22T10:00:00Z
KEY = "wk_site"
SOURCE = Source(brand="school", name="site", currency="GBP", region="GB")


class MemoryLog:
    """Keeps what is published; `fails` is raised instead when set."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.fails: Overloaded | Unavailable | None = None

    async def publish(self, records) -> None:
        if self.fails:
            raise self.fails
        self.records += records

    @property
    def facts(self) -> list[facts.Fact]:
        return [facts.decode(record.value) for record in self.records]


class MemoryBuried:
    def __init__(self) -> None:
        self.unread: list[Unread] = []
        self.fails: Unavailable | None = None

    async def bury(self, faults) -> None:
        if self.fails:
            raise self.fails
        self.unread += faults


class Stage:
    """The edge with everything around it. `clock` is (now, driven)."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.buried = MemoryBuried()
        self.clock = (NOW, False)
        self.app = app(self.log, self.buried, {KEY: SOURCE}.get, self.now)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=("203.0.113.7", 4711)), base_url="http://ingest"
        )

    async def now(self) -> tuple[int, bool]:
        return self.clock

    async def post(self, path: str, body, *, key: str | None = KEY, headers=None, **params) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        auth = (key, "") if key else None
        return await self.http.post(path, content=content, headers=headers, params=params, auth=auth)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    async with made.http:
        yield made
