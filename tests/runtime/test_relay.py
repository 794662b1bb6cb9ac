"""The relay leaves no gap: on any trouble it starts again from the first row, and one process at a time leads."""

import asyncio
from collections import defaultdict

import asyncpg
import pytest
from msgspec.structs import replace

from runtime.failpoints import quiet
from runtime.kafka import Producer, SendFailed, create_topics
from runtime.outbox import Relay
from schemas.topics import FACTS
from tests.runtime.toys import applied, counter, emit, into_outbox, opened
from tests.support.live import fact, publish, read, running, until


class Kafka:
    """Keeps what is sent; `script` says how each sending of a partition goes."""

    def __init__(self) -> None:
        self.log: dict[int, list[bytes]] = defaultdict(list)
        self.made = self.sends = 0
        self.fail = lambda _partition, _n: False
        self.lie = False  # the records are there, the ack is lost
        self.block: asyncio.Event | None = None

    def make(self):
        self.made += 1
        kafka = self

        class Fake:
            closed = False

            async def start(self):
                return self

            async def stop(self):
                self.closed = True

            async def send(self, _topic, partition, records):
                assert not self.closed, "a producer that failed was used again"
                n = kafka.sends
                kafka.sends += 1
                if kafka.block is not None:
                    await kafka.block.wait()
                failed = kafka.fail(partition, n)
                if not failed or kafka.lie:
                    kafka.log[partition].extend(value for _, value, _ in records)
                if failed:
                    raise SendFailed("no ack")

        return Fake()


def distinct(log: list[bytes]) -> list[bytes]:
    return list(dict.fromkeys(log))


@pytest.fixture
async def context(config):
    async with opened(counter(), config) as context:
        yield context


def relay_of(context, kafka, **more) -> Relay:
    return Relay(context.db, "toy", kafka.make, quiet, **more)


async def run(relay: Relay, context, seconds: float = 10) -> None:
    task = asyncio.create_task(relay.run())
    await until(relay.drained, seconds)
    relay.stop()
    await task


@pytest.mark.parametrize("lie", [False, True])
async def test_after_a_failed_ack_nothing_is_skipped(context, config, lie):
    emits = [emit(f"k{n % 9}", n) for n in range(60)]
    for n in range(0, 60, 3):
        await into_outbox(context.db, emits[n : n + 3], config)
    kafka = Kafka()
    kafka.lie = lie
    kafka.fail = lambda _partition, n: n in (1, 9, 17)
    await run(relay_of(context, kafka, batch=7), context)
    assert kafka.made > 1
    for partition, log in kafka.log.items():
        numbers = [int(value.split(b'"seq":[0,')[1].split(b",")[0]) for value in distinct(log)]
        assert numbers == sorted(numbers) == [e.at.offset for e in emits if place(e, config) == partition]
        assert lie or len(log) == len(numbers)


def place(one, config) -> int:
    from schemas.ids import partition_of

    return partition_of(one.key, config.partitions)


async def test_a_partition_that_fails_keeps_its_rows_and_the_others_are_deleted(context, config):
    keys = ["a", "b", "c", "d", "e", "f"]
    for n, key in enumerate(keys):
        await into_outbox(context.db, [emit(key, n)], config)
    bad = place(emit("a", 0), config)
    kafka = Kafka()
    kafka.fail = lambda partition, n: partition == bad and n < 8
    relay = relay_of(context, kafka)
    async with context.db.connection() as connection:
        with pytest.raises(SendFailed):
            await relay.send_some(connection)
        left = await connection.fetch("SELECT partition FROM outbox ORDER BY id")
    assert {row["partition"] for row in left} == {bad} and kafka.log[bad] == []
    await run(relay, context)
    assert sum(map(len, kafka.log.values())) == len(keys)


async def test_a_round_is_bounded_by_bytes(context, config, monkeypatch):
    """A backlog after an outage is not loaded into memory at once."""
    big = replace(emit("k", 0), value=b'{"x":"' + b"a" * 300_000 + b'"}')
    for _ in range(6):
        await into_outbox(context.db, [big], config)
    monkeypatch.setattr("runtime.outbox.ROUND_BYTES", 700_000)
    kafka = Kafka()
    relay = relay_of(context, kafka)
    async with context.db.connection() as connection:
        counts = []
        while await relay.send_some(connection):
            counts.append(sum(map(len, kafka.log.values())))
    assert counts == [3, 6]  # rows that begin within the bound


async def test_the_other_process_takes_over_when_the_leaders_connection_dies(context, config):
    kafka = Kafka()
    first, second = relay_of(context, kafka), relay_of(context, kafka)
    tasks = [asyncio.create_task(first.run())]
    await until(lambda: first.leads)
    tasks.append(asyncio.create_task(second.run()))
    kafka.block = asyncio.Event()  # the leader hangs in a send, as a frozen process would
    await into_outbox(context.db, [emit("k", n) for n in range(3)], config)
    await until(lambda: kafka.sends == 1)
    assert not second.leads
    kafka.block, blocked = None, kafka.block
    await into_outbox(context.db, [emit("k", 3)], config)
    async with context.db.connection() as connection:  # its session ends (idle_session_timeout does that), and with it the lock
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND NOT pid = pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    await until(lambda: second.leads)
    await until(second.drained)
    blocked.set()  # the zombie wakes: what it still sends is a repeat from the first row, never a gap
    await until(lambda: sum(map(len, kafka.log.values())) == 4 + 3)
    ((log),) = [log for log in kafka.log.values() if log]
    assert len(distinct(log)) == 4 and distinct(log) == log[:4]
    for relay in (first, second):
        relay.stop()
    await asyncio.gather(*tasks)


