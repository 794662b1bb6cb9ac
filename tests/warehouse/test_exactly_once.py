"""Every record is in the lake once, with its place in the log, whatever fails between the file and the commit."""

import asyncio
import os
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from runtime.kafka import Producer, create_topics
from runtime.lake import StaleSnapshot
from schemas.facts import Seq, encode
from schemas.ids import partition_of
from schemas.topics import FACTS
from services.warehouse import handler as handler_module
from services.warehouse import store
from services.warehouse.__main__ import service
from services.warehouse.domain import sheets
from services.warehouse.domain.walk import Stored
from services.warehouse.files import Files, LakeTrouble, Target, TooLarge
from services.warehouse.handler import Handler
from tests.support.live import T0, driven, publish, rows, running, until
from tests.warehouse.conftest import on_disk, passed, stored

HOUR = 3_600_000
PLACES = "SELECT id::VARCHAR, topic, kafka_partition, kafka_offset FROM facts ORDER BY 2, 3, 4"


@pytest.fixture
def few(monkeypatch):
    """Merges and files of their own already for handfuls of rows."""
    monkeypatch.setattr(handler_module, "FAN", 4)
    monkeypatch.setattr(handler_module, "OWN", 30)


def spread(count: int, topic: str = "facts", apart: int = HOUR // 4):
    """Facts of many people, so many ms apart, grouped by the key they are published under."""
    return [
        (f"p{n % 7}", stored(f"{topic}{n}", n % 7, T0 + n * apart, event=f"E{n % 3}", properties={"n": n})) for n in range(count)
    ]


async def publish_spread(config, pairs) -> None:
    await create_topics(config, [FACTS])
    producer = await Producer(config, "test").start()
    for partition in range(config.partitions):
        mine = [(key.encode(), encode(fact), []) for key, fact in pairs if partition_of(key, config.partitions) == partition]
        if mine:
            await producer.send(FACTS.name, partition, mine)
    await producer.stop()


@pytest.mark.parametrize("broken", [store.add, store.numbers], ids=["before the manifest", "before the file"])
async def test_a_failure_between_file_and_commit_loses_and_repeats_nothing(config, lake, monkeypatch, few, broken):
    real, failures = broken, Counter()

    async def breaks(*arguments):
        failures[broken.__name__] += 1
        if failures[broken.__name__] % 3:
            raise ConnectionError("the database went away")
        return await real(*arguments)

    monkeypatch.setattr(store, broken.__name__, breaks)
    pairs = spread(300)
    config = config.model_copy(update={"batch_rows": 40})
    await publish_spread(config, pairs)
    async with running(config, service(pace_s=0)) as (context,):
        await passed(context, 300)
        await until(lambda: nothing_ripe(context))
        snapshot = await lake(context)
        found = await snapshot.query(PLACES)
    assert failures[broken.__name__] > 6
    assert sorted(row[0] for row in found) == sorted(fact.id for _, fact in pairs)
    assert len({row[1:] for row in found}) == 300
    for partition in {row[2] for row in found}:
        offsets = [row[3] for row in found if row[2] == partition]
        assert offsets == list(range(len(offsets)))  # none left out
    if broken is store.add:
        assert on_disk(config) > {f.file for f in snapshot.files}  # garbage, in no manifest


async def nothing_ripe(context) -> bool:
    async with context.db.connection() as connection:
        return not await store.ripe(connection, handler_module.FAN, handler_module.FULL)


async def test_a_full_disk_is_waited_out_and_buries_nothing(config, lake, monkeypatch):
    real, failures = Files._copy, []

    def full(self, *arguments):
        if len(failures) < 3:
            failures.append(1)
            raise LakeTrouble("no space left on device")
        return real(self, *arguments)

    monkeypatch.setattr(Files, "_copy", full)
    await publish(config, [stored(n) for n in range(5)], "facts", key="k")
    async with running(config, service(pace_s=0)) as (context,):
        await passed(context, 5)
        assert await (await lake(context)).query("SELECT count(*) FROM facts") == [(5,)]
        assert await rows(context, "SELECT * FROM dead_letter") == []
    assert len(failures) == 3


async def test_duckdbs_own_disk_errors_are_trouble_and_not_the_datas_fault(tmp_path):
    files = Files(tmp_path / "lake")
    with pytest.raises(LakeTrouble):
        files.groups("facts", ["facts/mixed/gone.parquet"], 1)
    files.close()


def test_a_merge_larger_than_its_memory_goes_over_the_disk(tmp_path):
    files = Files(tmp_path / "lake", threads=1, memory="100MB")
    values = [msgspec.json.decode(encode(stored(n, properties={"text": f"{n:064}"})), type=Stored) for n in range(4000)]
    one = files.write(sheets.facts([("facts", 0, n, value) for n, value in enumerate(values)]), 1)
    merged = files.merge("facts", [one.file] * 200, Target(None, 1, 2))
    assert merged.rows == 200 * 4000
    files.close()


async def test_what_memory_has_no_room_for_is_merged_in_parts(config, lake, few, monkeypatch):
    real = Files.merge

    def small(self, dataset, sources, *more):
        if len(sources) > 3 or any("E1" in file for file in sources):
            raise TooLarge("no room")
        return real(self, dataset, sources, *more)

    monkeypatch.setattr(Files, "merge", small)
    config = config.model_copy(update={"batch_rows": 10})
    async with running(config, service(pace_s=0)) as (context,):
        for start in range(0, 400, 40):
            await publish_spread(config, spread(400)[start : start + 40])
            await passed(context, start + 40)

        async def merged():
            files = (await lake(context)).files
            return len([f for f in files if "E1" not in f.file]) < 12

        await until(merged)
        snapshot = await lake(context)
        assert await snapshot.query("SELECT count(*), count(DISTINCT id) FROM facts") == [(400, 400)]


async def test_what_was_relayed_twice_is_stored_once(config, lake):
    twice = [msgspec.structs.replace(stored(n), src="profile:facts.raw-0", seq=Seq(0, n, 0)) for n in (1, 2, 1, 2, 3)]
    await publish(config, twice, "facts", key="k")
    async with running(config, service(pace_s=0)) as (context,):
        await passed(context, 5)
        found = await (await lake(context)).query("SELECT kafka_offset FROM facts ORDER BY 1")
    assert found == [(0,), (1,), (4,)]


async def test_a_reader_meanwhile_always_sees_exactly_what_the_watermark_covers(config, lake, few):
    pairs, seen = spread(400, apart=HOUR // 20), []  # enough of one event and day for a file of its own, however batches fall
    config = config.model_copy(update={"batch_rows": 25})

    def merged():
        return any("/event=E" in file for file in on_disk(config))

    async with running(config, service(pace_s=0)) as (context,):

        async def look():
            while not seen or seen[-1] < 400 or not merged():  # merges take place under its eyes, however busy the machine is
                snapshot = await lake(context)
                count = "SELECT topic, kafka_partition, count(*), count(DISTINCT kafka_offset) FROM facts GROUP BY ALL"
                held = {(t, p): (n, d) for t, p, n, d in await snapshot.query(count)}
                told = {place: (n, n) for place, n in snapshot.passed.items() if n > 0 and place[0] == "facts"}
                assert held == told
                seen.append(sum(n for n, _ in held.values()))

        looking = asyncio.create_task(look())
        for start in range(0, 400, 40):
            await publish_spread(config, pairs[start : start + 40])
        await asyncio.wait_for(looking, 60)
    assert seen == sorted(seen) and len(set(seen)) > 2
    assert merged()


async def test_under_the_driven_clock_a_turn_takes_all_and_files_stay_few(config, lake):
    async with driven(config, service()) as ((context,), conductor):
        for hour in range(20):
            await publish_spread(config, spread(4, f"h{hour}"))
            await conductor.settle()
            snapshot = await lake(context)
            assert await snapshot.query("SELECT count(*) FROM facts") == [((hour + 1) * 4,)]
    assert len(snapshot.files) < 20 // 16 + 16


async def test_an_old_snapshot_reads_on_after_a_merge_until_the_grace_is_over(config, lake):
    async with running(config, service(pace_s=0)) as (context,):
        for part in range(3):
            await publish_spread(config, spread(5, f"part{part}"))
            await passed(context, 5 * (part + 1))
        old = await lake(context)
        keeper = Handler(0)
        async with keeper.life(context):
            replaced = [f.file for f in old.files]
            run = store.Run("facts", None, None, 0, replaced)
            await keeper._merge(run)
            new = await lake(context)
            assert len(new.files) < len(old.files)
            assert await keeper.sweep() == 0
            assert await old.query("SELECT count(*) FROM facts") == await new.query("SELECT count(*) FROM facts") == [(15,)]
            age(config, replaced, 1000)
            assert await keeper.sweep() == len(replaced)
            with pytest.raises(StaleSnapshot):
                await old.query("SELECT sum(epoch_ms(occurred_at)) FROM facts")
            assert await new.query("SELECT count(*) FROM facts") == [(15,)]
        assert on_disk(config) == {f.file for f in new.files}


async def test_two_processes_that_merge_the_same_files_do_not_double_them(config, lake):
    async with running(config, service(pace_s=0)) as (context,):
        for part in range(3):
            await publish_spread(config, spread(5, f"part{part}"))
            await passed(context, 5 * (part + 1))
        run = store.Run("facts", None, None, 0, [f.file for f in (await lake(context)).files])
        keeper = Handler(0)
        async with keeper.life(context):
            new = await keeper._write_merged(run)
            await keeper._merge(run)
            with pytest.raises(store.Replaced):
                async with context.db.transaction() as connection:
                    await store.replace(connection, run.files, new, 1)
            await keeper._merge(run)  # loses quietly, and takes its file away
        snapshot = await lake(context)
        assert await snapshot.query("SELECT count(*), count(DISTINCT id) FROM facts") == [(15, 15)]


async def test_only_old_files_of_no_manifest_are_swept(config, lake):
    await publish(config, [stored(1)], "facts", key="k")
    async with running(config, service(pace_s=0)) as (context,):
        await passed(context, 1)
        folder = config.home / "lake" / "facts" / "mixed"
        for name in ("old.parquet", "young.parquet", "half.writing"):
            (folder / name).write_bytes(b"x")
        (listed,) = (f.file for f in (await lake(context)).files)
        age(config, ["facts/mixed/old.parquet", "facts/mixed/half.writing", listed], 4000)
        keeper = Handler(0)
        async with keeper.life(context):
            assert await keeper.sweep() == 2
    assert {path.name for path in folder.iterdir()} == {"young.parquet", Path(listed).name}


def age(config, files, seconds: float) -> None:
    for file in files:
        path = config.home / "lake" / file
        at = path.stat().st_mtime - seconds
        os.utime(path, (at, at))
