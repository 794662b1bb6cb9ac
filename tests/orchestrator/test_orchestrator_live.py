"""The orchestrator on real Kafka and PostgreSQL under the driven clock: documents, facts, memberships and verdicts in, intents out."""

import asyncio

import msgspec
import pytest

from runtime.drive import set_clock
from runtime.kafka import Producer, create_topics
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, Fact, encode, extend
from schemas.ids import derive, partition_of
from schemas.journeys import condition_key
from schemas.memberships import Membership
from schemas.messages import Decision
from schemas.topics import BY_NAME
from services.orchestrator.__main__ import service
from services.orchestrator.domain import state
from tests.orchestrator.welcome import LEGAL_SEGMENT, welcome
from tests.orchestrator.world import DAY, HOUR, journey, published, send, wait
from tests.support.live import T0, driven, fact, read, rows, running, settings, until

ANN, BOB, CAT = (derive("profile", name) for name in ("ann", "bob", "cat"))
MESSAGES = ("email.triggered", "sms.triggered", "email.mass", "email.service")


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


class Feed:
    """Writes to the topics what the other services would."""

    def __init__(self, config: Settings) -> None:
        self.config, self.offsets = config, {}
        self._seq = 0

    async def put(self, topic: str, *values, partition: int | None = None) -> None:
        await create_topics(self.config, [BY_NAME[topic]])
        places: dict[int, list] = {}
        for value in values:
            self._seq += 1
            key = getattr(value, "profile", None) or getattr(value, "key", "")
            place = partition_of(key, self.config.partitions) if partition is None else partition
            by = getattr(value, "by", "")
            headers = [("t", by.encode())] if by else []
            raw = value if isinstance(value, bytes) else extend(encode(value), b'"src":"test","seq":[0,%d,0]' % self._seq)
            places.setdefault(place, []).append((key.encode(), raw, headers))
        producer = await Producer(self.config, "test").start()
        for place, records in places.items():
            await producer.send(topic, place, records)
            self.offsets[(topic, place)] = self.offsets.get((topic, place), 0) + len(records)
        await producer.stop()

    async def documents(self, *documents: Published, answered: bool = True) -> None:
        """answered: the segmenter knows the conditions of the journeys already."""
        await self.put("definitions", *documents)
        self._conditions = [key for d in documents if d.kind == "journey" for key in conditions(d)]
        if answered:
            await self.answered(T0)

    async def answered(self, at: int) -> None:
        """The segmenter has asked everybody about the conditions of the journeys."""
        for place in range(self.config.partitions):
            told = [Membership(type="mark", received_at=at, topic=key, partition=place, offset=1) for key in self._conditions]
            await self.put("memberships", *told, partition=place)

    async def marks(self, at: int, topic: str = "facts") -> None:
        """The segmenter has come to the end of every partition."""
        for (name, place), end in sorted(self.offsets.items()):
            if name == topic:
                mark = Membership(type="mark", received_at=at, topic=name, partition=place, offset=end)
                await self.put("memberships", mark, partition=place)


def conditions(document: Published) -> list[str]:
    body = msgspec.json.decode(bytes(document.body))
    steps = [step["id"] for step in body["steps"] if "if" in step] + ["audience"] * ("audience" in body)
    return [condition_key(document.key, document.version, step) for step in steps]


def person(profile: str, at: int, *identifiers: str, **attributes) -> Fact:
    told = {name: [at, value] for name, value in attributes.items()}
    more = {"bucketing_id": profile, "bucketed_at": at, "attributes": told, "profile": profile}
    return fact(f"changed {profile} {at}", *identifiers, at=at, type=PROFILE_CHANGED, event="", **more)


def did(profile: str, event: str, at: int, **more) -> Fact:
    return fact(f"{profile} {event} {at}", at=at, event=event, profile=profile, **more)


def entered(profile: str, segment: str, at: int, kind: str = "entered", **more) -> Membership:
    return Membership(type=kind, received_at=at, at=at, id=derive(profile, segment, at), profile=profile, segment=segment, **more)


