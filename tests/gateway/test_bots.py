"""A bot as a document: every fault at once, what it mentions, and where its messenger is to tell its updates."""

from uuid import uuid4

import pytest

from schemas.bots import HEARD, NOT_RAISED
from schemas.consents import EVENTS
from services.gateway.domain.kinds import KINDS, read, text_of
from services.gateway.domain.problems import Problem
from services.gateway.domain.references import Standing, check
from services.profile.__main__ import service as profile
from tests.gateway.conftest import faults_of, open_site, problem_of
from tests.gateway.test_documents import DOCUMENTS
from tests.gateway.test_people import settled
from tests.support.live import fact, publish

BOT = KINDS["bot"]
QUIZ = DOCUMENTS["bots"]["dialogues"][0]


def bot(*steps, **more):
    dialogues = [{"key": "d", "steps": list(steps)}] if steps else []
    return {"brand": "shop", "channel": "telegram", "menu": {"text": "Hello"}, "dialogues": dialogues, **more}


def faults(body):
    with pytest.raises(Problem) as raised:
        read(BOT, "k", body)
    for fault in raised.value.faults:
        assert fault.told("en")["message"] and fault.told("ru")["message"]
    return {fault.path.removeprefix("dialogues.0."): fault.message or fault.code for fault in raised.value.faults}


ASK = {"id": "q", "ask": "?", "options": [{"text": "a"}]}
PRIVATE = {"id": "p", "ask": "?", "kind": "text", "private": True}


def test_every_fault_of_a_dialogue_is_told_at_once_with_its_place():
    found = faults(
        bot(
            {"id": "one", "say": "x", "next": "gone"},
            {"id": "one", "end": True},
            {"id": "q", "ask": "?"},
            {"id": "f", "if": {"answer": "nobody", "in": ["a"]}, "then": "away"},
            {"id": "s", "set": {"x": {"take": "answers.mail"}}},
            {"id": "q2", "ask": "?", "kind": "email", "options": [{"text": "a"}]},
        )
    )
    assert found.keys() == {
        "steps.0.next", "steps.1.id", "steps.2.options", "steps.3.if.answer", "steps.3.then", "steps.4.set.x", "steps.5.options",
    }  # fmt: skip


def test_a_dialogue_ends_or_asks():
    circle = {"id": "a", "say": "x"}, {"id": "b", "if": {"at_least": 1}, "then": "a", "else": "c"}, {"id": "c", "end": True}
    assert faults(bot(*circle)).keys() == {"steps.0.next", "steps.1.next"}
    assert text_of(read(BOT, "k", bot(*circle[:1], ASK, {"id": "again", "say": "y", "next": "a"})))["key"] == "k"


def test_what_is_said_at_once_fits_a_message():
    say = [{"id": f"s{n}", "say": "x" * 1000} for n in range(4)]
    assert faults(bot(*say)).keys() == {"steps.0.say"}
    assert text_of(read(BOT, "k", bot(*say[:2], ASK, *say[2:])))["dialogues"]
    branches = {"id": "f", "if": {"below": 1}, "then": "s0", "else": "s2"}
    assert text_of(read(BOT, "k", bot(branches, {**say[0], "next": "s1"}, {**say[1], "next": "s3"}, say[2], say[3])))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (bot(channel="vk"), "group"),
        (bot(start="gone"), "start"),
        (bot(menu={"text": "x", "buttons": [{"text": "a", "start": "gone"}]}), "menu.buttons.0.start"),
        (bot(menu={"text": "x", "buttons": [{"text": "a"}]}), "menu.buttons.0.start"),
        (bot(menu={"text": "x" * 1001}), "menu.text"),
        (bot(menu={"text": "{% if %}"}), "menu.text"),
        (bot({"id": "a", "say": "{{ x | shout }}"}), "steps.0.say"),
        (bot({"id": "a_b", "say": "x"}), "steps.0.id"),
        (bot({"id": "a", "subscribe": "news", "channels": ["fax"]}), "steps.0.channels.0"),
        (bot({"id": "a", "say": "x"}, {"id": "b", "subscribe": "news"}), "steps.1.subscribe"),
        *(
            (bot({"id": "a", "raise": event}), "steps.0.raise")
            for event in sorted({*NOT_RAISED, "Survey Answered", "Survey Completed"})
        ),
        *((bot({"id": "a", "raise": "Won", "properties": {n: 1}}), f"steps.0.properties.{n}") for n in ("run", "bot", "dialogue")),
        (bot({"id": "a", "raise": "Won", "properties": {"x": 2**63}}), "steps.0.properties.x.constrained-int"),
        (bot({"id": "a", "set": {"x": -(2**63) - 1}}), "steps.0.set.x.constrained-int"),
        (bot(PRIVATE, {"id": "a", "set": {"why": {"take": "answers.p"}}}), "steps.1.set.why"),
        (bot(PRIVATE, {"id": "a", "raise": "Asked", "properties": {"why": {"take": "answers.p"}}}), "steps.1.properties.why"),
        (bot({"id": "a", "say": "x", "wait": "2d"}), "steps.0.wait"),
        (bot({"id": "a", "what": 1}), "steps.0"),
        (bot({"id": "a", "if": {}, "then": None}), "steps.0.if.answer"),
        (bot({"id": "a", "if": {"answer": "q"}, "then": None}), "steps.0.if.in"),
        (bot({**ASK, "options": [{"text": "Yes"}, {"text": " yes "}]}), "steps.0.options"),
        (bot({**ASK, "options": [{"text": str(n)} for n in range(10)], "skip": "No"}), "steps.0.options"),
        (bot(dialogues=[{**QUIZ, "key": "x"}, {**QUIZ, "key": "y"}]), "dialogues.1.words.0"),
        (bot(dialogues=[QUIZ, {**QUIZ, "words": []}]), "dialogues"),
        (bot(dialogues=[{**QUIZ, "expires": "soon"}]), "expires"),
    ],
)
def test_each_fault_has_its_place(body, path):
    assert path in faults(body)


