"""The bytes of an SMTP connection: lines out, replies in. No stream reader: at thousands of letters a second it is most of the cost."""

import asyncio
import ssl
from collections import deque
from typing import NamedTuple, cast

_MAX_PENDING = 65_536  # a server that sends more without being asked is not an SMTP server


class Reply(NamedTuple):
    code: int
    text: str  # all lines, joined by "\n", without the code


class LostError(ConnectionError):
    """The connection ended, hung or spoke no SMTP. `reason` is a short code without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Wire(asyncio.Protocol):
    """One connection. Not safe for concurrent use: one letter at a time is its nature."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._lost = ""
        self.ended = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("connection_lost" if exc else "connection_closed")
        if not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MAX_PENDING or len(self._replies) > 100 or len(self._lines) > 200:
            self.abort("flood")
            return
        for line in lines:
            self._line(line)
        if self._replies:
            self._wake()

    def _line(self, line: bytes) -> None:
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if not (text[:3].isascii() and text[:3].isdigit() and text[3:4] in {"", " ", "-"}):
            self.abort("not_smtp")
            return
        self._lines.append(text[4:])
        if text[3:4] != "-":
            self._replies.append(Reply(int(text[:3]), "\n".join(self._lines)))
            self._lines = []

    @property
    def usable(self) -> bool:
        """Nothing unasked has come (such as a 421 while idle) and the other side is still there."""
        return not self._lost and not self._replies and not self._rest

    @property
    def secure(self) -> bool:
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    def write(self, data: bytes) -> None:
        if self._lost or self._transport is None:
            raise LostError(self._lost or "not_connected")
        self._transport.write(data)

    async def reply(self, seconds: float) -> Reply:
        """The next reply; LostError when none comes in time (the connection is then of no more use)."""
        while not self._replies:
            if self._lost:
                raise LostError(self._lost)
            self._waiter = self._loop.create_future()
            self._deadline = self._loop.time() + seconds
            if self._timer is None or self._timer.when() > self._deadline:
                self._watch()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._replies.popleft()

    def _watch(self) -> None:
        """One timer serves many waits (setting one for each is a tenth of a letter's cost): early, it looks again at the deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() >= self._deadline:
            self.abort("timeout")
        else:
            self._timer = self._loop.call_at(self._deadline, self._watch)

    async def start_tls(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Bytes that came before the handshake are an injection and end the connection."""
        if not self.usable or self._transport is None:
            raise LostError("bytes_before_tls")
        self._transport = await self._loop.start_tls(
            self._transport, self, context, server_hostname=host, ssl_handshake_timeout=seconds
        )
        if self._transport is None or not self.usable:
            raise LostError("connection_closed")

    def abort(self, reason: str) -> None:
        self._end(reason)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        self._end("closed")
        if self._transport is not None:
            self._transport.close()

    def _end(self, reason: str) -> None:
        self._lost = self._lost or reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
