"""Everybody who is in a segment, with all that is known of him, in one answer that is written while it is read.

The warehouse tells who, a few thousand at a time, and profile what it knows of these; here one piece is written while the next ones are
asked for. Nothing is held but these pieces. Each service makes columns of what it knows (schemas/exports.py): here they are only put
side by side, and nobody is looked at one by one.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import httpx
import msgspec

from runtime.batches import frames, unpacked
from schemas.exports import PROFILE
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import brands_of
from services.gateway.domain.access import Key
from services.gateway.domain.formats import Format, joined
from services.gateway.domain.problems import Problem

AHEAD = 2  # pieces of which profile is asked before they are written

Piece = tuple[Any, Any]  # of some people what the warehouse knows, and profile: Arrow batches


class Export:
    """One export. brands: a key of some brands gets who was seen in one of them, and of him what is theirs."""

    def __init__(self, neighbours: Neighbours, key: Key, segment: str, as_of: int | None, form: Format) -> None:
        self._neighbours, self._form = neighbours, form
        self._asked = {"segment": segment, "lines": str(int(form == "jsonl")), **({} if as_of is None else {"as_of": str(as_of)})}
        self._brands = brands_of(key)

    async def kinds(self) -> dict[str, str]:
        """Of all attributes that anybody has: a table must know its columns before its first row. JSON lines need none."""
        if self._form == "jsonl":
            return {}
        return joined(msgspec.json.decode(await self._told("GET", "/attributes")))

    async def parts(self, kinds: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The file, part by part. One thread writes: each has memory of its own."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "export") as beside:
            out = await loop.run_in_executor(beside, _writer, self._form, kinds)
            yield out.begin()
            async with aclosing(self._pieces(kinds)) as pieces:
                async for piece in pieces:
                    yield await loop.run_in_executor(beside, out.rows, *piece)
            yield await loop.run_in_executor(beside, out.end)

    async def _pieces(self, kinds: Mapping[str, str]) -> AsyncGenerator[Piece, None]:
        """All of them, in the order of the warehouse; the next ones are asked for meanwhile."""
        waiting: deque[asyncio.Task[Piece]] = deque()
        try:
            async with aclosing(self._members()) as members:
                async for batch in members:
                    waiting.append(asyncio.create_task(self._known(batch, kinds)))
                    if len(waiting) > AHEAD:
                        yield await waiting.popleft()
                while waiting:
                    yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()

    async def _known(self, members: Any, kinds: Mapping[str, str]) -> Piece:
        """With what profile knows of them; those whom it does not know have become others, or nobody, since."""
        wanted: dict[str, Any] = {"ids": members[PROFILE.name].to_pylist()}
        if self._form != "jsonl":
            wanted |= {"attributes": kinds, "loose": self._form == "csv"}
        return members, unpacked(await self._told("POST", "/profiles/piece", content=msgspec.json.encode(wanted)))

    async def _members(self) -> AsyncGenerator[Any, None]:
        answer = await self._neighbours.stream("GET", "warehouse", "/memberships/stream", params=self._asked)
        try:
            if answer.status_code != 200:
                raise Problem("service_unavailable", service="warehouse")
            async with aclosing(frames(answer.aiter_bytes())) as found:
                async for frame in found:
                    yield unpacked(frame)
        except (httpx.HTTPError, ValueError) as error:
            raise Problem("service_unavailable", service="warehouse") from error
        finally:
            await answer.aclose()

    async def _told(self, method: str, path: str, **more: Any) -> bytes:
        """What profile answers."""
        answer = await self._neighbours.stream(method, "profile", path, params=self._brands, **more)
        try:
            # Not `aread`: answers are in cycles, and would keep what they hold until the collector comes round.
            told = b"".join([part async for part in answer.aiter_bytes()])
        except httpx.HTTPError as error:
            raise Problem("service_unavailable", service="profile") from error
        finally:
            await answer.aclose()
        if answer.status_code != 200:
            raise Problem("service_unavailable", service="profile")
        return told


def _writer(form: Format, kinds: Mapping[str, str]) -> Any:
    from services.gateway.domain import tables  # Arrow is large, and nobody else here needs it

    return tables.writer(form, kinds)
