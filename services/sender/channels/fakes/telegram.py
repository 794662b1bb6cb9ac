"""A fake Telegram Bot API. Chat ids 7900000CCCx say their fault: CCC is the code below, x any digit.

    403 blocked, 400 chat not found, 410 deactivated, 429 the first attempt only (retry_after 1), 413 text refused, 500 Telegram's own
    error, 502 a proxy's page, 408 no answer, 499 ACCEPTED and the connection ends without an answer, 498 the same, not accepted.

Run it: `python -m services.sender.channels.fakes.telegram --port 8081 [--record accepted.jsonl]`; then `GET /accepted`,
`POST /script` {"address": chat id or "*", "faults": ["403", ...]}.
"""

import argparse
import asyncio
import contextlib
import re
from pathlib import Path

from .http_server import Answer, HttpFake, Request
from .record import Record, Script

_PATH = re.compile(r"/bot([^/]+)/sendMessage")
_PATTERN = re.compile(r"\+?7900000(\d{3})\d")

_ANSWERS: dict[str, tuple[int, str]] = {
    "400": (400, "Bad Request: chat not found"),
    "403": (403, "Forbidden: bot was blocked by the user"),
    "410": (403, "Forbidden: user is deactivated"),
    "413": (400, "Bad Request: can't parse entities"),
    "500": (500, "Internal Server Error"),
}


def pattern_fault(address: str) -> str:
    """The fault that a number names by itself, or "". 429 is met once."""
    found = _PATTERN.fullmatch(address)
    return "" if found is None else found.group(1) + ("-once" if found.group(1) == "429" else "")


class TelegramFake:
    """token: another one gets 401. `record.accepted`: {"chat_id", "text", "message_id"} each."""

    def __init__(self, token: str = "", record: Record | None = None) -> None:
        self.token = token
        self.record = record or Record()
        self.script = Script()
        self.server = HttpFake(self.handle)

    async def start(self, port: int = 0) -> int:
        return await self.server.start(port)

    async def stop(self) -> None:
        await self.server.stop()
        self.record.close()

    async def handle(self, request: Request) -> Answer:
        if request.path == "/accepted":
            return Answer(200, {"accepted": self.record.accepted, "faults": dict(self.record.refused)})
        if request.path == "/script":
            body = request.json()
            self.script.put(str(body["address"]), [str(fault) for fault in body["faults"]])
            return Answer(200, {"ok": True})
        found = _PATH.fullmatch(request.path)
        if found is None:
            return Answer(404, {"ok": False, "error_code": 404, "description": "Not Found"})
        if self.token and found.group(1) != self.token:
            return Answer(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        return self._send(request)

    def _send(self, request: Request) -> Answer:
        body = request.json()
        address = str(body.get("chat_id", ""))
        fault = self.script.next(address, pattern_fault(address))
        if fault:
            self.record.refuse(fault)
        if fault in _ANSWERS:
            code, text = _ANSWERS[fault]
            return Answer(code, {"ok": False, "error_code": code, "description": text})
        if fault == "429":
            text = "Too Many Requests: retry after 1"
            return Answer(429, {"ok": False, "error_code": 429, "description": text, "parameters": {"retry_after": 1}})
        if fault == "502":
            return Answer(502, b"<html>bad gateway</html>")
        if fault in {"408", "498"}:
            return Answer(fault="hang" if fault == "408" else "drop")
        number = len(self.record.accepted) + 1
        self.record.accept({"chat_id": address, "text": str(body.get("text", "")), "message_id": number})
        if fault == "499":
            return Answer(fault="drop")
        return Answer(200, {"ok": True, "result": {"message_id": number, "chat": {"id": body.get("chat_id")}}})


async def serve(port: int, token: str, record: Path | None) -> None:
    print(f"telegram fake on 127.0.0.1:{await TelegramFake(token, Record(record)).start(port)}")
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--token", default="")
    parser.add_argument("--record", type=Path)
    chosen = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(chosen.port, chosen.token, chosen.record))


if __name__ == "__main__":
    main()
