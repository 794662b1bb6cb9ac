"""Updates of Telegram and VK: what is made a fact of, by whom it may be told, and when it is answered."""

import json
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.poison import Vault
from schemas.bots import Bot
from schemas.ids import derive
from schemas.starts import Start, person_start
from services.ingest.api import Overloaded, Unavailable, app
from services.ingest.api.bots import BotEdge
from services.ingest.api.hooks import HookEdge
from services.ingest.domain import MAX_PAYLOAD, Update, read_update, telegram, vk
from services.ingest.handler.bots import Updates
from tests.ingest.conftest import NOW, MemoryBuried, MemoryLog

ANN = "6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11"
VAULT = Vault("secret")
MENU = {"text": "Hello"}
TELEGRAM = Bot.model_validate({"key": "tg", "brand": "shop", "channel": "telegram", "menu": MENU})
VK = Bot.model_validate({"key": "community", "brand": "shop", "channel": "vk", "group": 5, "confirmation": "5bb2", "menu": MENU})
CHAT = {"chat": {"id": 77, "type": "private"}, "from": {"id": 77}}
SECONDS = NOW // 1000


def read_start(payload: str) -> Start:
    return {"known": Start("quiz", person=ANN), "device": Start("quiz", device="d1")}.get(payload, Start(payload))


def told(body, bot=TELEGRAM, now=NOW, driven=False):
    reader = telegram if bot is TELEGRAM else vk
    return reader(Update(bot, read_update(json.dumps(body).encode()), "9", now, driven, read_start))


def said(heard):
    return [(fact.event or fact.type, fact.identifiers, {k: v for k, v in fact.properties.items() if k not in ("bot", "channel")})
            for fact in heard.facts]  # fmt: skip


def message(text=None, **more):
    return {"message": {**CHAT, "date": SECONDS, **({"text": text} if text is not None else {}), **more}}


ME = ("telegram_id:77",)
BLOCK = {"evidence": {"bot": "tg", "update": "9"}, "topic": "*"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (message("hello"), [("Bot Message", ME, {"written": "hello"})]),
        (message(), [("Bot Message", ME, {})]),
        (message("/start"), [("Bot Started", ME, {})]),
        (message("/start quiz"), [("Bot Started", ME, {"word": "quiz"})]),
        (message("/start device"), [("Bot Started", (*ME, "anonymous_id:d1"), {"word": "quiz"})]),
        (message("/start known"), [("identify", ME, {}), ("Bot Started", ME, {"word": "quiz"})]),
        (message("/starting"), [("Bot Message", ME, {"written": "/starting"})]),
        (message(contact={"phone_number": "+79161234567", "user_id": 77}), [("Bot Message", ME, {"written": "+79161234567"})]),
        (message(contact={"phone_number": "+79161234567", "user_id": 78}), [("Bot Message", ME, {})]),
        ({"callback_query": {"id": "c1", "from": {"id": 77}, "message": CHAT, "data": "s:quiz"}}, [("Bot Button", ME, {"pressed": "s:quiz"})]),
        ({"my_chat_member": {**CHAT, "new_chat_member": {"status": "kicked"}}}, [("Bot Blocked", ME, {}), ("Consent Withdrawn", ME, BLOCK)]),
        ({"my_chat_member": {**CHAT, "new_chat_member": {"status": "member"}}}, [("Bot Unblocked", ME, {})]),
        ({"message": {"chat": {"id": -5, "type": "group"}, "from": {"id": 77}, "text": "hi"}}, []),
        ({"edited_message": {**CHAT, "text": "hi"}}, []),
        ({"poll": {"id": "1"}}, []),
    ],
)  # fmt: skip
def test_what_telegram_tells(body, expected):
    assert said(told(body)) == expected


def in_vk(kind, **inner):
    return {"type": kind, "object": inner, "group_id": 5, "event_id": "9"}


def wrote(**more):
    return in_vk("message_new", message={"from_id": 88, "peer_id": 88, "date": SECONDS, "text": "", **more})


