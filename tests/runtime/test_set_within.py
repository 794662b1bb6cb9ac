"""Waiting for an event, for so long at most."""

import asyncio

import pytest

from runtime.clock import set_within


async def test_it_says_whether_the_event_came():
    event = asyncio.Event()
    assert not await set_within(event, 0.01)
    event.set()
    assert await set_within(event, 10)
    assert await set_within(event, 0)


@pytest.mark.parametrize("turns", range(6))
async def test_a_loop_that_is_cancelled_as_the_event_comes_ends(turns):
    """In whichever turn of the loop the cancellation falls: asyncio.wait_for of Python 3.11 loses it in one of them."""
    event, rounds = asyncio.Event(), 0

    async def loop() -> None:
        nonlocal rounds
        while rounds < 3:
            await set_within(event, 0.05)
            rounds += 1

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    already = rounds
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled() or already == 3
