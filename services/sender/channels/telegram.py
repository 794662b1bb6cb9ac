"""Telegram bots: sendMessage, and what its answers mean. Telegram has no idempotency key: an unanswered request stays `unknown`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schemas.bots import Shown

from .contract import Outcome, Rendered, Result
from .http_client import HttpSettings
from .token_channel import Ask, TokenChannel

MAX_TEXT = 4096  # UTF-16 units
_OPTIONS = frozenset(
    {"parse_mode", "reply_markup", "link_preview_options", "disable_notification", "protect_content", "allow_paid_broadcast"}
)

# The description's beginning or a part of it, in order; texts are stable over years, codes alone do not tell a chat from a text.
_WORDS: tuple[tuple[int, str, Outcome, str], ...] = (
    (403, "user is deactivated", Outcome.PERMANENT_ADDRESS, "deactivated"),
    (403, "", Outcome.BLOCKED_BY_USER, "blocked"),
    (400, "chat not found", Outcome.PERMANENT_ADDRESS, "chat_not_found"),
    (400, "peer_id_invalid", Outcome.PERMANENT_ADDRESS, "chat_not_found"),
    (400, "user not found", Outcome.PERMANENT_ADDRESS, "chat_not_found"),
    (400, "upgraded to a supergroup", Outcome.PERMANENT_ADDRESS, "migrated"),
    (400, "chat_id is empty", Outcome.PERMANENT_ADDRESS, "chat_not_found"),
    (400, "", Outcome.PERMANENT_CONTENT, "bad_request"),
    (401, "", Outcome.AUTH, "unauthorized"),
    (404, "", Outcome.AUTH, "no_such_bot"),
    (409, "", Outcome.AUTH, "conflict"),
)


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    token: str = field(repr=False)
    base_url: str = "https://api.telegram.org"
    http: HttpSettings = field(default_factory=HttpSettings)


class TelegramChannel(TokenChannel):
    """A bot's messages."""

    def __init__(self, settings: TelegramSettings, monotonic: Callable[[], float] | None = None) -> None:
        super().__init__("telegram", settings.base_url, settings.http, monotonic)
        self._path = f"/bot{settings.token}/sendMessage"

    def ask(self, message: Rendered) -> Ask | Result:
        unfit = _unfit(message)
        return unfit if unfit is not None else Ask(self._path, _body(message))

    def read(self, status: int, body: dict[str, Any] | None) -> Result:
        return read_answer(status, body)


def _unfit(message: Rendered) -> Result | None:
    if not message.address.lstrip("-").isdecimal() or not message.address.isascii():
        return Result(Outcome.PERMANENT_ADDRESS, code="telegram:chat_id_syntax")
    if not message.text.strip() or len(message.text.encode("utf-16-le", "replace")) // 2 > MAX_TEXT:
        return Result(Outcome.PERMANENT_CONTENT, code="telegram:text_length")
    alien = set(message.options) - _OPTIONS
    if alien:
        return Result(Outcome.PERMANENT_CONTENT, code=f"telegram:option {min(alien)}")
    return None


def _body(message: Rendered) -> dict[str, Any]:
    body = {"chat_id": int(message.address), "text": message.text, **message.options}
    if message.buttons:
        body["reply_markup"] = {"inline_keyboard": [[_key(button)] for button in message.buttons]}
    return body


def _key(button: Shown) -> dict[str, str]:
    return {"text": button.text, "url": button.url} if button.url else {"text": button.text, "callback_data": button.press}


def read_answer(status: int, body: dict[str, Any] | None) -> Result:
    """Pure. An answer that Telegram itself gave (`ok` in it) is trusted; a proxy's 502 says nothing about the message."""
    if body is None or "ok" not in body:
        if 300 <= status < 400:
            return Result(Outcome.POLICY, code=f"telegram:redirect {status}")
        return Result(Outcome.UNKNOWN, code=f"telegram:{status} unreadable")
    if body["ok"] is True:
        found = body.get("result")
        number = found.get("message_id") if isinstance(found, dict) else None
        return Result(Outcome.ACCEPTED, str(number) if number is not None else None)
    return _refused(int(body.get("error_code", status)), body)


def _refused(code: int, body: dict[str, Any]) -> Result:
    if code == 429:
        seconds = (body.get("parameters") or {}).get("retry_after", 1)
        return Result(Outcome.THROTTLED, code="telegram:429", retry_after_ms=max(1, int(seconds)) * 1000)
    if code >= 500:
        return Result(Outcome.TRANSIENT, code=f"telegram:{code}")
    text = str(body.get("description", "")).lower()
    for wanted, words, outcome, reason in _WORDS:
        if code == wanted and words in text:
            return Result(outcome, code=f"telegram:{code} {reason}")
    return Result(Outcome.PERMANENT_CONTENT, code=f"telegram:{code}")
