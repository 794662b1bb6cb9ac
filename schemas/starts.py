"""What a link into a bot starts with (`t.me/<bot>?start=...`, `vk.me/<community>?ref=...`): `[dialogue]__[rest]`, or one word.

rest: `p` with a signed token, which names a person we know; `a-` with the anonymous id of a visitor's device; else a mark, such as where
the link was placed. Telegram takes 64 characters of `[A-Za-z0-9_-]`.
"""

import base64
import binascii
import hmac
from typing import NamedTuple
from uuid import UUID

from schemas.connectors import Signs

DAY_MS = 86_400_000
VALID_DAYS = 30  # a letter is forwarded, and its link with it
_SAID_CHARS, _MAC_CHARS = 24, 16  # profile (16 bytes) and day (2 bytes) in base64url; 80 bits


class Start(NamedTuple):
    """word: a dialogue's key, or what somebody wrote in its place. person: whom a token names, while it is valid; device: anonymous id."""

    word: str = ""
    mark: str = ""
    person: str = ""
    device: str = ""


def person_start(vault: Signs, profile: str, now: int, dialogue: str = "") -> str:
    """What a link starts with that is made for one person (ms). He who follows it within 30 days is taken for him."""
    said = base64.urlsafe_b64encode(UUID(profile).bytes + (now // DAY_MS).to_bytes(2, "big")).decode()
    return f"{dialogue}__p{said}{_mac(vault, said)}"


def read_start(vault: Signs, payload: str, now: int) -> Start:
    """What a payload says. A token that is forged or over names nobody, and is never passed on as a mark."""
    word, parted, rest = payload.partition("__")
    if not parted:
        return Start(word)
    if rest.startswith("a-"):
        return Start(word, device=rest[2:])
    if rest.startswith("p") and len(rest) == 1 + _SAID_CHARS + _MAC_CHARS:
        return Start(word, person=_person(vault, rest[1:], now))
    return Start(word, rest)


def _person(vault: Signs, token: str, now: int) -> str:
    said, mac = token[:_SAID_CHARS], token[_SAID_CHARS:]
    if not hmac.compare_digest(mac.encode(), _mac(vault, said).encode()):
        return ""
    try:
        raw = base64.b64decode(said, altchars=b"-_", validate=True)
    except binascii.Error:
        return ""
    age = now // DAY_MS - int.from_bytes(raw[16:], "big")
    return str(UUID(bytes=raw[:16])) if age <= VALID_DAYS else ""


def _mac(vault: Signs, said: str) -> str:
    return vault.token(f"start:{said}")[:_MAC_CHARS]