def verdict(intent: dict, state: str, at: int) -> Decision:
    return Decision(
        id=derive(intent["id"], state), brand="shop", profile=intent["profile"], verdict=state, by="sender", received_at=at,
        intent=intent["id"], attempt=intent.get("attempt", 0),
    )  # fmt: skip


async def sent(config: Settings) -> list[dict]:
    topics = await asyncio.gather(*(read(config, f"messages.{kind}") for kind in MESSAGES))
    found = [intent for topic in topics for intent in topic]
    return sorted(found, key=lambda i: (i["received_at"], i["id"], i.get("attempt", 0)))


async def accept(context, feed: Feed, at: int) -> None:
    """Everything that is under way was taken by its provider."""
    people = await rows(context, "SELECT id::text AS id, state FROM person WHERE merged_into IS NULL ORDER BY id")
    letters = [
        ({"id": key, "profile": row["id"]}, p) for row in people for key, p in sorted(state.decode(row["state"]).pending.items())
    ]
    for letter, _ in [pair for pair in letters if pair[1].due_at is None]:
        await feed.put("decisions", verdict(letter, "accepted", at))


async def drive(context, conductor, to: int, feed: Feed | None = None) -> None:
    """The clock goes on in steps of at most an hour; hours in which nothing is due are skipped. feed: for a prompt sender's words."""
    while True:
        due = await rows(context, "SELECT min(due_at) AS due FROM person")
        following = min(to, max(due[0]["due"] or to, (await context.clock.read()).at))
        await set_clock(context.db, following)
        await conductor.settle()
        if feed is not None:
            await accept(context, feed, following)
            await conductor.settle()
        again = await rows(context, "SELECT min(due_at) AS due FROM person")
        if following == to and (again[0]["due"] or to + 1) > to:
            return


async def welcome_story(config: Settings) -> tuple[list[dict], list[dict], list[bytes]]:
    feed = Feed(config)
    await feed.documents(published("journey", welcome()), published("template", {"key": "price"}, 3))
    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        await feed.put("facts", person(ANN, T0, "email:a@example.org", "phone:+1"), person(BOB, T0, "email:b@example.org"))
        await feed.put("facts", *(did(p, "Registered", T0 + n) for n, p in enumerate((ANN, BOB, CAT))))
        await feed.put("facts", *(did(p, "Page Viewed", T0 + 5) for p in (ANN, BOB)))
        await set_clock(context.db, T0 + HOUR)
        await conductor.settle()
        waiting = await rows(context, "SELECT wait_topic FROM person WHERE wait_topic IS NOT NULL")
        assert len(waiting) == 3 and await sent(config) == []
        await feed.put("memberships", entered(ANN, LEGAL_SEGMENT, T0 + HOUR), entered(BOB, "of no interest", T0 + HOUR))
        await feed.marks(T0 + HOUR)
        await conductor.settle()
        assert not await rows(context, "SELECT FROM person WHERE wait_topic IS NOT NULL OR due_at IS NULL")
        await drive(context, conductor, T0 + 3 * DAY, feed)
        await feed.put("facts", did(BOB, "Balance Topped Up", T0 + 3 * DAY, properties={"amount": {"minor": 1}}))
        await drive(context, conductor, T0 + 20 * DAY, feed)
        states = [r["state"] for r in await rows(context, "SELECT state FROM person ORDER BY id")]
    return await sent(config), await read(config, "decisions"), states


