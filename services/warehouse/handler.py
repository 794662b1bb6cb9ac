"""A batch becomes one file a dataset, listed in the transaction that advances the watermark; small files become larger ones.

The file is on the disk before its row commits. A transaction that fails leaves a file that no manifest lists: `sweep` removes it.
Merging goes on beside the loop: it may take minutes on a busy machine, and facts do not wait for it.
"""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from runtime import parted
from runtime.batch import Emit, Item, Tx
from runtime.clock import set_within
from runtime.db import TRANSIENT
from runtime.failpoints import Failpoint, quiet
from runtime.kafka import Record
from runtime.lake import column
from runtime.parted import Parted
from runtime.process import Context
from schemas.memberships import Membership
from schemas.memberships import decode as decode_membership
from schemas.messages import Decision, decode_decision
from schemas.topics import DECISIONS, MEMBERSHIPS
from services.warehouse import erasure, roster, store
from services.warehouse.domain import sheets
from services.warehouse.domain.sheets import Sheet
from services.warehouse.domain.walk import Stored
from services.warehouse.files import Files, Group, LakeTrouble, Sieve, Target, TooLarge, Written
from services.warehouse.settings import LakeSettings

log = logging.getLogger(__name__)
T = TypeVar("T")

FAN = 16  # so many files of a level are merged into one of the next: a row is written log16(files) times
OWN = 5_000  # rows of an event and day that are worth a file of their own
PARTS = (1, 4, 16, 64)  # into which a file is written anew where memory has no room for all of it
FULL = 1_000_000  # rows of a file that is merged no more
PACE_S = 1.0  # from one small batch to the next in live time, or each would be a tiny file
SMALL = 5_000  # rows; a batch below it waits for company
ORPHAN_S = 3600.0  # age of a file in no manifest that goes
YIELD = 10  # niceness of merging: on a full machine it takes what the way of a fact leaves
SWEEP_S = 600.0
AGAIN_S, AGAIN_MOST_S = 1.0, 60.0  # after trouble: a merge that fails again and again must not eat the disk's and the cores' time


_decode_fact = msgspec.json.Decoder(Stored).decode


def decode_fact(record: Record) -> Stored:
    return _decode_fact(record.value or b"")


def decode_change(record: Record) -> Membership | None:
    """Who entered and left; marks are passed by."""
    change = decode_membership(record.value or b"")
    return None if change.type == "mark" else change


def decode_verdict(record: Record) -> Decision:
    return decode_decision(record.value or b"")


