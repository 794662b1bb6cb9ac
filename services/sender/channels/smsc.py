"""SMS through SMSC.ru: send, poll, and read its callbacks.

SMSC takes our own id, yet does not refuse a second message with the same one: it serves to ask what became of a message, not to repeat it.
So an unanswered request stays `unknown` until a poll by (phone, id) tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from .addresses import AddressError, phone
from .contract import Delivery, DeliveryStatus, Outcome, Rendered, Result, Started
from .http_client import HttpSettings, client, json_object, post

# error_code in the body of an HTTP 200. Money and passwords stop the channel and cost no address.
_ERRORS: dict[int, tuple[Outcome, str]] = {
    1: (Outcome.PERMANENT_CONTENT, "parameters"),
    2: (Outcome.AUTH, "login"),
    3: (Outcome.POLICY, "no_funds"),
    4: (Outcome.AUTH, "ip_blocked"),
    5: (Outcome.PERMANENT_CONTENT, "date_format"),
    6: (Outcome.PERMANENT_CONTENT, "forbidden_text_or_sender"),
    7: (Outcome.PERMANENT_ADDRESS, "phone_format"),
    8: (Outcome.PERMANENT_ADDRESS, "undeliverable"),
    9: (Outcome.THROTTLED, "too_many_requests"),
}
_TOO_MANY_WAIT_MS = 60_000  # the provider's own window

_P, _F = DeliveryStatus.PENDING, DeliveryStatus.FAILED
_STATUSES: dict[int, tuple[DeliveryStatus, Outcome | None, str]] = {
    -3: (_P, None, "not_found"),
    -2: (_P, None, "stopped"),
    -1: (_P, None, "queued"),
    0: (_P, None, "with_operator"),
    1: (DeliveryStatus.DELIVERED, None, "delivered"),
    2: (DeliveryStatus.READ, None, "read"),
    3: (_F, Outcome.TRANSIENT, "expired"),
    4: (DeliveryStatus.READ, None, "link_clicked"),
    20: (_F, Outcome.TRANSIENT, "undeliverable"),
    22: (_F, Outcome.PERMANENT_ADDRESS, "bad_number"),
    23: (_F, Outcome.POLICY, "forbidden"),
    24: (_F, Outcome.POLICY, "no_funds"),
    25: (_F, Outcome.TRANSIENT, "unreachable"),
}


@dataclass(frozen=True, slots=True)
class SmscSettings:
    """apikey, or login and password. validity_h: how long the operator tries."""

    apikey: str = field(default="", repr=False)
    login: str = ""
    password: str = field(default="", repr=False)
    base_url: str = "https://smsc.ru"
    validity_h: int = 24
    http: HttpSettings = field(default_factory=HttpSettings)

    def credentials(self) -> dict[str, str]:
        return {"apikey": self.apikey} if self.apikey else {"login": self.login, "psw": self.password}


class SmscChannel:
    """`Rendered.key` becomes SMSC's own id of the message (see `provider_id`); `Rendered.sender` is the registered name."""

    def __init__(self, settings: SmscSettings) -> None:
        self.connections = settings.http.connections
        self._settings = settings
        self._http: httpx.AsyncClient = client(settings.base_url, settings.http)

    async def send(self, message: Rendered, started: Started | None = None) -> Result:
        try:
            number = phone(message.address)
        except AddressError:
            return Result(Outcome.PERMANENT_ADDRESS, code="smsc:phone_syntax")
        if not message.text.strip():
            return Result(Outcome.PERMANENT_CONTENT, code="smsc:empty")
        body = {
            **self._settings.credentials(),
            "phones": number,
            "mes": message.text,
            "id": provider_id(message.key),
            "valid": self._settings.validity_h,
            "charset": "utf-8",
            "fmt": 3,
            "cost": 3,
        }
        if message.sender:
            body["sender"] = message.sender
        answer = await post(self._http, "/rest/send/", body, started)
        return answer if isinstance(answer, Result) else read_answer(answer.status_code, json_object(answer))

    async def poll(self, key: str, address: str) -> Delivery | None:
        """What became of a message; None when SMSC could not be asked, "not_found" (PENDING) when it does not know it."""
        body = {**self._settings.credentials(), "phone": phone(address), "id": provider_id(key), "fmt": 3, "all": 0}
        answer = await post(self._http, "/rest/status/", body, None)
        found = None if isinstance(answer, Result) else json_object(answer)
        return read_status(provider_id(key), found) if found is not None else None

    async def close(self) -> None:
        await self._http.aclose()


def provider_id(key: str) -> str:
    """At most 40 characters of `[A-Za-z0-9._-]`: a uuid fits as it is."""
    kept = "".join(character if character.isascii() and (character.isalnum() or character in "._-") else "-" for character in key)
    if not kept or len(kept) > 40:
        raise ValueError("smsc: the idempotency key must have 1 to 40 characters")
    return kept


def read_answer(status: int, body: Mapping[str, Any] | None) -> Result:
    """Pure. An error is an HTTP 200 with `error_code` in its body."""
    if body is not None and "error_code" in body:
        code = _number(body["error_code"])
        outcome, reason = _ERRORS.get(code, (Outcome.POLICY, "error"))
        wait = _TOO_MANY_WAIT_MS if outcome is Outcome.THROTTLED else None
        return Result(outcome, code=f"smsc:{code} {reason}", retry_after_ms=wait)
    if status == 200 and body is not None and "id" in body:
        return Result(Outcome.ACCEPTED, str(body["id"]))
    if status == 429:
        return Result(Outcome.THROTTLED, code="smsc:http 429", retry_after_ms=_TOO_MANY_WAIT_MS)
    if 300 <= status < 500:
        return Result(Outcome.POLICY, code=f"smsc:http {status}")
    return Result(Outcome.UNKNOWN, code=f"smsc:http {status} unreadable")


def read_status(provider_id: str, body: Mapping[str, Any]) -> Delivery | None:
    """Pure: a poll's answer. None for an error about the question itself (a wrong password says nothing about the message)."""
    if "status" not in body:
        return None
    status, outcome, reason = _STATUSES.get(_number(body["status"]), (_P, None, "other"))
    seconds = _number(body.get("last_timestamp", 0))
    return Delivery(
        provider_id, status, seconds * 1000 if seconds > 0 else None, f"smsc:{_number(body['status'])} {reason}", outcome
    )


def parse_callback(form: Mapping[str, str]) -> Delivery | None:
    """A status callback's fields. Its signature is not relied on: ask `poll` before acting on a failure."""
    if not form.get("id") or "status" not in form:
        return None
    return read_status(provider_id(form["id"]), {"status": form["status"], "last_timestamp": form.get("ts", 0)})


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -100
