"""From the bytes of a request to the bytes of its events, each within the limits, none able to spoil the others.

The quick way is two C passes: one splits the body without reading the events, one reads each event. Only what these
refuse (a lone surrogate, a NUL byte, nesting without end) is patched by slower scans, so that one bad event can be told
from its neighbours.
"""

import json
import re
from typing import Any, TypeVar

import msgspec

from schemas.nesting import MAX_DEPTH, TOKEN

from .values import Malformed, Refusal

MAX_BODY = 512_000  # 500 KB, after decompression
MAX_EVENTS = 2_500
MAX_EVENT = 32 * 1_024
MAX_SHARED = 8 * 1_024  # a batch's context: it is copied into each event, so it may not be large
MAX_FIELDS = 1_000  # of one object

_KEPT_DEPTH = MAX_DEPTH + 8  # deeper nesting is cut off there; it is refused for its depth afterwards
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUL = rb"\u0000"
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # perhaps a number beyond 64 bits


class Batch(msgspec.Struct, rename="camel"):
    """The envelope of a request. batch: each event as the bytes it came in. A single call is a batch of one."""

    batch: list[msgspec.Raw]
    context: msgspec.Raw = msgspec.Raw(b"null")
    integrations: msgspec.Raw = msgspec.Raw(b"null")
    sent_at: Any = None
    write_key: Any = None


class _Single(msgspec.Struct, rename="camel"):
    write_key: Any = None
    sent_at: Any = None


Shape = TypeVar("Shape")

_object = msgspec.json.Decoder(dict[str, Any])
_batch = msgspec.json.Decoder(Batch)
_single = msgspec.json.Decoder(_Single)


def split(body: bytes, *, single: bool) -> Batch:
    """The events of a request. Raises Malformed (`json_broken`, `body_wrong`, `batch_too_long`, `body_too_large`)."""
    if len(body) > MAX_BODY:
        raise Malformed("", "body_too_large", "The body is larger than 500 KB.", "send smaller batches")
    try:
        opened = _open(body, single=single)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        opened = _open_patched(body, single=single)
    if len(opened.batch) > MAX_EVENTS:
        raise Malformed("batch", "batch_too_long", "The batch has more than 2,500 events.", "send smaller batches")
    return opened


def _open(body: bytes, *, single: bool) -> Batch:
    if not single:
        return _batch.decode(body)
    shared = _single.decode(body)
    return Batch(batch=[msgspec.Raw(body)], sent_at=shared.sent_at, write_key=shared.write_key)


def _open_patched(body: bytes, *, single: bool) -> Batch:
    try:
        return _open(_without_depth(_without_bad_text(body)), single=single)
    except UnicodeDecodeError as error:
        raise Malformed("", "bad_text", "The body is not UTF-8.", "send UTF-8") from error
    except msgspec.ValidationError as error:
        raise Malformed("", "body_wrong", str(error), 'send {"batch": [...]}, or one event as an object') from error
    except msgspec.DecodeError as error:
        raise Malformed("", "json_broken", str(error), "send well-formed JSON") from error


def _without_bad_text(body: bytes) -> bytes:
    """Lone surrogates and NUL bytes as escaped NULs: readable, and refused later in the event where they stand."""
    patched = _ESCAPE.sub(lambda found: _NUL if found[1] else found[0], body) if b"\\u" in body else body
    return patched.replace(b"\x00", _NUL)


def _without_depth(body: bytes) -> bytes:
    """Everything nested deeper than we read becomes null."""
    parts, depth, kept_to = [], 0, 0
    for found in TOKEN.finditer(body):
        mark = found[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth == _KEPT_DEPTH:
                parts += [body[kept_to : found.start()], b"null"]
                kept_to = len(body)
        elif mark in (b"]", b"}"):
            if depth == _KEPT_DEPTH:
                kept_to = found.end()
            depth -= 1
    return b"".join([*parts, body[kept_to:]])


def read_shared(raw: msgspec.Raw, path: str) -> dict[str, Any]:
    """A batch's `context` or `integrations`. Raises Malformed: what all events share is not one event's fault."""
    data = bytes(raw)
    if data == b"null":
        return {}
    try:
        if len(data) > MAX_SHARED:
            raise Refusal("", "context_too_large", "It is larger than 8 KB.", "send it with the events that need it")
        return read(data, _object, level=2)  # where it stands in each event
    except Refusal as refusal:
        fault = refusal.fault
        raise Malformed(".".join(filter(None, (path, fault.path))), fault.code, fault.message, fault.mend) from refusal


def read(data: bytes, decoder: msgspec.json.Decoder[Shape], level: int = 1) -> Shape:
    """One event in the shape of the decoder. Refuses what is too large, too deep, too wide or no storable text.

    level: of nesting at which it stands. An event has MAX_DEPTH with itself, so that each field of the fact has no more, though
    money and `integrations` come to stand one deeper there.
    """
    if len(data) > MAX_EVENT:
        raise Refusal("", "event_too_large", "The event is larger than 32 KB.", "send less; put files elsewhere")
    if _suspicious(data):
        _find_fault(data, level)
    try:
        return decoder.decode(data)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        _find_fault(data, level)
        raise Refusal("", "wrong_type", "It is not an object.", "send an object") from error


def _suspicious(data: bytes) -> bool:
    """Whether something the decoder lets pass may be in it. Cheap, and wrong only towards yes."""
    return (
        _NUL in data
        or _LONG in data.translate(_DIGITS_TO_ZERO)
        or data.count(b"{") + data.count(b"[") >= MAX_DEPTH
        or (len(data) > 5 * MAX_FIELDS and data.count(b":") > MAX_FIELDS)
    )


def _find_fault(data: bytes, level: int) -> None:
    """The slow, complete look at an event that looks suspicious or that the decoder refused without saying where."""
    text = _without_depth(data).decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_fraction)
    except ValueError as error:
        raise Refusal("", "json_broken", "The event is not well-formed JSON.", "send well-formed JSON") from error
    _inspect(value, "", level)


def _inspect(value: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH and type(value) in (dict, list):
        raise Refusal(path, "nesting_too_deep", f"It is nested deeper than {MAX_DEPTH} levels.", "send a flatter event")
    if type(value) is dict:
        if len(value) > MAX_FIELDS:
            raise Refusal(path, "too_many_fields", "It has more than 1,000 fields.", "send a list, or fewer fields")
        for name, inner in value.items():
            _inspect_text(name, path)
            _inspect(inner, f"{path}.{name}" if path else name, depth + 1)
    elif type(value) is list:
        for number, inner in enumerate(value):
            _inspect(inner, f"{path}[{number}]", depth + 1)
    elif type(value) is str:
        _inspect_text(value, path)
    elif value is _OUT_OF_RANGE:
        raise Refusal(path, "number_out_of_range", "The number is too large to be kept.", "send it as text")


def _inspect_text(text: str, path: str) -> None:
    if "\x00" in text or _SURROGATE.search(text):
        message = "The text holds a NUL character, half a surrogate pair or bytes that are not UTF-8."
        raise Refusal(path, "bad_text", message, "send clean Unicode text")


_OUT_OF_RANGE = object()


def _whole(digits: str) -> Any:
    if len(digits) > 20:
        return _OUT_OF_RANGE
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else _OUT_OF_RANGE


def _fraction(digits: str) -> Any:
    number = float(digits)
    return number if abs(number) < float("inf") else _OUT_OF_RANGE
