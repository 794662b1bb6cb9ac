"""The laws of one batch, each against a process that is late, frozen or interrupted. Deterministic: these kill the mutants."""

import asyncio

import pytest

from runtime.settings import Settings
from tests.chaos.toy import fact_record, handled, stands_before_a_lock, toys, waiting
from tests.support.live import settings

RAW, FACTS = ("facts.raw", 0), ("facts", 0)


@pytest.fixture
def config(database: str) -> Settings:
    return settings("127.0.0.1:1", database, "")  # no broker is asked


async def test_what_a_zombie_still_holds_is_not_handled_again(config):
    records = [fact_record(n, f"f{n}") for n in range(12)]
    async with toys(config, 2, RAW) as (zombie, owner):
        await owner.feed(records[:8])
        await zombie.feed(records[:8])  # it had fetched the same before it froze
        await zombie.feed(records[4:12])  # and half of this
        await owner.feed(records[7:12])
        assert await handled(owner) == [f"f{n}" for n in range(12)]
        assert await waiting(owner) == 12


async def test_two_owners_at_the_same_moment_handle_a_batch_once(config):
    records = [fact_record(n, f"f{n}") for n in range(5)]
    async with toys(config, 2, RAW) as (one, other):
        one.gate.clear()
        first = asyncio.create_task(one.feed(records))
        await one.inside.wait()
        second = asyncio.create_task(other.feed(records))
        await stands_before_a_lock(one.loop.db, second)
        one.gate.set()
        await asyncio.gather(first, second)
        assert await handled(one) == [f"f{n}" for n in range(5)]


async def test_records_that_a_relay_sent_twice_count_once_in_one_batch_and_in_the_next(config):
    def told(offset, name, seq, src="profile:facts.raw-0"):
        return fact_record(offset, name, "facts", src=src, seq=seq)

    first = [told(0, "a", [0, 10, 0]), told(1, "b", [0, 10, 1]), told(2, "x", [0, 3, 0], "profile:facts.raw-1")]
    again = [told(3, "a", [0, 10, 0]), told(4, "b", [0, 10, 1]), told(5, "c", [0, 11, 0])]
    later = [told(6, "b", [0, 10, 1]), told(7, "c", [0, 11, 0]), told(8, "d", [1, 2, 0])]
    async with toys(config, 1, FACTS) as (toy,):
        await toy.feed([*first, *again])
        await toy.feed(later)
        assert await handled(toy) == ["a", "b", "x", "c", "d"]


async def test_a_batch_above_the_watermark_is_read_again_from_there(config):
    records = [fact_record(n, f"f{n}") for n in range(10)]
    async with toys(config, 1, RAW) as (toy,):
        await toy.feed(records[:3])
        await toy.feed(records[6:])
        assert await handled(toy) == ["f0", "f1", "f2"]
        assert toy.owner.fresh == {RAW}  # to be positioned anew
        await toy.feed(records[3:])
        assert await handled(toy) == [f"f{n}" for n in range(10)]


@pytest.mark.parametrize("point", ["locked", "handled", "before_commit", "after_commit"])
async def test_trouble_between_any_two_steps_changes_nothing(config, point):
    left = [3]

    def trouble(reached: str) -> None:
        if reached == point and left[0]:
            left[0] -= 1
            raise ConnectionError(point)

    records = [fact_record(n, f"f{n}") for n in range(4)]
    async with toys(config, 1, RAW, failpoint=trouble) as (toy,):
        await toy.feed(records)
        assert left == [0]
        assert await handled(toy) == [f"f{n}" for n in range(4)]
        assert await waiting(toy) == 4
