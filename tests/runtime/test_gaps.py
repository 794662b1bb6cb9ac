"""The log and the watermark disagree: rewound, restored, cut by retention, made again, full of control records."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from runtime import metrics, watermark
from runtime.kafka import Reader, create_topics
from runtime.loop import Loop
from schemas.facts import encode
from schemas.ids import partition_of
from schemas.topics import FACTS, FACTS_RAW
from tests.runtime.toys import all_passed, applied, counter, opened, passed
from tests.support.live import fact, publish, read, rows, running, until


def facts(start: int, stop: int):
    return [fact(str(n), f"user_id:{n % 7}") for n in range(start, stop)]


def one_partition(start: int, stop: int):
    return [fact(str(n), "user_id:1") for n in range(start, stop)]


def seek_all(context, offset: int) -> None:
    """What nobody should do: move the client under the loop's feet."""
    reader = context.loop.lanes[0].reader
    for place in reader.assigned:
        reader._consumer.seek(reader._tp(place), offset)


async def test_a_client_that_jumps_ahead_or_back_is_sent_to_the_watermark(config):
    await publish(config, facts(0, 200))
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 200))
        seek_all(context, 10_000)  # beyond the end: the client resets itself to the start
        await publish(config, facts(200, 250))
        await until(all_passed(context, 250))
        seek_all(context, 0)
        await publish(config, facts(250, 300))
        await until(all_passed(context, 300))
        assert await applied(context) == {f.id: 1 for f in facts(0, 300)}
    assert len(await read(config, "facts")) == 300


async def test_a_batch_above_the_watermark_is_read_again_and_its_neighbours_are_not_lost(config):
    """One partition has a gap, then another one: what was taken of the first together with the second must be read again too."""
    await publish(config, facts(0, 400))
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 400))
        lane = context.loop.lanes[0]
        before = dict(await rows(context, "SELECT partition, next_offset FROM watermark WHERE topic = 'facts.raw'"))
        async with lane.reader.in_flight, context.db.transaction() as connection:  # between two batches
            await connection.execute(
                "UPDATE watermark SET next_offset = next_offset / 2, fingerprint = 0 WHERE topic = 'facts.raw'"
            )
            await connection.execute("UPDATE applied SET times = 0")
        for partition in range(4):  # news of one partition at a time: each gap is found on its own
            key = next(k for k in map(str, range(100)) if partition_of(k, 4) == partition)
            await publish(config, [fact(f"new{partition}", "user_id:1")], key=key)
        await until(all_passed(context, 404))
        seen = await applied(context)
        halves = sum(offset - offset // 2 for offset in before.values())
        assert sum(seen.values()) == halves + 4 and set(seen.values()) <= {0, 1}


async def test_taken_with_another_gap_a_partition_goes_back_too(config):
    """Free of timing: the loop gets the very batches that once lost records."""
    await create_topics(config, [FACTS_RAW])
    places = [("facts.raw", 0), ("facts.raw", 1)]
    log = {place: [fake_record(place, n) for n in range(100)] for place in places}
    async with opened(counter(), config) as context:
        loop = Loop(context.service, config, context.db, context.clock, context.relay, context.vault, context.failpoint)
        lane = loop.lanes[0]
        lane.reader = reader = FakeReader(log)
        await loop.position(lane)
        async with context.db.transaction() as connection:
            await connection.execute("UPDATE watermark SET next_offset = 10")
        a, b = places
        reader.buffer = {a: log[a][20:30]}
        await loop.take(lane)  # a gap in a: back to 10
        await loop.position(lane)
        reader.fill(a, 5)  # 10..14 of a
        reader.buffer[b] = log[b][50:60]  # together with a gap in b
        await loop.take(lane)
        while await passed(context) < 200:
            await loop.position(lane)
            reader.fill(a, 5)
            reader.fill(b, 5)
            await loop.take(lane)
        assert await applied(context) == {r.id: 1 for place in places for r in log[place][10:]}


def test_documents_are_handed_out_alone_and_first(config):
    """They rule from the next transaction on, and the facts beside them came later."""
    reader = Reader(config, "test", "live", ["decisions", "definitions", "facts"])
    reader.buffer = {(topic, 0): [fake_record((topic, 0), n) for n in range(3)] for topic in ("decisions", "facts", "definitions")}
    assert list(reader.take(100, 10**6)) == [("definitions", 0)]
    assert list(reader.take(100, 10**6)) == [("decisions", 0), ("facts", 0)]


class FakeReader:
    """A reader over lists: hands out what the test fills in, from where the loop sought to."""

    def __init__(self, log):
        self.log, self.in_flight, self.topics = log, asyncio.Lock(), ["facts.raw"]
        self.assigned, self.fresh, self.buffer, self.at = set(log), set(log), {}, {}

    def gather(self, wait_ms):
        pass

    def seek(self, place, offset):
        self.buffer.pop(place, None)
        self.at[place] = offset

    def fill(self, place, count):
        start = self.at[place]
        if records := self.log[place][start : start + count]:
            self.at[place] = start + len(records)
            self.buffer.setdefault(place, []).extend(records)

    def take(self, _rows, _size):
        taken, self.buffer = self.buffer, {}
        return taken

    async def begins(self, places):
        return dict.fromkeys(places, 0)

    async def ends(self, places):
        return {place: len(self.log[place]) for place in places}

    async def hint(self, _offsets):
        return None


def fake_record(place, offset):
    one = fact(f"{place}:{offset}", "user_id:1")
    return SimpleNamespace(offset=offset, key=b"", value=encode(one), headers=[], id=one.id)


async def test_a_restored_database_reads_again_from_its_own_watermark(config):
    await publish(config, facts(0, 100))
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 100))
        backup = [tuple(r) for r in await rows(context, "SELECT topic, partition, next_offset, fingerprint, seqs FROM watermark")]
        await publish(config, facts(100, 160))
        await until(all_passed(context, 160))
        await context.loop.lanes[0].reader.hint(context.loop.lanes[0].positions)
    # The backup of that moment comes back: the later records are unknown to it, Kafka's own offsets are ahead.
    async with opened(counter(), config) as context, context.db.transaction() as connection:
        await connection.executemany(
            "UPDATE watermark SET next_offset = $3, fingerprint = $4, seqs = $5 WHERE topic = $1 AND partition = $2", backup
        )
        await connection.execute("DELETE FROM applied WHERE NOT id = ANY($1)", [f.id for f in facts(0, 100)])
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 160))
        assert await applied(context) == {f.id: 1 for f in facts(0, 160)}


