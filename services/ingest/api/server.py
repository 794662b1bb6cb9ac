"""The socket and the HTTP server of ingest, from open to the end of the last request."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

GRACE_S = 10


class Listening:
    """A running server. port: as bound. ended: set when it stopped by itself, which it never should."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ended = asyncio.Event()


@asynccontextmanager
async def serving(app: Any, host: str, port: int, max_connections: int) -> AsyncIterator[Listening]:
    """Serve until the block ends; then no new request is taken, those under way are finished (at most GRACE_S seconds).

    Processes of one machine may share a port: the kernel shares out connections. Raises OSError when it is taken.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=max_connections,
        h11_max_incomplete_event_size=65_536,
        timeout_keep_alive=75,  # longer than what stands before us keeps a connection, so that it never meets a closed one
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    with _bound(host, port) as bound:
        listening = Listening(bound.getsockname()[1])
        task = asyncio.create_task(server.serve(sockets=[bound]), name="ingest-http")
        task.add_done_callback(lambda _: listening.ended.set())
        try:
            listens = asyncio.create_task(server.listens.wait())
            await asyncio.wait({task, listens}, return_when=asyncio.FIRST_COMPLETED)
            listens.cancel()
            yield listening
        finally:
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2_048, reuse_port=port != 0)
