"""Callers who wait for Kafka share record batches, and each hears the truth about his own records."""

import asyncio
from collections import defaultdict

import pytest

from runtime.kafka import Producer, SendFailed, create_topics
from runtime.publisher import Full, Outgoing, Publisher
from schemas.topics import FACTS_RAW
from tests.conftest import free_ports
from tests.support.live import read, until


class Broker:
    """Gathers what is sent; the test opens the gate of a partition or breaks it."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []  # partition, count
        self.broken: set[int] = set()
        self.gates: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.made: list = []

    def make(self):
        broker = self

        class Fake:
            stopped = False

            async def start(self):
                broker.made.append(self)
                return self

            async def stop(self):
                self.stopped = True

            async def send(self, _topic, partition, records):
                broker.batches.append((partition, len(records)))
                await broker.gates[partition].wait()
                if partition in broker.broken or self.stopped:
                    raise SendFailed("no ack")

        return Fake()


def out(partition: int, size: int = 10) -> Outgoing:
    return Outgoing("facts.raw", partition, b"k", b"x" * size)


async def test_concurrent_callers_share_batches_one_under_way_per_partition():
    broker = Broker()
    publisher = Publisher(broker.make)
    calls = [asyncio.create_task(publisher.publish([out(0), out(1)])) for _ in range(50)]
    await until(lambda: len(broker.batches) == 2)
    late = [asyncio.create_task(publisher.publish([out(0)])) for _ in range(30)]
    await asyncio.wait(late, timeout=0.01)
    assert len(broker.batches) == 2  # they gather behind the batch under way
    for gate in (0, 1):
        broker.gates[gate].set()
    await asyncio.gather(*calls, *late)
    assert broker.batches == [(0, 50), (1, 50), (0, 30)] and len(broker.made) == 1
    await publisher.close()
    assert broker.made[0].stopped


async def test_a_failed_ack_is_told_to_each_of_its_callers_and_to_nobody_else():
    broker = Broker()
    broker.broken = {0}
    publisher = Publisher(broker.make)
    for gate in (0, 1):
        broker.gates[gate].set()
    mine = [asyncio.create_task(publisher.publish([out(0)])) for _ in range(5)]
    both = asyncio.create_task(publisher.publish([out(0), out(1)]))
    for call in (*mine, both):
        with pytest.raises(SendFailed):
            await call
    broker.broken.clear()
    await publisher.publish([out(0), out(1)])  # by a new producer
    assert len(broker.made) == 2 and broker.made[0].stopped and not broker.made[1].stopped
    assert publisher._waiting == 0
    await publisher.close()


async def test_failures_of_two_partitions_throw_one_producer_away_not_its_successor():
    broker = Broker()
    publisher = Publisher(broker.make)
    first = asyncio.create_task(publisher.publish([out(0)]))
    second = asyncio.create_task(publisher.publish([out(1)]))
    await until(lambda: len(broker.batches) == 2)
    broker.broken = {0}
    broker.gates[0].set()
    with pytest.raises(SendFailed):
        await first
    broker.broken.clear()
    await publisher.publish([out(0)])  # a new producer is at work
    broker.gates[1].set()
    with pytest.raises(SendFailed):  # and now the old one's other batch fails
        await second
    await publisher.publish([out(0), out(1)])
    assert len(broker.made) == 2
    await publisher.close()


async def test_full_refuses_at_once_and_takes_again_when_there_is_room():
    broker = Broker()
    publisher = Publisher(broker.make, max_waiting=100)
    waiting = asyncio.create_task(publisher.publish([out(0, 90)]))
    await until(lambda: broker.batches)
    with pytest.raises(Full, match="90 bytes"):
        await publisher.publish([out(1, 11)])
    small = asyncio.create_task(publisher.publish([out(1, 10)]))
    broker.gates[0].set()
    broker.gates[1].set()
    await asyncio.gather(waiting, small)
    await publisher.publish([out(0, 100)])
    await publisher.close()


async def test_a_caller_who_goes_away_leaves_the_others_and_the_count_right():
    broker = Broker()
    publisher = Publisher(broker.make)
    calls = [asyncio.create_task(publisher.publish([out(0)])) for _ in range(3)]
    await until(lambda: broker.batches)
    calls[1].cancel()
    await asyncio.wait({calls[1]})
    broker.gates[0].set()
    await asyncio.gather(calls[0], calls[2])
    assert calls[1].cancelled() and publisher._waiting == 0
    await publisher.close()


async def test_without_a_broker_callers_hear_it_and_none_waits_for_ever(config):
    nobody = config.model_copy(update={"kafka": f"127.0.0.1:{free_ports(1)[0]}"})
    publisher = Publisher(lambda: Producer(nobody, "test"))
    calls = [asyncio.create_task(publisher.publish([out(n % 3)])) for n in range(9)]
    await asyncio.wait_for(asyncio.wait(calls), 10)
    assert {type(call.exception()) for call in calls} == {SendFailed}
    await publisher.close()


async def test_what_was_acknowledged_is_in_kafka(config):
    await create_topics(config, [FACTS_RAW])
    publisher = Publisher(lambda: Producer(config, "test"))
    records = [Outgoing("facts.raw", n % 4, b"k", b'{"n":%d}' % n) for n in range(200)]
    await asyncio.gather(*(publisher.publish([record]) for record in records))
    await publisher.close()
    assert sorted(r["n"] for r in await read(config, "facts.raw")) == list(range(200))
