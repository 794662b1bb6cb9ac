"""Names of hosts to numbers, in threads of their own: a server of names that does not answer holds up no other name, and nobody else."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Lookups:
    """Each name is asked for once at a time, so it keeps one thread however many calls wait for it and have given up waiting.

    threads: names that may be asked for at one time.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "lookup")
        self._asked: dict[tuple[str, int], asyncio.Future[Any]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name. Raises OSError, UnicodeError."""
        asked = self._asked.get((host, port))
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._threads, socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
            self._asked[host, port] = asked
            asked.add_done_callback(lambda done: self._answered((host, port), done))
        return [str(one[4][0]) for one in await asyncio.shield(asked)]

    def _answered(self, name: tuple[str, int], done: asyncio.Future[Any]) -> None:
        del self._asked[name]
        if not done.cancelled():
            done.exception()  # perhaps nobody waits for it any more

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
