"""Somebody is parted on real Kafka and PostgreSQL: his letters go to him, the other's to the other, and old ids find whose they are."""

from msgspec import to_builtins
from msgspec.structs import replace

from runtime.drive import set_clock
from schemas.facts import PROFILE_MERGED, PROFILE_SPLIT, Fact, Parted, Split, SplitPart
from schemas.ids import derive, partition_of
from schemas.memberships import Membership
from services.orchestrator.__main__ import service
from services.orchestrator.domain import state
from tests.orchestrator.feed import ANN, BOB, Feed, did, drive, entered, person, sent, verdict
from tests.orchestrator.world import DAY, HOUR, journey, published, send, wait
from tests.support.live import T0, driven, fact, rows

END = {"id": "end", "end": True}
NEW = derive("profile", "parted")


def split(at: int) -> Fact:
    said = Split(act="act", parts=(SplitPart(profile=NEW, homes=(BOB,), others=(BOB,)),))
    more = {"properties": to_builtins(said), "lost": ("email:b@example.org",), "bucketing_id": ANN, "bucketed_at": T0}
    return fact("split", "email:a@example.org", at=at, type=PROFILE_SPLIT, event="", profile=ANN, **more)


def introduction(at: int) -> Fact:
    return replace(person(NEW, at, "email:b@example.org"), properties=to_builtins(Parted(act="act", of=ANN)))


async def states(context) -> dict[str, state.Person]:
    found = await rows(context, "SELECT id::text AS id, state FROM person WHERE merged_into IS NULL")
    return {row["id"]: state.decode(row["state"]) for row in found}


async def test_each_gets_his_own_letters_after_an_unmerge(config):
    chain = journey("j", wait("w", "1d"), send("x", expires="2d"), wait("v", "2d"), send("y"), reentry={"mode": "always"})
    feed = Feed(config)
    await feed.documents(published("journey", chain))
    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        merge = did(
            ANN, "", T0 + 1, type=PROFILE_MERGED, properties={"winner": ANN, "loser": BOB}, bucketing_id=ANN, bucketed_at=T0
        )
        await feed.put("facts", person(ANN, T0, "email:a@example.org"), person(BOB, T0, "email:b@example.org"), merge)
        await feed.put("facts", did(ANN, "Registered", T0 + 2), did(ANN, "Registered", T0 + 3, home=BOB))
        await drive(context, conductor, T0 + DAY + HOUR)
        anns, bobs = await sent(config)
        assert (anns["profile"], bobs["profile"]) == (ANN, ANN)

        await feed.put("facts", split(T0 + DAY + HOUR))
        await conductor.settle()
        places = {row["id"]: row["partition"] for row in await rows(context, "SELECT id::text AS id, partition FROM person")}
        assert places[NEW] == partition_of(NEW, config.partitions), "his timers are fired where his facts are read"
        stones = await rows(context, "SELECT id::text AS id, merged_into::text AS at FROM person WHERE merged_into IS NOT NULL")
        assert [tuple(row) for row in stones] == [(BOB, NEW)]

        # The sender's word on his letter is told of her, in a batch that has nobody else in it; nobody knows yet how he is reached.
        await feed.put("decisions", verdict(bobs, "late", T0 + DAY + HOUR + 1))
        await conductor.settle()
        assert len(await sent(config)) == 2
        await feed.put("facts", introduction(T0 + DAY + HOUR + 2))
        await set_clock(context.db, T0 + DAY + 2 * HOUR)
        await conductor.settle()
        again = (await sent(config))[-1]
        assert (again["id"], again["attempt"], again["profile"]) == (bobs["id"], 1, NEW)

        await feed.put("decisions", *(verdict(letter, "accepted", T0 + DAY + 2 * HOUR) for letter in (anns, again)))
        await feed.put("facts", did(BOB, "Registered", T0 + DAY + 2 * HOUR), did(ANN, "Registered", T0 + DAY + 2 * HOUR, home=BOB))
        await conductor.settle()
        both = await states(context)
        assert {who: len(one.runs) for who, one in both.items()} == {ANN: 1, NEW: 3}, "facts that come late are his"
        assert not any(one.pending for one in both.values())
        assert [len(both[who].reservations) for who in (ANN, NEW)] == [1, 2], "hers counts for both, his second try for him"

        await drive(context, conductor, T0 + 3 * DAY + HOUR)
        assert sorted((i["profile"], i["template"]) for i in (await sent(config))[3:]) == sorted(
            [(ANN, "y"), (NEW, "y"), (NEW, "x"), (NEW, "x")]
        )
    letters = await sent(config)
    assert len({(i["id"], i.get("attempt", 0)) for i in letters}) == len(letters)


async def test_a_run_that_waits_for_the_segmenter_waits_on_with_him_whose_it_is(config):
    legal = {"kind": "attribute", "name": "legal", "op": "eq", "value": True}
    chain = journey("j", {"id": "ask", "if": legal, "then": "gold", "else": "plain"}, send("gold", next="end"), send("plain"), END)
    feed = Feed(config)
    await feed.documents(published("journey", chain))
    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        await feed.put("facts", person(ANN, T0, "email:a@example.org"), did(ANN, "Registered", T0 + 2, home=BOB))
        await conductor.settle()
        await feed.put("facts", introduction(T0 + 3))
        await conductor.settle()
        await feed.put("facts", split(T0 + 4))
        await conductor.settle()
        (waiting,) = await rows(context, "SELECT id::text AS id, wait_offset FROM person WHERE wait_topic IS NOT NULL")
        assert tuple(waiting) == (NEW, 1)
        mark = Membership(type="mark", received_at=T0 + 5, topic="facts", partition=partition_of(ANN, config.partitions), offset=2)
        await feed.put("memberships", mark, partition=mark.partition)
        await conductor.settle()
        assert await sent(config) == [], "it has passed what began the run, but not the unmerge"
        await feed.put("memberships", entered(NEW, "~journey.j.1.ask", T0 + 6, why="merge", carried=True))
        await feed.marks(T0 + 6)
        await conductor.settle()
        assert [(i["profile"], i["template"]) for i in await sent(config)] == [(NEW, "gold")]
        assert not await rows(context, "SELECT FROM person WHERE wait_topic IS NOT NULL")