def test_words_of_consent_and_of_the_messenger_are_not_raised():
    assert HEARD | EVENTS | {"Bot Blocked", "Bot Unblocked"} <= NOT_RAISED
    whole = {"id": "a", "raise": "Won", "properties": {"x": 2**63 - 1, "y": -(2**63), "written": {"take": "answers.p"}}}
    assert text_of(read(BOT, "k", bot(PRIVATE, whole, {"id": "f", "if": {"answer": "p", "in": ["a"]}})))["dialogues"]


def test_topics_and_the_brand_must_be_published():
    document = read(
        BOT, "k", bot(ASK, {"id": "a", "subscribe": "news"}, {"id": "b", "unsubscribe": "*"}, {"id": "c", "unsubscribe": "old"})
    )
    world = {("brand", "shop"): Standing(1, "shop", frozenset()), ("topic", "old"): Standing(1, "other", frozenset())}
    assert [(f.path, f.code) for f in check("bot", "k", document, world)] == [
        ("dialogues.0.steps.1.subscribe", "unknown_reference"),
        ("dialogues.0.steps.3.unsubscribe", "other_brand"),
    ]
    assert [f.path for f in check("bot", "k", document, {})] == [
        "brand",
        "dialogues.0.steps.1.subscribe",
        "dialogues.0.steps.3.unsubscribe",
    ]


async def test_where_updates_are_told(site):
    await site.publish("brands", {"key": "shop", "name": "Shop"})
    body = {"key": "told", **DOCUMENTS["bots"]}
    await site.publish("bots", body)
    first = (await site.http.get("/api/bots/told/url")).json()
    assert first["url"].endswith(first["path"]) and first["path"] == "/hooks/telegram/told" and len(first["secret"]) == 32
    await site.publish("bots", {**body, "secret_version": 2})
    assert (await site.http.get("/api/bots/told/url")).json()["secret"] != first["secret"]
    problem_of(await site.http.get("/api/bots/gone/url"), 404, "document_not_found")
    reader = await site.new_key("read")
    problem_of(await site.as_key("GET", "/api/bots/told/url", reader), 403, "scope_missing")
    problem_of(await site.as_key("GET", "/api/bots/told/start?profile=x", reader), 403, "scope_missing")
    other = await site.new_key("admin", "write", brands=("other",))
    problem_of(await site.as_key("GET", "/api/bots/told/url", other), 403, "brand_forbidden")


async def test_a_link_for_one_person_is_made_for_who_may_know_of_him_and_is_in_the_audit(config):
    ann, zoe = "user_id:ann", "user_id:zoe"
    async with open_site(config, profile()) as site:
        for brand in ("shop", "other"):
            await site.publish("brands", {"key": brand, "name": brand})
        await site.publish("bots", {"key": "told", **DOCUMENTS["bots"]})
        await publish(config, [fact("1", ann), fact("2", zoe, brand="other")])
        await settled(site)
        people = {one: (await site.http.get("/api/profiles", params={"identifier": one})).json() for one in (ann, zoe)}
        id_ = {one: person["id"] for one, person in people.items()}

        async def start(key, person, dialogue=""):
            return await site.as_key("GET", f"/api/bots/told/start?profile={person}&dialogue={dialogue}", key)

        shop = await site.new_key("write", brands=("shop",))
        assert (await start(shop, id_[ann], "quiz")).json()["start"].startswith("quiz__p")
        assert faults_of(await start(shop, id_[ann], "x")) == {("dialogue", "value")}
        for nobody in (id_[zoe], str(uuid4()), "ann", ".."):
            problem_of(await start(shop, nobody), 404, "profile_not_found")
        assert (await start(await site.new_key("write"), id_[zoe])).json()["start"]
        made = [one for one in (await site.http.get("/api/audit")).json()["items"] if one["action"] == "start"]
        assert [(one["what"], one["detail"]) for one in made] == [("bot told", {"profile": id_[one]}) for one in (zoe, ann)]
