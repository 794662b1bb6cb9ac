"""Another service of the installation, asked over HTTP where its processes say that they are (runtime/presence.py): for what is kept in one
place only and is in no topic that the asker could read.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
import msgspec

from runtime import internal, presence
from runtime.batches import frames
from runtime.process import Context, secret

CONNECT_S = 1.0


class _Refusal(msgspec.Struct):
    code: str = ""


_decode = msgspec.json.Decoder(_Refusal).decode


class Unreachable(ConnectionError):  # noqa: N818 - as the errors of connections are
    """No process of the service answers. Passing: ask again."""


class Neighbour:
    """One service. Use as an async context manager."""

    def __init__(self, context: Context, service: str) -> None:
        self._context, self._service = context, service
        headers = {"Authorization": f"Bearer {internal.token(secret(context.settings))}"}
        limits = httpx.Limits(keepalive_expiry=2)  # shorter than the 5 s after which the other side closes
        self._client = httpx.AsyncClient(headers=headers, trust_env=False, limits=limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._client.aclose()

    async def post(self, path: str, body: bytes, seconds: float) -> bytes:
        """The body of the answer, which took so long at most. Raises Unreachable."""
        async with self._answer("POST", path, seconds, content=body) as answer:
            return await answer.aread()

    async def lines(self, path: str, seconds: float) -> AsyncIterator[bytes]:
        """The lines of an answer, of which each comes within so many seconds. Raises Unreachable, also on the way."""
        async with self._answer("GET", path, seconds) as answer:
            rest = b""
            async for piece in answer.aiter_bytes():
                *whole, rest = (rest + piece).split(b"\n")  # the client's own lines also end at separators within a text
                for line in whole:
                    yield line

    async def frames(self, path: str, body: bytes, seconds: float) -> AsyncGenerator[bytes, None]:
        """The framed pieces of an answer (runtime/batches.py), of which each comes within so many seconds. Raises Unreachable, also on the
        way. Close it.
        """
        async with self._answer("POST", path, seconds, content=body) as answer:
            async for frame in frames(answer.aiter_bytes()):
                yield frame

    @asynccontextmanager
    async def _answer(self, method: str, path: str, seconds: float, **more: Any) -> AsyncIterator[httpx.Response]:
        address = await self._address()
        timeout = httpx.Timeout(seconds, connect=CONNECT_S)
        try:
            async with self._client.stream(method, f"{address}/internal{path}", timeout=timeout, **more) as answer:
                if answer.status_code != 200:
                    raise Unreachable(f"{self._service} answers {answer.status_code}{_code(await answer.aread())}")
                yield answer
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._service} does not answer: {type(error).__name__}") from error

    async def _address(self) -> str:
        """Of one that said a moment ago that it is there; the newest to say so."""
        found = (await presence.live(self._context.db)).get(self._service)
        if not found:
            raise Unreachable(f"no process of {self._service} is there")
        return found[-1]


def _code(body: bytes) -> str:
    """Why, where it says so."""
    try:
        found = _decode(body)
    except msgspec.MsgspecError:
        return ""
    return f": {found.code}" if found.code else ""
