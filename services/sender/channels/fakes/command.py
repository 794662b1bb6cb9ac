"""A fake as a command: `python -m services.sender.channels.fakes.<name> --port 8083 --record folder`."""

import argparse
import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from .record import Record


def run(name: str, port: int, start: Callable[[str, Record, int], Awaitable[int]], description: str | None) -> None:
    """port: if none is said; start: with the token ("": any is taken), where to keep what was taken, and a port; answers the port."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--token", default="")
    parser.add_argument("--record", type=Path)
    chosen = parser.parse_args()

    async def serve() -> None:
        print(f"{name} fake on 127.0.0.1:{await start(chosen.token, Record(chosen.record), chosen.port)}")
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
