"""The law of a country for a channel, as documents: where marketing may not be sent whatever the person agreed to."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from schemas.documents import Document
from schemas.topics import Channel

Purpose = Literal["marketing", "service"]
Cell = tuple[str, str, str]  # country, channel, purpose

# Advertising in Telegram to people in Russia: the antimonopoly service named it in March 2026 (38-FZ, art. 5, part 10.7). Whether a
# message to somebody who agreed is advertising "on the resource" is not settled: who sends it says so, with his reason.
FORBIDDEN: frozenset[Cell] = frozenset({("RU", "telegram", "marketing")})


class Policy(Document):
    """Whether messages of a purpose may go over a channel to people of a country (ISO 3166, two letters).

    Of two documents about the same, the no counts. reason: why, for the audit; only a key with the scope admin publishes one.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    country: str = Field(pattern=r"^[A-Z]{2}$")
    channel: Channel
    purpose: Purpose = "marketing"
    allow: bool
    reason: str = Field(min_length=10, max_length=2000)


def forbidden(policies: Iterable[Policy]) -> frozenset[Cell]:
    """What may not be sent: as the documents say, and where none says anything, as it is by default."""
    said: dict[Cell, bool] = {}
    for policy in policies:
        cell = (policy.country, policy.channel, policy.purpose)
        said[cell] = said.get(cell, True) and policy.allow
    return frozenset(cell for cell in FORBIDDEN | said.keys() if not said.get(cell, False))
