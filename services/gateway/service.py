"""The gateway's life: the installation's first keys, then its port."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime import internal
from runtime.clock import wall_ms
from runtime.process import Context, secret
from runtime.service import Service
from runtime.serving import serving
from schemas.journeys import Brand
from schemas.topics import DEFINITIONS, FACTS_RAW
from schemas.write_keys import WriteKey, hash_of
from services.gateway.api import app
from services.gateway.api.dashboards import Dashboards
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.proxy import Proxy
from services.gateway.domain.access import SCOPES, Key
from services.gateway.domain.kinds import KINDS
from services.gateway.handler import documents as handler
from services.gateway.handler.call import Call
from services.gateway.handler.keys import WRITE_KEY, publish_write_key
from services.gateway.settings import GatewaySettings
from services.gateway.store import documents, keys


def build(settings: GatewaySettings) -> Service:
    """The service; `context.apps["gateway"]` is its port once it serves."""

    @asynccontextmanager
    async def life(context: Context) -> AsyncIterator[None]:
        await first_keys(context, settings)
        neighbours = Neighbours(settings.services, internal.token(secret(context.settings)))
        proxy = Proxy(settings.services)
        desk = Desk(context)
        board = Dashboards(desk, neighbours, settings)
        site = app.build(desk, neighbours, proxy, board)
        try:
            async with serving(site, context.settings.host, settings.port, context.stopping) as port, board.life():
                context.apps["gateway"] = port
                yield
        finally:
            await neighbours.close()
            await proxy.close()

    return Service(name="gateway", migrations=("services.gateway.migrations",), topics_written=(DEFINITIONS, FACTS_RAW), life=life)


async def first_keys(context: Context, settings: GatewaySettings) -> None:
    """Take over the keys of OTKLIK_KEYS_FILE, hashed: the API key with all scopes, the write key with the first brand."""
    path = context.settings.keys_file
    if path is None:
        return
    given = json.loads(path.read_text(encoding="utf-8"))
    async with context.db.transaction() as connection:
        now = wall_ms()
        await keys.import_first(connection, hash_of(given["api_key"]), now)
        call = Call(connection, Key("installation", "installation", frozenset(SCOPES)), now, context.settings)
        hashed = hash_of(given["write_key"]) if given.get("write_key") else ""
        if not hashed or await documents.get(connection, WRITE_KEY, hashed) is not None:
            return
        await _first_brand(call, settings.first_brand)
        first = WriteKey(
            hash=hashed,
            brand=settings.first_brand,
            source=settings.first_source,
            currency=settings.first_currency or None,
            region=settings.first_region,
        )
        await publish_write_key(call, first)


async def _first_brand(call: Call, key: str) -> None:
    kind = KINDS["brand"]
    draft = await documents.get(call.connection, kind.name, key)
    if draft is None:
        brand = Brand(key=key, name=key.capitalize())
        await handler.put(call, kind, key, brand.model_dump(), None)
    if draft is None or draft.published_version is None:
        await handler.publish(call, kind, key, None)
