"""A fake of VK's community messages. User ids 7900000CCCx say their fault: CCC is an error code as 901, 902, 014, 005, 010, 113; 006 and
009 are met by the first attempt only; 502 a proxy's page, 408 no answer, 499 ACCEPTED and the connection ends without an answer.
The same `random_id` to the same user twice is one message.

Run it: `python -m services.sender.channels.fakes.vk --port 8083 [--record accepted.jsonl]`; then `GET /accepted`, `POST /script`
{"address": user id or "*", "faults": ["901", ...]}. `POST /webhook` {"url", "secret", "group", "confirmation"} is what stands in a
community's settings; `POST /play` {"user_id": 88} with {"text": ...}, {"press": label}, {"ref": ...} or {"block": true | false} does
what a user does.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from runtime.clock import wall_ms

from . import command, control
from .http_server import Answer, HttpFake, Request
from .player import Webhook
from .record import Record, Script

_PATTERN = re.compile(r"7900000(\d{3})\d")
_ONCE = ("006", "009")
_TEXTS = {
    "005": "User authorization failed: invalid access_token.",
    "006": "Too many requests per second",
    "009": "Flood control",
    "010": "Internal server error",
    "014": "Captcha needed",
    "113": "Invalid user id",
    "901": "Can't send messages for users without permission",
    "902": "Can't send messages to this user due to their privacy settings",
    "911": "Keyboard format is invalid",
}


class VkFake:
    """token: another one gets error 5. `record.accepted`: {"user_id", "text", "message_id"} each, and "buttons" where there are some.

    clock: ms, for the times of updates.
    """

    def __init__(self, token: str = "", record: Record | None = None, clock: Callable[[], int] = wall_ms) -> None:
        self.token = token
        self.record = record or Record()
        self.script = Script()
        self.webhook = Webhook()
        self.server = HttpFake(self.handle)
        self._secret, self._group = "", 0
        self._taken: dict[tuple[str, str], int] = {}
        self.clock = clock

    async def start(self, port: int = 0) -> int:
        return await self.server.start(port)

    async def stop(self) -> None:
        await self.server.stop()
        await self.webhook.close()
        self.record.close()

    async def handle(self, request: Request) -> Answer:
        if (answer := control.answered(request, self.record, self.script)) is not None:
            return answer
        if request.path == "/method/messages.send":
            return self._send(dict(parse_qsl(request.body.decode(), keep_blank_values=True)))
        body = request.json()
        if request.path == "/webhook":
            confirmed = await self.connect(str(body["url"]), str(body["secret"]), int(body["group"]), str(body["confirmation"]))
            return Answer(200, {"ok": confirmed})
        if request.path == "/play":
            return await self._play(body)
        return Answer(404, {"error": {"error_code": 3, "error_msg": "Unknown method passed"}})

    # ---- what a user does, and the community's owner

    async def connect(self, url: str, secret: str, group: int, confirmation: str) -> bool:
        """Asks the address for the text that VK has shown in the settings; only who gives it is told of anything."""
        self.webhook.url, self._secret, self._group = url, secret, group
        answer = await self.webhook.tell({"type": "confirmation", "group_id": group}, {})
        self.webhook.told.pop()
        if answer is None or not answer.is_success or answer.text != confirmation:
            self.webhook.url = ""
            return False
        return True

    async def write(self, user: int, text: str, ref: str = "", payload: Mapping[str, Any] | None = None) -> int:
        """Sends a text; the status that it was answered with, 0 where nobody listens. ref: of the link by which he came."""
        message: dict[str, Any] = {"id": 1, "date": self.clock() // 1000, "from_id": user, "peer_id": user, "text": text}
        if ref:
            message["ref"] = ref
        if payload is not None:
            message["payload"] = json.dumps(payload)
        return await self._tell("message_new", {"message": message, "client_info": {"inline_keyboard": True}})

    async def press(self, user: int, label: str) -> int:
        """Presses the button of this label that he was sent last. Raises LookupError where there is none."""
        sent = [button for one in self.record.accepted if one["user_id"] == str(user) for button in one.get("buttons", ())]
        found = next((button for button in reversed(sent) if button["label"] == label and button["type"] == "text"), None)
        if found is None:
            raise LookupError(f"user {user} has no button {label!r}")
        return await self.write(user, label, payload=json.loads(found["payload"]))

    async def block(self, user: int, *, back: bool = False) -> int:
        """Forbids the community to write to him, or allows it."""
        return await self._tell("message_allow" if back else "message_deny", {"user_id": user})

    async def _tell(self, kind: str, inner: Mapping[str, Any]) -> int:
        number = f"e{len(self.webhook.told)}"
        body = {"type": kind, "object": inner, "group_id": self._group, "event_id": number, "v": "5.199", "secret": self._secret}
        answer = await self.webhook.tell(body, {})
        return answer.status_code if answer is not None and answer.text == "ok" else 0

    async def _play(self, body: dict[str, Any]) -> Answer:
        user = int(body["user_id"])
        if "block" in body:
            status = await self.block(user, back=not body["block"])
        elif "press" in body:
            status = await self.press(user, str(body["press"]))
        else:
            status = await self.write(user, str(body.get("text", "")), str(body.get("ref", "")))
        return Answer(200, {"status": status})

    # ---- what the community does

    def _send(self, form: dict[str, str]) -> Answer:
        if self.token and form.get("access_token") != self.token:
            return _error("005")
        user, random_id = form.get("peer_id", ""), form.get("random_id", "")
        if (user, random_id) in self._taken:
            return Answer(200, {"response": self._taken[user, random_id]})
        buttons = _buttons(form.get("keyboard", ""))
        if buttons is None:
            return _error("911")
        fault = self.script.next(user, _fault_of(user))
        if fault:
            self.record.refuse(fault)
        if fault in _TEXTS:
            return _error(fault)
        if fault == "502":
            return Answer(502, b"<html>bad gateway</html>")
        if fault == "408":
            return Answer(fault="hang")
        number = self._taken[user, random_id] = len(self.record.accepted) + 1
        more = {"buttons": buttons} if buttons else {}
        self.record.accept({"user_id": user, "text": form.get("message", ""), "message_id": number, **more})
        return Answer(fault="drop") if fault == "499" else Answer(200, {"response": number})


def _fault_of(user: str) -> str:
    found = _PATTERN.fullmatch(user)
    return "" if found is None else found.group(1) + ("-once" if found.group(1) in _ONCE else "")


def _error(code: str) -> Answer:
    return Answer(200, {"error": {"error_code": int(code), "error_msg": _TEXTS[code]}})


def _buttons(keyboard: str) -> list[dict[str, Any]] | None:
    """The actions of an inline keyboard; None for one that VK does not take: 6 rows, 10 buttons, labels of 40 and payloads of 255."""
    if not keyboard:
        return []
    rows = json.loads(keyboard).get("buttons", [])
    actions: list[dict[str, Any]] = [button["action"] for row in rows for button in row]
    fits = len(rows) <= 6 and len(actions) <= 10 and all(len(row) <= 5 for row in rows)
    fine = all(
        0 < len(a["label"]) <= 40 and len(a.get("payload", "")) <= 255 and ("link" in a) == (a["type"] == "open_link")
        for a in actions
    )
    return actions if fits and fine else None


if __name__ == "__main__":
    command.run("vk", 8083, lambda token, record, port: VkFake(token, record).start(port), __doc__)
