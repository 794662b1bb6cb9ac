"""The pump goes on: whatever comes in while it waits for the database, and when the database goes away."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from services.sender.delivery import Delivery, NotStarted, Ready
from services.sender.waiting import Job
from tests.support.live import until


def job(channel: str) -> Job:
    return Job(SimpleNamespace(channel=channel, message_class="service"), "person", b"")


def to(endpoint: str) -> Job:
    return Job(SimpleNamespace(channel="webhook", message_class="service", template=endpoint), "person", b"")


async def everything(_channel: str, wanted: int) -> int:
    return wanted


@pytest.fixture
async def delivery():
    made = Delivery()
    made._context = SimpleNamespace(clock=SimpleNamespace(last_known_ms=lambda: 0), db=None)
    made._channels = {name: SimpleNamespace(connections=4) for name in ("email", "sms")}
    made._rates = SimpleNamespace(take=everything)
    return made


async def pumped(delivery: Delivery, enough) -> None:
    pump = asyncio.create_task(delivery.run())
    try:
        await until(lambda: pump.done() or enough(), 5)
        assert not pump.done(), pump.exception()
    finally:
        pump.cancel()


async def test_the_first_message_of_a_channel_may_come_while_another_is_prepared(delivery):
    prepared = []

    async def prepare(jobs):
        prepared.extend(one.intent.channel for one in jobs)
        if len(prepared) == 1:
            delivery.put(job("sms"))  # another batch commits
        return []

    delivery._prepare = prepare
    delivery.put(job("email"))
    await pumped(delivery, lambda: prepared == ["email", "sms"])


async def test_a_database_that_goes_away_costs_no_message(delivery):
    tries = []

    async def prepare(jobs):
        tries.append([one.intent.channel for one in jobs])
        if len(tries) == 1:
            raise ConnectionError("the server closed the connection")
        return []

    delivery._prepare = prepare
    delivery.put(job("email"))
    await pumped(delivery, lambda: tries == [["email"], ["email"]])


async def test_an_endpoint_that_answers_nobody_keeps_no_other_waiting_and_one_that_is_left_alone_neither(delivery):
    delivery._channels["webhook"] = SimpleNamespace(connections=4)
    called = []

    async def prepare(jobs):
        return [SimpleNamespace(job=one) for one in jobs]

    async def call(ready):
        called.append(ready.job.intent.template)
        await asyncio.Event().wait()

    delivery._prepare, delivery._call = prepare, call
    delivery._waiting.pause("webhook:busy", 1_000)
    for endpoint in ["slow"] * 5 + ["busy"] + ["quick"]:
        delivery.put(to(endpoint))
    await pumped(delivery, lambda: len(called) == 3)
    assert sorted(called) == ["quick", "slow", "slow"]
    assert delivery.waiting() == 4 and delivery._waiting.paused_jobs(0) == 1
    for task in delivery._calls["webhook"]:
        task.cancel()


async def test_two_endpoints_with_backlogs_leave_a_third_its_turn(delivery):
    delivery._channels["webhook"] = SimpleNamespace(connections=4)
    called, answers = [], asyncio.Semaphore(0)

    async def prepare(jobs):
        return [SimpleNamespace(job=one) for one in jobs]

    async def call(ready):
        lane = ready.job.intent.template
        called.append(lane)
        await answers.acquire()
        delivery._connected.subtract({"webhook", f"webhook:{lane}"})

    delivery._prepare, delivery._call = prepare, call
    for endpoint in ["a"] * 50 + ["b"] * 50:
        delivery.put(to(endpoint))
    pump = asyncio.create_task(delivery.run())
    await until(lambda: len(called) == 3)
    assert sorted(called) == ["a", "a", "b"], "one connection is kept for who has none"
    delivery.put(to("c"))
    await until(lambda: len(called) == 4)
    assert called[-1] == "c", "it need not wait for an answer to others"
    for endpoint in "de":
        delivery.put(to(endpoint))
    answers.release()
    answers.release()
    await until(lambda: len(called) == 6)
    assert called[-2:] == ["d", "e"], "who has no connection goes before those with backlogs, and before who has just had one"
    pump.cancel()
    for task in delivery._calls["webhook"]:
        task.cancel()


@pytest.fixture
def without_a_database(delivery):
    """From now on the database answers nothing."""

    @asynccontextmanager
    async def gone():
        raise ConnectionError("the server closed the connection")
        yield

    delivery._context.db = SimpleNamespace(connection=gone)
    return delivery


async def test_a_start_that_cannot_be_checked_again_does_not_call_and_stops_nothing(without_a_database):
    late = Job(SimpleNamespace(channel="email", message_class="service", not_after=5), "person", b"")
    assert await without_a_database._still_allowed(SimpleNamespace(job=late, stamp=0)) is False


async def test_a_job_that_did_not_start_is_kept_when_nobody_can_say_whose_it_is(without_a_database):
    one = Job(SimpleNamespace(id="i", channel="email", message_class="service"), "person", b"")
    await without_a_database._not_started(SimpleNamespace(job=one, forbidden=""))
    assert without_a_database.waiting() == 1


async def test_one_that_was_long_on_its_way_to_the_provider_looks_whether_its_gate_was_shut_meanwhile(delivery):
    looked, started = [], []

    @asynccontextmanager
    async def connected():
        yield None

    async def current(_connection):
        looked.append(1)

    async def add(ready):
        started.append(ready)
        return True

    delivery._context.db = SimpleNamespace(connection=connected)
    delivery._letters = SimpleNamespace(current=current, shut=lambda _intent: "a gate" if looked else None)
    delivery._starts = SimpleNamespace(add=add)
    intent = SimpleNamespace(channel="email", message_class="service", not_after=5)
    now = asyncio.get_running_loop().time()
    fresh, old = (Ready(Job(intent, "person", b""), None, 0, None, "1:1", prepared=now - ago) for ago in (0, 2))
    await delivery._start(fresh)
    with pytest.raises(NotStarted):
        await delivery._start(old)
    assert (started, old.forbidden) == ([fresh], "gate")
    more = [Ready(Job(intent, "person", b""), None, 0, None, f"2:{n}", prepared=now - 2) for n in range(20)]
    found = await asyncio.gather(*map(delivery._start, more), return_exceptions=True)
    assert {type(one) for one in found} == {NotStarted} and len(looked) == 1, "one look for all that wait"
    delivery._looked -= 0.6
    with pytest.raises(NotStarted):
        await delivery._start(old)
    assert len(looked) == 2, "it is not trusted for long"
