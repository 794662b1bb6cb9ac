"""HTTP without a framework: reads a bounded body, finds the write key, writes answers."""

import binascii
import zlib
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from services.ingest.domain import MAX_BODY, Malformed

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]


class DisconnectedError(Exception):
    """The client left before the body was complete: there is nobody to answer."""


def too_large() -> Malformed:
    return Malformed("", "body_too_large", "The body is larger than 500 KB.", "send smaller batches")


async def body_of(headers: Headers, receive: Receive) -> bytes:
    """The whole body, unpacked. Raises Malformed (`body_too_large`, `gzip_broken`); never holds much more than that."""
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", b"", b"gzip", b"x-gzip"):
        raise Malformed("", "encoding_unsupported", "The body's encoding is not supported.", "send it as it is or in gzip")
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and (len(announced) > 12 or int(announced) > MAX_BODY):
        raise too_large()
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return gunzip(body) if encoding.endswith(b"gzip") else body


def gunzip(packed: bytes) -> bytes:
    """Unpacks at most MAX_BODY bytes, so that a small body that unpacks to gigabytes costs nothing. One gzip member."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        body = unpacker.decompress(packed, MAX_BODY + 1)
    except zlib.error as error:
        raise Malformed("", "gzip_broken", "The body is not gzip.", "send gzip, or no Content-Encoding") from error
    if len(body) > MAX_BODY:
        raise too_large()
    if not unpacker.eof or unpacker.unused_data:
        raise Malformed("", "gzip_broken", "The gzip body is cut off or has a tail.", "send one whole gzip stream")
    return body


def basic_user(headers: Headers) -> str | None:
    """The user name of Basic authorization: the write key. None without one. The colon after it may be missing."""
    scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return unbase64(credentials).partition(b":")[0].decode()
    except ValueError:
        return ""


def unbase64(text: bytes) -> bytes:
    """Base64 of either alphabet, padding or not. Raises ValueError."""
    plain = text.strip().replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    try:
        return b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def query_of(scope: Scope) -> dict[str, str]:
    raw = scope.get("query_string", b"")
    return dict(parse_qsl(raw.decode("latin-1"), max_num_fields=20)) if raw else {}


async def answer(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
