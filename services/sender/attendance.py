"""The link of a letter about an event: he says that he comes. GET only shows, as programs follow links too; POST acts."""

from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.kafka import SendFailed
from runtime.publisher import Full
from schemas.events import ATTENDANCE, EVENT
from services.sender.links import Kind
from services.sender.pages import shell
from services.sender.pages.texts import TEXTS
from services.sender.visitors import Visit, Visitors


class Attendance:
    """The paths /e/{token}. Which event it is stands in what the letter was made of."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    def routes(self) -> list[Route]:
        return [Route("/e/{token}", self.show, methods=["GET"]), Route("/e/{token}", self.confirm, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        texts = TEXTS[visit.language]
        body = f"<p>{escape(_said(visit, 'title'))}</p>{shell.button(texts.attend_yes)}"
        return shell.page(visit.language, texts.attend, body, brand=visit.brand)

    async def confirm(self, request: Request) -> Response:
        """However often the button is pressed, it is said once for each letter."""
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        texts = TEXTS[visit.language]
        fact = visit.said(ATTENDANCE, "links", "attend", visit.of_message(**{EVENT: _said(visit, EVENT)}))
        try:
            await self._visitors.tell([fact])
        except (SendFailed, Full):
            return shell.try_again(visit.language, texts.attend)
        return shell.page(visit.language, texts.attending, f"<p>{escape(_said(visit, 'title'))}</p>", brand=visit.brand)

    async def _visit(self, request: Request) -> Visit | Response:
        visit = await self._visitors.somebody(request, Kind.ATTEND, expires=True)
        if isinstance(visit, int):
            return shell.gone(shell.language_of(request), visit)
        return visit if _said(visit, EVENT) else shell.gone(visit.language, 404)


def _said(visit: Visit, name: str) -> str:
    event = visit.intent.data.get("event")
    found = event.get(name) if isinstance(event, dict) else None
    return found if isinstance(found, str) else ""
