"""A fake SMTP server with faults. It accepts everything else and records envelope and Message-ID.

The part of the recipient's local part before its first "-" says the fault (see smtp_faults.FAULTS); `grey451-` and `slow421-` are met once per address.
Run it: `python -m services.sender.channels.fakes.smtp --port 2525 [--control-port 2526] [--record accepted.jsonl]`.
"""

import argparse
import asyncio
import base64
import contextlib
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from .http_server import Answer, HttpFake, Request
from .record import Record, Script
from .smtp_faults import AT_DOT, AT_RCPT, PREFIXES, Manners

_ADDRESS = re.compile(r"<([^>]*)>")
_MESSAGE_ID = re.compile(rb"^message-id:\s*<?([^>\r\n]*)", re.IGNORECASE | re.MULTILINE)


@dataclass
class SmtpFake:
    """`record.accepted`: {"message_id", "from", "to", "size"} each. `connections`, `peak`: how many were opened, and at one time."""

    manners: Manners = field(default_factory=Manners)
    record: Record = field(default_factory=Record)
    script: Script = field(default_factory=Script)
    keep_data: bool = False
    connections: int = 0
    peak: int = 0
    commands: list[str] = field(default_factory=list)
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listens on 127.0.0.1; gives the port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, limit=2**20)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self.record.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        self.peak = max(self.peak, len(self._open))
        try:
            await Dialogue(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError, ValueError):
            pass  # a client may leave at any point; what was accepted is in the record
        finally:
            self._open.discard(task)
            writer.transport.abort()


class HangUpError(ConnectionError):
    """The script says that the connection ends here."""