async def test_the_welcome_chain_end_to_end_and_two_runs_are_equal_byte_for_byte(config, topic_prefix, postgres):
    intents, decisions, states = await welcome_story(config)
    by = {p: [(i["template"], i["received_at"] - T0 - HOUR) for i in intents if i["profile"] == p] for p in (ANN, BOB, CAT)}
    days = {"migration": 2, "letter2": 3, "letter3": 5, "letter4": 6, "text": 6, "letter5": 8, "letter6": 9}
    assert sorted(by[ANN], key=lambda pair: (pair[1], list(days).index(pair[0]))) == [(t, d * DAY) for t, d in days.items()]
    assert by[BOB] == [("price", 6 * HOUR), ("letter2", 6 * HOUR + DAY)]
    assert by[CAT] == []
    assert {d["by"] for d in decisions if d["verdict"] != "accepted"} == {"orchestrator"}
    assert {i["template_version"] for i in intents if i["template"] == "price"} == {3}
    rules = {(d["verdict"], d.get("rule", "")) for d in decisions if d["profile"] == CAT}
    assert rules == {("entered", ""), ("skipped", "no_address"), ("left", "end")}
    assert [d["rule"] for d in decisions if d["verdict"] == "goal"] == ["goal"]

    async with SecondInstallation(config, postgres) as other:
        assert await welcome_story(other) == (intents, decisions, states)


class SecondInstallation:
    """A second installation: another database and other topics."""

    def __init__(self, config: Settings, postgres: str) -> None:
        self._config, self._postgres = config, postgres

    async def __aenter__(self) -> Settings:
        import asyncpg

        self._name = self._config.database_url.rsplit("/", 1)[1] + "b"
        self._server = await asyncpg.connect(self._postgres)
        await self._server.execute(f"CREATE DATABASE {self._name} TEMPLATE template0")
        url = self._config.database_url + "b"
        return self._config.model_copy(update={"database_url": url, "topic_prefix": self._config.topic_prefix + "b."})

    async def __aexit__(self, *_: object) -> None:
        await self._server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        await self._server.close()


async def test_verdicts_merges_and_caps_through_the_topics(config):
    chain = journey("m", send("m", **{"class": "mass"}), on="Launch", reentry={"mode": "always"})
    cap = published("rule", {"key": "r", "caps": [{"name": "d", "class": "mass", "most": 1, "per": "day"}]})
    feed = Feed(config)
    await feed.documents(
        published("journey", chain), cap, published("brand", {"key": "shop", "name": "Shop", "time_zone": "Asia/Kolkata"})
    )
    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        await feed.put("facts", *(person(p, T0, "email:x@example.org") for p in (ANN, BOB)))
        await feed.put("facts", did(ANN, "Launch", T0 + 1), did(BOB, "Launch", T0 + 2))
        await set_clock(context.db, T0 + HOUR)
        await conductor.settle()
        first, second = await sent(config)
        merge = did(
            ANN, "", T0 + HOUR, type=PROFILE_MERGED, properties={"winner": ANN, "loser": BOB}, bucketing_id=ANN, bucketed_at=T0
        )
        await feed.put("facts", merge)
        await conductor.settle()
        await feed.put("decisions", verdict(first, "failed", T0 + HOUR + 1))
        await feed.put("facts", did(BOB, "Launch", T0 + HOUR + 2))
        await set_clock(context.db, T0 + 2 * HOUR)
        await conductor.settle()
        assert len(await sent(config)) == 2, "the loser's letter counts for the winner"
        await feed.put("decisions", verdict(second, "late", T0 + 2 * HOUR))
        await conductor.settle()
        again = (await sent(config))[-1]
        assert (again["id"], again["attempt"], again["profile"]) == (second["id"], 1, ANN)
        stones = await rows(context, "SELECT id::text, merged_into::text AS at FROM person WHERE merged_into IS NOT NULL")
        assert [tuple(r) for r in stones] == [(BOB, ANN)]
        await drive(context, conductor, T0 + 3 * DAY)
        assert [i["profile"] for i in (await sent(config))[3:]] == [ANN]