async def delete_before(config, topic: str, partition: int, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(config.topic(topic), partition): RecordsToDelete(before_offset=offset)})
    await admin.close()


def lost() -> float:
    return metrics.lost.labels("toy", "facts.raw")._value.get()


async def test_records_that_retention_deleted_are_counted_as_lost_and_the_rest_goes_on(config):
    await publish(config, one_partition(0, 20))
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 20))
        ((partition,),) = await rows(context, "SELECT partition FROM watermark WHERE topic = 'facts.raw' AND next_offset > 0")
    await publish(config, one_partition(20, 60))
    await delete_before(config, "facts.raw", partition, 45)
    before = lost()
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 60))
        assert await applied(context) == {f.id: 1 for f in (*one_partition(0, 20), *one_partition(45, 60))}
    assert lost() - before == 25


async def test_retention_that_overtakes_a_running_service_is_counted_too(config):
    await publish(config, one_partition(0, 20))
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 20))
        reader = context.loop.lanes[0].reader
        ((partition,),) = await rows(context, "SELECT partition FROM watermark WHERE topic = 'facts.raw' AND next_offset > 0")
        place = ("facts.raw", partition)
        before = lost()
        reader._consumer.pause(reader._tp(place))  # slow: retention is quicker
        await publish(config, one_partition(20, 60))
        await delete_before(config, "facts.raw", partition, 45)
        reader._consumer.resume(reader._tp(place))
        await until(all_passed(context, 60))
        assert await applied(context) == {f.id: 1 for f in (*one_partition(0, 20), *one_partition(45, 60))}
    assert lost() - before == 25


def ended(context):
    """The service has stopped by itself."""
    return lambda: context.loop is not None and context.loop.lanes[0].reader._consumer._closed


async def made_again(config, again) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka)
    await admin.start()
    await admin.delete_topics([config.topic("facts.raw")])

    async def gone():
        return config.topic("facts.raw") not in await admin.list_topics()

    await until(gone)
    await admin.close()

    async def created():
        try:
            await create_topics(config, [FACTS_RAW])
        except Exception:  # the deletion may still be under way
            return False
        return True

    await until(created)
    await publish(config, again)


@pytest.mark.parametrize("count", [10, 90])
async def test_a_topic_made_again_is_refused_whether_shorter_or_longer_than_the_watermark(config, count):
    await publish(config, one_partition(0, 50))
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 50))
    await made_again(config, one_partition(1000, 1000 + count))
    with pytest.raises(watermark.TopicRecreated, match="reset-positions"):
        async with running(config, counter()) as (context,):
            await until(ended(context))
    async with opened(counter(), config) as context:
        assert set(await applied(context)) == {f.id for f in one_partition(0, 50)}


async def test_control_records_of_a_transactional_producer_are_gaps_to_go_over(config):
    await create_topics(config, [FACTS_RAW, FACTS])
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka, transactional_id=config.topic("backend"))
    await producer.start()
    sent = facts(0, 30)
    async with running(config, counter()) as (context,):
        for start in range(0, 30, 10):
            for outcome in ("abort", "commit"):
                await producer.begin_transaction()
                for one in sent[start : start + 10]:
                    value = one if outcome == "commit" else fact(f"never {one.id}", "user_id:1")
                    await producer.send_and_wait(
                        config.topic("facts.raw"), encode(value), key=one.identifiers[0].encode(), partition=start // 10
                    )
                await (producer.commit_transaction() if outcome == "commit" else producer.abort_transaction())
            await until(all_applied(context, start + 10))  # the marker of the commit is the log's end each time
        await producer.stop()
        assert await applied(context) == {f.id: 1 for f in sent}
        lane = context.loop.lanes[0]
        ends = await lane.reader.ends(lane.reader.assigned)
        # Nothing waits: else the watchdog would end a healthy process once a minute.
        await until(lambda: all(lane.reached(place) == end for place, end in ends.items()))
    async with running(config, counter()) as (context,):  # and a new owner starts behind the markers
        await publish(config, facts(30, 40))
        await until(all_applied(context, 40))
        assert await applied(context) == {f.id: 1 for f in facts(0, 40)}


def all_applied(context, count: int):
    async def enough():
        return len(await applied(context)) >= count

    return enough


async def test_a_first_start_begins_with_what_is_there(config):
    await publish(config, one_partition(0, 30))
    partition = (await read(config, "facts.raw"))[0]["_partition"]
    await delete_before(config, "facts.raw", partition, 10)
    before = lost()
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 30))
        assert await applied(context) == {f.id: 1 for f in one_partition(10, 30)}
    assert lost() == before
    assert await passed_twice(config) == 30


async def passed_twice(config) -> int:
    async with running(config, counter()) as (context,):
        await until(lambda: context.loop and context.loop.lanes[0].positions)
        return await passed(context)