class Dialogue:
    def __init__(self, fake: SmtpFake, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._fake = fake
        self._reader = reader
        self._writer = writer
        self._manners = fake.manners
        self._sender = ""
        self._to: list[str] = []
        self._fault = ""
        self._letters = 0

    async def run(self) -> None:
        if self._manners.greeting == "hang":
            await asyncio.Event().wait()
        if self._manners.greeting == "drop":
            return
        if self._manners.greeting in {"refuse", "babble"}:
            await self._say("554 5.7.1 go away" if self._manners.greeting == "refuse" else "HTTP/1.1 400 Bad Request")
            return
        await self._say("220 fake ESMTP")
        while line := await self._reader.readline():
            text = line.decode("utf-8", "replace").strip()
            verb = text.split(" ")[0].split(":")[0].upper()
            self._fake.commands.append(verb)
            if verb == "QUIT":
                await self._say("221 bye")
                return
            await getattr(self, f"_on_{verb.lower()}", self._unknown)(text)

    async def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())
        await self._writer.drain()

    async def _unknown(self, _: str) -> None:
        await self._say("502 5.5.2 what?")

    async def _on_ehlo(self, _: str) -> None:
        offered = list(self._manners.extensions)
        if self._manners.starttls != "off" and self._writer.get_extra_info("ssl_object") is None:
            offered.append("STARTTLS")
        if self._manners.auth != "off":
            offered.append(f"AUTH {self._manners.auth.upper()}")
        for word in offered:
            self._writer.write(f"250-{word}\r\n".encode() if word else b"")
        await self._say("250 HELP")

    async def _on_starttls(self, _: str) -> None:
        if self._manners.starttls == "refuse":
            await self._say("454 4.7.0 TLS not available")
            return
        if self._manners.starttls == "inject":
            await self._say("220 go ahead\r\n250 2.1.0 slipped in")
            return
        await self._say("220 go ahead")
        if self._manners.starttls == "garbage":
            await self._reader.read(1)
            await self._say("this is no handshake")
            raise HangUpError
        assert self._manners.tls is not None
        await self._writer.start_tls(self._manners.tls)

    async def _on_auth(self, text: str) -> None:
        good = self._manners.password.encode()
        if text.upper().startswith("AUTH PLAIN "):
            ok = base64.b64decode(text.split(" ")[2]).split(b"\0")[2:] == [good]
        else:
            await self._say("334 VXNlcm5hbWU6")
            await self._reader.readline()
            await self._say("334 UGFzc3dvcmQ6")
            ok = base64.b64decode((await self._reader.readline()).decode().strip()) == good
        await self._say("235 2.7.0 welcome" if ok else "535 5.7.8 bad credentials")

    async def _on_rset(self, _: str) -> None:
        self._sender, self._to = "", []
        await self._say("250 2.0.0 ok")

    async def _on_mail(self, text: str) -> None:
        if self._sender:
            await self._say("503 5.5.1 nested MAIL")
            return
        if self._letters >= self._manners.letters:
            await self._say("421 4.7.0 enough on this connection")
            raise HangUpError
        self._sender, self._to = _ADDRESS.findall(text)[0], []
        await self._say("250 2.1.0 ok")

    async def _on_rcpt(self, text: str) -> None:
        address = _ADDRESS.findall(text)[0]
        self._fault = fault = self._fake.script.next(address, PREFIXES.get(address.partition("-")[0], ""))
        if fault:
            self._fake.record.refuse(fault)
        if fault == "hangrcpt":
            await asyncio.Event().wait()
        if fault == "droprcpt":
            raise HangUpError
        if fault == "slow421":
            await self._say("421 4.7.0 too fast, closing")
            raise HangUpError
        if fault == "babble":
            await self._say("hello there")
            raise HangUpError
        if fault in AT_RCPT:
            await self._say(AT_RCPT[fault])
            return
        self._to.append(address)
        await self._say("250 2.1.5 ok")

    async def _on_data(self, _: str) -> None:
        if self._fault == "hangdata":
            await asyncio.Event().wait()
        if self._fault == "dropdata":
            raise HangUpError
        if not self._to and self._fault != "odd354":
            await self._say("554 5.5.1 no valid recipients")
            return
        await self._say("354 go on")
        data = await self._letter()
        self._letters += 1
        sender, to, self._sender, self._to = self._sender, self._to, "", []
        if self._fault == "hangdot":
            await asyncio.Event().wait()
        if self._fault in AT_DOT:
            await self._say(AT_DOT[self._fault])
            if self._fault == "late421":
                raise HangUpError
            return
        self._accept(sender, to, data)
        if self._fault == "drop":
            raise HangUpError
        await self._say(f"250 2.0.0 Ok: queued as Q{len(self._fake.record.accepted)}")

    async def _letter(self) -> bytes:
        lines: list[bytes] = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def _accept(self, sender: str, to: list[str], data: bytes) -> None:
        found = _MESSAGE_ID.search(data)
        entry = {
            "message_id": found.group(1).decode("utf-8", "replace") if found else "",
            "from": sender,
            "to": to,
            "size": len(data),
        }
        if self._fake.keep_data:
            entry["data"] = data.decode("utf-8", "replace")
        self._fake.record.accept(entry)


def control(fake: SmtpFake) -> HttpFake:
    """`GET /accepted`, `POST /script` {"address": ..., "faults": [...]} beside the SMTP port."""

    async def handle(request: Request) -> Answer:
        if request.path == "/script":
            body = request.json()
            fake.script.put(str(body["address"]), [str(fault) for fault in body["faults"]])
            return Answer(200, {"ok": True})
        return Answer(200, {"accepted": fake.record.accepted, "faults": dict(fake.record.refused), "connections": fake.connections})

    return HttpFake(handle)


async def serve(port: int, control_port: int, record: Path | None) -> None:
    fake = SmtpFake(record=Record(record))
    print(f"smtp fake on 127.0.0.1:{await fake.start(port)}")
    server = control(fake)
    print(f"control on 127.0.0.1:{await server.start(control_port)}")
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--record", type=Path)
    chosen = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(chosen.port, chosen.control_port, chosen.record))


if __name__ == "__main__":
    main()
