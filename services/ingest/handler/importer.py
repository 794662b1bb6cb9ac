"""Works through imported files, one at a time: read a piece, publish its facts, note how far it has come, again."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from runtime.clock import Clock, set_within
from runtime.db import TRANSIENT
from runtime.failpoints import Failpoint
from schemas.topics import FACTS_RAW_BULK
from services.ingest.domain import (
    Arrival,
    Assembly,
    Closed,
    Encoded,
    Malformed,
    Mapping,
    Plan,
    Refused,
    Source,
    bind,
    place,
    read_mapping,
)
from services.ingest.handler.reading import turns
from services.ingest.ports import Log, Overloaded, Record, Unavailable
from services.ingest.store import Imports, Job, Step, TakenOver

log = logging.getLogger(__name__)

POLL_S = 2.0
SETTLE_S = 20.0
PUBLISHED, NOTED = "import_published", "import_noted"
PASSING: tuple[type[BaseException], ...] = (TakenOver, *TRANSIENT)
FAILPOINTS = (PUBLISHED, NOTED)
PORTION_BYTES = 8_000_000  # of facts and refused rows; far below what the publisher takes at once


@dataclass(frozen=True)
class Means:
    """What an import works with. rows: of a portion, after which it is noted how far it has come."""

    imports: Imports
    log: Log
    clock: Clock
    failpoint: Failpoint
    rows: int
    partitions: int


class Importer:
    """The one worker of a process. A kill repeats at most one portion, whose facts have the same ids."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def wake(self) -> None:
        """There is a new import."""
        self._idle.clear()
        self._news.set()

    def busy(self) -> bool:
        return not self._idle.is_set()

    async def settle(self) -> bool:
        """In a driven turn: waits for what is under way. True if there was anything."""
        if self._idle.is_set():
            return False
        await set_within(self._idle, SETTLE_S)
        return True

    async def run(self) -> None:
        """Until it is cancelled; what was under way then is gone on with at the next start."""
        imports = self._means.imports
        while True:
            self._news.clear()
            try:
                for job in await imports.waiting():
                    self._idle.clear()
                    await self._work(job)
                if not self._news.is_set():
                    self._idle.set()
            except TRANSIENT as error:
                log.warning("imports wait for the database", extra={"why": type(error).__name__})
            await set_within(self._news, POLL_S)

    async def _work(self, name: str) -> None:
        async with self._means.imports.claim(name) as job:
            if job is None:
                return
            try:
                error = await _worked(self._means, job)
            except TakenOver:
                return
            now, _ = await self._means.clock.now()
            await self._means.imports.end(job.id, now, error)
        log.info("import has ended", extra={"import": name, "ok": not error})


async def _worked(means: Means, job: Job) -> str:
    """Goes through the file; answers why it could not, for the one who sent it."""
    try:
        await _Import(means, job).run()
    except Malformed as malformed:
        return f"{malformed.fault.message} Mend: {malformed.fault.mend}."
    except UnicodeDecodeError:
        return f"The file is not in {job.shape.encoding}. Mend: leave `encoding` out, or name the right one."
    except PASSING:
        raise
    except Exception as error:
        # Our code's fault and not the machine's: the next file shall not wait behind it for ever.
        log.exception("import failed", extra={"import": job.id})
        return f"The import failed: {type(error).__name__}. The log of ingest says where."
    return ""


class _Portion:
    """What is gathered between two notes. facts: those that it made, by their ids; a row may say what another one has said."""

    def __init__(self) -> None:
        self.rows = self.accepted = self.size = self.told = 0
        self.refused: list[Refused] = []
        self.left_out: list[str] = []
        self.facts: dict[str, Encoded] = {}

    def add(self, closed: Closed) -> None:
        self.rows += closed.rows
        self.accepted += closed.rows - len(closed.refused)
        self.refused += closed.refused
        self.left_out += closed.left_out
        self.told += len(closed.made)
        self.size += sum(len(one.value) for one in closed.made) + sum(len(one.raw) for one in closed.refused)
        for one in closed.made:
            self.facts.setdefault(one.fact.id, one)  # the first, as where another portion made it


class _Import:
    """One file from where it was to its end. What was done with before is folded again, for the state it left, and passed by."""

    def __init__(self, means: Means, job: Job) -> None:
        self._means, self._job = means, job
        self._mapping = read_mapping(job.mapping)
        self._source = source_of(self._mapping)
        self._assembly = Assembly(plan_of(self._mapping, job.shape.columns), job.word)
        self._portion = _Portion()
        self._done = self._bytes = 0
        self._since = asyncio.get_running_loop().time()

    async def run(self) -> None:
        imports, job = self._means.imports, self._job
        async with aclosing(turns(partial(imports.part, job.id), job.shape, self._mapping.decimal)) as found:
            async for turn in found:
                await self._take(self._assembly.push(turn.rows, await self._arrival()))
                self._bytes = turn.seen
        await self._take(self._assembly.end(await self._arrival()))
        if self._portion.rows:
            await self._flush()

    async def _arrival(self) -> Arrival:
        now, driven = await self._means.clock.now()
        context = {"import": self._job.id}
        return Arrival(source=self._source, now=now, driven=driven, kind=self._mapping.call, lane="bulk", context=context)

    async def _take(self, closed: Iterable[Closed]) -> None:
        for one in closed:
            self._done += one.rows
            if self._done <= self._job.rows:
                continue
            self._portion.add(one)
            if self._portion.rows >= self._means.rows or self._portion.size >= PORTION_BYTES:
                await self._flush()

    async def _flush(self) -> None:
        portion, self._portion = self._portion, _Portion()
        new = portion.facts
        if new and (known := await self._means.imports.known(list(new))):
            new = {name: made for name, made in new.items() if name not in known}
        if new:
            await _publish(self._means.log, [self._record(made) for made in new.values()])
        self._means.failpoint(PUBLISHED)
        job, spent = self._job, asyncio.get_running_loop().time() - self._since
        job.reasons.update(Counter(one.reason for one in portion.refused))
        job.left_out.update(portion.left_out)
        step = Step(
            rows=self._done,
            accepted=portion.accepted,
            facts=list(new),
            repeats=portion.told - len(new),
            refused=portion.refused,
            seen_bytes=self._bytes,
            busy_ms=round(spent * 1_000),
        )
        now, _ = await self._means.clock.now()
        await self._means.imports.note(job, step, now)
        self._since += spent
        self._means.failpoint(NOTED)

    def _record(self, made: Encoded) -> Record:
        key, partition = place(made.fact, self._means.partitions)
        return Record(FACTS_RAW_BULK.name, partition, key.encode(), made.value)


async def _publish(into: Log, records: list[Record]) -> None:
    """Returns when the log has them: a file can wait."""
    pause = 0.5
    while True:
        try:
            await into.publish(records)
            return
        except Overloaded as error:
            await asyncio.sleep(error.retry_after_s)
        except Unavailable:
            log.warning("an import waits for the log", extra={"seconds": pause})
            await asyncio.sleep(pause)
            pause = min(10.0, pause * 2)


def source_of(mapping: Mapping) -> Source:
    return Source(brand=mapping.brand, name=mapping.source, lane="bulk", currency=mapping.currency or None, region=mapping.region)


def plan_of(mapping: Mapping, columns: Sequence[str]) -> Plan:
    """Raises Malformed with the first fault of a mapping that does not fit the file."""
    plan = bind(mapping, columns)
    if isinstance(plan, list):
        fault = plan[0]
        raise Malformed(fault.path, fault.code, f"{fault.path}: {fault.message}", fault.mend)
    return plan
