"""The jobs of a process that wait: queues of lanes, those that are for later, and how many of what waits is held in memory at all."""

import heapq
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.clock import wall_ms
from runtime.db import TRANSIENT, Database
from schemas.messages import Intent, decode_intent
from services.sender import domain, store
from services.sender.shelves import Shelves

log = logging.getLogger(__name__)


@dataclass(slots=True, order=True)
class Job:
    """An intent whose row of the ledger is ours. since: when it came to us (wall ms); shelf: of its row, "" if it is on none."""

    intent: Intent = field(compare=False)
    person: str = field(compare=False)
    address_key: bytes = field(compare=False)
    tries: int = field(default=0, compare=False)
    since: int = field(default=0, compare=False)
    shelf: str = field(default="", compare=False)


Queue = list[tuple[int, int, Job]]


class Waiting:
    """queues: of each lane, service mail first. paused: lane -> until when (ms). Instants come from the caller."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.paused: dict[str, int] = {}
        self.shelves = Shelves()
        self._later: Queue = []
        self._number = 0

    def put(self, job: Job, at: int, now: int) -> None:
        """Queue a job, or leave it in the ledger; `at`: not before that instant."""
        if not self.shelves.hold(job, at, now):
            return
        if at > now:
            self.postpone(job, at)
        else:
            self._number += 1
            rank = domain.RANK[job.intent.message_class]
            heapq.heappush(self.queues.setdefault(domain.lane(job.intent), []), (rank, self._number, job))

    def postpone(self, job: Job, at: int) -> None:
        """Queue it then; until then it stays in memory. For what is in the ledger as due: from there it would come back at once."""
        self._number += 1
        heapq.heappush(self._later, (at, self._number, job))

    def wake(self, now: int) -> None:
        """Queue what was for later and is due."""
        while self._later and self._later[0][0] <= now:
            self.put(heapq.heappop(self._later)[2], 0, now)

    def adopt(self, rows: Sequence[Any], shelves: Sequence[tuple[str, int]], now: int) -> None:
        """Take rows of the ledger that are ours, and what waits there on shelves: (shelf, when something of it is due)."""
        for row in rows:
            intent = decode_intent(row["intent"])
            job = Job(intent, str(row["profile"]), row["address_key"], row["tries"], wall_ms(), row["shelf"])
            self.put(job, row["next_at"], now)
        for shelf, due in shelves:
            self.shelves.behind(shelf, due)

    async def refill(self, db: Database, owner: int, now: int) -> bool:
        """Bring what is due from the ledger, shelf by shelf, where there is room. True if anything came."""
        came = False
        for shelf in self.due(now):
            held, room = self.shelves.asked(shelf)
            if not room:
                continue
            try:
                async with db.connection() as connection:
                    rows, due = await store.from_shelf(connection, owner, shelf, now, held, room)
            except TRANSIENT as error:
                log.warning("a shelf waits for the database", extra={"why": type(error).__name__})
                self.shelves.behind(shelf, now)
                continue
            self.adopt(rows, [] if due is None else [(shelf, due)], now)
            came = came or bool(rows)
        return came

    def pause(self, lane: str, until: int) -> None:
        """Nothing of a lane until then; a shorter pause that is heard of later ends none."""
        self.paused[lane] = max(until, self.paused.get(lane, 0))

    def __len__(self) -> int:
        return sum(map(len, self.queues.values()))

    def open(self, now: int) -> int:
        """What could move now or when a pause ends, with the shelves of which something is due."""
        return len(self) + len(self.due(now))

    def paused_jobs(self, now: int) -> int:
        """Jobs of lanes that pause: like those for later, they move when the clock does."""
        return sum(len(queue) for lane, queue in self.queues.items() if now < self.paused.get(lane, 0))

    def due(self, now: int) -> list[str]:
        """Shelves of which something is due in the ledger, and whose lane does not pause."""
        return [shelf for shelf in self.shelves.due(now) if self.paused.get(shelf.rpartition(":")[0], 0) <= now]

    def clear(self) -> None:
        self.queues.clear()
        self._later.clear()
        self.shelves.clear()
