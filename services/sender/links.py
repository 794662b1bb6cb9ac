"""Links in what we send: signed tokens for clicks, opens, unsubscribes, preferences, confirmations, surveys and events. Pure.

A token is `version | key id | kind | message id (16 bytes) | number | mac (10 bytes)` in base64url, 42 characters. It holds no URL (no open
redirect) and nothing personal: the target is looked up by (message id, number). Old keys stay in `Keys` as long as tokens must be readable.
"""

import base64
import binascii
import hmac
import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from uuid import UUID

from schemas.bots import Shown

_VERSION = 1
_MAC_BYTES = 10  # 80 bits: a guess a second for 10^16 years
_PAYLOAD_BYTES = 21
_TOKEN_CHARS = 42
MAX_NUMBER = 65_535

# Only anchors and image maps: a <link> is no link. Quoted or bare values; the target must be http or https.
_HREF = re.compile(
    r"""(<(?:a|area)\b(?:[^<>"']|"[^"]*"|'[^']*')*?\shref\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'<>=`]+))""",
    re.IGNORECASE,
)
# In plain text: up to a space, a quotation mark or a bracket without its other one (two may stand one within the other), without the full
# stop or comma that ends the sentence. Whatever a text has, this looks at each of its characters a few times at most.
_IN = r"[^\s<>\"'«»()]"
_BRACKETS = rf"\((?:{_IN}|\({_IN}*\))*\)"
_LAST = r"[^\s<>\"'«»().,;:!?]"
_PLAIN = re.compile(rf"https?://(?={_LAST})(?:{_IN}|{_BRACKETS})*(?:{_LAST}|{_BRACKETS})", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


class Kind(IntEnum):
    """What the token lets its holder do; a click's token unsubscribes nobody."""

    CLICK = 1
    OPEN = 2
    UNSUBSCRIBE = 3
    PREFERENCES = 4
    CONFIRM = 5
    SURVEY = 6
    ATTEND = 7


PATHS: Mapping[Kind, str] = {
    Kind.CLICK: "c",
    Kind.OPEN: "o",
    Kind.UNSUBSCRIBE: "u",
    Kind.PREFERENCES: "p",
    Kind.CONFIRM: "d",
    Kind.SURVEY: "s",
    Kind.ATTEND: "e",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """current: the key id (0..255) that signs; secrets: every key that may still be read, 32 random bytes each."""

    current: int
    secrets: Mapping[int, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.secrets:
            raise ValueError(f"link keys: the current key {self.current} is not among the secrets")
        if any(not 0 <= key <= 255 for key in self.secrets) or any(len(secret) < 16 for secret in self.secrets.values()):
            raise ValueError("link keys: ids are 0 to 255, secrets at least 16 bytes")


@dataclass(frozen=True, slots=True)
class Link:
    """id: the send or intent (a uuid). number: which link of the message, 0 where there is one only."""

    kind: Kind
    id: str
    number: int


def sign(kind: Kind, id: str, number: int, keys: Keys) -> str:  # noqa: A002 the envelope's word
    """The token: 42 characters of `[A-Za-z0-9_-]`. `number` is 0..65535."""
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"a link's number must be 0 to {MAX_NUMBER}, got {number}")
    payload = bytes((_VERSION, keys.current, kind)) + UUID(id).bytes + number.to_bytes(2, "big")
    return base64.urlsafe_b64encode(payload + _mac(keys.secrets[keys.current], payload)).rstrip(b"=").decode()


def read(token: str, keys: Keys) -> Link | None:
    """What the token says, or None: forged, cut, of an unknown key or version. Compare `kind` with the path it came by."""
    if len(token) != _TOKEN_CHARS or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "==", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    payload, mac = raw[:_PAYLOAD_BYTES], raw[_PAYLOAD_BYTES:]
    secret = keys.secrets.get(payload[1])
    if not hmac.compare_digest(mac, _mac(secret or b"\0" * 32, payload)) or secret is None or payload[0] != _VERSION:
        return None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        return None  # spare bits of the last character: one link has one spelling
    if payload[2] not in PATHS:
        return None
    return Link(Kind(payload[2]), str(UUID(bytes=payload[3:19])), int.from_bytes(payload[19:21], "big"))


def url(base: str, kind: Kind, id: str, number: int, keys: Keys) -> str:  # noqa: A002
    """`base` is the brand's tracking address without a slash at its end."""
    return f"{base}/{PATHS[kind]}/{sign(kind, id, number, keys)}"


def survey_url(base: str, key: str, id: str, keys: Keys) -> str:  # noqa: A002
    """The personal address of a survey: which one stands in plain sight, who answers in the token."""
    return f"{base}/{PATHS[Kind.SURVEY]}/{key}/{sign(Kind.SURVEY, id, 0, keys)}"


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, payload, "sha256")[:_MAC_BYTES]


def rewrite(source: str, click: Callable[[int], str], keep: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """HTML with every http(s) link replaced by `click(number)`, and the targets by number (as URLs, entities resolved).

    mailto:, tel:, anchors, empty ones and those that begin with one of `keep` (the brand's own tracking address: unsubscribe,
    preferences) stay as they are. Each occurrence has its own number, so that a report can tell the button from the picture.
    """
    targets: list[str] = []

    def replaced(found: re.Match[str]) -> str:
        target = html.unescape(found[2] or found[3] or found[4] or "").strip()
        if not target.lower().startswith(("http://", "https://")) or any(target.startswith(own) for own in keep):
            return found[0]
        targets.append(target)
        return f'{found[1]}"{html.escape(click(len(targets) - 1))}"'

    return _HREF.sub(replaced, source), tuple(targets)


def with_pixel(source: str, open_url: str) -> str:
    """HTML with the open pixel before the last `</body>`, or at the end."""
    pixel = f'<img src="{html.escape(open_url)}" width="1" height="1" alt="" style="display:none">'
    ends = [found.start() for found in _BODY_END.finditer(source)]
    at = ends[-1] if ends else len(source)
    return source[:at] + pixel + source[at:]


def track(source: str, base: str, id: str, keys: Keys) -> tuple[str, tuple[str, ...]]:  # noqa: A002
    """Click links and the open pixel for one message: (html, targets by number)."""
    rewritten, targets = rewrite(source, lambda number: url(base, Kind.CLICK, id, number, keys), (f"{base}/",))
    return with_pixel(rewritten, url(base, Kind.OPEN, id, 0, keys)), targets


def track_chat(
    text: str,
    buttons: Sequence[Shown],
    base: str,
    id: str,  # noqa: A002
    keys: Keys,
) -> tuple[str, tuple[Shown, ...], tuple[str, ...]]:
    """The links of a message without HTML, in its text and behind its buttons: (text, buttons, targets by number)."""
    targets: list[str] = []

    def tracked(target: str) -> str:
        if target.startswith(f"{base}/") or len(targets) > MAX_NUMBER:
            return target
        targets.append(target)
        return url(base, Kind.CLICK, id, len(targets) - 1, keys)

    followed = _PLAIN.sub(lambda found: tracked(found[0]), text)
    return followed, tuple(b._replace(url=tracked(b.url)) if b.url else b for b in buttons), tuple(targets)
