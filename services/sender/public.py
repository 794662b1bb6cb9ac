"""What comes back by links: clicks, opens and unsubscribes. GET only shows; POST acts (RFC 8058)."""

from html import escape

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime.db import TRANSIENT
from runtime.kafka import SendFailed
from runtime.publisher import Full
from services.sender.links import Kind
from services.sender.machines import is_machine
from services.sender.pages import shell
from services.sender.pages.texts import TEXTS
from services.sender.visitors import Visit, Visitors

_PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_targets = msgspec.msgpack.Decoder(list[str]).decode
NOT_RECORDED: tuple[type[BaseException], ...] = (SendFailed, Full, *TRANSIENT)
CLICKED = {
    "email": "Email Link Clicked",
    "sms": "SMS Link Clicked",
    "telegram": "Telegram Link Clicked",
    "vk": "VK Link Clicked",
}


class Public:
    """The paths of clicks, opens and unsubscribes. An unsubscribe is answered with 2xx when Kafka has it and the ledger has the no."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    def routes(self) -> list[Route]:
        return [
            Route("/c/{token}", self.click),
            Route("/o/{token}", self.open),
            Route("/u/{token}", self.show, methods=["GET"]),
            Route("/u/{token}", self.unsubscribe, methods=["POST"]),
        ]

    async def click(self, request: Request) -> Response:
        visit = await self._visitors.find(request, Kind.CLICK)
        if isinstance(visit, int):
            return shell.gone(shell.language_of(request), visit)
        targets = _targets(visit.row["links"]) if visit.row["links"] else []
        number = visit.link.number
        if number >= len(targets):
            return shell.gone(visit.language, 404)
        if visit.contact is None:
            return RedirectResponse(targets[number], status_code=302)
        # The way to the page matters more than our count: a person whose click could not be recorded still gets there.
        try:
            await self._tell(visit, CLICKED[visit.intent.channel], f"click:{number}", link=number)
        except NOT_RECORDED:
            return RedirectResponse(targets[number], status_code=302, headers={"X-Recorded": "no"})
        return RedirectResponse(targets[number], status_code=302)

    async def open(self, request: Request) -> Response:
        visit = await self._visitors.somebody(request, Kind.OPEN)
        if not isinstance(visit, int):
            await self._tell(visit, "Email Opened", "open")
        return Response(_PIXEL, media_type="image/gif", headers={"Cache-Control": "no-store"})

    async def show(self, request: Request) -> Response:
        visit = await self._visitors.somebody(request, Kind.UNSUBSCRIBE)
        if isinstance(visit, int):
            return shell.gone(shell.language_of(request), visit)
        texts = TEXTS[visit.language]
        body = f"<p>{escape(texts.unsubscribe_ask)}</p>{shell.button(texts.unsubscribe_yes)}"
        return shell.page(visit.language, texts.unsubscribe, body, brand=visit.brand)

    async def unsubscribe(self, request: Request) -> Response:
        """One click: the ledger's copy first (in force for the next provider call), then the fact for everybody else."""
        visit = await self._visitors.somebody(request, Kind.UNSUBSCRIBE)
        if isinstance(visit, int):
            return shell.gone(shell.language_of(request), visit)
        texts = TEXTS[visit.language]
        # Its instant is in its name: whoever switches letters on again and takes the same link has said another word.
        no = visit.said("Email Unsubscribed", "links", f"unsubscribe:{visit.now}", visit.of_message(topic="*"))
        await self._visitors.forbid(visit.person, [no])
        try:
            await self._visitors.tell([no])
        except (SendFailed, Full):
            return shell.try_again(visit.language, texts.unsubscribe)
        more = escape(shell.filled(texts.unsubscribed_more, visit.brand))
        return shell.page(visit.language, texts.unsubscribed, f"<p>{more}</p>", brand=visit.brand)

    async def _tell(self, visit: Visit, event: str, name: str, **more: int) -> None:
        """One open or click of a message counts once; a machine's is told apart, so that it does not stand in for the person's."""
        if is_machine(visit.link.kind, visit.agent):
            name, more = f"{name}:machine", {**more, "machine": True}
        await self._visitors.tell([visit.said(event, "links", name, visit.of_message(**more))])