HE = ("vk_id:88",)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (wrote(text="hello"), [("Bot Message", HE, {"written": "hello"})]),
        (wrote(text="Play", payload='{"press":"s:quiz"}'), [("Bot Button", HE, {"pressed": "s:quiz"})]),
        (wrote(text="Play", payload='{"press":"a\\u0000b"}'), [("Bot Button", HE, {"pressed": "ab"})]),
        (wrote(text="Begin", payload='{"command":"start"}'), [("Bot Started", HE, {})]),
        (wrote(text="hi", ref="quiz"), [("Bot Started", HE, {"word": "quiz"})]),
        (wrote(text="hi", ref="known"), [("identify", HE, {}), ("Bot Started", HE, {"word": "quiz"})]),
        (wrote(text="hi", payload="{"), [("Bot Message", HE, {"written": "hi"})]),
        (wrote(text="hi", peer_id=2_000_000_001), []),
        (wrote(text="hi", from_id=-5, peer_id=-5), []),
        (in_vk("message_deny", user_id=88), [("Bot Blocked", HE, {}), ("Consent Withdrawn", HE, {**BLOCK, "evidence": {"bot": "community", "update": "9"}})]),
        (in_vk("message_allow", user_id=88), [("Bot Unblocked", HE, {})]),
        (in_vk("wall_post_new", id=1), []),
    ],
)  # fmt: skip
def test_what_vk_tells(body, expected):
    assert said(told(body, VK)) == expected


def test_a_fact_is_the_bots_own_and_the_same_when_it_is_told_again():
    (one,), (again,) = told(message("hi")).facts, told(message("hi"), now=NOW + 5).facts
    assert one.id == again.id == derive("bot.tg", "9", "Bot Message")
    assert (one.source, one.brand, one.properties["channel"], one.about) == ("bot.tg", "shop", "telegram", None)
    known, started = told(message("/start known")).facts
    assert (known.about, started.about) == (ANN, None), "the start counts, whether there is such a person or not"


def test_the_providers_seconds_count_only_for_what_comes_late():
    """In one second somebody may press and write: rounded down, what he wrote last would be the older word."""
    assert [told(message("hi"), now=NOW + 999).facts[0].occurred_at] == [NOW + 999]
    late = told(message("hi"), now=NOW + 3_600_000).facts[0]
    assert (late.occurred_at, late.received_at) == (NOW, NOW + 3_600_000)
    assert told(message("hi", date="soon")).facts[0].occurred_at == NOW
    assert told(message("hi", date=0)).facts[0].occurred_at == NOW


TEXTS = st.text(st.characters(exclude_categories=()) | st.just("\x00"), max_size=5)  # halves of surrogate pairs too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | st.sampled_from([77, 88, "private", "known", "/start known"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
REAL = [
    (TELEGRAM, message("/start known", contact={"phone_number": "+79161234567", "user_id": 77})),
    (TELEGRAM, {"callback_query": {"id": "c1", "from": {"id": 77}, "message": CHAT, "data": "s:quiz"}}),
    (TELEGRAM, {"my_chat_member": {**CHAT, "new_chat_member": {"status": "kicked"}}}),
    (VK, wrote(text="hi", ref="known", payload='{"press":"s:quiz"}')),
    (VK, in_vk("message_deny", user_id=88)),
]


def places(body, path=()):
    """Where something stands in an update."""
    for name, inner in body.items():
        yield (*path, name)
        if isinstance(inner, dict):
            yield from places(inner, (*path, name))


def put(body, path, value):
    name, *rest = path
    return {**body, name: put(body[name], rest, value) if rest else value}


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(REAL), st.data())
def test_whatever_stands_in_an_update_makes_facts_or_none(real, data):
    """One place of a real one holds something else; what is told stays somebody's, and fits every store."""
    bot, body = real
    assert told(body, bot).facts
    changed = put(body, data.draw(st.sampled_from(list(places(body)))), data.draw(VALUES))
    for fact in told(changed, bot).facts:
        assert fact.identifiers and "\x00" not in json.dumps([fact.properties, fact.identifiers, fact.attributes])
        json.dumps([fact.properties, fact.identifiers], ensure_ascii=False).encode()


def test_texts_that_no_store_takes_are_mended():
    body = b'{"message": {"chat": {"id": 77, "type": "private"}, "text": "a\\u0000b\\ud800"}}'
    (fact,) = telegram(Update(TELEGRAM, read_update(body), "9", NOW, False, read_start)).facts
    assert fact.properties["written"] == "ab?"
    assert read_update(b"[" * 100_000) is None and read_update(b"[]") is None


