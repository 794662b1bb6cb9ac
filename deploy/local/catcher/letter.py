"""Turns a mail's bytes into what a person or a test wants to see."""

from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default


@dataclass(frozen=True)
class Letter:
    """`headers` in the order they came, decoded; `attachments` are (name, type, bytes)."""

    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    attachments: tuple[tuple[str, str, int], ...]


def read(content: bytes) -> Letter:
    """Never raises: a mail that nobody can parse is still shown, as text."""
    try:
        message = message_from_bytes(content, _class=EmailMessage, policy=default)
        return Letter(
            headers=tuple((name, decoded(one_line(value))) for name, value in message.raw_items()),
            text=_body(message, "plain"),
            html=_body(message, "html"),
            attachments=tuple(_attachment(part) for part in message.iter_attachments()),
        )
    except (ValueError, LookupError, TypeError, AttributeError, KeyError, IndexError):
        return Letter(headers=(), text=content.decode("utf-8", "replace"), html=None, attachments=())


def decoded(header: str) -> str:
    """`=?utf-8?b?...?=` as a reader sees it; left as it is when it is broken."""
    try:
        return " ".join(str(make_header(decode_header(header))).split())
    except (ValueError, LookupError):
        return header


def one_line(header: object) -> str:
    """Unfolded; bytes outside ASCII, which the parser keeps as surrogates, are read as UTF-8."""
    text = str(header).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(text.split())


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    return _text(part) if part is not None else None


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        return raw.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _attachment(part: Message) -> tuple[str, str, int]:
    payload = part.get_payload(decode=True)
    return part.get_filename("unnamed"), part.get_content_type(), len(payload) if isinstance(payload, bytes) else 0
