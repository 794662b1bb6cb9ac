"""Keeps caught mails in append-only files and finds them again by number.

`mails.bin` holds the mails one after another, `index.jsonl` one line per mail, `mail.log` one line without addresses
that checks can count. A line is written after its mail; a line torn by a kill is cut off at the next start.
"""

import hashlib
import json
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path

from deploy.local.catcher.letter import one_line

HEADERS = BytesHeaderParser()  # the old policy: ten times faster, and headers are decoded when somebody looks


@dataclass(frozen=True)
class Entry:
    """One mail's line. `id` counts from 1, `at` is Unix ms, `subject` and `message_id` are as sent, still encoded."""

    id: int
    at: int
    sender: str
    to: tuple[str, ...]
    subject: str
    message_id: str
    offset: int
    size: int


class MailStore:
    """Not for two processes at once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._mails = os.open(folder / "mails.bin", flags, 0o600)
        self._index = os.open(folder / "index.jsonl", flags, 0o600)
        self._log = os.open(folder / "mail.log", flags, 0o600)
        self._lines = _whole_lines(self._index)  # where each index line ends
        self._log_until(len(self._lines))
        self._size = os.fstat(self._mails).st_size

    def close(self) -> None:
        for descriptor in (self._mails, self._index, self._log):
            os.close(descriptor)

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, at_ms: int, sender: str, to: Sequence[str], content: bytes) -> int:
        """Keeps a mail and returns its id. `content` is the mail as it came in DATA."""
        headers = HEADERS.parsebytes(_head(content))
        entry = Entry(
            id=len(self._lines) + 1,
            at=at_ms,
            sender=sender,
            to=tuple(to),
            subject=_first(headers, "subject"),
            message_id=_first(headers, "message-id"),
            offset=self._size,
            size=len(content),
        )
        _write(self._mails, content)
        self._size += len(content)
        line = json.dumps(vars(entry), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        _write(self._index, line)
        self._lines.append((self._lines[-1] if self._lines else 0) + len(line))
        _write(self._log, _log_line(entry))
        return entry.id

    def entry(self, number: int) -> Entry | None:
        if not 1 <= number <= len(self._lines):
            return None
        start = self._lines[number - 2] if number > 1 else 0
        line = json.loads(os.pread(self._index, self._lines[number - 1] - start, start))
        return Entry(**{**line, "to": tuple(line["to"])})

    def content(self, entry: Entry) -> bytes:
        return os.pread(self._mails, entry.size, entry.offset)

    def after(self, number: int, limit: int) -> list[Entry]:
        """Entries with a larger id, oldest first."""
        last = min(number + limit, len(self))
        return [entry for n in range(max(number, 0) + 1, last + 1) if (entry := self.entry(n))]

    def _log_until(self, count: int) -> None:
        """A kill between the two lines leaves mail.log one behind: each mail stands in it once."""
        logged = len(_whole_lines(self._log))
        for number in range(logged + 1, count + 1):
            if entry := self.entry(number):
                _write(self._log, _log_line(entry))


def _log_line(entry: Entry) -> bytes:
    to = hashlib.sha256(",".join(sorted(entry.to)).encode("utf-8", "replace")).hexdigest()[:16]
    line = {"n": entry.id, "at_ms": entry.at, "to_sha256_16": to, "message_id": entry.message_id}
    return json.dumps(line).encode() + b"\n"


def _head(content: bytes) -> bytes:
    ends = [end for mark in (b"\r\n\r\n", b"\n\n") if (end := content.find(mark)) >= 0]
    return content[: min(ends) + 2] if ends else content


def _first(headers: Message, name: str) -> str:
    return next((one_line(value) for key, value in headers.raw_items() if key.lower() == name), "")


def _whole_lines(descriptor: int) -> "array[int]":  # the plain name is not subscriptable before Python 3.12
    """Ends of all whole lines; what follows the last of them is cut off."""
    ends, position = array("Q"), 0
    while chunk := os.pread(descriptor, 1 << 20, position):
        found = chunk.find(b"\n")
        while found >= 0:
            ends.append(position + found + 1)
            found = chunk.find(b"\n", found + 1)
        position += len(chunk)
    os.ftruncate(descriptor, ends[-1] if ends else 0)
    return ends


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
