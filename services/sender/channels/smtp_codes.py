"""What an SMTP refusal means: by its enhanced code first, then by the SMTP code, then by its words. Pure tables."""

import re
from enum import StrEnum

from .contract import Outcome

_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")


class Stage(StrEnum):
    """Where in the dialogue the refusal came: the same code means the sender at MAIL and the recipient at RCPT."""

    CONNECT = "connect"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"


# Enhanced codes (RFC 3463, the receivers' own pages). The most exact entry wins: "5.7.8", then "5.7.", then nothing.
_BY_ENHANCED: dict[str, Outcome] = {
    "5.1.1": Outcome.PERMANENT_ADDRESS,
    "5.1.2": Outcome.PERMANENT_ADDRESS,
    "5.1.3": Outcome.PERMANENT_ADDRESS,
    "5.1.6": Outcome.PERMANENT_ADDRESS,
    "5.1.10": Outcome.PERMANENT_ADDRESS,
    "5.2.1": Outcome.PERMANENT_ADDRESS,
    "5.1.7": Outcome.POLICY,  # our own sender address is refused
    "5.1.8": Outcome.POLICY,
    "5.2.2": Outcome.TRANSIENT,  # the mailbox is full: it may be emptied
    "5.2.3": Outcome.PERMANENT_CONTENT,
    "5.3.4": Outcome.PERMANENT_CONTENT,
    "5.6.": Outcome.PERMANENT_CONTENT,
    "5.7.8": Outcome.AUTH,
    "5.7.9": Outcome.AUTH,
    "5.7.": Outcome.POLICY,
    "4.7.0": Outcome.THROTTLED,
    "4.7.1": Outcome.TRANSIENT,  # greylisting
    "4.7.": Outcome.THROTTLED,
    "4.2.": Outcome.TRANSIENT,
    "4.3.": Outcome.TRANSIENT,
    "4.4.": Outcome.TRANSIENT,
}

_BY_CODE: dict[int, Outcome] = {
    421: Outcome.THROTTLED,
    432: Outcome.AUTH,
    450: Outcome.TRANSIENT,
    451: Outcome.TRANSIENT,
    452: Outcome.TRANSIENT,
    454: Outcome.TRANSIENT,
    530: Outcome.AUTH,
    534: Outcome.AUTH,
    535: Outcome.AUTH,
    538: Outcome.AUTH,
}

# Words, in order: what is about us comes before what is about the mailbox, as "550 blocked: recipient rejected our mail as spam" is about us.
_BY_WORDS: tuple[tuple[re.Pattern[str], Outcome], ...] = (
    (re.compile(r"too many|rate limit|try again later|slow down|too fast|throttl", re.IGNORECASE), Outcome.THROTTLED),
    (
        re.compile(r"spam|blocked|blacklist|blocklist|reputation|policy|dmarc|\bspf\b|dkim|спам|заблокирован", re.IGNORECASE),
        Outcome.POLICY,
    ),
    (re.compile(r"too large|too big|exceeds.{0,20}size|message size|content rejected", re.IGNORECASE), Outcome.PERMANENT_CONTENT),
    (re.compile(r"mailbox.{0,10}full|over quota|quota exceeded|ящик переполнен", re.IGNORECASE), Outcome.TRANSIENT),
    (
        re.compile(
            r"user unknown|unknown user|no such user|no such recipient|no such mailbox|invalid mailbox|invalid recipient|mailbox not found"
            r"|mailbox unavailable|mailbox (?:is )?disabled|account (?:is )?disabled|recipient (?:address )?rejected|does not exist|не найден"
            r"|не существует|недействителен",
            re.IGNORECASE,
        ),
        Outcome.PERMANENT_ADDRESS,
    ),
)


def enhanced(text: str) -> str:
    """The enhanced status code in the reply ("5.1.1"), or ""."""
    found = _ENHANCED.search(text[:64])
    return found.group(0) if found else ""


def label(code: int, text: str) -> str:
    """A short reason for the journal: codes only, never the server's words (they quote the address)."""
    return f"{code} {enhanced(text)}".strip()


def classify(stage: Stage, code: int, text: str) -> Outcome:
    """The outcome of a reply of 400 and above (`text` is what follows the code, all its lines)."""
    if stage is Stage.AUTH:
        return Outcome.AUTH if code >= 500 else Outcome.TRANSIENT
    found = _by_enhanced(enhanced(text), code)
    if found is None:
        found = _by_words(text) if code >= 500 or code == 421 else None
    if found is Outcome.PERMANENT_ADDRESS and stage in {Stage.CONNECT, Stage.MAIL}:
        return Outcome.POLICY  # before the recipient was named the refusal can only be about us
    return found or _BY_CODE.get(code) or _default(stage, code)


def _by_enhanced(status: str, code: int) -> Outcome | None:
    if not status or int(status[0]) != code // 100:
        return None
    if code in {530, 534, 535, 538}:
        return Outcome.AUTH
    return _BY_ENHANCED.get(status) or _BY_ENHANCED.get(status[: status.rindex(".") + 1])


def _by_words(text: str) -> Outcome | None:
    return next((outcome for words, outcome in _BY_WORDS if words.search(text)), None)


def _default(stage: Stage, code: int) -> Outcome:
    if code < 500:
        return Outcome.TRANSIENT
    if stage is Stage.RCPT and code in {550, 551, 553}:
        return Outcome.PERMANENT_ADDRESS
    if code == 552:
        return Outcome.TRANSIENT if stage is Stage.RCPT else Outcome.PERMANENT_CONTENT
    return Outcome.POLICY  # a refusal nobody can read must not cost an address
