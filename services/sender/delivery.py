"""From the ledger to the provider and back: prepare, start (in groups), call, record (in groups).

A row is `started` in a committed transaction before the first byte that can make a provider accept, and at most GROUP are started
and not recorded: so a kill leaves at most that many in doubt. Nothing is called twice unless its class allows it.
"""

import asyncio
import heapq
import logging
import secrets
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.clock import set_within, wall_ms
from runtime.db import TRANSIENT
from runtime.process import Context
from schemas.messages import Intent
from services.sender import domain, ledger, store
from services.sender.channels.contract import Channel, Rendered
from services.sender.groups import Group
from services.sender.ledger import Record
from services.sender.letters import Letters, Shut
from services.sender.rates import Rates
from services.sender.store import Start
from services.sender.waiting import Job, Queue, Waiting

log = logging.getLogger(__name__)

FAILPOINTS = ("start_before_commit", "start_after_commit", "called", "result_before_commit", "result_after_commit")
GROUP = 64  # attempts that are started and not recorded: a kill leaves no more than these in doubt
RESULTS = 32  # a group of results this large waits for no more
GATHER_S = 0.025  # nobody waits for a result, and a transaction for each would cost more than the mail
UNHEARD = frozenset(
    ("no_address", "unknown_person", "consent", "nothing_to_confirm", "template:missing", "webhook:missing", "no_manager")
)  # what is not known yet may be in the log already


@dataclass(slots=True)
class Ready:
    """A job that may be sent now, as far as was known at `stamp`. token: of its start; flushes: how often that was written."""

    job: Job
    message: Rendered
    stamp: int
    links: bytes | None
    token: str
    flushes: int = 0
    forbidden: str = ""
    prepared: float = 0.0  # s, of the event loop's clock


class NotStarted(Exception):  # noqa: N818
    """The row is not ours any more, or something was forbidden since we looked: no call."""


