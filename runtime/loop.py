"""The consume loop: fetch, decode, one transaction, relay, hint. Everything that the laws promise stands on this file.

A batch locks its watermarks (the fence against zombies), drops what was seen, lets the service decide and save, and commits state,
outbox, dead letters, journal and watermark together. What fails for a passing reason runs again; what fails for a record is
isolated by halving and buried.
"""

import asyncio
import logging
from collections.abc import Sequence

from runtime import definitions, metrics, outbox, poison, replays, watermark
from runtime.batch import At, Bad, Emit, Item, Tx, merge
from runtime.bound import Bound
from runtime.clock import Clock
from runtime.db import TRANSIENT, Again, Connection, Database
from runtime.failpoints import Failpoint
from runtime.freshness import Freshness
from runtime.kafka import Place, Reader, Record
from runtime.lane import Lane, Portion
from runtime.pace import Pace
from runtime.service import Fired, Service
from runtime.settings import Settings
from schemas.topics import BY_NAME, DEFINITIONS

log = logging.getLogger(__name__)

LIVE_S = 5.0  # after a batch of the first lane another one is expected for so long
BEHIND_MS = 5_000  # a service whose knowledge is older than that has a backlog

PASSING: tuple[type[BaseException], ...] = (Again, *TRANSIENT)


class TimerFailed(RuntimeError):  # noqa: N818
    """A person's timer breaks the code. It names the kind of the error alone, as its text may quote an address."""


