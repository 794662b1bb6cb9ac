"""Header values of an e-mail: RFC 2047 words, names beside addresses, and no line break from anybody's data."""

import binascii
import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,64}")
_WORD_BYTES = 45  # 60 base64 characters + "=?utf-8?b?" + "?=" stay under the 75 that RFC 2047 allows
MAX_LINE = 998


class MimeError(ValueError):
    """A field that may not go into a letter. `field` names the header, the text says the mend; the value is never quoted."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field


def refuse_breaks(field: str, value: str) -> str:
    """The value itself, if it is one line without control characters."""
    if not value.isprintable() and _CONTROL.search(value):
        raise MimeError(field, "line breaks and control characters may not stand in a header; remove them")
    return value


def unstructured(field: str, value: str) -> str:
    """Subject and the like: as it is when plain and short, else in UTF-8 words, each on its own folded line."""
    refuse_breaks(field, value)
    if value.isascii() and len(value) + len(field) < 74 and "=?" not in value and value == value.strip():
        return value
    return words(value)


def exact(field: str, value: str) -> str:
    """A value that must stay on ONE line (List-Unsubscribe: folding it broke DKIM at some receivers)."""
    refuse_breaks(field, value)
    if not value.isascii():
        raise MimeError(field, "only ASCII may stand here")
    if len(field) + 2 + len(value) > MAX_LINE:
        raise MimeError(field, f"longer than {MAX_LINE} characters; shorten the links")
    return value


def header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise MimeError("header name", "only visible ASCII without a colon may stand in a header's name")
    return name


def named(field: str, name: str, address: str) -> str:
    """`Name <address>`; the address must have passed `channels.addresses.mailbox`."""
    refuse_breaks(field, address)
    if not name:
        return address
    refuse_breaks(field, name)
    bracketed = f"<{address}>"
    if name.isascii() and len(name) < 60 and "=?" not in name and name == name.strip():
        quoted = name if _PLAIN_NAME.fullmatch(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{quoted}\r\n {bracketed}" if len(field) + len(quoted) + len(bracketed) > 74 else f"{quoted} {bracketed}"
    return f"{words(name)}\r\n {bracketed}"


def words(value: str) -> str:
    """RFC 2047 B-encoded UTF-8 words, split between characters."""
    found: list[str] = []
    data = value.encode("utf-8", "replace")
    start = 0
    while start < len(data):
        end = min(start + _WORD_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        found.append(f"=?utf-8?b?{binascii.b2a_base64(data[start:end], newline=False).decode()}?=")
        start = end
    return "\r\n ".join(found)
