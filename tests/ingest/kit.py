"""What the live tests of ingest share: an installation's keys, the service on a free port, a neighbour's way in."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from runtime import health, internal
from runtime.process import Context, secret
from runtime.settings import Settings
from services.ingest.__main__ import service
from services.ingest.settings import IngestSettings
from tests.support.live import running, until

KEY = "wk_first"


def keys_file(folder: Path) -> Path:
    path = folder / "keys.json"
    path.write_text(json.dumps({"api_key": "ak", "write_key": KEY}))
    return path


@asynccontextmanager
async def serving(config: Settings, **changed: Any) -> AsyncIterator[tuple[Context, httpx.AsyncClient]]:
    """Ingest alone: its context, and a client of its port."""
    said = IngestSettings(ingest_port=0, first_brand="school", first_source="site", first_currency="GBP", **changed)
    async with running(config, service(said)) as (context,):
        port = await until(lambda: context.apps.get("ingest"))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", auth=(KEY, ""), timeout=40) as client:
            yield context, client


def inside(context: Context) -> httpx.AsyncClient:
    """A neighbour's way in: the admin port, with the installation's token."""
    given = secret(context.settings)
    transport = httpx.ASGITransport(health.app([context], given))
    headers = {"authorization": f"Bearer {internal.token(given)}"}
    return httpx.AsyncClient(transport=transport, base_url="http://inside", headers=headers)
