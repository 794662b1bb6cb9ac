"""A batch is bounded by its bytes and by the time that it takes, beside its rows."""

from collections.abc import Mapping, Sequence

import pytest

from runtime.batch import At, Item, Tx
from runtime.bound import Bound
from runtime.service import Fired
from runtime.settings import Settings
from tests.runtime.toys import Alarms, all_passed, applied, census, counter, seen
from tests.support.live import T0, fact, publish, rows, running, until


class Seen:
    """Writes down what each batch holds: (records, bytes)."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []

    async def __call__(self, _tx: Tx, items: Sequence[Item]) -> None:
        self.batches.append((len(items), sum(len(item.raw) for item in items)))


async def test_a_batch_ends_with_the_record_that_fills_its_bytes(config: Settings) -> None:
    """So a record that is larger than all of them goes through, alone."""
    sizes = [1_000] * 40 + [60_000] + [1_000] * 20
    await publish(config, [fact(f"f{n}", "user_id:a", properties={"text": "x" * size}) for n, size in enumerate(sizes)])
    seen, bound = Seen(), 10_000
    async with running(config.model_copy(update={"batch_bytes": bound}), counter(seen)) as (context,):
        await until(all_passed(context, len(sizes)))
        assert set((await applied(context)).values()) == {1}
    small = [size for count, size in seen.batches if size < 60_000]
    assert max(small) < bound + 2_000, "at most one record beyond the bound"
    assert sum(count for count, _ in seen.batches) == len(sizes)
    assert min(count for count, _ in seen.batches[:3]) > 1, "full of small ones"
    assert max(size for _, size in seen.batches) < bound + 62_000


async def test_batches_that_take_too_long_get_smaller_down_to_one_record(config: Settings) -> None:
    """Any batch takes longer than no time at all."""
    await publish(config, [fact(f"f{n}", "user_id:a") for n in range(70)])
    seen = Seen()
    async with running(config.model_copy(update={"batch_seconds": 0.0, "batch_rows": 32}), counter(seen)) as (context,):
        await until(all_passed(context, 70))
        assert context.loop is not None and context.loop.lanes[0].bound.rows == 1
    counts = [count for count, _ in seen.batches]
    assert counts[0] <= 32 and counts[-1] == 1
    assert all(count <= max(1, 32 >> place) for place, count in enumerate(counts))


@pytest.mark.parametrize(
    ("rows", "seconds", "after"),
    [(800, 2.1, 400), (1, 9.0, 1), (800, 2.0, 800), (800, 0.5, 800), (800, 0.4, 1600), (1600, 0.4, 2000), (2000, 0.0, 2000)],
)
def test_a_slow_batch_halves_the_next_ones_and_quick_ones_let_them_grow_back(rows: int, seconds: float, after: int) -> None:
    bound = Bound(2000)
    bound.rows = rows
    bound.after(seconds, 2.0)
    assert bound.rows == after


def test_time_does_not_cut_a_batch_of_the_second_lane_below_its_floor() -> None:
    bound = Bound(2000, least=100)
    for _ in range(20):
        bound.after(5.0, 0.2)
    assert bound.rows == 100
    for _ in range(20):
        bound.after(0.04, 0.2)
    assert bound.rows == 2000
    assert Bound(50, least=100).rows == Bound(50, least=100).least == 50


async def test_the_second_lane_is_cut_while_the_first_is_in_use_alone(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of it takes longer than no time: down to the floor where somebody may stand behind it, else as large as any."""
    monkeypatch.setattr("runtime.loop.LIVE_S", 3600.0)
    config = config.model_copy(update={"batch_bulk_seconds": 0.0, "batch_rows": 64, "batch_rows_least": 4})
    bulk = [fact(f"b{n}", f"user_id:{n}") for n in range(400)]
    await publish(config, bulk[:200], topic="facts.raw.bulk")
    async with running(config, counter(bulk=True)) as (context,):
        await until(all_passed(context, 200, "facts.raw.bulk"))
        assert context.loop is not None
        assert context.loop.lanes[1].bound.rows == 64
        await publish(config, [fact("l", "user_id:live")])
        await until(all_passed(context, 1))
        await publish(config, bulk[200:], topic="facts.raw.bulk")
        await until(all_passed(context, 400, "facts.raw.bulk"))
        assert context.loop.lanes[1].bound.rows == 4
        assert set((await applied(context)).values()) == {1}


async def test_rounds_of_timers_are_cut_while_the_first_lane_is_in_use(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round takes longer than no time: down to the floor, and a full one is followed by the next at once, however small."""
    monkeypatch.setattr("runtime.loop.LIVE_S", 3600.0)
    config = config.model_copy(update={"batch_bulk_seconds": 0.0, "timer_rows": 64, "batch_rows_least": 4, "timer_poll_ms": 1000})
    limits: list[int] = []

    class Counted(Alarms):
        async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired:
            limits.append(limit)
            return await super().fire(tx, ats, limit)

    await publish(config, [seen(f"p{n}", 1, T0, due=T0 + n) for n in range(400)], topic="facts", key="k")
    async with running(config, census(Counted())) as (context,):

        async def all_fired() -> bool:
            return len(await rows(context, "SELECT FROM fired")) == 400

        await until(all_fired)
    assert limits[0] == 64 and limits[-1] == 4 and limits == sorted(limits, reverse=True)