@pytest.mark.parametrize("depth", range(100, 1_200, 50))
def test_a_nested_update_is_read_or_is_none(depth):
    """json.loads goes deeper than what mends its texts."""
    read_update(b'{"a":' * depth + b"1" + b"}" * depth)


class Site:
    """The edge with two bots, and a log in memory."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        bots = {"tg": TELEGRAM, "community": VK}
        edge = BotEdge(Updates(bots, VAULT, self.log, self.now, 4), lambda bot: f"secret of {bot.key}")
        hooks = HookEdge(None, lambda _: "", edge)
        site = app(self.log, MemoryBuried(), {}.get, self.now, hooks=hooks)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://ingest")

    async def now(self):
        return NOW, False

    async def telegram(self, body, secret="secret of tg", key="tg"):
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        return await self.http.post(
            f"/hooks/telegram/{key}", content=body if isinstance(body, bytes) else json.dumps(body), headers=headers
        )

    async def vk(self, body, secret="secret of community", **more):
        return await self.http.post("/hooks/vk/community", json={"group_id": 5, "event_id": "e1", "secret": secret, **body, **more})


@pytest.fixture
async def site():
    made = Site()
    async with made.http:
        yield made


async def test_telegram_has_to_show_the_secret_and_is_answered_when_the_log_has_it(site):
    update = {"update_id": 9, **message("hi")}
    for secret, key in (("", "tg"), ("wrong", "tg"), ("secret of tg", "community"), ("secret of tg", "other")):
        answer = await site.telegram(update, secret, key)
        assert (answer.status_code, answer.json()["code"]) == (404, "bot_unknown")
    for broken, path in ((b"{", ""), (b"x" * (MAX_PAYLOAD + 1), ""), ({**update, "update_id": "9"}, "update_id")):
        answer = await site.telegram(broken)
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, path), answer.text
    assert site.log.facts == []
    answer = await site.telegram(update)
    assert (answer.status_code, answer.text) == (200, "ok") and [f.event for f in site.log.facts] == ["Bot Message"]
    assert (await site.http.get("/hooks/telegram/tg")).status_code == 405
    for error, status in ((Unavailable(), 503), (Overloaded(7), 429)):
        site.log.fails = error
        assert (await site.telegram(update)).status_code == status, "it will tell it again"


async def test_a_press_is_answered_so_that_the_button_looks_pressed_no_more(site):
    answer = await site.telegram({"update_id": 9, "callback_query": {"id": "c1", "message": CHAT, "data": "s:quiz"}})
    assert answer.json() == {"method": "answerCallbackQuery", "callback_query_id": "c1"}


async def test_vk_is_told_the_confirmation_and_shows_the_secret_with_everything_else(site):
    answer = await site.http.post("/hooks/vk/community", json={"type": "confirmation", "group_id": 5})
    assert (answer.status_code, answer.text) == (200, "5bb2")
    assert (await site.http.post("/hooks/vk/community", json={"type": "confirmation", "group_id": 6})).status_code == 404
    for wrong in ({"secret": "wrong"}, {"secret": None}, {"group_id": 6}):
        assert (await site.vk(wrote(text="hi"), **wrong)).status_code == 404
    assert (await site.vk(wrote(text="hi"), event_id=None)).status_code == 400
    assert site.log.facts == []
    answer = await site.vk(wrote(text="hi"), event_id="e7")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert [f.id for f in site.log.facts] == [derive("bot.community", "e7", "Bot Message")]


async def test_a_link_that_was_made_for_somebody_is_read_with_the_installations_secret(site):
    start = person_start(VAULT, ANN, NOW, "quiz")
    await site.telegram({"update_id": 9, **message(f"/start {start}")})
    known, started = site.log.facts
    assert (known.type, known.about) == ("identify", ANN) and started.properties == {
        "bot": "tg",
        "channel": "telegram",
        "word": "quiz",
    }
    assert start[-16:] not in str(site.log.records), "the token itself is a secret"


def test_the_ready_bots_are_bots():
    import yaml

    for file in sorted((Path(__file__).parents[2] / "deploy" / "bots").glob("*.yaml")):
        bodies = [one["body"] for one in yaml.safe_load(file.read_text(encoding="utf-8"))["documents"] if one["kind"] == "bot"]
        assert [Bot.model_validate(body).brand for body in bodies] == ["shop"]
