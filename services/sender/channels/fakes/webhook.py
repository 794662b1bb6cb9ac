"""A receiver of webhooks that does what docs/webhooks-out.md tells receivers to do: it checks the signature and drops repeats.
What it takes it answers with a cookie, which nobody is to bring back.

What the next calls of a path meet is scripted: a status such as "503", with "after" a Retry-After ("429 after 7"); "hang" gives no
answer, "drop" takes the call and ends the connection, "endless" answers 200 with a body that does not end.

Run it: `python -m services.sender.channels.fakes.webhook --port 8084 --token whsec_... [--record calls.jsonl]`; then `GET /accepted`,
`POST /script` {"address": "/path" or "*", "faults": ["503", ...]}.
"""

import base64
import hmac
import ssl
from typing import Any

from runtime.clock import wall_ms

from . import command, control
from .http_server import Answer, HttpFake, Request
from .record import Record, Script

TOLERANCE_S = 300
ENDLESS = b" " * 65_536


class WebhookFake:
    """`record.accepted`: {"id", "path", "body", "headers"} of each call that is no repeat. secrets: of each path, as receivers are shown
    them; a path without one takes what is not signed too. repeats: ids that came again.
    """

    def __init__(self, record: Record | None = None) -> None:
        self.record = record or Record()
        self.script = Script()
        self.secrets: dict[str, str] = {}
        self.repeats: list[str] = []
        self.server = HttpFake(self.handle)

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> int:
        return await self.server.start(port, tls)

    async def stop(self) -> None:
        await self.server.stop()
        self.record.close()

    async def handle(self, request: Request) -> Answer:
        if (answer := control.answered(request, self.record, self.script)) is not None:
            return answer
        secret = self.secrets.get(request.path, self.secrets.get("*", ""))
        if secret and not verified(request.body, request.headers, secret, wall_ms() / 1000):
            self.record.refuse("signature")
            return Answer(401, {"error": "the signature does not fit"})
        return self._meet(request, self.script.next(request.path, ""))

    def _meet(self, request: Request, fault: str) -> Answer:
        if fault:
            self.record.refuse(fault)
        if fault == "hang":
            return Answer(fault="hang")
        status, _, after = fault.partition(" after ")
        if status.isdecimal():
            return Answer(int(status), {"error": "scripted"}, {"Retry-After": after} if after else {"Location": "/elsewhere"})
        self._take(request)
        if fault == "drop":
            return Answer(fault="drop")
        if fault == "endless":
            return Answer(200, ENDLESS, {"content-length": str(10**12)}, fault="endless")
        return Answer(204, b"", {"Set-Cookie": "session=1; Path=/"})

    def _take(self, request: Request) -> None:
        id_ = request.headers.get("webhook-id", "")
        if any(one["id"] == id_ for one in self.record.accepted):
            self.repeats.append(id_)
            return
        entry: dict[str, Any] = {"id": id_, "path": request.path, "body": request.body.decode(), "headers": request.headers}
        self.record.accept(entry)


def verified(body: bytes, headers: dict[str, str], secret: str, now_s: float) -> bool:
    """By the rules of Standard Webhooks, written from their text and not from what signs here."""
    told = headers.get("webhook-timestamp", "")
    if not told.isdecimal() or abs(now_s - int(told)) > TOLERANCE_S:
        return False
    signed = f"{headers.get('webhook-id', '')}.{told}.".encode() + body
    wanted = base64.b64encode(hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256").digest()).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(one, f"v1,{wanted}") for one in given)


def _start(token: str, record: Record, port: int) -> Any:
    fake = WebhookFake(record)
    if token:
        fake.secrets["*"] = token
    return fake.start(port)


if __name__ == "__main__":
    command.run("webhook", 8084, _start, __doc__)
