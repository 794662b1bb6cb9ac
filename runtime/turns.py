"""What drives a loop: free running in live time; turn by turn under the driven clock.

In a driven run one service moves at a time, in the order of the flow. In its turn it reads everything up to the log's end, merged by
received_at, fires what is due, and lets its relay finish. So a run depends on its inputs alone: two runs with one seed give the
same decisions, byte for byte (docs/adr/0005).
"""

import asyncio
import contextlib
import logging

from runtime.db import TRANSIENT
from runtime.lane import Lane
from runtime.loop import Loop

log = logging.getLogger(__name__)

MOVED = """
INSERT INTO runtime.move (service, turn_no, moved) VALUES ($1, $2, $3)
ON CONFLICT (service) DO UPDATE SET turn_no = EXCLUDED.turn_no, moved = EXCLUDED.moved
"""


class Driver:
    """Runs a loop until `stop`."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._stop = asyncio.Event()
        self._bulk_credit = 0  # below zero: so many records of the first lane come before the second has its turn again
        self._next_timers = 0.0
        self._turn_done = -1
        self._hushed = False  # driven: nothing is fetched between the turns
        self.wake = asyncio.Event()

    def stop(self) -> None:
        self._stop.set()
        self.wake.set()

    async def run(self) -> None:
        loop = self._loop
        await asyncio.gather(*(lane.reader.start() for lane in loop.lanes))
        for lane in loop.lanes:
            lane.reader.gather(lane.pace.wait_ms)
        try:
            while not self._stop.is_set():
                try:
                    if loop.clock.state.driven:
                        self._hush()
                        await self._driven()
                    else:
                        self._listen_again()
                        await self._live()
                except TRANSIENT as error:
                    log.warning("loop goes on after trouble", extra={"why": type(error).__name__})
                    await asyncio.sleep(0.2)
        finally:
            for lane in loop.lanes:
                if lane.fetching:
                    lane.fetching.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await lane.fetching
                await lane.reader.stop()

    # ---- live

    async def _live(self) -> None:
        """One cycle: the first lane; the second when the first is nearly empty or has had nine tenths; timers; else wait."""
        loop = self._loop
        did = 0
        if loop.lanes:
            first = loop.lanes[0]
            did = await self._take(first)
            if len(loop.lanes) > 1:
                self._bulk_credit = min(0, self._bulk_credit + did)
                nearly_empty = not first.reader.buffer and did * 10 < first.bound.rows
                if nearly_empty or self._bulk_credit >= 0:
                    second = await self._take(loop.lanes[1])
                    self._bulk_credit = 0 if nearly_empty else self._bulk_credit - 9 * second
                    did += second
        now = asyncio.get_running_loop().time()
        if now >= self._next_timers:
            fired = await loop.fire(loop.timers_upto(loop.clock.last_known_ms()))
            self._next_timers = now + (0 if loop.more_due else loop.settings.timer_poll_ms / 1000)
            did += fired
        if not did:
            await self._idle()

    async def _take(self, lane: Lane) -> int:
        if not self._loop.service.may_read(lane.name):
            self._loop.pulse += 1  # waiting is meant: no case for the watchdog
            return 0
        if not lane.reader.buffer and lane.fetching is None:
            await lane.reader.fetch(0, self._loop.settings.batch_rows)
        if lane.fetching is not None and lane.fetching.done():
            done, lane.fetching = lane.fetching, None
            done.result()
        return await self._loop.take(lane)

    async def _idle(self) -> None:
        """Wait for records of any lane, the next look at the timers, or a wake-up."""
        loop = self._loop
        open_lanes = [lane for lane in loop.lanes if loop.service.may_read(lane.name)]  # a closed one must not make us spin
        for lane in open_lanes:
            if lane.fetching is None:
                lane.fetching = asyncio.create_task(lane.reader.fetch(1000, loop.settings.batch_rows))
        woken = asyncio.create_task(self.wake.wait())
        waiting = {woken, *(lane.fetching for lane in open_lanes if lane.fetching)}
        timeout = loop.settings.timer_poll_ms / 1000 if loop.service.timers else 1.0
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        self.wake.clear()

    # ---- driven

    async def _driven(self) -> None:
        loop = self._loop
        for lane in loop.lanes:
            if lane.reader.joining:
                await self._quietly(lane)  # nobody knows yet what is ours: no turn
                return
            await loop.position(lane)
            lane.reader.listen(())  # a fetch that waits at the broker keeps every question behind it waiting
        state = loop.clock.state
        if state.turn != loop.service.name or state.turn_no == self._turn_done:
            await loop.clock.changed(1.0)
            return
        moved = False
        while await self._move(state.at):
            moved = True
        await loop.relay.flush(self._stop)
        async with loop.db.transaction() as connection:
            await connection.execute("SET LOCAL synchronous_commit = off")  # a turn that a crash forgets is given again
            await connection.execute(MOVED, loop.service.name, state.turn_no, moved)
            await connection.execute("SELECT pg_notify('move', $1)", f"{loop.service.name}|{state.turn_no}")
        self._turn_done = state.turn_no

    async def _move(self, now: int) -> bool:
        """Handle all that is there: first lane, second lane, timers one instant after the other, attempts under way."""
        loop = self._loop
        moved = False
        for lane in loop.lanes:
            moved = await self._drain(lane) or moved
        while await loop.fire(now):
            moved = True
        return await loop.service.settle() or moved

    async def _drain(self, lane: Lane) -> bool:
        """Read the lane to its end and handle it as one merged batch. True also where it has to be done again."""
        loop = self._loop
        await loop.position(lane)
        ends = await lane.reader.ends(lane.reader.assigned)
        behind = {place for place, end in ends.items() if lane.positions.get(place, 0) < end}
        if not behind:
            return False
        while ahead := [place for place in behind if _fetched(lane, place) < ends[place]]:
            lane.reader.listen(ahead)
            await self._quietly(lane)
            lane.reader.listen(())
            if lane.reader.fresh or lane.reader.joining:
                return True  # reassigned meanwhile: from the start
        handled = loop.handled
        while lane.reader.buffer:
            if not await loop.take_all(lane):
                return True
        for place in behind:  # control records and compacted offsets at the end hold no record
            lane.positions[place] = max(lane.positions.get(place, 0), ends[place])
        return loop.handled > handled

    async def _quietly(self, lane: Lane) -> None:
        if lane.fetching is not None:
            await asyncio.wait({lane.fetching})
            done, lane.fetching = lane.fetching, None
            done.result()
        else:
            await lane.reader.fetch(100, 100_000)

    def _hush(self) -> None:
        if not self._hushed:
            for lane in self._loop.lanes:
                lane.reader.hurry()
            self._hushed = True

    def _listen_again(self) -> None:
        if self._hushed:
            for lane in self._loop.lanes:
                lane.reader.listen(lane.reader.assigned)
                lane.reader.gather(lane.pace.wait_ms)
            self._hushed = False


def _fetched(lane: Lane, place: tuple[str, int]) -> int:
    buffered = lane.reader.buffer.get(place)
    return buffered[-1].offset + 1 if buffered else lane.reached(place)
