"""What a webhook brought, as one value: JSON, or a form with PHP's brackets opened. Pure."""

import email
import email.policy
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from schemas.nesting import MAX_DEPTH, too_deep

from .body import MAX_EVENT
from .values import Malformed

MAX_PAYLOAD = 256 * 1024
MAX_FIELDS = 2_000
MAX_LEVELS = 10
# Codecs of Python that are no text of anybody's form take long, or give what no text can hold.
CHARSETS = frozenset(
    ("utf-8", "utf8", "us-ascii", "windows-1251", "cp1251", "koi8-r", "iso-8859-1", "latin-1", "windows-1252", "iso-8859-5")
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_CHARSET = re.compile(r"charset=\"?([\w-]+)", re.IGNORECASE)
_json = msgspec.json.Decoder()


def read_payload(content_type: str, body: bytes) -> Any:
    """The value of a payload, as expressions may have it. An empty one is {}. Raises Malformed, and nothing else."""
    try:
        return _read(content_type, body)
    except (ValueError, LookupError, RecursionError, AttributeError) as error:  # of the library that takes mails and forms apart
        raise Malformed(
            "", "body_broken", "The body is not what its Content-Type says.", "send well-formed JSON or a form"
        ) from error


def _read(content_type: str, body: bytes) -> Any:
    if len(body) > MAX_PAYLOAD:
        raise Malformed("", "body_too_large", "The body is larger than 256 KB.", "send less; put files elsewhere")
    kind = content_type.partition(";")[0].strip().lower()
    looks = body.lstrip()[:1]
    if looks in (b"{", b"[") or (kind.endswith("json") and body.strip()):
        return _of_json(body)
    return _of_multipart(content_type, body) if kind == "multipart/form-data" else _of_form(_text(body, content_type))


def _of_multipart(content_type: str, body: bytes) -> Any:
    """Its fields; of files only the names."""
    if body.lower().count(b"multipart/") > 0:
        raise Malformed("", "form_broken", "The form has forms in it.", "send one form")
    message = email.message_from_bytes(
        b"Content-Type: %b\r\n\r\n%b" % (content_type.encode("ascii", "replace"), body), policy=email.policy.HTTP
    )
    if not message.is_multipart():
        raise Malformed("", "form_broken", "The form's parts cannot be told from each other.", "send a well-formed form")
    pairs = []
    for part in islice(message.iter_parts(), MAX_FIELDS):
        name = part["content-disposition"].params.get("name") if part["content-disposition"] else None
        if name:
            told = part.get_payload(decode=True)
            pairs.append(
                (str(name), part.get_filename() or _text(told if isinstance(told, bytes) else b"", str(part["content-type"])))
            )
    return _opened(pairs)


def _of_json(body: bytes) -> Any:
    if (field := too_deep(body)) is not None:
        raise Malformed(field[:100], "nesting_too_deep", f"It is nested deeper than {MAX_DEPTH} levels.", "send a flatter body")
    try:
        return _bounded(_json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("", "json_broken", "The body is not well-formed JSON in UTF-8.", "send well-formed JSON") from error


def _text(body: bytes, content_type: str) -> str:
    said = _CHARSET.search(content_type)
    charset = said[1].lower() if said else "utf-8"
    try:
        if charset not in CHARSETS:
            raise LookupError(charset)
        return body.decode(charset)
    except (LookupError, UnicodeDecodeError) as error:
        raise Malformed("", "bad_text", "The body's text cannot be read.", "send UTF-8, or say the charset") from error


def _of_form(text: str) -> Any:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except UnicodeDecodeError as error:
        raise Malformed("", "bad_text", "The form's text is not UTF-8.", "send UTF-8, or say the charset") from error
    except ValueError as error:
        raise Malformed("", "too_many_fields", f"The form has more than {MAX_FIELDS} fields.", "send fewer fields") from error
    return _opened(pairs)


def _bounded(value: Any) -> Any:
    """Without nulls, which are the same as nothing there; without texts that are longer than an event may be: files, which no mapping
    shall copy; and whole numbers beyond 64 bits as texts.
    """
    if isinstance(value, str):
        return _storable(value) if len(value) <= MAX_EVENT else None
    if isinstance(value, list):
        return [kept for one in value if (kept := _bounded(one)) is not None]
    if isinstance(value, dict):
        return {_storable(name): kept for name, one in value.items() if (kept := _bounded(one)) is not None}
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    return value


def _storable(text: str) -> str:
    if "\x00" in text or (not text.isascii() and _SURROGATE.search(text)):
        raise Malformed(
            "", "bad_text", "The body has characters that no text can hold.", "leave NUL and halves of surrogate pairs out"
        )
    return text


def _opened(pairs: Iterable[tuple[str, str]]) -> Any:
    opened: dict[str, Any] = {}
    for name, value in pairs:
        _put(opened, _path(name), value)
    return _bounded({name: _with_lists(value) for name, value in opened.items()})


def _path(name: str) -> list[str]:
    """`leads[add][0][id]` -> leads, add, 0, id. What is no such name is one word."""
    head, bracket, rest = name.partition("[")
    inner = _BRACKETS.findall(bracket + rest)
    if not head or not inner or "".join(f"[{word}]" for word in inner) != bracket + rest or len(inner) >= MAX_LEVELS:
        return [name]
    return [head, *inner]


def _put(node: dict[str, Any], path: list[str], value: str) -> None:
    """A value may come now as one text, now as an object (amoCRM): what comes second stands beside it under the empty name."""
    for word in path[:-1]:
        inner = node.setdefault(word or str(len(node)), {})
        if not isinstance(inner, dict):
            node[word] = inner = {"": inner}
        node = inner
    last = path[-1] or str(len(node))
    held = node.get(last)
    if isinstance(held, dict):
        held[""] = value
    elif last in node and len(path) == 1:
        _repeat(node, last, value)
    else:
        node[last] = value


def _repeat(node: dict[str, Any], name: str, value: str) -> None:
    """A field that a form has twice, as checkboxes do: all its values."""
    held = node[name]
    node[name] = [*held, value] if isinstance(held, list) else [held, value]


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    inner = {name: _with_lists(value) for name, value in node.items()}
    if inner and list(inner) == [str(number) for number in range(len(inner))]:
        return list(inner.values())
    return inner
