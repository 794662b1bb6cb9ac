"""Everybody who is in a segment, with all that is known of him, in one answer that is written while it is read.

The warehouse tells who, profile tells what it knows of a few thousand at a time; here one piece is written while the next ones are asked for.
Nothing is held but these pieces.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import httpx
import msgspec

from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import brands_of
from services.gateway.domain.access import Key
from services.gateway.domain.problems import Problem
from services.gateway.domain.tables import Format, Member, joined, writer

PIECE = 1_000  # people of whom profile is asked at once
AHEAD = 3  # pieces that are asked for before they are written

_line = msgspec.json.Decoder().decode


class Export:
    """One export. brands: a key of some brands gets who was seen in one of them, and of him what is theirs."""

    def __init__(self, neighbours: Neighbours, key: Key, segment: str, as_of: int | None, form: Format) -> None:
        self._neighbours, self._form = neighbours, form
        self._asked = {"segment": segment, **({} if as_of is None else {"as_of": as_of})}
        self._brands = brands_of(key)

    async def kinds(self) -> dict[str, str]:
        """Of all attributes that anybody has: a table must know its columns before its first row. JSON lines need none."""
        return {} if self._form == "jsonl" else joined(await self._told("GET", "/attributes", self._brands))

    async def parts(self, kinds: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The file, part by part. One thread writes: each has memory of its own."""
        out = writer(self._form, kinds)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "export") as beside:
            yield out.begin()
            async with aclosing(self._people()) as people:
                async for members in people:
                    yield await loop.run_in_executor(beside, out.rows, members)
            yield await loop.run_in_executor(beside, out.end)

    async def _people(self) -> AsyncGenerator[list[Member], None]:
        """All of them, in the order of the warehouse, a piece at a time; the next ones are asked for meanwhile."""
        waiting: deque[asyncio.Task[list[Member]]] = deque()
        try:
            async with aclosing(self._pieces()) as pieces:
                async for members in pieces:
                    waiting.append(asyncio.create_task(self._known(members)))
                    if len(waiting) > AHEAD:
                        yield await waiting.popleft()
                while waiting:
                    yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()

    async def _known(self, members: Sequence[Any]) -> list[Member]:
        """With what profile knows of them; those whom it does not know have become others, or nobody, since."""
        params = {**self._brands, **({} if self._form == "jsonl" else {"flat": "1"})}
        told = await self._told("POST", "/profiles/rows", params, [member["id"] for member in members])
        by_id = {member["id"]: member for member in members}
        return [Member(by_id[one["id"]], one) for one in told]

    async def _pieces(self) -> AsyncGenerator[Sequence[Any], None]:
        answer = await self._neighbours.stream("GET", "warehouse", "/memberships/stream", params=self._asked)
        try:
            if answer.status_code != 200:
                raise Problem("service_unavailable", service="warehouse")
            rest, members = b"", list[Any]()
            async for part in answer.aiter_bytes():
                *lines, rest = (rest + part).split(b"\n")
                members += map(_line, lines)
                while len(members) >= PIECE:
                    yield members[:PIECE]
                    del members[:PIECE]
            if members:
                yield members
        except httpx.HTTPError as error:
            raise Problem("service_unavailable", service="warehouse") from error
        finally:
            await answer.aclose()

    async def _told(self, method: str, path: str, params: Mapping[str, str], body: Any = None) -> Any:
        """What profile answers."""
        more = {} if body is None else {"json": body}
        answer = await self._neighbours.stream(method, "profile", path, params=params, **more)
        try:
            # Not `aread`: answers are in cycles, and would keep what they hold until the collector comes round.
            told = b"".join([part async for part in answer.aiter_bytes()])
        except httpx.HTTPError as error:
            raise Problem("service_unavailable", service="profile") from error
        finally:
            await answer.aclose()
        if answer.status_code != 200:
            raise Problem("service_unavailable", service="profile")
        return _line(told)
