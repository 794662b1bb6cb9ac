"""multipart/form-data, part by part as it comes: a file never lies in memory as a whole."""

from collections.abc import AsyncIterator
from email.message import Message
from typing import NamedTuple

from services.ingest.domain import Malformed

_MAX_HEAD = 8_192


class Part(NamedTuple):
    """A piece of a part: its field's name, its file's name (empty for a plain field), and some of its bytes."""

    name: str
    filename: str
    data: bytes


def boundary_of(content_type: str) -> bytes | None:
    """None when it is not multipart/form-data."""
    head = Message()
    head["content-type"] = content_type
    if head.get_content_type() != "multipart/form-data":
        return None
    return str(head.get_param("boundary", "")).encode("latin-1", "replace")


async def parts(stream: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[Part]:
    """The pieces of all parts in order; each part begins with a piece, perhaps an empty one. Raises Malformed."""
    if not boundary:
        raise _broken()
    mark = b"\r\n--" + boundary
    buffer, part = bytearray(b"\r\n"), None
    async for chunk in stream:
        buffer += chunk
        while (at := buffer.find(mark)) >= 0:
            end = buffer.find(b"\r\n\r\n", at)
            if buffer[at + len(mark) : at + len(mark) + 2] == b"--":
                if part is not None and at:
                    yield part._replace(data=bytes(buffer[:at]))
                return
            if end < 0:
                if len(buffer) - at > _MAX_HEAD + len(mark):
                    raise _broken()
                break
            if part is not None and at:
                yield part._replace(data=bytes(buffer[:at]))
            part = _named(bytes(buffer[at + len(mark) : end]))
            del buffer[: end + 4]
            yield part
        else:
            # What may be the beginning of a mark stays.
            if part is not None and (sure := len(buffer) - len(mark)) > 0:
                yield part._replace(data=bytes(buffer[:sure]))
                del buffer[:sure]
            elif part is None and len(buffer) > _MAX_HEAD:
                raise _broken()
    raise _broken()


def _named(head: bytes) -> Part:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            said = Message()
            said["content-disposition"] = value.strip()
            field = said.get_param("name", "", "content-disposition")
            return Part(str(field), str(said.get_filename("") or ""), b"")
    raise _broken()


def _broken() -> Malformed:
    return Malformed("", "multipart_broken", "The form cannot be read, or is cut off.", "send multipart/form-data with a file")
