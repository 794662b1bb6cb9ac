"""Messages of a VK community: messages.send, and what its answers mean. Its `random_id` makes a repeat within an hour the same message."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.bots import Shown

from .contract import Outcome, Rendered, Result
from .http_client import HttpSettings
from .token_channel import Ask, TokenChannel

VERSION = "5.199"
MAX_TEXT = 4096  # characters
ROWS = 6  # of an inline keyboard: more buttons than these stand two in a row
FLOOD_MS = 60_000  # 9: so many messages of one kind; VK does not say for how long it goes on

# https://dev.vk.com/ru/reference/errors and the errors of messages.send. What is not here is taken for a fault of the message.
_CODES: Mapping[int, tuple[Outcome, str]] = {
    1: (Outcome.TRANSIENT, "unknown"),
    5: (Outcome.AUTH, "authorization"),
    6: (Outcome.THROTTLED, "too_many"),
    7: (Outcome.AUTH, "permission"),
    9: (Outcome.THROTTLED, "flood"),
    10: (Outcome.TRANSIENT, "internal"),
    14: (Outcome.POLICY, "captcha"),
    15: (Outcome.AUTH, "access"),
    17: (Outcome.AUTH, "validation"),
    18: (Outcome.PERMANENT_ADDRESS, "deleted"),
    27: (Outcome.AUTH, "group_authorization"),
    28: (Outcome.AUTH, "application_authorization"),
    29: (Outcome.THROTTLED, "rate_limit"),
    113: (Outcome.PERMANENT_ADDRESS, "user_id"),
    900: (Outcome.PERMANENT_ADDRESS, "blacklisted"),
    901: (Outcome.BLOCKED_BY_USER, "no_permission"),
    902: (Outcome.BLOCKED_BY_USER, "privacy"),
    936: (Outcome.PERMANENT_ADDRESS, "contact_not_found"),
}
_WAITS = {6: 1000, 9: FLOOD_MS, 29: FLOOD_MS}


@dataclass(frozen=True, slots=True)
class VkSettings:
    """token: of the community, with the right to its messages."""

    token: str = field(repr=False)
    base_url: str = "https://api.vk.com"
    http: HttpSettings = field(default_factory=HttpSettings)


class VkChannel(TokenChannel):
    """A community's messages."""

    def __init__(self, settings: VkSettings, monotonic: Callable[[], float] | None = None) -> None:
        super().__init__("vk", settings.base_url, settings.http, monotonic)
        self._token = settings.token

    def ask(self, message: Rendered) -> Ask | Result:
        unfit = _unfit(message)
        if unfit is not None:
            return unfit
        return Ask("/method/messages.send", {**_body(message), "access_token": self._token, "v": VERSION}, form=True)

    def read(self, status: int, body: dict[str, Any] | None) -> Result:
        return read_answer(status, body)


def _unfit(message: Rendered) -> Result | None:
    if not message.address.isdecimal() or not message.address.isascii():
        return Result(Outcome.PERMANENT_ADDRESS, code="vk:user_id_syntax")
    if not message.text.strip() or len(message.text) > MAX_TEXT:
        return Result(Outcome.PERMANENT_CONTENT, code="vk:text_length")
    if message.options:
        return Result(Outcome.PERMANENT_CONTENT, code=f"vk:option {min(message.options)}")
    return None


def _body(message: Rendered) -> dict[str, Any]:
    body: dict[str, Any] = {"peer_id": message.address, "message": message.text, "random_id": random_id(message.key)}
    if message.buttons:
        body["keyboard"] = json.dumps({"inline": True, "buttons": _rows(message.buttons)}, ensure_ascii=False)
    return body


def _rows(buttons: Sequence[Shown]) -> list[list[dict[str, Any]]]:
    wide = 1 if len(buttons) <= ROWS else 2
    keys = [{"action": _action(button)} for button in buttons]
    return [keys[place : place + wide] for place in range(0, len(keys), wide)]


def _action(button: Shown) -> dict[str, str]:
    """A button of text comes back as a message with its payload, so that nothing has to be called to answer a press."""
    if button.url:
        return {"type": "open_link", "label": button.text, "link": button.url}
    return {"type": "text", "label": button.text, "payload": json.dumps({"press": button.press})}


def random_id(key: str) -> int:
    """The intent's key as VK takes one: 1 to 2^31 - 1."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % (2**31 - 1) + 1


def read_answer(status: int, body: dict[str, Any] | None) -> Result:
    """Pure. VK answers its errors with 200; anything that is neither its response nor its error says nothing about the message."""
    if body is not None and isinstance(body.get("error"), dict):
        return _refused(body["error"])
    if body is not None and isinstance(body.get("response"), int):
        return Result(Outcome.ACCEPTED, str(body["response"]))
    if 300 <= status < 400:
        return Result(Outcome.POLICY, code=f"vk:redirect {status}")
    return Result(Outcome.UNKNOWN, code=f"vk:{status} unreadable")


def _refused(error: dict[str, Any]) -> Result:
    found = error.get("error_code")
    code = found if isinstance(found, int) else 0
    outcome, reason = _CODES.get(code, (Outcome.PERMANENT_CONTENT, "refused"))
    return Result(outcome, code=f"vk:{code} {reason}", retry_after_ms=_WAITS.get(code))
