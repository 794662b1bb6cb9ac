"""Runs that wait for the segmenter: for the mark of their fact, of a merge, and of a condition that is new."""

from runtime.drive import set_clock
from schemas.facts import PROFILE_MERGED
from schemas.ids import derive, partition_of
from schemas.memberships import Membership
from services.orchestrator.__main__ import service
from tests.orchestrator.feed import ANN, BOB, CAT, Feed, did, entered, person, sent
from tests.orchestrator.world import HOUR, journey, published, send
from tests.support.live import T0, driven, rows

VIP = {"kind": "attribute", "name": "vip", "op": "exists"}
GOLD_OR_PLAIN = journey(
    "j",
    {"id": "b", "if": VIP, "then": "gold", "else": "plain"},
    send("gold", next="stop"),
    send("plain"),
    {"id": "stop", "end": True},
)


async def test_a_merge_moves_a_waiting_run_and_the_mark_finds_it(config):
    feed = Feed(config)
    await feed.documents(published("journey", GOLD_OR_PLAIN))
    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        await feed.put("facts", person(BOB, T0, "email:x@example.org"), did(BOB, "Registered", T0 + 1))
        await set_clock(context.db, T0 + HOUR)
        await conductor.settle()
        place = partition_of(BOB, config.partitions)
        assert await sent(config) == []
        await feed.put("facts", did(ANN, "", T0 + HOUR, type=PROFILE_MERGED, properties={"winner": ANN, "loser": BOB}))
        await conductor.settle()
        found = await rows(context, "SELECT id::text, wait_partition, wait_offset FROM person WHERE wait_topic = 'facts'")
        assert [tuple(r) for r in found] == [(ANN, place, 1)]
        await feed.put("memberships", entered(ANN, "~journey.j.1.b", T0 + HOUR, why="merge", carried=True))
        await feed.marks(T0 + HOUR)
        await conductor.settle()
        assert [(i["template"], i["profile"]) for i in await sent(config)] == [("gold", ANN)]
        # The mark has passed: a fact at the same place or before waits no more.
        marks = await rows(context, "SELECT next_offset FROM mark WHERE topic = 'facts' AND partition = $1", place)
        assert marks[0]["next_offset"] == feed.offsets[("facts", place)]


async def test_a_run_that_was_merged_waits_for_the_mark_of_the_merge_as_well(config):
    """The mark of the fact that began it lies in one partition, that of the merge in another."""
    feed = Feed(config)
    await feed.documents(published("journey", GOLD_OR_PLAIN))
    others = (derive("elder", n) for n in range(20))
    elder = next(one for one in others if partition_of(one, config.partitions) != partition_of(BOB, config.partitions))
    merged = did(elder, "", T0 + 2, type=PROFILE_MERGED, properties={"winner": elder, "loser": BOB})
    places = {who: partition_of(who, config.partitions) for who in (elder, BOB)}

    async def mark(who: str) -> None:
        passed = Membership(
            type="mark", received_at=T0 + 3, topic="facts", partition=places[who], offset=feed.offsets["facts", places[who]]
        )
        await feed.put("memberships", passed, partition=places[who])
        await conductor.settle()

    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        await feed.put("facts", person(BOB, T0, "email:x@example.org"), did(BOB, "Registered", T0 + 1), merged)
        await set_clock(context.db, T0 + HOUR)
        await conductor.settle()
        await mark(BOB)
        assert await sent(config) == []
        found = await rows(context, "SELECT id::text, wait_partition FROM person WHERE wait_topic = 'facts'")
        assert [tuple(r) for r in found] == [(elder, places[elder])]
        await feed.put("memberships", entered(elder, "~journey.j.1.b", T0 + HOUR, why="merge", carried=True))
        await mark(elder)
        assert [(i["template"], i["profile"]) for i in await sent(config)] == [("gold", elder)]


async def test_a_mark_that_stands_in_two_partitions_counts_when_it_was_read_in_both(config):
    """The answer about somebody merged away lies in the partition of the survivor: the mark stands behind it there as well."""
    feed = Feed(config)
    await feed.documents(published("journey", GOLD_OR_PLAIN))
    place = partition_of(BOB, config.partitions)
    other = (place + 1) % config.partitions
    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        await feed.put("facts", person(BOB, T0, "email:x@example.org"), did(BOB, "Registered", T0 + 1))
        mark = Membership(
            type="mark",
            received_at=T0 + 3,
            topic="facts",
            partition=place,
            offset=feed.offsets["facts", place],
            parts=(place, other),
        )
        await set_clock(context.db, T0 + HOUR)
        await feed.put("memberships", mark, partition=place)
        await conductor.settle()
        assert await sent(config) == []
        await feed.put("memberships", entered(BOB, "~journey.j.1.b", T0 + 3))
        await feed.put("memberships", mark, partition=other)
        await conductor.settle()
        assert [i["template"] for i in await sent(config)] == ["gold"]
        left = await rows(context, "SELECT next_offset, halves FROM mark WHERE topic = 'facts' AND partition = $1", place)
        assert [tuple(r) for r in left] == [(mark.offset, b"\x90")]


async def test_a_condition_so_new_that_the_segmenter_has_not_asked_anybody_is_waited_for(config):
    """The segmenter passed the fact under the plan of before: its silence says nothing about the new condition."""
    feed = Feed(config)
    await feed.documents(published("journey", GOLD_OR_PLAIN), answered=False)
    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        await feed.put("facts", *(person(who, T0, "email:x@example.org") for who in (ANN, BOB)))
        await feed.put("facts", *(did(who, "Registered", T0 + 1) for who in (ANN, BOB)))
        await feed.marks(T0 + 2)
        await set_clock(context.db, T0 + HOUR)
        await conductor.settle()
        waiting = await rows(context, "SELECT DISTINCT wait_topic FROM person")
        assert ([tuple(r) for r in waiting], await sent(config)) == ([("~journey.j.1.b",)], [])
        await feed.put("memberships", entered(ANN, "~journey.j.1.b", T0 + HOUR))
        await feed.answered(T0 + HOUR)
        await conductor.settle()
        assert sorted((i["template"], i["profile"]) for i in await sent(config)) == [("gold", ANN), ("plain", BOB)]
        await feed.put("facts", person(CAT, T0, "email:x@example.org"), did(CAT, "Registered", T0 + HOUR + 1))
        await feed.marks(T0 + HOUR + 1)
        await conductor.settle()
        assert [i["template"] for i in await sent(config) if i["profile"] == CAT] == ["plain"], "known from now on"
