"""What Telegram and VK tell of bots: `POST /hooks/{telegram,vk}/{bot}`. They are answered when the log has it, and ask again otherwise."""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from schemas.bots import Bot
from services.ingest.domain import MAX_PAYLOAD, Heard, Malformed, read_update

from . import wire
from .problems import Reply, problem

TELEGRAM, VK = "telegram", "vk"
_SECRET = b"x-telegram-bot-api-secret-token"
_TEXT = ((b"content-type", b"text/plain; charset=utf-8"),)
_JSON = ((b"content-type", b"application/json"),)
_OK = Reply(200, b"ok", _TEXT)
_UNKNOWN = problem(404, "bot_unknown", "There is no such bot, or the secret is not its own: GET /api/bots/{key}/url tells both.")
_NOT_ALLOWED = problem(405, "method_not_allowed", "Updates are sent by POST.")


class Takes(Protocol):
    """What the edge needs of the handler."""

    def bot(self, key: str) -> Bot | None: ...

    async def take(self, bot: Bot, number: str, body: Mapping[str, Any]) -> Heard: ...


class BotEdge:
    """secret_of: what a bot's provider has to show."""

    def __init__(self, updates: Takes, secret_of: Callable[[Bot], str]) -> None:
        self._updates, self._secret_of = updates, secret_of

    async def __call__(
        self, channel: str, key: str, method: str, headers: wire.Headers, receive: Callable[[], Awaitable[Any]]
    ) -> Reply:
        """Raises Malformed, Overloaded, Unavailable."""
        bot = self._updates.bot(key)
        if bot is None or bot.channel != channel:
            return _UNKNOWN
        if method != "POST":
            return _NOT_ALLOWED
        if channel == TELEGRAM and not self._knows(bot, headers.get(_SECRET, b"")):
            return _UNKNOWN  # before the body is read: whoever guesses costs nothing
        raw = await wire.body_of(headers, receive)
        body = read_update(raw) if len(raw) <= MAX_PAYLOAD else None
        if body is None:
            raise Malformed(
                "", "update_unreadable", "The update is no JSON object of at most 256 KB.", "send it as the provider does"
            )
        return await (self._telegram if channel == TELEGRAM else self._vk)(bot, body)

    async def _telegram(self, bot: Bot, body: Mapping[str, Any]) -> Reply:
        number = body.get("update_id")
        if type(number) is not int:
            raise Malformed("update_id", "wrong_type", "It is no whole number.", "send updates of Telegram's Bot API")
        heard = await self._updates.take(bot, str(number), body)
        if not heard.callback:
            return _OK
        # Telegram takes a call as the answer: the button stops to look as if it were pressed.
        answer = {"method": "answerCallbackQuery", "callback_query_id": heard.callback}
        return Reply(200, json.dumps(answer).encode(), _JSON)

    async def _vk(self, bot: Bot, body: Mapping[str, Any]) -> Reply:
        if body.get("group_id") != bot.group:
            return _UNKNOWN
        if body.get("type") == "confirmation":  # before it has been told our secret
            return Reply(200, bot.confirmation.encode(), _TEXT)
        if not self._knows(bot, str(body.get("secret", "")).encode()):
            return _UNKNOWN
        number = body.get("event_id")
        if not isinstance(number, str) or not 0 < len(number) <= 100:
            raise Malformed(
                "event_id", "wrong_type", "It is no text.", "choose the newest version of the API in the community's settings"
            )
        await self._updates.take(bot, number, body)
        return _OK

    def _knows(self, bot: Bot, shown: bytes) -> bool:
        return hmac.compare_digest(shown, self._secret_of(bot).encode())