class Loop:
    """Reads the lanes of one service. `turns.py` drives it: freely in live time, by turns under the driven clock."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        db: Database,
        clock: Clock,
        relay: outbox.Relay,
        vault: poison.Vault,
        failpoint: Failpoint,
    ) -> None:
        self.service, self.settings, self.db, self.clock, self.relay = service, settings, db, clock, relay
        self._vault, self._failpoint = vault, failpoint
        self._decoders = {c.topic.name: replays.for_me(service.name, c.decode) for c in service.consumes}
        self._limit = poison.Limit(settings.poison_in_a_row, settings.poison_window, settings.poison_share)
        self.live_until = 0.0  # until then (s, monotonic) the first lane is thought to be in use, and all else is to be quick
        self.timer_bound = Bound(settings.timer_rows, settings.batch_rows_least)
        self.more_due = False  # the last round of timers was full
        self.lanes = [self._lane(name) for name in ("live", "bulk") if service.topics(name)]
        self.handled = 0  # records and timers, for the driven clock
        self.pulse = 0  # grows with whatever is done, waiting for the database included: for the watchdog
        self.freshness = Freshness(service.knows_its_age, settings.partitions)
        self.oldest = 0  # received_at of the last record handled, for backpressure

    def _lane(self, name: str) -> Lane:
        bulk = name == "bulk"
        pace = Pace(self.settings.gather_bulk_ms if bulk else self.settings.gather_ms, always=bulk)
        bound = Bound(self.settings.batch_rows, self.settings.batch_rows_least if bulk else 1)
        return Lane(Reader(self.settings, self.service.name, name, self.service.topics(name)), name, pace, bound)

    # ---- positions

    async def position(self, lane: Lane) -> None:
        """Start freshly assigned partitions at their watermarks; refuse a topic that was deleted and made again."""
        fresh = set(lane.reader.fresh)
        if not fresh:
            return
        async with self.db.transaction() as connection:
            await watermark.ensure(connection, fresh | {(watermark.TIMERS, p) for _, p in fresh})
            known = await watermark.read(connection, lane.reader.topics)
        begins, ends = await asyncio.gather(lane.reader.begins(fresh), lane.reader.ends(fresh))
        for place in fresh:
            mark, print_ = known[place]
            if mark > ends[place]:
                raise watermark.TopicRecreated(_recreated(place, f"the watermark {mark} is beyond the log's end {ends[place]}"))
            start = begins[place] if mark < 0 else max(mark, begins[place])
            if 0 <= mark < begins[place]:
                metrics.lost.labels(self.service.name, place[0]).inc(begins[place] - mark)
                log.error(
                    "retention deleted records before they were read",
                    extra={"place": place, "count": begins[place] - mark},
                )
            lane.positions[place] = start
            lane.verify.pop(place, None)
            lane.accepted.pop(place, None)
            if place in lane.doubts or 0 <= mark < begins[place]:
                lane.accepted[place] = mark
            lane.doubts.discard(place)
            if print_ and start == mark and mark > begins[place]:
                lane.verify[place] = (mark - 1, print_)
                start = mark - 1  # read the last record again: it must be the one we know
            lane.reader.seek(place, start)
        lane.reader.fresh -= fresh

    def _check(self, lane: Lane, batch: dict[Place, list[Record]]) -> None:
        """Look at where the partitions of a batch start. One that is before what was handled is put aside to be positioned anew."""
        for place, records in list(batch.items()):
            expected, first = lane.verify.pop(place, None), records[0].offset
            if expected and first == expected[0]:
                if watermark.fingerprint(records[0]) != expected[1]:
                    raise watermark.TopicRecreated(_recreated(place, f"the record at {first} is not the one that was read"))
            elif first < lane.positions.get(place, 0):
                # The client went back on its own: the log ended before our position. Made again, most likely: `position` will see.
                log.warning("the log went back", extra={"place": place, "to": first, "from": lane.positions[place]})
                lane.reader.fresh.add(place)
                del batch[place]

    # ---- one batch

    async def take(self, lane: Lane) -> int:
        """Handle what the lane has fetched, up to the bounds of a batch. Returns the number of records."""
        await self.position(lane)
        async with lane.reader.in_flight:
            batch = lane.reader.take(lane.bound.rows, self.settings.batch_bytes)
            lane.in_hand = bool(batch)
        if not batch:
            return 0
        taken = sum(map(len, batch.values()))
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            await self.process(lane, self._portion(lane, batch))
        finally:
            lane.in_hand = False
        ended = clock()
        if lane.name == "live":
            self.live_until = ended + LIVE_S
        lane.bound.after(ended - started, self._seconds(ended, waits=lane.name == "bulk"))
        lane.reader.gather(lane.pace.after(started, ended))
        return taken

    async def take_all(self, lane: Lane) -> bool:
        """Handle all that is buffered, in the one merged order, cut into transactions of at most `batch_rows`.

        False when some of it was put aside and has to be read again.
        """
        buffer = lane.reader.buffer
        while front := lane.reader.front():
            portion = self._portion(lane, {place: buffer.pop(place) for place in front})
            while len(portion.items) > self.settings.batch_rows:
                head, portion = portion.halves(self.settings.batch_rows)
                if not await self.process(lane, head):
                    return False
            if not await self.process(lane, portion):
                return False
        return not lane.reader.fresh

    def _portion(self, lane: Lane, batch: dict[Place, list[Record]]) -> Portion:
        self._check(lane, batch)
        self._failpoint("fetched")
        items, ends = merge(batch, self._decoders)
        self._refuse_closed(items)
        firsts = {place: records[0].offset for place, records in batch.items()}
        prints = {place: watermark.fingerprint(records[-1]) for place, records in batch.items()}
        return Portion(items, firsts, ends, prints)

    def _seconds(self, now: float, *, waits: bool) -> float:
        """How long a transaction may take: one of the second lane or of timers (`waits`) holds up whoever comes by the first."""
        hurried = waits and now < self.live_until
        return min(self.settings.batch_seconds, self.settings.batch_bulk_seconds) if hurried else self.settings.batch_seconds

    async def process(self, lane: Lane, portion: Portion) -> bool:
        """Run the portion until it is committed or isolated and buried. False when it is lost to another owner or must be read again.

        Nothing that follows it in the log may be handled by us then: that would leave it out.
        """
        attempt = 0
        if not portion.firsts:
            return True
        while True:
            why: str
            async with lane.reader.in_flight:
                if not set(portion.firsts) <= lane.reader.assigned:
                    return False  # revoked meanwhile: the new owner starts at the watermark
                try:
                    await self._transact(lane, portion)
                    return True
                except Again:
                    why = "again"
                except watermark.Gap as gap:
                    metrics.gaps.labels(self.service.name, "sought").inc()
                    lane.doubts |= set(gap.marks)
                    lane.reader.fresh |= set(portion.firsts)  # all of them: what we took of the others is put aside too
                    return False
                except TRANSIENT as error:
                    why = type(error).__name__
                    log.warning("batch runs again", extra={"why": why, "attempt": attempt})
                except poison.Poisoned as error:
                    parts = self._isolate(portion, error.cause)
                    log.exception("batch failed, halving", exc_info=error.cause, extra={"rows": len(portion.items)})
                    why = ""
            metrics.retries.labels(self.service.name, why or "poison").inc()
            self.pulse += 1
            if not why:
                for part in parts:
                    if not await self.process(lane, part):
                        return False
                return True
            if why != "again":
                await asyncio.sleep(min(5.0, 0.05 * 2**attempt))
                attempt = min(attempt + 1, 10)

    def _isolate(self, portion: Portion, error: Exception) -> Sequence[Portion]:
        handled = [i for i, item in enumerate(portion.items) if not isinstance(item.value, Bad)]
        if len(handled) > 1:
            return portion.halves(handled[len(handled) // 2])
        self._limit.bad()
        items = list(portion.items)
        items[handled[0]] = poison.as_bad(items[handled[0]], error)
        return [portion.with_items(items)]

    async def _transact(self, lane: Lane, portion: Portion) -> None:
        name = self.service.name
        with metrics.stage_seconds.labels(name, "transaction").time():
            async with self.db.transaction() as connection:
                marks, now, revision = await watermark.lock(connection, portion.firsts)
                self._failpoint("locked")
                behind = watermark.gap(portion.firsts, marks)
                if any(lane.accepted.get(place) != mark for place, mark in behind.items()):
                    raise watermark.Gap(behind)
                fresh = watermark.unseen(portion.items, marks)
                good = [item for item in fresh if not isinstance(item.value, Bad)]
                bad = [item for item in fresh if isinstance(item.value, Bad)]
                tx = Tx(connection, now, revision, name, {place: mark.epoch for place, mark in marks.items()})
                rows = await self._decide(tx, good) if good else []
                self._failpoint("handled")
                if bad:
                    await poison.bury(connection, self._vault, name, bad, now)
                froms = {place: max(marks[place].next_offset, first) for place, first in portion.firsts.items()}
                for place, end in portion.ends.items():
                    if end > marks[place].next_offset:
                        marks[place].next_offset, marks[place].fingerprint = end, portion.prints[place]
                await watermark.finish(connection, marks, froms, now, revision, rows)
                await self._tell_relay(connection, rows)
                self._failpoint("before_commit")
        self._failpoint("after_commit")
        if rows:
            self.relay.wake.set()
        self._limit.good(len(good))
        self._committed(lane, portion, len(portion.items) - len(fresh))
        await self.service.committed()
        await self._hint(lane, portion)

    async def _decide(self, tx: Tx, items: list[Item]) -> list[outbox.Row]:
        """The service's part. Whatever it raises that is not passing trouble is blamed on a record: Poisoned."""
        try:
            return outbox.pack(await self._handle(tx, items), self.settings.partitions)
        except PASSING:
            raise
        except Exception as error:
            raise poison.Poisoned(error) from error

    async def _handle(self, tx: Tx, items: list[Item]) -> list[Emit]:
        if items and items[0].place[0] == DEFINITIONS.name:  # they come alone: `Reader.front`
            await definitions.store(tx.connection, items)
            return []
        return await self.service.handle(tx, items) if items else []

    def _refuse_closed(self, items: Sequence[Item]) -> None:
        """Only topics that others may write can hold rubbish; in our own it means that the code is broken. Once per record read."""
        for item in items:
            if isinstance(item.value, Bad) and item.value.reason == "undecodable" and not BY_NAME[item.place[0]].open:
                self._limit.bad()

    async def _tell_relay(self, connection: Connection, rows: Sequence[outbox.Row]) -> None:
        """Where another process leads the relay, it hears of new rows at our commit."""
        if rows and not self.relay.leads:
            await connection.execute("SELECT pg_notify($1, '')", outbox.channel(self.service.name))

    def _committed(self, lane: Lane, portion: Portion, dropped: int) -> None:
        name = self.service.name
        count = 0
        for place, end in portion.ends.items():
            count += end - portion.firsts[place]
            lane.positions[place] = max(end, lane.positions.get(place, 0))
            metrics.records.labels(name, place[0]).inc(end - portion.firsts[place])
        metrics.batch_rows.labels(name, lane.name).observe(count)
        if dropped:
            metrics.duplicates.labels(name, "watermark").inc(dropped)
        self.handled += count
        self.pulse += 1
        self.oldest = next((item.received_at for item in reversed(portion.items) if item.received_at), self.oldest)

    async def _hint(self, lane: Lane, portion: Portion) -> None:
        """At most once a second: the commit is a round trip, and only lag tools read it."""
        lane.hints.update(portion.ends)
        now = asyncio.get_running_loop().time()
        if now >= lane.next_hint:
            lane.next_hint = now + 1.0
            hints, lane.hints = lane.hints, {}
            await lane.reader.hint(hints)
            self._failpoint("hinted")

    # ---- timers

    def timers_upto(self, now: int) -> int:
        """Timers that were due after this instant wait: while facts are read that were received before, an outage's backlog, they would
        overtake what would have kept them from firing (law 5).
        """
        if not self.service.knows_its_age or now - self.freshness.at <= BEHIND_MS:
            return now
        return self.freshness.at

    async def fire(self, upto: int) -> int:
        """Fire the timers that were due by then, of the partitions this process owns. Returns how many."""
        self.more_due = False
        timers = self.service.timers
        reader = self.lanes[0].reader if self.lanes else None
        owned = sorted({p for _, p in reader.assigned - reader.fresh}) if reader else []
        if timers is None or not owned or upto <= 0:
            return 0
        async with self.db.connection() as connection:
            if not await timers.due(connection, owned, upto):
                return 0
        most = limit = self.settings.timer_rows if self.clock.state.driven else self.timer_bound.rows
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            try:
                fired = await self._fire(owned, limit, upto)
            except Again:
                continue
            except TRANSIENT as error:
                log.warning("timers run again", extra={"why": type(error).__name__})
                metrics.retries.labels(self.service.name, type(error).__name__).inc()
                self.pulse += 1
                return 0  # the cycle comes back
            except Exception as error:
                if limit == 1:  # one person's timer: stop, and say so
                    raise TimerFailed(f"a timer breaks the code: {type(error).__name__}") from error
                log.exception("timers failed, one at a time")
                limit = 1
                continue
            metrics.timers_fired.labels(self.service.name).inc(fired.count)
            metrics.timers_late.labels(self.service.name).set(
                max(0, self.clock.last_known_ms() - fired.oldest) / 1000 if fired.count else 0
            )
            ended = clock()
            self.timer_bound.after(ended - started, self._seconds(ended, waits=True))
            self.more_due = fired.count >= most
            self.handled += fired.count
            self.pulse += 1
            return fired.count

    async def _fire(self, owned: Sequence[int], limit: int, upto: int) -> Fired:
        assert self.service.timers is not None
        async with self.lanes[0].reader.in_flight:
            name = self.service.name
            with metrics.stage_seconds.labels(name, "timers").time():
                async with self.db.transaction() as connection:
                    marks, now, revision = await watermark.lock(connection, [(watermark.TIMERS, p) for p in owned])
                    self._failpoint("timers_locked")
                    now = min(now, upto)
                    ats = {p: At(f"{name}:timers-{p}", m.epoch, max(0, m.next_offset)) for (_, p), m in marks.items()}
                    tx = Tx(connection, now, revision, name, {})
                    fired = await self.service.timers.fire(tx, ats, limit)
                    froms = {place: max(0, mark.next_offset) for place, mark in marks.items()}
                    for mark in marks.values():
                        mark.next_offset = max(0, mark.next_offset) + 1
                    rows = outbox.pack(fired.emits, self.settings.partitions)
                    await watermark.finish(connection, marks, froms, now, revision, rows)
                    await self._tell_relay(connection, rows)
                    self._failpoint("timers_before_commit")
            self._failpoint("timers_after_commit")
            if rows:
                self.relay.wake.set()
            await self.service.committed()
            return fired


def _recreated(place: Place, why: str) -> str:
    return (
        f"{place[0]}-{place[1]}: {why}. The topic was deleted and made again, or this database belongs to another log. "
        "Restore the matching one, or forget the old positions with `otklik reset-positions` and know what that means."
    )
