"""The second lane waits while the first is busy, and still gets its tenth. Counted, not timed."""

import asyncio
from types import SimpleNamespace

import pytest

from runtime.bound import Bound
from runtime.settings import Settings
from runtime.turns import Driver
from tests.runtime.toys import all_passed, applied, counter
from tests.support.live import fact, publish, rows, running, until

ROWS = 100


class Lane:
    """A lane with `waiting` records; one batch takes at most `bound` of them."""

    def __init__(self, waiting: int, bound: int = ROWS, name: str = "live") -> None:
        self.waiting, self.most, self.fetching, self.name = waiting, bound, None, name
        self.bound = Bound(ROWS)
        self.reader, self.joining, self.fetches = self, False, 0

    @property
    def buffer(self) -> dict:
        return {("t", 0): [1]} if self.waiting else {}

    async def fetch(self, _timeout, _rows) -> None:
        self.fetches += 1


class Loop:
    """Counts what each lane gets, in order."""

    def __init__(self, *lanes: Lane, rows: int = ROWS) -> None:
        self.lanes, self.settings = lanes, Settings(batch_rows=2000)
        for lane in lanes:
            lane.bound.rows = rows
        self.closed: set[str] = set()
        self.service = SimpleNamespace(timers=None, may_read=lambda name: name not in self.closed)
        self.clock, self.pulse, self.more_due = SimpleNamespace(last_known_ms=lambda: 0), 0, False
        self.taken: list[tuple[int, int]] = []

    async def take(self, lane: Lane) -> int:
        count = min(lane.most, lane.bound.rows, lane.waiting)
        lane.waiting -= count
        if count:
            self.taken.append((self.lanes.index(lane), count))
        return count

    def timers_upto(self, now: int) -> int:
        return now

    async def fire(self, _upto) -> int:
        return 0


async def cycles(loop: Loop, count: int) -> tuple[int, int]:
    driver = Driver(loop)
    for _ in range(count):
        await driver._live()
    return tuple(sum(n for which, n in loop.taken if which == lane) for lane in (0, 1))


@pytest.mark.parametrize("rows", [1, 8, 100])  # a slow handler makes batches small: the shares stay
@pytest.mark.parametrize("bound", [5, 100])  # so do large records, which cut a batch by its bytes
async def test_a_busy_first_lane_leaves_the_second_a_tenth(rows, bound):
    loop = Loop(Lane(1_000_000, bound), Lane(1_000_000), rows=rows)
    first, second = await cycles(loop, 600)
    assert 0.08 <= second / (first + second) <= 0.13


async def test_the_second_lane_runs_freely_when_the_first_is_nearly_empty():
    loop = Loop(Lane(5), Lane(5000))
    first, second = await cycles(loop, 50)
    assert (first, second) == (5, 5000)


async def test_the_first_lane_goes_first():
    loop = Loop(Lane(2000), Lane(2000))
    await cycles(loop, 25)
    order = [which for which, _ in loop.taken]
    assert order[0] == 0 and order[:18].count(1) <= 2
    assert loop.lanes[0].waiting == 0


async def test_a_lane_that_may_not_be_read_is_left_alone_and_the_loop_rests():
    loop = Loop(Lane(500), Lane(500, name="bulk"))
    loop.closed = {"live", "bulk"}
    driver = Driver(loop)
    resting = asyncio.create_task(driver._live())
    await until(lambda: loop.pulse)
    await asyncio.wait({resting}, timeout=0.1)
    assert not resting.done() and loop.taken == [] and loop.lanes[0].fetches == loop.lanes[1].fetches == 0
    loop.closed = {"bulk"}
    driver.wake.set()
    await resting
    await driver._live()
    assert loop.taken == [(0, 100)]


async def test_a_burst_of_the_second_lane_holds_no_fact_of_the_first_up(config):
    """On the real thing: imports of thousands, and one live fact among them is handled before most of them."""
    config = config.model_copy(update={"batch_rows": 50})
    bulk = [fact(f"b{n}", f"user_id:{n}") for n in range(2000)]
    live = [fact(f"l{n}", f"user_id:{n}") for n in range(500)]
    await publish(config, bulk, topic="facts.raw.bulk")
    await publish(config, live)
    async with running(config, counter(bulk=True, emits=False)) as (context,):
        await until(all_passed(context, 500))
        await until(all_passed(context, 2000, "facts.raw.bulk"))
        assert await applied(context) == {f.id: 1 for f in (*bulk, *live)}
        ((late,),) = await rows(
            context,
            "SELECT count(*) FROM applied WHERE topic = 'facts.raw.bulk' AND n > (SELECT min(n) FROM applied WHERE topic = 'facts.raw')"
            " AND n < (SELECT max(n) FROM applied WHERE topic = 'facts.raw')",
        )
        assert late <= 300  # while 500 live ones waited
