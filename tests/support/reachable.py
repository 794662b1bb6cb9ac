"""Services of a test's own process, reachable by their neighbours as in an installation: an admin port, and their place in the register."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from runtime import health
from runtime.process import Context, secret
from tests.support.live import until

PRESENT = """
INSERT INTO runtime.process (service, address, seen_at) VALUES ($1, $2, 9e15::bigint)
ON CONFLICT (service, address) DO UPDATE SET seen_at = EXCLUDED.seen_at
"""


@asynccontextmanager
async def reachable(context: Context) -> AsyncIterator[None]:
    """Until the block ends: what asks for its service finds it."""
    config = uvicorn.Config(health.app([context], secret(context.settings)), port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with context.db.transaction() as connection:
        await connection.execute(PRESENT, context.service.name, address)
    try:
        yield
    finally:
        async with context.db.transaction() as connection:
            await connection.execute("DELETE FROM runtime.process WHERE address = $1", address)
        server.should_exit = True
        await serving
