"""Group commits: what many calls want written goes into one transaction, and each learns how it ended."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from runtime.clock import set_within
from runtime.db import TRANSIENT, Again

T = TypeVar("T")
PASSING: tuple[type[BaseException], ...] = (Again, *TRANSIENT)


def _at_once() -> float:
    return 0.0


class Group(Generic[T]):
    """`add` returns when the group that held the entry is committed. The flush writes a group and answers an outcome for each.

    gather: how long (s) a first entry waits for company, asked each time. Passing trouble of the database is waited out, and so is a
    merge of a person at hand: the group is written again. Any other error goes to all callers of the group.
    """

    def __init__(
        self, flush: Callable[[Sequence[T]], Awaitable[Sequence[bool]]], most: int, gather: Callable[[], float] = _at_once
    ) -> None:
        self._flush, self._most, self._gather = flush, most, gather
        self._full = asyncio.Event()
        self._waiting: list[tuple[T, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting) + (self._task is not None)

    async def add(self, entry: T) -> bool:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        if len(self._waiting) >= self._most:
            self._full.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                if (seconds := self._gather()) and len(self._waiting) < self._most:
                    await set_within(self._full, seconds)
                self._full.clear()
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._write(group)
        finally:
            self._task = None

    async def _write(self, group: list[tuple[T, asyncio.Future[bool]]]) -> None:
        delay = 0.05
        while True:
            try:
                outcomes = await self._flush([entry for entry, _ in group])
            except PASSING:
                await asyncio.sleep(delay)
                delay = min(5.0, delay * 2)
                continue
            except Exception as error:
                for _, future in group:
                    with contextlib.suppress(asyncio.InvalidStateError):
                        future.set_exception(error)
                return
            for (_, future), outcome in zip(group, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)
            return
