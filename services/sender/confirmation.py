"""Double opt-in: the link of the letter that asks whether he meant it. GET only shows, as programs follow links too; POST confirms."""

from collections.abc import Sequence
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.kafka import SendFailed
from runtime.publisher import Full
from schemas.consents import CONFIRMED
from schemas.facts import Fact
from schemas.permission import Request as Asked
from schemas.permission import requests
from services.sender.links import Kind
from services.sender.pages import choices, shell
from services.sender.pages.texts import TEXTS
from services.sender.visitors import Visit, Visitors


class Confirmation:
    """The paths /d/{token}. What he asked for of the brand by the letter's channel is confirmed together: he has shown that it is his."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    def routes(self) -> list[Route]:
        return [
            Route("/d/{token}", self.show, methods=["GET"]),
            Route("/d/{token}", self.confirm, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        asked, texts = _asked(visit), TEXTS[visit.language]
        items = "".join(f"<li>{escape(_label(visit, one))}</li>" for one in asked)
        body = f'<p>{escape(_question(visit))}</p><ul class="list">{items}</ul>{shell.button(texts.confirm_yes)}'
        return shell.page(visit.language, texts.confirm, body, brand=visit.brand)

    async def confirm(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        asked, texts = _asked(visit), TEXTS[visit.language]
        try:
            await self._visitors.tell([_word(visit, one, asked) for one in asked])
        except (SendFailed, Full):
            return shell.try_again(visit.language, texts.confirm)
        return shell.page(visit.language, texts.confirmed, f"<p>{escape(texts.confirmed_more)}</p>", brand=visit.brand)

    async def _visit(self, request: Request) -> Visit | Response:
        """Who came and has something to confirm, or the page that says why not."""
        visit = await self._visitors.somebody(request, Kind.CONFIRM, expires=True)
        if isinstance(visit, int):
            return shell.gone(shell.language_of(request), visit)
        return visit if _asked(visit) else _nothing(visit)


def _asked(visit: Visit) -> list[Asked]:
    """What the letter asked about, while he has the address that it went to: of another one, and of what was asked for later, its link
    shows nothing.
    """
    if not visit.came_to:
        return []
    waiting = requests(visit.known.words, visit.subjects.tree, visit.intent.brand, visit.intent.channel)
    return [one for one in waiting if one.asked <= visit.intent.received_at]


def _nothing(visit: Visit) -> Response:
    """Confirmed before, refused since, or of another address by now: all are as they should be."""
    texts = TEXTS[visit.language]
    return shell.page(
        visit.language, texts.nothing_to_confirm, f"<p>{escape(texts.nothing_to_confirm_more)}</p>", brand=visit.brand
    )


def _question(visit: Visit) -> str:
    return shell.filled(TEXTS[visit.language].confirm_ask, visit.brand, shell.masked(visit.intent.channel, visit.to))


def _label(visit: Visit, asked: Asked) -> str:
    return choices.whole_label(visit.subjects, asked.topic, visit.language)


def _word(visit: Visit, one: Asked, all_of: Sequence[Asked]) -> Fact:
    """The confirmation of a request; its id is the same however often the button is pressed."""
    topics = ", ".join(_label(visit, asked) for asked in all_of)
    # The hash goes out with the fact: of the address in it somebody who has a list of addresses would find the right one.
    plain = shell.filled(TEXTS[visit.language].confirm_ask, visit.brand, "{to}")
    said = {
        "channel": visit.intent.channel,
        "topic": one.topic,
        "requested_at": one.asked,
        **({"expires_at": one.until} if one.until is not None else {}),
        "text_id": "double_opt_in",
        "text_sha256": choices.sha256(f"{plain} {topics}"),
        "language": visit.language,
        "evidence": {
            "page": "/d/",
            "message": visit.intent.id,
            "to": visit.to,
            "clicked_at": visit.now,
            "wording": f"{_question(visit)} {topics}",
        },
    }
    return visit.said(CONFIRMED, "double_opt_in", f"confirm:{one.topic}:{one.asked}", said)
