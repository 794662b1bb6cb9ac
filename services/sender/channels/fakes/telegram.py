"""A fake Telegram Bot API. Chat ids 7900000CCCx say their fault: CCC is the code below, x any digit.

    403 blocked, 400 chat not found, 410 deactivated, 429 the first attempt only (retry_after 1), 413 text refused, 500 Telegram's own
    error, 502 a proxy's page, 408 no answer, 499 ACCEPTED and the connection ends without an answer, 498 the same, not accepted.

Run it: `python -m services.sender.channels.fakes.telegram --port 8081 [--record accepted.jsonl]`; then `GET /accepted`,
`POST /script` {"address": chat id or "*", "faults": ["403", ...]}. `setWebhook` is Telegram's own; `POST /play` {"chat_id": 77} with
{"text": "/start quiz"}, {"press": "label of a button that he was sent"} or {"block": true | false} does what a user does.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from runtime.clock import wall_ms

from . import command, control
from .http_server import Answer, HttpFake, Request
from .player import Webhook
from .record import Record, Script

_PATH = re.compile(r"/bot([^/]+)/(sendMessage|setWebhook)")
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
    """token: another one gets 401. `record.accepted`: {"chat_id", "text", "message_id"} each, and "buttons" where there are some.

    clock: ms, for the times of updates. answered: presses that the bot has answered.
    """

    def __init__(self, token: str = "", record: Record | None = None, clock: Callable[[], int] = wall_ms) -> None:
        self.token = token
        self.record = record or Record()
        self.script = Script()
        self.webhook = Webhook()
        self.answered: list[str] = []
        self._secret = ""
        self.clock = clock
        self.server = HttpFake(self.handle)

    async def start(self, port: int = 0) -> int:
        return await self.server.start(port)

    async def stop(self) -> None:
        await self.server.stop()
        await self.webhook.close()
        self.record.close()

    async def handle(self, request: Request) -> Answer:
        if (answer := control.answered(request, self.record, self.script)) is not None:
            return answer
        if request.path == "/play":
            return await self._play(request.json())
        found = _PATH.fullmatch(request.path)
        if found is None:
            return Answer(404, {"ok": False, "error_code": 404, "description": "Not Found"})
        if self.token and found.group(1) != self.token:
            return Answer(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        return self._send(request) if found.group(2) == "sendMessage" else self._set_webhook(request.json())

    def listen(self, url: str, secret: str) -> None:
        """What setWebhook does."""
        self.webhook.url, self._secret = url, secret

    def _set_webhook(self, body: dict[str, Any]) -> Answer:
        self.listen(str(body.get("url", "")), str(body.get("secret_token", "")))
        return Answer(200, {"ok": True, "result": True})

    # ---- what a user does

    async def write(self, chat: int, text: str) -> int:
        """Sends a text; the status that it was answered with, 0 where nobody listens."""
        return await self._tell({"message": {"message_id": 1, "date": self.clock() // 1000, "text": text, **_who(chat)}})

    async def press(self, chat: int, label: str) -> int:
        """Presses the button of this label that he was sent last. Raises LookupError where there is none."""
        sent = [button for one in self.record.accepted if one["chat_id"] == str(chat) for button in one.get("buttons", ())]
        data = next((button["callback_data"] for button in reversed(sent) if button["text"] == label), None)
        if data is None:
            raise LookupError(f"chat {chat} has no button {label!r}")
        number = str(len(self.webhook.told) + 1)
        said = {"id": number, "from": _who(chat)["from"], "message": {"message_id": 1, **_who(chat)}, "data": data}
        return await self._tell({"callback_query": said})

    async def block(self, chat: int, *, back: bool = False) -> int:
        """Blocks the bot, or takes it back."""
        status = "member" if back else "kicked"
        moved = {
            **_who(chat),
            "date": self.clock() // 1000,
            "new_chat_member": {"status": status, "user": {"id": 1, "is_bot": True}},
        }
        return await self._tell({"my_chat_member": moved})

    async def _tell(self, said: Mapping[str, Any]) -> int:
        update = {"update_id": 1000 + len(self.webhook.told), **said}
        answer = await self.webhook.tell(update, {"X-Telegram-Bot-Api-Secret-Token": self._secret})
        if answer is not None and answer.headers["content-type"] == "application/json" and answer.is_success:
            called = answer.json()
            if called.get("method") == "answerCallbackQuery":
                self.answered.append(called["callback_query_id"])
        return answer.status_code if answer is not None else 0

    async def _play(self, body: dict[str, Any]) -> Answer:
        chat = int(body["chat_id"])
        if "block" in body:
            status = await self.block(chat, back=not body["block"])
        elif "press" in body:
            status = await self.press(chat, str(body["press"]))
        else:
            status = await self.write(chat, str(body.get("text", "")))
        return Answer(200, {"status": status})

    # ---- what the bot does

    def _send(self, request: Request) -> Answer:
        body = request.json()
        address = str(body.get("chat_id", ""))
        buttons = [key for row in (body.get("reply_markup") or {}).get("inline_keyboard", []) for key in row]
        if any(not _is_button(button) for button in buttons):
            return Answer(400, {"ok": False, "error_code": 400, "description": "Bad Request: BUTTON_DATA_INVALID"})
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
        more = {"buttons": buttons} if buttons else {}
        self.record.accept({"chat_id": address, "text": str(body.get("text", "")), "message_id": number, **more})
        if fault == "499":
            return Answer(fault="drop")
        return Answer(200, {"ok": True, "result": {"message_id": number, "chat": {"id": body.get("chat_id")}}})


def _who(chat: int) -> dict[str, Any]:
    return {"chat": {"id": chat, "type": "private"}, "from": {"id": chat, "is_bot": False, "first_name": "Player"}}


def _is_button(button: dict[str, Any]) -> bool:
    """A text, and either a URL or 1 to 64 bytes of data."""
    data = button.get("callback_data")
    told = isinstance(data, str) and 0 < len(data.encode()) <= 64
    return bool(button.get("text")) and told != bool(button.get("url"))


if __name__ == "__main__":
    command.run("telegram", 8081, lambda token, record, port: TelegramFake(token, record).start(port), __doc__)
