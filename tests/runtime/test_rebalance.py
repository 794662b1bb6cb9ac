"""Workers come and go under load: nothing twice, nothing lost, and a zombie's batch does nothing."""

import asyncio
from types import SimpleNamespace

from runtime.process import open_context, run_service
from runtime.service import Consumes
from schemas.facts import Seq, encode
from schemas.topics import DECISIONS, FACTS
from tests.runtime.toys import Gate, all_passed, applied, counter, decode_fact, opened, passed
from tests.support.live import fact, publish, read, rows, running, until

SLOW = "SELECT pg_sleep(0.02)"


async def slow(tx, _items) -> None:
    await tx.connection.execute(SLOW)


def facts(start: int, stop: int):
    return [fact(str(n), f"user_id:{n % 97}") for n in range(start, stop)]


class Worker:
    """A process of the service, as far as the group can tell."""

    async def start(self, config, service) -> "Worker":
        self.context = await open_context(service, config)
        self.task = asyncio.create_task(run_service(self.context))
        return self

    async def leave(self) -> None:
        self.context.stopping.set()
        await self.task

    def owns(self) -> int:
        loop = self.context.loop
        return len(loop.lanes[0].reader.assigned) if loop else 0


async def test_workers_join_and_leave_while_batches_are_slow(config):
    config = config.model_copy(update={"batch_rows": 10})
    everything = facts(0, 1800)
    await publish(config, everything[:900])
    first = await Worker().start(config, counter(slow))
    await until(lambda: first.owns() == 4)
    second = await Worker().start(config, counter(slow))
    await until(lambda: first.owns() == second.owns() == 2)
    await publish(config, everything[900:])
    third = await Worker().start(config, counter(slow))
    await until(lambda: first.owns() + second.owns() + third.owns() == 4 and third.owns())
    handled = await passed(first.context)
    assert handled < 1800  # still under load
    await first.leave()
    await until(lambda: second.owns() == third.owns() == 2)
    await second.leave()
    await until(lambda: third.owns() == 4)
    async with opened(counter(), config) as reader:
        await until(all_passed(reader, 1800))
        await third.leave()
        assert await applied(reader) == {f.id: 1 for f in everything}
        assert (await rows(reader, "SELECT n FROM total"))[0]["n"] == 1800
    told = await read(config, "facts")
    assert sorted(f["id"] for f in told) == sorted(f.id for f in everything)
    assert in_order(told)


def in_order(told) -> bool:
    """Per destination partition and src the seqs of the log grow, apart from exact repeats of what was sent before."""
    highest: dict[tuple[int, str], tuple[int, int, int]] = {}
    seen = set()
    for record in told:
        place, seq = (record["_partition"], record["src"]), tuple(record["seq"])
        if (place, seq) not in seen and seq <= highest.get(place, (-1, -1, -1)):
            return False
        seen.add((place, seq))
        highest[place] = max(seq, highest.get(place, seq))
    return True


def test_the_order_check_can_fail():
    def one(*seq):
        return {"_partition": 0, "src": "s", "seq": seq}

    assert in_order([one(0, 1, 0), one(0, 2, 0), one(0, 1, 0), one(0, 2, 0), one(0, 3, 0)])
    assert not in_order([one(0, 2, 0), one(0, 1, 0)])


async def test_a_rebalance_waits_for_the_batch_in_flight(config):
    gate = Gate()
    await publish(config, facts(0, 50))
    first = await Worker().start(config, counter(gate))
    await asyncio.wait_for(gate.reached.wait(), 15)
    second = await Worker().start(config, counter())
    await until(lambda: second.context.loop)
    client = first.context.loop.lanes[0].reader._consumer
    await until(lambda: client._coordinator.need_rejoin(client._subscription.subscription))
    assert second.owns() == 0 and first.owns() == 4
    gate.open.set()
    await until(lambda: first.owns() == second.owns() == 2)
    await until(all_passed(first.context, 50))
    assert await applied(first.context) == {f.id: 1 for f in facts(0, 50)}
    await asyncio.gather(first.leave(), second.leave())


async def test_a_zombie_that_wakes_with_an_old_batch_changes_nothing(config):
    """Between reading and handling its partition went to another owner, who came further: what it does then is a no-op."""
    await publish(config, facts(0, 60))
    log = [r for r in await read(config, "facts.raw") if r["_partition"] == 0]
    place = ("facts.raw", 0)
    records = [SimpleNamespace(offset=r["_offset"], value=encode(r), key=b"", headers=[]) for r in log]
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 60))
        loop, lane = context.loop, context.loop.lanes[0]
        lane.positions[place] = 0
        old = loop._portion(lane, {place: records})
        assert len(old.items) == len(log) > 0
        assert await loop.process(lane, old) is True
        lane.reader.assigned.discard(place)
        assert await loop.process(lane, old) is False
        lane.reader.assigned.add(place)
        assert set((await applied(context)).values()) == {1}
        assert (await rows(context, "SELECT n FROM total"))[0]["n"] == 60


async def test_what_a_relay_repeats_is_dropped_by_its_seq(config):
    """`facts` is ours: what stands there twice, with the same src and seq, is handled once."""

    def stamped(n: int, seq: int):
        return fact(f"r{n}", "user_id:1", src="profile:facts.raw-0", seq=Seq(0, seq, 0))

    log = [stamped(0, 1), stamped(1, 2), stamped(0, 1), stamped(1, 2), stamped(2, 3)]
    service = counter(emits=False, consumes=(Consumes(FACTS, decode_fact),), topics_written=(DECISIONS,))
    await publish(config, log[:4], topic="facts")
    async with running(config, service) as (context,):
        await until(all_passed(context, 4, "facts"))
    await publish(config, log[3:], topic="facts")  # across a restart too
    async with running(config, service) as (context,):
        await until(all_passed(context, 6, "facts"))
        assert await applied(context) == {f.id: 1 for f in (log[0], log[1], log[4])}
