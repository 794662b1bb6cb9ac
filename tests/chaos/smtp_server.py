"""The outside world of a chaos run: an SMTP server whose log is the truth about what was sent.

Each letter that it takes is a line of its log, on the disk before the 250 is said; nothing is ever removed. With `--faults` it is a
poor provider: by a hash of the seed it says 451 to some (at RCPT or after the closing dot, once), takes some and hangs up without an
answer, and hangs up on some without taking them. Those two are in doubt for any honest sender.

`python tests/chaos/smtp_server.py --log mails.jsonl [--port N] [--seed N] [--faults]`; it prints its port.
"""

import argparse
import asyncio
import json
import os
import re
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

ADDRESS = re.compile(r"<([^>]*)>")
MESSAGE_ID = re.compile(rb"^message-id:\s*<?([^>\r\n]*)", re.IGNORECASE | re.MULTILINE)
SUBJECT = re.compile(rb"^subject:\s*(\S+)\s+(\S+)", re.IGNORECASE | re.MULTILINE)
SHARES = (("grey", 25), ("later", 15), ("drop", 4), ("hangup", 4))  # of 1,000
BOUNCES = "bounce"  # what a local part begins with that nobody has


class HangUp(ConnectionError):  # noqa: N818
    """The connection ends here."""


class Server:
    """`faults`: whether it is a poor provider. The log has one line a letter taken, or (fault) refused for a while or dropped."""

    def __init__(self, log: Path, seed: int, *, faults: bool) -> None:
        self._log = log.open("a", encoding="utf-8")
        self._seed, self._faults = seed, faults
        self._met: Counter[str] = Counter()

    def fault(self, name: str) -> str:
        """What a letter meets, the first time."""
        self._met[name] += 1
        if not self._faults or self._met[name] > 1:
            return ""
        roll = zlib.crc32(f"{self._seed}:{name}".encode()) % 1000
        for fault, share in SHARES:
            if roll < share:
                return fault
            roll -= share
        return ""

    def close(self) -> None:
        self._log.close()

    def note(self, what: str, to: str, data: bytes) -> None:
        """On the disk before anybody hears of it."""
        found, subject = MESSAGE_ID.search(data), SUBJECT.search(data)
        entry: dict[str, Any] = {
            "what": what,
            "at": int(time.time() * 1000),
            "message_id": found.group(1).decode() if found else "",
            "to": to,
            "step": subject.group(1).decode() if subject else "",
            "started_by": subject.group(2).decode() if subject else "",
        }
        self._log.write(json.dumps(entry) + "\n")
        self._log.flush()
        os.fsync(self._log.fileno())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Dialogue(self, reader, writer).run()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # a client may be killed at any point
        finally:
            writer.transport.abort()


class Dialogue:
    """One connection."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._to = ""

    async def run(self) -> None:
        await self._say("220 chaos ESMTP")
        while line := (await self._reader.readline()).decode("utf-8", "replace").strip():
            verb = line.split(" ")[0].split(":")[0].upper()
            if verb == "QUIT":
                await self._say("221 bye")
                return
            answer = {"EHLO": self._hello, "MAIL": self._mail, "RCPT": self._rcpt, "DATA": self._data, "RSET": self._mail}
            await answer[verb](line) if verb in answer else await self._say("502 5.5.2 what?")

    async def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())
        await self._writer.drain()

    async def _hello(self, _: str) -> None:
        for word in ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000"):
            self._writer.write(f"250-{word}\r\n".encode())
        await self._say("250 HELP")

    async def _mail(self, _: str) -> None:
        self._to = ""
        await self._say("250 2.1.0 ok")

    async def _rcpt(self, line: str) -> None:
        address = ADDRESS.findall(line)[0]
        if address.startswith(BOUNCES):
            await self._say("550 5.1.1 user unknown")
        elif self._server.fault(f"rcpt {address}") == "grey":
            await self._say("451 4.7.1 greylisted, try again")
        else:
            self._to = address
            await self._say("250 2.1.5 ok")

    async def _data(self, _: str) -> None:
        if not self._to:
            await self._say("554 5.5.1 no valid recipients")
            return
        await self._say("354 go on")
        lines = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        data = b"".join(lines)
        found = MESSAGE_ID.search(data)
        fault = self._server.fault(found.group(1).decode() if found else "")
        if fault == "later":
            self._server.note("later", self._to, data)
            await self._say("451 4.3.0 not now")
            return
        if fault == "hangup":
            self._server.note("hangup", self._to, data)
            raise HangUp
        self._server.note("accepted", self._to, data)
        if fault == "drop":
            self._server.note("drop", self._to, data)
            raise HangUp
        await self._say("250 2.0.0 Ok")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", action="store_true")
    given = parser.parse_args()
    server = Server(given.log, given.seed, faults=given.faults)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", given.port, limit=2**20)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
