"""What every channel adapter takes and gives: the sender's ledger knows nothing else about a provider."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from schemas.bots import Shown
from services.sender.domain import Outcome as Outcome  # noqa: PLC0414  (it is part of this contract)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message to one address, ready to be sent. Personal fields stay out of its repr, so that it may stand in a log.

    key: the intent's idempotency key. address: an e-mail address, a phone in E.164, a chat id. message_id: e-mail Message-ID without
    angle brackets. sender: From address or the registered SMS name. return_path: envelope sender of an e-mail (default: sender).
    date_ms: UTC, for the Date header. buttons: under a message of a messenger. options: what one channel alone understands (Telegram:
    parse_mode).
    """

    key: str
    address: str = field(repr=False)
    text: str = field(repr=False)
    message_id: str = ""
    name: str = field(default="", repr=False)
    sender: str = ""
    sender_name: str = ""
    reply_to: str = ""
    return_path: str = field(default="", repr=False)
    subject: str = field(default="", repr=False)
    html: str | None = field(default=None, repr=False)
    date_ms: int = 0
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    buttons: tuple[Shown, ...] = field(default=(), repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """provider_id: the provider's name for the message, if it gave one. code: a short stable reason without personal data, such as
    "550 5.1.1" or "telegram:403". retry_after_ms: the provider's own wish, for the whole account.
    """

    outcome: Outcome
    provider_id: str | None = None
    code: str = ""
    retry_after_ms: int | None = None


class DeliveryStatus(StrEnum):
    """Ranked: a later one replaces an earlier one, never the other way (reports arrive repeated and in any order)."""

    PENDING = "pending"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery report: `(provider, provider_id, status)` is its de-duplication key. at_ms: UTC, None if the provider gave none.

    outcome: for FAILED, what it means for the address and the channel.
    """

    provider_id: str
    status: DeliveryStatus
    at_ms: int | None = None
    code: str = ""
    outcome: Outcome | None = None


Started = Callable[[], Awaitable[None]]


class Channel(Protocol):
    """One provider account. Safe for concurrent `send`; at most `connections` of them are on their way at one time.

    `started`, if given, is awaited once, after everything that can fail harmlessly (connecting, greeting, the recipient's refusal where
    the protocol has one) and before the first byte that can make the provider accept the message. A failure before it is `transient`;
    after it, without an answer, `unknown`. An error raised by `started` is passed on and nothing is sent.
    """

    connections: int

    async def send(self, message: Rendered, started: Started | None = None) -> Result: ...

    async def close(self) -> None: ...