async def test_who_does_not_lead_keeps_one_connection_and_waits(context, config):
    """Its own batches wake it; opening a connection for each would storm the database."""
    opened_connections = 0
    dedicated = context.db.dedicated

    async def counted():
        nonlocal opened_connections
        opened_connections += 1
        return await dedicated()

    leader = relay_of(context, Kafka())
    task = asyncio.create_task(leader.run())
    await until(lambda: leader.leads)
    follower = relay_of(context, Kafka())
    follower._db = _Counted(context.db, counted)
    following = asyncio.create_task(follower.run())
    await until(lambda: opened_connections)
    for _ in range(20):
        follower.wake.set()
        await into_outbox(context.db, [emit("k", 0)], config)
    await until(leader.drained)
    assert opened_connections == 1 and not follower.leads
    follower.stop()
    leader.stop()
    await asyncio.gather(task, following)


class _Counted:
    def __init__(self, db, dedicated) -> None:
        self._db, self.dedicated = db, dedicated

    def __getattr__(self, name):
        return getattr(self._db, name)


async def test_rows_of_a_process_that_does_not_lead_are_told_to_the_leader(config, context):
    """By NOTIFY at the commit, not by the leader's next look."""
    kafka = Kafka()
    relay = relay_of(context, kafka)
    relay._sleep = _only_woken(relay)
    task = asyncio.create_task(relay.run())
    await until(lambda: relay.leads)
    await publish(config, [fact("1", "user_id:1")])
    async with running(config, counter()) as (worker,):
        await until(lambda: sum(map(len, kafka.log.values())) == 1)
        assert not worker.relay.leads and await applied(worker)
    relay.stop()
    await task


def _only_woken(relay):
    async def sleep(_seconds):
        await relay.wake.wait()
        relay.wake.clear()

    return sleep


async def test_any_trouble_of_the_database_starts_the_relay_again(context, config):
    await into_outbox(context.db, [emit("k", n) for n in range(4)], config)
    kafka = Kafka()
    relay = relay_of(context, kafka)
    task = asyncio.create_task(relay.run())
    await until(relay.drained)
    for n in range(3):
        async with context.db.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%outbox%'"
                " AND pid <> pg_backend_pid()"
            )
        await into_outbox_again(context, emit("k", 4 + n), config)
        await until(relay.drained)
    relay.stop()
    await task
    ((log),) = [log for log in kafka.log.values() if log]
    assert len(distinct(log)) == 7


async def into_outbox_again(context, one, config) -> None:
    """The pool may hand out connections that were ended with the relay's."""

    async def done():
        try:
            await into_outbox(context.db, [one], config)
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
            return False
        return True

    await until(done)


async def test_a_producer_without_a_broker_fails_and_does_not_hang_or_end_the_relay(config, monkeypatch):
    from tests.conftest import free_ports

    nobody = config.model_copy(update={"kafka": f"127.0.0.1:{free_ports(1)[0]}"})
    with pytest.raises(SendFailed, match="no producer"):
        await Producer(nobody, "test").start()


async def test_without_an_ack_sending_fails_in_time_and_the_client_stops_trying(config, monkeypatch):
    """The client on its own tries for ever: neither the relay nor ingest may wait that long."""
    await create_topics(config, [FACTS])
    monkeypatch.setattr("runtime.kafka.producer.ACK_S", 0.3)
    producer = await Producer(config, "test").start()
    await producer.send("facts", 0, [(b"k", b'{"n":1}', [])])
    client = producer._producer
    send = client.client.send

    async def dead(node, request, **more):
        from aiokafka.errors import KafkaConnectionError

        if type(request).__name__.startswith("Produce"):
            raise KafkaConnectionError("gone")
        return await send(node, request, **more)

    monkeypatch.setattr(client.client, "send", dead)
    with pytest.raises(SendFailed):
        await producer.send("facts", 0, [(b"k", b'{"n":2}', [])])
    late = asyncio.create_task(producer.send("facts", 1, [(b"k", b'{"n":3}', [])]))
    await producer.stop()
    with pytest.raises(SendFailed):
        await late
    await until(client._sender.sender_task.done)
    monkeypatch.setattr(client.client, "send", send)
    assert [r["n"] for r in await read(config, "facts")] == [1]  # nobody sends it behind our back


async def test_batches_of_many_sizes_arrive_whole_and_in_order(config):
    await create_topics(config, [FACTS])
    producer = await Producer(config, "test").start()
    sizes = [10, 899_000, 5, 500_000, 500_000, 200_000, 899_900, 1]
    records = [(b"k", b'{"n":%d,"x":"%b"}' % (n, b"a" * size), [("t", b"type")]) for n, size in enumerate(sizes)]
    await producer.send("facts", 2, records)
    with pytest.raises(SendFailed, match="facts-2"):
        await producer.send("facts", 2, [(b"k", b"x" * 1_100_000, [])])
    await producer.stop()
    await producer.stop()  # again: nothing to do
    with pytest.raises(SendFailed):
        await producer.send("facts", 2, [(b"k", b"{}", [])])
    assert [(r["n"], len(r["x"])) for r in await read(config, "facts")] == list(enumerate(sizes))
