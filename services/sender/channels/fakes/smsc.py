"""A fake SMSC.ru. Phones 7900000CCCx say their fault: CCC is an SMSC error_code as 001..009, 408 no answer, 499 ACCEPTED and the
connection ends without an answer, 502 a proxy's page, 2SS accepted and later in status SS (220 undeliverable, 222 bad number).

Run it: `python -m services.sender.channels.fakes.smsc --port 8082 [--record accepted.jsonl]`; then `GET /accepted`,
`POST /script` {"address": phone without plus or "*", "faults": ["003", ...]}.
"""

from typing import Any

from . import command, control
from .http_server import Answer, HttpFake, Request
from .record import Record, Script
from .telegram import pattern_fault

_TEXTS = {
    1: "parameters error",
    2: "authorise error",
    3: "money error",
    4: "ip blocked",
    5: "invalid date",
    6: "message is denied",
    7: "invalid number",
    8: "message to this number can not be delivered",
    9: "duplicate request, wait a minute",
}


class SmscFake:
    """`record.accepted`: {"id", "phone", "text", "sender"} each; a message with the same id is taken twice, as the real one does."""

    def __init__(self, apikey: str = "", record: Record | None = None) -> None:
        self.apikey = apikey
        self.record = record or Record()
        self.script = Script()
        self.statuses: dict[str, int] = {}
        self.server = HttpFake(self.handle)

    async def start(self, port: int = 0) -> int:
        return await self.server.start(port)

    async def stop(self) -> None:
        await self.server.stop()
        self.record.close()

    async def handle(self, request: Request) -> Answer:
        if (answer := control.answered(request, self.record, self.script)) is not None:
            return answer
        body = request.json()
        if self.apikey and body.get("apikey") != self.apikey:
            return _error(2)
        if request.path == "/rest/send/":
            return self._send(body)
        if request.path == "/rest/status/":
            known = self.statuses.get(str(body.get("id")))
            return Answer(200, {"status": -3 if known is None else known, "last_date": "", "last_timestamp": 1_700_000_000})
        return Answer(404, b"not found")

    def _send(self, body: dict[str, Any]) -> Answer:
        number, own = str(body.get("phones", "")), str(body.get("id", ""))
        fault = self.script.next(number, pattern_fault(number))
        if fault:
            self.record.refuse(fault)
        if fault.startswith("00"):
            return _error(int(fault))
        if fault == "408":
            return Answer(fault="hang")
        if fault == "502":
            return Answer(502, b"<html>bad gateway</html>")
        self.record.accept({"id": own, "phone": number, "text": str(body.get("mes", "")), "sender": str(body.get("sender", ""))})
        self.statuses[own] = int(fault[1:]) if fault.startswith("2") else 1
        if fault == "499":
            return Answer(fault="drop")
        return Answer(200, {"id": own, "cnt": 1, "cost": "3.20", "balance": "100.00"})


def _error(code: int) -> Answer:
    return Answer(200, {"error": _TEXTS[code], "error_code": code})


if __name__ == "__main__":
    command.run("smsc", 8082, lambda _token, record, port: SmscFake(record=record).start(port), __doc__)
