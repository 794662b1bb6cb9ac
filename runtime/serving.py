"""HTTP servers inside a service: an ASGI app on a port for as long as a block lasts."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def serving(app: Any, host: str, port: int, stopping: asyncio.Event, **more: Any) -> AsyncIterator[int]:
    """Serve `app` on (host, port) and give the port (a free one for 0). Raises OSError when the port is taken.

    The server stops taking requests when `stopping` is set or the block ends, and sets `stopping` when it ends by itself: a
    process whose port is dead must not look alive. more: further options of uvicorn.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    options = {"log_config": None, "access_log": False, "lifespan": "off", "timeout_graceful_shutdown": 5, **more}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]), name=f"http-{port}")
    task.add_done_callback(lambda _: stopping.set())
    watch = asyncio.create_task(_leave(server, stopping))
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        done, _ = await asyncio.wait({task}, timeout=10)
        watch.cancel()
        listener.close()
    if done:
        task.result()


async def _leave(server: uvicorn.Server, stopping: asyncio.Event) -> None:
    await stopping.wait()
    server.should_exit = True
