"""The relay sends what was committed, all of it, in order, whatever fails on the way."""

import asyncio
from typing import Any

import pytest

from runtime.db import Database
from runtime.failpoints import quiet
from runtime.kafka import SendFailed
from runtime.outbox import Relay
from runtime.process import open_context, run_service
from runtime.settings import Settings
from services.profile.__main__ import service
from tests.chaos.toy import fact_record, toys, waiting
from tests.support.live import fact, publish, read, settings, until

RAW = ("facts.raw", 0)


class Broker:
    """A producer that refuses while `refuse` counts down."""

    def __init__(self) -> None:
        self.refuse = 0
        self.kept: list[bytes] = []

    async def start(self) -> "Broker":
        return self

    async def stop(self) -> None:
        return

    async def send(self, _topic: str, _partition: int, records: list[Any]) -> None:
        if self.refuse:
            self.refuse -= 1
            raise SendFailed("refused")
        self.kept.extend(value for _, value, _ in records)


async def test_what_was_not_acknowledged_is_sent_again_and_nothing_is_skipped(database):
    broker = Broker()
    async with toys(settings("127.0.0.1:1", database, ""), 1, RAW) as (toy,):
        db: Database = toy.loop.db
        relay = Relay(db, "toy", lambda: broker, quiet)  # type: ignore[arg-type,return-value]
        await toy.feed([fact_record(n, f"f{n}") for n in range(3)])
        broker.refuse = 2
        async with db.connection() as connection:
            for _ in range(2):
                with pytest.raises(SendFailed):
                    await relay.send_some(connection)
                assert await waiting(toy) == 3
            assert await relay.send_some(connection)
            assert not await relay.send_some(connection)
        assert await waiting(toy) == 0
        assert [b'"f%d"' % n in value for n, value in enumerate(broker.kept)] == [True] * 3


async def test_nothing_is_in_the_log_that_was_not_committed(kafka, database, topic_prefix):
    """A batch that fails again and again just before its commit leaves no trace; then all is told, once."""
    config: Settings = settings(kafka, database, topic_prefix)
    await publish(config, [fact(f"f{n}", f"user_id:{n}", attributes={"n": n}) for n in range(6)], key="one partition")
    context = await open_context(service(), config)
    failed, open_ = [0], [False]

    def gate(point: str) -> None:
        if point == "before_commit" and not open_[0]:
            failed[0] += 1
            raise ConnectionError("the database went away")

    context.failpoint = gate
    task = asyncio.create_task(run_service(context))
    try:
        await until(lambda: failed[0] >= 2)
        assert await read(config, "facts") == []
        open_[0] = True

        async def told():
            records = await read(config, "facts")
            return records if len(records) >= 12 else None

        records = await until(told)
    finally:
        open_[0] = True
        context.stopping.set()
        await task
    assert sorted(r["type"] for r in records) == ["profile.changed"] * 6 + ["track"] * 6
