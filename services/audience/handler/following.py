"""The index follows the lake: once a second while people ask, seldom while nobody does, and at once for the first question after that and
under the driven clock, where a second is any time.
"""

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from runtime import following
from runtime.clock import set_within
from runtime.db import TRANSIENT
from runtime.lake import StaleSnapshot
from runtime.process import Context
from services.audience.settings import AudienceSettings, KeptSettings
from services.audience.store.index import AnotherLake, Index

log = logging.getLogger(__name__)

FORGET_S = 3600.0
AWAKE_S = 600.0  # after a question others are expected for so long
YIELD = 10  # niceness of what nobody waits for


class Follower:
    """Keeps one index up to date for as long as its life."""

    def __init__(self, context: Context, settings: AudienceSettings) -> None:
        self._context, self._settings = context, settings
        folder = settings.folder or context.settings.home / "audience"
        # Processes that share a folder have an index each: DuckDB lets one process write a file.
        self.index = Index(folder / f"{context.settings.instance or 'audience'}.duckdb", settings.threads, settings.memory)
        self._beside = ThreadPoolExecutor(1, "following", _yielding)
        self._one, self._ended, self._woken = asyncio.Lock(), asyncio.Event(), asyncio.Event()
        self._awake_until = 0.0  # monotonic
        self._threads = settings.threads
        self._kept, self._next_forgetting = KeptSettings(), 0.0
        self.built = False  # whether the lake was read to its end once

    @asynccontextmanager
    async def life(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._follow(), name="audience-follower")
        task.add_done_callback(lambda _: self._context.stopping.set())  # an index that follows nothing must not answer
        try:
            yield
        finally:
            self._ended.set()
            self._woken.set()
            try:
                await task
            finally:
                async with self._one:
                    await self._run(self.index.close)
                self._beside.shutdown()

    async def _follow(self) -> None:
        while not self._ended.is_set():
            try:
                if not await self.look():
                    await self._keep_house()
            except StaleSnapshot as error:
                log.info("looking at the lake again", extra={"why": str(error)})
                continue
            except TRANSIENT as error:
                log.warning("the index waits for the database", extra={"why": type(error).__name__})
            self._woken.clear()
            if self._ended.is_set():
                return
            await set_within(self._woken, self._settings.follow_s if self._awake() else self._settings.rest_s)

    def _awake(self) -> bool:
        return not self.built or asyncio.get_running_loop().time() < self._awake_until

    async def asked(self) -> None:
        """Somebody asks. After a rest the index looks first, or the answer would be as old as the rest was long."""
        rested = not self._awake()
        self._awake_until = asyncio.get_running_loop().time() + AWAKE_S
        if rested:
            self._woken.set()
            with contextlib.suppress(StaleSnapshot, *TRANSIENT):  # whoever follows looks again
                await self.look()

    async def _keep_house(self) -> None:
        """While nothing comes: once an hour what the lake does not keep any more, and tables that are out of order."""
        since = self._kept.since(self._context.clock.last_known_ms())
        if since is not None and asyncio.get_running_loop().time() >= self._next_forgetting:
            self._next_forgetting = asyncio.get_running_loop().time() + FORGET_S
            await self._run(self.index.forget_before, since)
        await self._run(self.index.keep_house)

    async def _take_threads(self) -> None:
        """While nobody asks the one that yields is enough: DuckDB's others do not, and facts on their way would feel it."""
        threads = self._settings.threads if self._awake() else 1
        if threads != self._threads:
            await asyncio.to_thread(self.index.use_threads, threads)
            self._threads = threads

    async def look(self) -> bool:
        """Take what is new. Whether anything was."""
        async with self._one:
            await self._take_threads()
            topics = following.WITH_VERDICTS
            news = await following.look(self._context.db, self._context.settings.home, self.index.places, self.index.state, topics)
            if news is not None:
                try:
                    await self._run(self.index.take, news)
                except AnotherLake:
                    log.warning("the index is of another lake and is built anew")
                    await self._run(self.index.begin_anew)
                    self.built = False
                    return True
            self.built = True
            return news is not None

    async def _run(self, work: object, *given: object) -> object:
        """In the thread of the index, to its end, also when the caller is cancelled."""
        done = asyncio.get_running_loop().run_in_executor(self._beside, work, *given)  # type: ignore[arg-type, var-annotated]
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait({done})
            raise


def _yielding() -> None:
    """Only Linux has threads of different niceness."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), YIELD)
