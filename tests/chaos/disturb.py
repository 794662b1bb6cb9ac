"""What goes wrong in a chaos run, in a seeded order: kills between all steps, frozen processes, servers that restart, workers that come and go."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.fleet import SERVICES, Fleet, Kind
from tests.chaos.servers import Servers
from tests.support.live import until

# Longer than the session timeout (6 s): the group goes on without the frozen one. Longer than the transaction timeout (12 s): the
# database ended its transaction. Longer than the idle timeout of the relay's session (15 s): another leads.
FREEZES = (
    ("locked", 9.0),
    ("relay_sent", 19.0),
    ("before_commit", 15.0),
    ("relay_read", 9.0),
    ("fetched", 9.0),
    ("relay_read", 19.0),
    ("timers_before_commit", 15.0),
    ("start_after_commit", 9.0),  # of the sender: letters that it is about to hand over, and those that it has
    ("called", 15.0),
    ("result_before_commit", 15.0),
)
FAST_FREEZES = (("locked", 14.0), ("relay_sent", 18.0), ("called", 14.0))


@dataclass(frozen=True)
class Plan:
    """How much of it. hits: kills at each point; freezes: (point, seconds) for each service; seconds: no new trouble after that.

    whole: kills go on until all facts are posted. posting: seconds over which the wanted number of facts is spread, so that most of them meet trouble.
    """

    hits: int
    freezes: tuple[tuple[str, float], ...]
    rounds: int
    whole: bool
    posting: float
    seconds: float


FULL = Plan(hits=3, freezes=FREEZES, rounds=2, whole=True, posting=540, seconds=1200)
FAST = Plan(hits=1, freezes=FAST_FREEZES, rounds=1, whole=False, posting=150, seconds=420)
CALM = Plan(hits=0, freezes=(), rounds=0, whole=True, posting=60, seconds=420)


class Chaos:
    """Runs a plan. `say` gets one line for each trouble."""

    def __init__(self, fleet: Fleet, servers: Servers, folder: Path, seed: int, plan: Plan, say: Callable[[str], None]) -> None:
        self._fleet, self._servers, self._folder, self._plan, self._say = fleet, servers, folder, plan, say
        self._random = random.Random(seed)
        self._frozen: set[int] = set()
        self._busy: set[str] = set()
        self._enough: Callable[[], bool] = lambda: True
        self.direct_kills: Counter[str] = Counter()  # of each service, beside those at a point
        self.points = [point for kind in SERVICES for point in kind.points]
        folder.mkdir(parents=True, exist_ok=True)

    # ---- what was hit

    def hits(self, action: str = "kill") -> Counter[str]:
        return Counter(point for point, what, _pid in self._lines() if what == action)

    @property
    def kills(self) -> int:
        return self.hits().total() + self.direct_kills.total()

    def kills_of(self, service: str) -> int:
        return sum(count for point, count in self.hits().items() if point.startswith(f"{service}.")) + self.direct_kills[service]

    def hit(self) -> int:
        """How many points were hit as often as the plan wants."""
        counts = self.hits()
        return sum(counts[point] >= self._plan.hits for point in self.points)

    def _lines(self) -> list[tuple[str, str, int]]:
        file = self._folder / "hits"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(point, action, int(pid)) for point, action, pid in map(str.split, lines)]

    # ---- the script

    async def run(self, enough: Callable[[], bool]) -> None:
        """All of it at once, until each part has done its work or the time is over; then nothing stays armed or frozen.

        enough: whether all facts are posted.
        """
        if self._plan.whole:
            self._enough = enough
        try:
            async with asyncio.timeout(self._plan.seconds):
                if not self._plan.hits:
                    await self._until_enough()
                else:
                    await asyncio.gather(self._kill_all(), self._freeze_all(), self._restart_servers(), self._rebalance())
        except TimeoutError:
            self._say("the time for trouble is over")
        finally:
            for point in self.points:
                (self._folder / point).unlink(missing_ok=True)
            for pid in list(self._frozen):
                self._thaw(pid)

    async def _until_enough(self) -> None:
        while not self._enough():  # noqa: ASYNC110  (a calm run has no trouble to wait for)
            await asyncio.sleep(0.2)

    async def _kill_all(self) -> None:
        await asyncio.gather(*(self._kill(kind) for kind in SERVICES))

    async def _kill(self, kind: Kind) -> None:
        while (left := self._still_to_hit(kind)) or not self._enough():
            point = self._random.choice(left or kind.points)
            if point in self._busy or not await self._armed_and_hit(point, "kill"):
                await asyncio.sleep(0.2)
                continue
            self._say(f"killed at {point}")
            await asyncio.sleep(self._random.uniform(0.5, 2.0) if left else self._random.uniform(8.0, 14.0))

    def _still_to_hit(self, kind: Kind) -> list[str]:
        counts = self.hits()
        return sorted(point for point in kind.points if counts[point] < self._plan.hits)

    async def _freeze_all(self) -> None:
        await asyncio.gather(*(self._freeze(kind) for kind in SERVICES))

    async def _freeze(self, kind: Kind) -> None:
        for point, seconds in self._plan.freezes:
            if point not in kind.failpoints:
                continue
            name = f"{kind.name}.{point}"
            pid = await self._reached(name)
            self._frozen.add(pid)
            self._say(f"froze at {name} for {seconds:.0f} s")
            await asyncio.sleep(seconds)
            self._thaw(pid)
            await asyncio.sleep(self._random.uniform(1, 3))

    def _thaw(self, pid: int) -> None:
        self._frozen.discard(pid)
        os.kill(pid, signal.SIGCONT)

    async def _reached(self, name: str) -> int:
        """The pid that froze at a point, whenever one of the kills leaves it free."""
        while True:
            if name not in self._busy and (pid := await self._armed_and_hit(name, "stop")):
                return pid
            await asyncio.sleep(0.2)

    async def _armed_and_hit(self, point: str, action: str, patience: float = 15.0) -> int:
        """Arm a point and wait. Returns the pid that reached it, 0 when nobody did in time."""
        before = len(self._lines())
        self._busy.add(point)
        path = self._folder / point
        draft = path.with_name(f"draft.{point}")
        draft.write_text(action)
        draft.rename(path)  # whole or not at all: a service may look at any time
        try:
            for _ in range(int(patience / 0.05)):
                for name, what, pid in self._lines()[before:]:
                    if (name, what) == (point, action):
                        return pid
                await asyncio.sleep(0.05)
            return 0
        finally:
            path.unlink(missing_ok=True)
            self._busy.discard(point)

    async def _restart_servers(self) -> None:
        for _ in range(self._plan.rounds):
            await asyncio.sleep(self._random.uniform(5, 9))
            await self._restart("kafka", signal.SIGKILL, "killed the broker")
            await asyncio.sleep(self._random.uniform(5, 9))
            await self._restart("postgres", signal.SIGQUIT, "PostgreSQL stopped, mode immediate")
            await asyncio.sleep(self._random.uniform(5, 9))
            await self._restart("postgres", signal.SIGINT, "PostgreSQL stopped, mode fast")

    async def _restart(self, name: str, number: signal.Signals, what: str) -> None:
        old = self._servers.signal(name, number)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(lambda: asyncio.to_thread(self._servers.is_back, name, old), 60)
        self._say(f"{what}; back after {loop.time() - began:.1f} s")

    async def _rebalance(self) -> None:
        """One worker more under load, and away again: politely once, by kill -9 the other time."""
        for number in range(self._plan.rounds):
            for kind in (kind for kind in SERVICES if kind.grows):
                await asyncio.sleep(self._random.uniform(4, 8))
                extra = kind.workers + 1
                self._fleet.add(kind, extra)
                self._say(f"{kind.name}-{extra} joins")
                await asyncio.sleep(self._random.uniform(9, 12))
                await self._leave(f"{kind.name}-{extra}", politely=number % 2 == 0)

    async def _leave(self, name: str, *, politely: bool) -> None:
        await until(lambda: self._fleet.workers[name].process.pid not in self._frozen, 60)
        if not politely:
            self._fleet.workers[name].wanted = False
            self._fleet.kill(name)
            self.direct_kills[self._fleet.workers[name].kind.name] += 1
        code = await self._fleet.remove(name)
        self._say(f"{name} leaves, {'politely' if politely else 'killed'}: exit code {code}")
