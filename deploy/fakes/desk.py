"""One server for all fake providers, each behind a path of its own, and what they took as a page and as JSON."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from services.sender.channels.fakes.http_server import Answer, HttpFake, Request
from services.sender.channels.fakes.record import Record
from services.sender.channels.fakes.smsc import SmscFake
from services.sender.channels.fakes.telegram import TelegramFake
from services.sender.channels.fakes.vk import VkFake

PER_PAGE = 200
STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top;overflow-wrap:anywhere;white-space:pre-wrap}"""
POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "X-Content-Type-Options": "nosniff"}


class Kept(Record):
    """The record of one channel, with the instant of each message; what an earlier process of the run took is read again."""

    def __init__(self, channel: str, folder: Path) -> None:
        self._channel = channel
        path = folder / f"{channel}.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # a kill cut the last line short: the next one must not go on in it
            path.write_text(whole, encoding="utf-8")
        super().__init__(path)
        self.accepted = [json.loads(line) for line in whole.splitlines()]

    def accept(self, entry: dict[str, Any]) -> None:
        super().accept({"at": time.time_ns() // 1_000_000, "channel": self._channel, **entry})


class Desk:
    """`/telegram/...`, `/vk/...` and `/smsc/...` are the providers, as the adapters call them (with `/accepted` and `/script` for tests,
    and `/play` for what a user of a messenger does); `/` and `/api/messages` show what they took.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._telegram = TelegramFake(record=Kept("telegram", folder))
        self._vk = VkFake(record=Kept("vk", folder))
        self._smsc = SmscFake(record=Kept("sms", folder))
        self._server = HttpFake(self._handle)

    async def start(self, port: int = 0) -> int:
        return await self._server.start(port)

    async def stop(self) -> None:
        await self._server.stop()
        await self._telegram.stop()
        await self._vk.stop()
        await self._smsc.stop()

    def messages(self) -> list[dict[str, Any]]:
        """Oldest first: `{at, channel, to, text}`, and of a messenger the labels of its `buttons`; at: ms."""
        taken = [*self._telegram.record.accepted, *self._vk.record.accepted, *self._smsc.record.accepted]
        return [_shown(one) for one in sorted(taken, key=lambda one: one["at"])]

    async def _handle(self, request: Request) -> Answer:
        _, provider, *rest = request.path.split("/", 2)
        inner = replace(request, path="/" + "".join(rest))
        if provider == "telegram":
            return await self._telegram.handle(inner)
        if provider == "vk":
            return await self._vk.handle(inner)
        if provider == "smsc":
            return await self._smsc.handle(inner)
        if request.path in {"/livez", "/readyz"}:
            return Answer(200, {"ok": True})
        if request.path == "/api/messages":
            return Answer(200, {"messages": self.messages()})
        if request.path == "/":
            return Answer(200, _page(self.messages()).encode(), {"content-type": "text/html; charset=utf-8", **POLICY})
        return Answer(404, {"error": "nothing is here: look at / or /api/messages"})


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    to = one.get("chat_id") or one.get("user_id") or one.get("phone")
    labels = [button.get("text") or button.get("label") for button in one.get("buttons", ())]
    return {"at": one["at"], "channel": one["channel"], "to": to, "text": one["text"], **({"buttons": labels} if labels else {})}


def _page(messages: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{datetime.fromtimestamp(one['at'] / 1000, UTC):%Y-%m-%d %H:%M:%S}</td>"
        f"<td>{one['channel']}</td><td>{escape(str(one['to']))}</td>"
        f"<td>{escape(one['text'])}{''.join(f'<br>[{escape(label)}]' for label in one.get('buttons', ()))}</td></tr>"
        for one in reversed(messages[-PER_PAGE:])
    )
    head = f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Messages</title><style>{STYLE}</style></head>"
    count = f"<p>{len(messages)} taken, the last {PER_PAGE} are shown. Nothing leaves this machine.</p>"
    table = f"<table><tr><th>at (UTC)</th><th>channel</th><th>to</th><th>text</th></tr>{rows}</table>"
    return f"{head}<body><h1>Messages</h1>{count}{table}</body></html>"
