"""After an outage: what lies in the log was there before the timers that have come due meanwhile, and keeps them from firing."""

from runtime.clock import wall_ms
from services.orchestrator.__main__ import service
from tests.orchestrator.feed import ANN, BOB, Feed, did, person
from tests.orchestrator.world import journey, published, send, wait
from tests.support.live import read, rows, running, until


async def runs(context, count: int) -> bool:
    return len(await rows(context, "SELECT FROM person WHERE due_at IS NOT NULL")) == count


async def known(context) -> bool:
    return len(await rows(context, "SELECT FROM definition_current")) == 2


async def test_a_goal_in_the_backlog_ends_the_run_whose_timer_came_due_meanwhile(config):
    feed = Feed(config)
    chain = journey("welcome", wait("w", "6s"), send("letter"), goal={"event": "Paid"})
    await feed.documents(published("journey", chain), published("template", {"key": "letter"}))
    async with running(config, service(config)) as (context,):
        await until(lambda: known(context))
        now = wall_ms()  # when it is up: on a busy machine starting takes longer than the wait
        people = [person(p, now, f"email:{n}@example.org") for n, p in enumerate((ANN, BOB))]
        await feed.put("facts", *people, *(did(p, "Registered", now + 1) for p in (ANN, BOB)))
        await until(lambda: runs(context, 2))
    await feed.put("facts", did(ANN, "Paid", now + 1000))
    await until(lambda: wall_ms() > now + 6500)
    async with running(config, service(config)) as (context,):
        await until(lambda: runs(context, 0))
    told = [(d["profile"], d["verdict"], d.get("rule", "")) for d in await read(config, "decisions") if d["verdict"] != "entered"]
    assert (BOB, "sent", "") in told
    assert [one for one in told if one[0] == ANN and one[1] == "sent"] == [], told