class Handler:
    """Handles batches of all lanes of the warehouse. pace_s: 0 takes every batch as it comes."""

    def __init__(self, pace_s: float = PACE_S, settings: LakeSettings | None = None) -> None:
        self._pace, self._settings = pace_s, settings or LakeSettings()
        self._context: Context | None = None
        self._files: Files | None = None
        self._merged: Files | None = None  # a DuckDB of its own: each does one thing at a time
        self._beside: ThreadPoolExecutor | None = None
        self._failpoint: Failpoint = quiet
        self._sizes = {"live": 0, "bulk": 0}  # of the last batch of each lane
        self._began = 0.0  # when the last batch did, by the loop's time
        self._next_sweep = 0.0
        self._grown = asyncio.Event()
        self._too_large: set[str] = set()  # files that no memory was found for, until the next start
        self._stuck: set[str] = set()  # those among them that cannot even be written anew in the smallest parts

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        self._context, self._failpoint = context, context.failpoint
        folder = context.settings.home / "lake"
        self._files, self._merged = Files(folder), Files(folder, threads=1)
        self._beside = ThreadPoolExecutor(1, "merging", _yielding)
        keeping = asyncio.create_task(self._keep(), name="warehouse-keeper")
        try:
            yield
        finally:
            keeping.cancel()
            self._merged.interrupt()
            await asyncio.wait({keeping})
            self._files.close()
            self._merged.close()
            self._beside.shutdown()

    @property
    def files(self) -> Files:
        assert self._files is not None
        return self._files

    @property
    def merging(self) -> Files:
        assert self._merged is not None
        return self._merged

    async def __call__(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        self._began = asyncio.get_running_loop().time()
        self._sizes["bulk" if items[0].place[0].endswith(".bulk") else "live"] = len(items)
        kept = await erasure.spared(tx, items)
        await roster.keep(tx, kept)
        found = await asyncio.to_thread(_sheets, kept)
        written = []
        for sheet, number in zip(found, await store.numbers(tx.connection, len(found)), strict=True):
            seen = {key: len(cells.rows) for key, cells in sheet.cells.items()}
            sheet.spill(await store.learn(tx.connection, seen, tx.now) if seen else ())
            if sheet.sights:
                await store.see(tx.connection, sheet.sights, tx.now)
            written.append(await asyncio.to_thread(self.files.write, sheet, number))
        self._failpoint("lake_written")
        if sum(f.rows for f in written) != len(kept):
            raise RuntimeError(f"{len(kept)} records came and the files hold {sum(f.rows for f in written)}")
        await store.add(tx.connection, written, tx.now)
        return []

    async def committed(self) -> None:
        """After each commit: let the keeper know, and let small batches gather. A driven run keeps house at once."""
        assert self._context is not None
        if self._context.clock.state.driven:
            await self._house()
            return
        self._grown.set()
        left = self._began + self._pace - asyncio.get_running_loop().time()
        if left > 0 and max(self._sizes.values()) < SMALL:
            await set_within(self._context.stopping, left)

    async def _keep(self) -> None:
        """Beside the loop, until cancelled. An error that is not passing trouble stops the service: the lake would grow unmerged."""
        assert self._context is not None
        wait = AGAIN_S
        while True:
            # Files age and erasures fall due where no fact comes, too.
            await set_within(self._grown, min(SWEEP_S, self._settings.rewrite_s or SWEEP_S))
            self._grown.clear()
            try:
                await self._house()
                wait = AGAIN_S
            except TRANSIENT as error:
                told = str(error) if isinstance(error, LakeTrouble) else type(error).__name__  # others may quote a row
                log.warning("merging begins again", extra={"why": told, "seconds": wait})
                await asyncio.sleep(wait)
                wait = min(2 * wait, AGAIN_MOST_S)
                self._grown.set()
            except Exception:
                log.exception("the lake cannot be merged")
                self._context.stopping.set()
                return

    async def _house(self) -> None:
        """Remove what nobody reads or is no longer kept, merge what is ripe, write out who is erased. In this order: where there is no room
        for the latter two, what is removed makes some.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._next_sweep:
            self._next_sweep = now + min(SWEEP_S, self._settings.grace_s)
            await self.sweep()
            await self.expire()
        await self.compact()
        await self.rewrite()

    async def compact(self) -> int:
        """Merge runs of small files until there is none. Returns how many runs were merged."""
        assert self._context is not None
        merged = 0
        while True:
            async with self._context.db.connection() as connection:
                runs = await store.ripe(connection, FAN, FULL, self._too_large)
            if not runs:
                return merged
            for run in runs:
                await self._merge_in_parts(run)
                merged += 1

    async def _merge_in_parts(self, run: store.Run) -> None:
        """Merge what memory has room for at a time. Two files that are too large together stay as they are."""
        try:
            await self._merge(run)
        except TooLarge:
            if len(run.files) <= 2:
                self._too_large.update(run.files)
                log.warning("files stay unmerged: there is no memory for two", extra={"files": run.files})
                return
            half = len(run.files) // 2
            for part in (run.files[:half], run.files[half:]):
                await self._merge_in_parts(run._replace(files=part))

    async def _merge(self, run: store.Run) -> None:
        new = await self._write_merged(run)
        self._failpoint("lake_merged")
        await self._put(run, new)

    async def _put(self, run: store.Run, new: Sequence[Written], *, gone: int | None = 0) -> None:
        """Put new files in the place of a run's, unless somebody else was first."""
        assert self._context is not None
        try:
            async with self._context.db.transaction() as connection:
                await store.replace(connection, run.files, new, self._context.clock.last_known_ms(), gone=gone)
                self.merging.touch(run.files)
        except store.Replaced:
            await asyncio.to_thread(self.merging.remove, [f.file for f in new])
            log.info("files were merged by another process", extra={"count": len(run.files)})

    async def _write_merged(self, run: store.Run) -> list[Written]:
        """The files of a run as one; of a mixed run, what has grown large enough goes into files of its event and day."""
        assert self._context is not None
        files = self.merging
        groups = await self._aside(files.groups, run.dataset, run.files, OWN if run.day is None else 1)
        async with self._context.db.connection() as connection:
            places = await store.numbers(connection, len(groups) + 1)
            known = await store.known(connection, {g.event for g in groups if g.event is not None})
        targets = []
        for group, number in zip(groups, places, strict=False):
            keep = frozenset(column(key.scope, key.path, key.kind) for key in known if key.event == group.event)
            targets.append(Target(group, run.level + 1 if run.day else 1, number, keep))
        new = [await self._aside(files.merge, run.dataset, run.files, target) for target in targets]
        if run.day is None:
            rest = Target(None, run.level + 1, places[-1])
            new.append(await self._aside(files.merge, run.dataset, run.files, rest, groups))
        await asyncio.to_thread(files.remove, [f.file for f in new if not f.rows])
        return [f for f in new if f.rows]

    async def _aside(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a query of the merging DuckDB, which has no threads of its own, on the thread that yields to all others."""
        return await asyncio.get_running_loop().run_in_executor(self._beside, work, *arguments)

    async def rewrite(self) -> int:
        """Write files anew without those who were erased long enough ago. Returns how many files; done when none holds any of them, or
        only such as no memory can be found for.
        """
        assert self._context is not None
        count = 0
        until = self._context.clock.last_known_ms() - int(self._settings.rewrite_s * 1000)
        while True:
            async with self._context.db.connection() as connection:
                gone = await erasure.pending(connection, until)
                if not gone:
                    return count
                await erasure.all_listed(connection)
                parts = await parted.everything(connection)
                runs = await store.current(connection)
            found = [(run, rows) for run, rows in await self._holding(runs, gone, parts) if rows]
            sieve = Sieve(gone, parts)
            done = [await self._write_out(run, sieve, rows) for run, rows in found if run.files[0] not in self._stuck]
            count += sum(done)
            if not found:
                async with self._context.db.transaction() as connection:
                    await erasure.clean(connection, gone, parts, self._context.clock.last_known_ms())
            elif not any(done):
                return count

    async def _holding(
        self, runs: Sequence[store.Run], gone: Sequence[str], parts: Sequence[Parted]
    ) -> list[tuple[store.Run, int]]:
        """These files (each a run of one), with how many rows of these people each has."""
        held: dict[str, int] = {}
        for dataset in {run.dataset for run in runs}:
            files = [run.files[0] for run in runs if run.dataset == dataset]
            held |= await self._aside(self.merging.holding, dataset, files, gone, parts)
        return [(run, held.get(run.files[0], 0)) for run in runs]

    async def _write_out(self, run: store.Run, sieve: Sieve, gone: int | None) -> bool:
        """Write a file anew without what the sieve keeps back, in as few parts as memory has room for. False: not even in the smallest
        ones. gone: how many rows must be missing then.
        """
        for count in PARTS:
            try:
                new = await self._sifted(run, sieve, count)
            except TooLarge:
                continue  # what was written so far is in no manifest, and swept
            await self._put(run, new, gone=gone)
            return True
        self._stuck.update(run.files)
        log.warning("a file keeps what should go: there is no memory to write it anew", extra={"files": run.files})
        return False

    async def _sifted(self, run: store.Run, sieve: Sieve, count: int) -> list[Written]:
        assert self._context is not None
        async with self._context.db.connection() as connection:
            numbers = await store.numbers(connection, count)
        group = Group(run.event, run.day) if run.day is not None else None
        written = [
            await self._aside(
                self.merging.merge, run.dataset, run.files, Target(group, run.level, number), (), sieve._replace(part=(part, count))
            )
            for part, number in enumerate(numbers)
        ]
        await asyncio.to_thread(self.merging.remove, [f.file for f in written if not f.rows])
        return [f for f in written if f.rows]

    async def expire(self) -> None:
        """Let go of what is older than is kept: files that are all of before, and the rows of mixed ones."""
        assert self._context is not None
        for dataset, since in self._settings.kept_since(self._context.clock.last_known_ms()).items():
            async with self._context.db.connection() as connection:
                aged = await store.aged(connection, dataset, since)
            for run, whole in aged:
                if whole:
                    await self._put(run, [], gone=None)
                elif run.files[0] not in self._stuck:
                    await self._write_out(run, Sieve(since=since), None)

    async def sweep(self) -> int:
        """Remove replaced files after their grace (15 minutes), and after an hour those that no manifest lists; who was erased and stood
        in none but these is written out then. Returns how many.
        """
        assert self._context is not None
        grace = self._settings.grace_s
        aged = await asyncio.to_thread(self.merging.aged)  # before the manifest: a file listed since then is in it
        async with self._context.db.connection() as connection:
            listed = await store.listed(connection)
        old = [f for f, removed in listed.items() if removed and aged.get(f, grace) >= grace]
        orphans = [f for f, age in aged.items() if f not in listed and age >= ORPHAN_S]
        await asyncio.to_thread(self.merging.remove, old + orphans)
        async with self._context.db.transaction() as connection:
            await store.forget(connection, old)
            await erasure.rewritten(connection, self._context.clock.last_known_ms())
        return len(old) + len(orphans)


def _yielding() -> None:
    """Only Linux has threads of different niceness."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), YIELD)


def _sheets(items: Sequence[Item]) -> list[Sheet]:
    rows: dict[str, list[sheets.Row]] = {}
    for item in items:
        topic = item.place[0]
        dataset = topic if topic in (MEMBERSHIPS.name, DECISIONS.name) else "facts"
        rows.setdefault(dataset, []).append((topic, item.place[1], item.offset, item.value))
    turn = {"facts": sheets.facts, MEMBERSHIPS.name: sheets.memberships, DECISIONS.name: sheets.decisions}
    return [turn[dataset](found) for dataset, found in sorted(rows.items())]
