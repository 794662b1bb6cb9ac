"""The orchestrator on real Kafka and PostgreSQL under the driven clock: documents, facts, memberships and verdicts in, intents out."""

import asyncio

import msgspec

from runtime.drive import set_clock
from runtime.settings import Settings
from schemas.facts import PROFILE_MERGED, encode
from schemas.ids import derive
from services.orchestrator.__main__ import service
from tests.orchestrator.feed import ANN, BOB, CAT, Feed, did, drive, entered, person, sent, verdict
from tests.orchestrator.welcome import LEGAL_SEGMENT, welcome
from tests.orchestrator.world import DAY, HOUR, journey, published, send, wait
from tests.support.live import T0, driven, read, rows, running, until


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
    handler.definitions = Known()
    handler._silence.begin(book, ())
    item = Item(("facts", 0), 5, decode_fact(Record()), Record.value, None, None, T0)
    tx = Tx(None, T0, 1, "orchestrator", {})
    assert await asyncio.wait_for(handler(tx, [item] * 100), 5) == []
