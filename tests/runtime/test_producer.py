"""A producer whose broker is dead is closed to its last part, also by a task that was cancelled."""

import asyncio
from types import SimpleNamespace

import pytest

from runtime.kafka import Producer, producer
from runtime.settings import Settings


class Dead:
    """A client of Kafka whose broker answers nothing."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.sending = asyncio.create_task(asyncio.Event().wait())
        self._message_accumulator = SimpleNamespace(fail_all=lambda error: self.told.append(f"failed: {error.args[0]}"))
        self._sender = SimpleNamespace(sender_task=self.sending)
        self.client = SimpleNamespace(close=self._close)

    async def stop(self) -> None:
        await asyncio.Event().wait()

    async def _close(self) -> None:
        self.told.append("closed")


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_dead_brokers_client_is_closed_whole_also_in_the_cleanup_of_a_task_that_was_cancelled(monkeypatch, cancelled):
    monkeypatch.setattr(producer, "STOP_S", 0.02)
    dead, under_way = Dead(), asyncio.Event()
    ours = Producer(Settings(), "test")
    ours._producer = dead

    async def relay() -> None:
        try:
            under_way.set()
            if cancelled:
                await asyncio.Event().wait()
        finally:
            await ours.stop()

    task = asyncio.create_task(relay())
    await under_way.wait()
    if cancelled:
        task.cancel()
    await asyncio.wait({task})
    assert task.cancelled() is cancelled
    assert dead.told == ["failed: closed", "closed"] and dead.sending.cancelled()