class Delivery:
    """Everything between a claimed intent and its verdict, for one process."""

    def __init__(self) -> None:
        self.owner = secrets.randbelow(2**31 - 1) + 1
        self._waiting = Waiting()
        self._number = 0
        self._calls: dict[str, set[asyncio.Task[None]]] = {}  # until their results are recorded
        self._connected: Counter[str] = Counter()  # calls that hold a connection
        self._looking = asyncio.Lock()  # at the gates
        self._looked = float("-inf")  # when that was last begun (s, of the event loop's clock)
        self._served: dict[str, int] = {}  # lane -> when it was last taken from, as `moved` was then
        self._wake = asyncio.Event()
        self._starts: Group[Ready] = Group(self._commit_starts, GROUP)
        self._records: Group[Record] = Group(self._commit_records, RESULTS, self._gather)
        self._preparing = 0
        self.heard_at = 0  # all that ingest took until then has been through profile (ms)
        self.moved = 0

    def attach(self, context: Context, channels: Mapping[str, Channel], letters: Letters, rates: Rates) -> None:
        self._context, self._channels, self._letters, self._rates = context, channels, letters, rates

    @property
    def letters(self) -> Letters:
        return self._letters

    # ---- what waits

    def put(self, job: Job, at: int = 0) -> None:
        """Queue a job, service mail first, or leave it in the ledger; `at`: not before that instant (ms)."""
        self._waiting.put(job, at, self._now())
        self._wake.set()

    def waiting(self) -> int:
        return len(self._waiting)

    def crowding(self) -> int:
        """What is in memory for want of another place, so that no more may be read. Calls of endpoints are not: they wait in the ledger."""
        return sum(len(queue) for lane, queue in self._waiting.queues.items() if lane in self._channels)

    def open(self) -> int:
        """Attempts under way or ready to go: what the quiet protocol waits for."""
        under_way = self._unrecorded() + len(self._records) + len(self._starts) + self._preparing
        return self._waiting.open(self._now()) + under_way

    async def busy(self) -> bool:
        """For the quiet question: a call under way is not quiet."""
        return self.open() > 0

    def _unrecorded(self) -> int:
        return sum(map(len, self._calls.values()))

    def _gather(self) -> float:
        return 0.0 if self._context.clock.state.driven else GATHER_S

    def _now(self) -> int:
        return self._context.clock.last_known_ms()

    # ---- the pump

    async def run(self) -> None:
        """Prepare and call, until cancelled."""
        while True:
            self._wake.clear()
            self._waiting.wake(self._now())
            busy = await self._waiting.refill(self._context.db, self.owner, self._now())
            # A copy: a batch may bring the first message of a lane meanwhile.
            for lane, queue in sorted(self._waiting.queues.items(), key=self._turn):
                if queue and self._now() >= self._waiting.paused.get(lane, 0):
                    busy = await self._advance(lane, queue) or busy
            if not busy:
                await set_within(self._wake, 0.1)

    def _turn(self, one: tuple[str, Queue]) -> tuple[int, int]:
        """Who has the fewest connections comes first, of several whose turn is longest ago."""
        return self._connected[one[0]], self._served.get(one[0], -1)

    def _free(self, lane: str, channel: str) -> int:
        """Connections that a lane may take: one among others of its channel has no more than half of them, and leaves one to a lane that
        has none.
        """
        most, own = self._channels[channel].connections, self._connected[lane]
        free = most - self._connected[channel]
        return free if lane == channel else min(max(1, most // 2) - own, max(free - 1, 0 if own else min(free, 1)))

    async def _advance(self, lane: str, queue: Queue) -> bool:
        """Take as many jobs as the lane has free connections and tokens, prepare them together, start their calls."""
        channel = queue[0][2].intent.channel
        calls = self._calls.setdefault(channel, set())
        room = min(self._free(lane, channel), GROUP - self._unrecorded(), len(queue))
        if room <= 0:
            return False
        self._preparing += 1
        try:
            granted = await self._rates.take(channel, room)
            jobs = [heapq.heappop(queue)[2] for _ in range(min(granted, len(queue)))]
            if not jobs:
                return False
            try:
                prepared = await self._prepare(jobs)
            except TRANSIENT:
                for job in jobs:
                    self.put(job)
                raise
            for ready in prepared:
                self._connected.update({channel, lane})
                calls.add(self._spawn(self._call(ready), channel))
        except TRANSIENT as error:
            log.warning("the pump waits for the database", extra={"why": type(error).__name__})
            await asyncio.sleep(0.2)
            return False
        finally:
            self._preparing -= 1
        self.moved += len(jobs)
        self._served[lane] = self.moved
        return True

    def _spawn(self, work: Coroutine[Any, Any, None], channel: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._called(channel, done))
        return task

    def _called(self, channel: str, task: asyncio.Task[None]) -> None:
        self._calls[channel].discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception():
            log.error("a call ended with an error of ours", exc_info=task.exception())
            self._context.stopping.set()  # a row stays `started`: after the restart it is in doubt, and shown

    async def _prepare(self, jobs: Sequence[Job]) -> list[Ready]:
        """Permission and rendering, on the newest copy of the contacts: one read for all."""
        async with self._context.db.connection() as connection:
            contacts = await store.contacts(connection, {job.person for job in jobs})
            one = jobs[0].intent  # a lane of webhooks is of one endpoint
            letters = await self._letters.current(connection, one.template if one.channel == "webhook" else "")
            told = ((job.intent, contacts.get(job.person)) for job in jobs)
            bad = await letters.bad_managers(connection, told, self._now())
        age = 0 if self._context.clock.state.driven else self._consent_age()
        ready: list[Ready] = []
        for job in jobs:
            outcome = letters.prepare(job.intent, job.address_key, contacts.get(job.person), self._now(), age, bad)
            if isinstance(outcome, str) and outcome in UNHEARD and not self._heard(job):
                self._waiting.postpone(job, self._now() + 200)
            elif isinstance(outcome, Shut):
                await self._settle_unsent(job, outcome.state, outcome.number)
            elif isinstance(outcome, str):
                await self._settle_unsent(job, outcome)
            else:
                job.person = contacts[job.person]["id"]
                self._number += 1
                token, clock = f"{self.owner}:{self._number}", asyncio.get_running_loop().time()
                ready.append(Ready(job, outcome.message, outcome.stamp, outcome.links, token, prepared=clock))
        return ready

    def _heard(self, job: Job) -> bool:
        """Have we handled all that was in the log when the intent came? It may have overtaken the facts that it follows from."""
        loop = self._context.loop
        return self._context.clock.state.driven or loop is None or loop.freshness.at >= job.since

    def _consent_age(self) -> int:
        """As old as the oldest of what it stands on: our copy of what profile told, and what profile has heard."""
        loop = self._context.loop
        return wall_ms() - min(loop.freshness.at, self.heard_at) if loop else 0

    async def _settle_unsent(self, job: Job, rule: str, gate: int = 0) -> None:
        if rule == "stale_consent":
            self._waiting.postpone(job, self._now() + 1000)
            return
        state = domain.UNSENT.get(rule) or ("failed" if rule.startswith(("template", "webhook")) else "skipped")
        record = Record(job.intent, job.person, state, rule, gate=gate)
        self._calls[job.intent.channel].add(self._spawn(self._end(job, record), job.intent.channel))

    async def _end(self, job: Job, record: Record) -> None:
        """Write how a job ended, or that it is to be tried again, and keep it for that."""
        await self._record(record)
        if record.state == "retry":
            job.shelf = domain.shelf(job.intent, again=True)
            self.put(job, record.next_at)
        else:
            self._waiting.shelves.drop(job)

    # ---- one call

    async def _call(self, ready: Ready) -> None:
        job = ready.job
        try:
            result = await self._channels[job.intent.channel].send(ready.message, lambda: self._start(ready))
        except NotStarted:
            await self._not_started(ready)
            return
        finally:
            self._connected.subtract({job.intent.channel, domain.lane(job.intent)})
            self._wake.set()
        self._context.failpoint("called")
        job.tries += 1
        after = domain.after(result.outcome, job.intent, job.tries, self._now(), result.retry_after_ms)
        if after.pause_ms:
            self._waiting.pause(domain.lane(job.intent), self._now() + after.pause_ms)
            log.warning("channel pauses", extra={"channel": domain.lane(job.intent), "why": result.code, "ms": after.pause_ms})
        record = ledger.record_of(job.intent, job.person, after, result, ready.message)
        if record.gone:
            log.warning(
                "a webhook endpoint is gone and called no more", extra={"endpoint": job.intent.template, "version": record.gone}
            )
        await self._end(job, record)

    async def _start(self, ready: Ready) -> None:
        """Commit `started` (with others), then make sure that the call begins at once and in time. Raises NotStarted."""
        clock = asyncio.get_running_loop().time
        if self._now() > ready.job.intent.not_after:
            ready.forbidden = "not_after"
            raise NotStarted
        if clock() - ready.prepared > 0.5 and await self._is_shut(ready.job.intent):
            ready.forbidden = "gate"  # it was a while with the provider before it could begin
            raise NotStarted
        asked = clock()
        if not await self._starts.add(ready):
            raise NotStarted
        if (clock() - asked > 0.5 or ready.flushes > 1) and not await self._still_allowed(ready):
            ready.forbidden = "changed"  # the process slept between the commit and the call
            raise NotStarted

    async def _is_shut(self, intent: Intent) -> bool:
        """By gates that are no older than half a second: one look for all calls that wait."""
        clock = asyncio.get_running_loop().time
        async with self._looking:
            if clock() - self._looked > 0.5:
                now = clock()
                try:
                    async with self._context.db.connection() as connection:
                        await self._letters.current(connection)
                except TRANSIENT:
                    return False  # it cannot be started then, either
                self._looked = now
        return self._letters.shut(intent) is not None

    async def _still_allowed(self, ready: Ready) -> bool:
        """Whatever moved about the person is a no: the attempt is looked at anew then, and its own rule says what becomes of it."""
        if self._now() > ready.job.intent.not_after:
            return False
        try:
            async with self._context.db.connection() as connection:
                row = (await store.contacts(connection, [ready.job.person])).get(ready.job.person)
        except TRANSIENT:
            return False  # nobody knows; nothing was called yet, so it may be looked at again
        return row is not None and row["stamp"] == ready.stamp

    async def _not_started(self, ready: Ready) -> None:
        job = ready.job
        if ready.forbidden == "not_after":
            await self._end(job, Record(job.intent, job.person, "late", "not_after"))
            return
        if ready.forbidden:
            await self._end(
                job, Record(job.intent, job.person, "retry")
            )  # nothing was called: look again, and say the rule that forbids
            return
        try:
            async with self._context.db.connection() as connection:
                row = await connection.fetchrow("SELECT owner, state FROM attempt WHERE id = $1", job.intent.id)
        except TRANSIENT:
            self.put(job)  # if it is not ours any more, its next start will say so
            return
        if row and row["owner"] == self.owner and row["state"] == "taken":
            self.put(job)  # something was forbidden since we looked: look again
        else:
            self._waiting.shelves.drop(job)

    async def _record(self, record: Record) -> None:
        await self._records.add(record)

    # ---- group commits

    async def _commit_starts(self, group: Sequence[Ready]) -> Sequence[bool]:
        async with self._context.db.transaction() as connection:
            starts = [Start(r.job.intent.id, r.job.person, r.stamp, r.token, r.job.intent.attempt, r.links) for r in group]
            for ready in group:
                ready.flushes += 1
            started = await store.start(connection, self.owner, self._now(), starts)
            self._context.failpoint("start_before_commit")
        self._context.failpoint("start_after_commit")
        return [ready.token in started for ready in group]

    async def _commit_records(self, group: Sequence[Record]) -> Sequence[bool]:
        if self._context.clock.state.driven:
            group_in_order = sorted(group, key=lambda r: (r.intent.received_at, r.intent.id))
        else:
            group_in_order = list(group)
        async with self._context.db.transaction() as connection:
            ended = await ledger.write(connection, self._context.settings, self.owner, self._now(), group_in_order)
            self._context.failpoint("result_before_commit")
        self._context.failpoint("result_after_commit")
        self._context.relay.wake.set()
        return [record.intent.id in ended for record in group]

    async def reconcile(self, intent: Intent, person: str) -> None:
        """Somebody clicked in a message that was in doubt: the provider had it."""
        await self._record(Record(intent, person, "accepted", "reconciled:link"))

    async def drain(self) -> None:
        """Stopping: let the calls under way end and be recorded; what waits stays `taken` for the next incarnation."""
        self._waiting.clear()
        while self._preparing or any(self._calls.values()) or len(self._records):  # noqa: ASYNC110  (each ends at its own time)
            await asyncio.sleep(0.01)

    # ---- recovery and the driven clock

    async def adopt(self, lock: Any) -> None:
        """Take over what dead processes held: taken rows are ours now, started ones are in doubt (or repeated, if their class may)."""
        adopted = ledger.Adopted()
        try:
            async with self._context.db.transaction() as connection:
                adopted = await ledger.adopt(connection, self._context.settings, self.owner, lock, self._now())
        finally:  # also where the commit was not heard of: it may stand
            self._waiting.adopt(adopted.rows, adopted.shelves, self._now())
        self._context.relay.wake.set()

    async def hear(self) -> None:
        """Ask how fresh profile is: while it stands still a no lies in the log, and nobody here has heard of it."""
        async with self._context.db.connection() as connection:
            self.heard_at = await store.heard_at(connection, wall_ms())

    async def settle(self) -> bool:
        """Driven turn: until nothing is open and nothing due. True if anything was done."""
        before = self.moved
        self._waiting.wake(self._now())
        while self.open() > self._waiting.paused_jobs(self._now()):
            self._wake.set()
            await asyncio.sleep(0.001)
            self._waiting.wake(self._now())
        return self.moved > before
