"""What Telegram and VK tell of a bot, as facts. Pure.

One update is one fact (a block is two, as it is a no as well), and its id derives from the provider's own: told again it is the same.
What is said in groups, edited, or of no interest to a dialogue makes none.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas.bots import BLOCKED, BUTTON, IDENTIFIER, MESSAGE, STARTED, UNBLOCKED, Bot
from schemas.facts import Fact
from schemas.identifiers import normalise
from schemas.ids import derive
from schemas.starts import Start

from . import moments
from .values import Refusal

MOST_CHARS = 4096
LATE_MS = 60_000  # the provider's times are whole seconds: they count only for what comes later than this
Reads = Callable[[str], Start]


class Heard(NamedTuple):
    """callback: the id of a press that Telegram shows as waiting until it is answered."""

    facts: list[Fact]
    callback: str = ""


class Update(NamedTuple):
    """One update and where it comes in. number: the provider's id of it; read_start: what a deep link's payload says."""

    bot: Bot
    body: Mapping[str, Any]
    number: str
    now: int
    driven: bool
    read_start: Reads

    def fact(self, chat: Any, event: str, date: Any = None, *, device: str = "", **properties: Any) -> list[Fact]:
        """[] where the chat is nobody's."""
        kind = IDENTIFIER[self.bot.channel]
        clean = normalise(kind, chat)
        if clean is None:
            return []
        named = [f"{kind}:{clean}"]
        if (known := normalise("anonymous_id", device)) is not None:
            named.append(f"anonymous_id:{known}")
        source = self.bot.told_by()
        occurred_at, received_at = self._when(date)
        made = Fact(
            id=derive(source, self.number, event),
            type="track",
            event=event,
            brand=self.bot.brand,
            source=source,
            occurred_at=occurred_at,
            received_at=received_at,
            identifiers=tuple(named),
            properties={"bot": self.bot.key, "channel": self.bot.channel, **properties},
        )
        return [made]

    def started(self, chat: Any, payload: str, date: Any = None) -> list[Fact]:
        """The beginning. Whom a token names is told before, as a fact of its own: it is dropped where there is no such person any more."""
        said = self.read_start(payload)
        more = {name: value for name, value in (("word", said.word), ("mark", said.mark)) if value}
        made = self.fact(chat, STARTED, date, device=said.device, **more)
        if not made or not said.person:
            return made
        known = {"id": derive(made[0].id, "known"), "type": "identify", "event": "", "properties": {}, "about": said.person}
        return [replace(made[0], **known), *made]

    def _when(self, date: Any) -> tuple[int, int]:
        at = moments.parse(date)
        if at is None or at > self.now - LATE_MS:
            return self.now, self.now
        try:
            return moments.settle(date, None, self.now, driven=self.driven)
        except Refusal:
            return self.now, self.now

    def blocked(self, chat: Any) -> list[Fact]:
        """He wants nothing more by this way: that is a word of consent too."""
        evidence = {"bot": self.bot.key, "update": self.number}
        return [*self.fact(chat, BLOCKED), *self.fact(chat, "Consent Withdrawn", topic="*", evidence=evidence)]


def read_update(body: bytes) -> dict[str, Any] | None:
    """The update's JSON with texts that any store can hold; None where it is no object, or nested too deep."""
    try:
        found = json.loads(body)
        return _clean(found) if isinstance(found, dict) else None
    except (ValueError, RecursionError):
        return None


def telegram(update: Update) -> Heard:
    """https://core.telegram.org/bots/api#update"""
    body = update.body
    if press := _object(body, "callback_query"):
        message, said = _object(press, "message"), str(press.get("data", ""))[:64]
        chat = _private(message)
        return Heard(update.fact(chat, BUTTON, pressed=said) if said else [], str(press.get("id", ""))[:64])
    if moved := _object(body, "my_chat_member"):
        chat, status = _private(moved), _object(moved, "new_chat_member").get("status")
        if status in ("kicked", "left"):
            return Heard(update.blocked(chat))
        return Heard(update.fact(chat, UNBLOCKED, moved.get("date")) if status == "member" else [])
    message = _object(body, "message")
    return Heard(_telegram_message(update, message) if message else [])


def _telegram_message(update: Update, message: Mapping[str, Any]) -> list[Fact]:
    chat, text = _private(message), _text(message)
    word, _, payload = text.partition(" ")
    if word == "/start":
        return update.started(chat, payload.strip(), message.get("date"))
    contact = _object(message, "contact")
    if contact and contact.get("user_id") == chat:  # his own, which Telegram has verified; another one's is somebody else
        text = str(contact.get("phone_number", ""))[:40]
    return update.fact(chat, MESSAGE, message.get("date"), **({"written": text} if text else {}))


def vk(update: Update) -> Heard:
    """https://dev.vk.com/ru/api/community-events/json-schema"""
    inner, kind = _object(update.body, "object"), update.body.get("type")
    if kind == "message_deny":
        return Heard(update.blocked(inner.get("user_id")))
    if kind == "message_allow":
        return Heard(update.fact(inner.get("user_id"), UNBLOCKED))
    return Heard(_vk_message(update, _object(inner, "message") or inner) if kind == "message_new" else [])


def _vk_message(update: Update, message: Mapping[str, Any]) -> list[Fact]:
    chat, date = message.get("from_id"), message.get("date")
    if message.get("peer_id", chat) != chat:  # a conversation of several
        return []
    said = _payload(message.get("payload"))
    if said.get("command") == "start" or message.get("ref"):
        return update.started(chat, str(message.get("ref") or ""), date)
    if isinstance(said.get("press"), str):
        return update.fact(chat, BUTTON, date, pressed=said["press"][:64])
    text = _text(message)
    return update.fact(chat, MESSAGE, date, **({"written": text} if text else {}))


def _payload(text: Any) -> dict[str, Any]:
    """What the button of a message carries: JSON in a text."""
    found = read_update(text.encode()) if isinstance(text, str) else text
    return found if isinstance(found, dict) else {}


def _private(of: Mapping[str, Any]) -> Any:
    """The id of a chat with one person, None for a group."""
    chat = _object(of, "chat")
    return chat.get("id") if chat.get("type") == "private" else None


def _text(message: Mapping[str, Any]) -> str:
    text = message.get("text")
    return text.strip()[:MOST_CHARS] if isinstance(text, str) else ""


def _object(of: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _clean(node: Any) -> Any:
    """Without NUL and halves of surrogate pairs, which PostgreSQL and UTF-8 do not take."""
    if isinstance(node, str):
        return node.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(node, dict):
        return {_clean(name): _clean(value) for name, value in node.items()}
    return [_clean(value) for value in node] if isinstance(node, list) else node