async def test_a_merge_moves_a_waiting_run_and_the_mark_finds_it(config):
    vip = {"kind": "attribute", "name": "vip", "op": "exists"}
    chain = journey(
        "j",
        {"id": "b", "if": vip, "then": "gold", "else": "plain"},
        send("gold", next="stop"),
        send("plain"),
        {"id": "stop", "end": True},
    )
    feed = Feed(config)
    await feed.documents(published("journey", chain))
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
    vip = {"kind": "attribute", "name": "vip", "op": "exists"}
    chain = journey("j", {"id": "b", "if": vip, "then": "gold", "else": "plain"}, send("gold", next="stop"), send("plain"),
                    {"id": "stop", "end": True})  # fmt: skip
    feed = Feed(config)
    await feed.documents(published("journey", chain))
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
    vip = {"kind": "attribute", "name": "vip", "op": "exists"}
    chain = journey("j", {"id": "b", "if": vip, "then": "gold", "else": "plain"}, send("gold", next="stop"), send("plain"),
                    {"id": "stop", "end": True})  # fmt: skip
    feed = Feed(config)
    await feed.documents(published("journey", chain))
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
    vip = {"kind": "attribute", "name": "vip", "op": "exists"}
    chain = journey("j", {"id": "b", "if": vip, "then": "gold", "else": "plain"}, send("gold", next="stop"), send("plain"),
                    {"id": "stop", "end": True})  # fmt: skip
    feed = Feed(config)
    await feed.documents(published("journey", chain), answered=False)
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


async def test_facts_of_the_second_lane_count_and_our_own_verdicts_pass_unread(config):
    chain = journey("j", send("x"), wait("w", "1d"), send("y"), goal={"event": "Paid"})
    feed = Feed(config)
    await feed.documents(published("journey", chain), published("segment", {"key": "s", "condition": {}}))
    async with driven(config, service(config)) as ((context,), conductor):
        await conductor.settle()
        await feed.put("facts", person(ANN, T0, "email:x@example.org"))
        await feed.put("facts.bulk", did(ANN, "Paid", T0 - DAY), did(ANN, "Registered", T0 + 5))
        own = msgspec.structs.replace(verdict({"id": derive("x"), "profile": ANN}, "late", T0), by="orchestrator")
        await feed.put("decisions", own)
        await set_clock(context.db, T0 + HOUR)
        await conductor.settle()
        assert [i["template"] for i in await sent(config)] == ["x"]
        await feed.put("facts.bulk", did(ANN, "Paid", T0 + 2 * HOUR))
        await drive(context, conductor, T0 + 3 * DAY)
        assert [i["template"] for i in await sent(config)] == ["x"]


async def test_live_two_instances_and_a_document_that_cannot_be_read(config):
    """Timers fire and batches are shared under a free running clock; a broken document is buried and its neighbours rule."""
    chain = journey("j", wait("w", "1s"), send("x", **{"class": "service"}), on="Go")
    feed = Feed(config)
    await feed.documents(published("journey", {**chain, "key": "bad", "steps": []}), published("journey", chain))
    one, two = (config.model_copy(update={"instance": f"orchestrator-{n}"}) for n in range(2))
    people = [derive("live", n) for n in range(20)]
    async with running(one, service(config)) as (context,), running(two, service(config)):
        await until(lambda: ruling(context))
        await feed.put("facts", *(person(p, T0, "email:x@example.org") for p in people), *(did(p, "Go", T0 + 1) for p in people))

        async def all_sent() -> bool:
            return len({i["profile"] for i in await sent(config)}) == len(people)

        await until(all_sent, 30)
        buried = await rows(context, "SELECT topic, reason FROM dead_letter")
    assert [tuple(r) for r in buried] == [("definitions", "undecodable")]
    assert len(await sent(config)) == len(people)


async def ruling(context) -> bool:
    return bool(await rows(context, "SELECT FROM definition_current WHERE kind = 'journey'"))


async def test_facts_that_concern_no_journey_touch_no_table():
    """The index of events answers before anything is asked of the database."""
    from runtime.batch import Item, Tx
    from services.orchestrator.domain.book import build
    from services.orchestrator.handler import Handler, decode_fact

    class Record:
        value = encode(did(ANN, "Page Viewed", T0))

    book = build([published("journey", welcome())])

    class Known:
        async def at(self, *_: object):
            return book

    handler = Handler(12)
    handler._definitions = Known()
    handler._silence.begin(book, ())
    item = Item(("facts", 0), 5, decode_fact(Record()), Record.value, None, None, T0)
    tx = Tx(None, T0, 1, "orchestrator", {})
    assert await asyncio.wait_for(handler(tx, [item] * 100), 5) == []
