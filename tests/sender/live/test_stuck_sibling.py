"""Another sender stands still: what lies in its partitions is not known here either, and nobody is refused for it."""

from runtime.clock import wall_ms
from runtime.kafka import Reader
from schemas.facts import PROFILE_MERGED
from schemas.ids import partition_of
from tests.sender.live.kit import contact, intent, person, put, sender, states
from tests.support.live import fact, read, rows, running, until


def merged(winner: int, loser: int, at: int):
    pair = {"winner": person(winner), "loser": person(loser)}
    return fact(f"merged{winner}", at=at, type=PROFILE_MERGED, event="", profile=person(winner), properties=pair)


async def test_an_address_in_the_partition_of_a_frozen_sender_is_waited_for(config, smtp):
    """Somebody's address is in a partition that another member of the group was given, who handles nothing; he was merged into us."""
    one, _ = sender(config, smtp)
    await put(config)
    async with running(config, one) as (context,):
        await until(lambda: context.loop and rows(context, "SELECT FROM definition_current WHERE kind = 'template'"))
        other = Reader(config, "sender", "live", one.topics("live"))
        await other.start()
        ours = context.loop.lanes[0].reader
        await until(lambda: other.assigned and ours.assigned and not ours.assigned & other.assigned)
        own = {partition for _, partition in ours.assigned}
        mine = [n for n in range(100) if partition_of(person(n), config.partitions) in own]
        theirs = next(n for n in range(100) if partition_of(person(n), config.partitions) not in own)
        winner, control, now = mine[0], mine[1], wall_ms()
        await put(config, [*contact(control, at=now), *contact(theirs, at=now), merged(winner, theirs, now + 1)], documents=False)
        await until(lambda: rows(context, f"SELECT FROM person WHERE id = '{person(control)}'"))
        await put(config, [], [intent(winner, cls="service", at=now + 2)], documents=False)
        await until(lambda: states_are(context, taken=1))
        await put(config, [], [intent(control, cls="service", at=now + 3)], documents=False)
        await until(lambda: states_are(context, taken=1, accepted=1))  # the first one was looked at before it, and waits
        since = wall_ms()
        await until(lambda: wall_ms() > since + 2500)  # by then it has looked anew at how far its own partitions are read
        assert await states(context) == {"taken": 1, "accepted": 1}
        await other.stop()
        await until(lambda: states_are(context, late=1, accepted=1), 30)  # it has an address now: to be decided again
        await put(config, [], [intent(winner, cls="service", at=now + 2, attempt=1)], documents=False)
        await until(lambda: states_are(context, accepted=2), 30)
    assert sorted(d["verdict"] for d in await read(config, "decisions")) == ["accepted", "accepted", "late"]
    assert [entry["to"] for entry in smtp.record.accepted] == [[f"p{control}@example.org"], [f"p{theirs}@example.org"]]


async def states_are(context, **wanted: int) -> bool:
    return await states(context) == wanted
