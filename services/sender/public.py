"""What comes back by links: clicks, opens, unsubscribes, and providers' reports. GET only shows; POST acts (RFC 8058)."""

import html
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from runtime import people
from runtime.clock import Clock
from runtime.db import TRANSIENT, Again, Database
from runtime.kafka import SendFailed
from runtime.people import Saved
from runtime.publisher import Full, Outgoing, Publisher
from schemas.facts import Fact, encode
from schemas.ids import derive, partition_of
from schemas.messages import Intent, decode_intent
from schemas.topics import FACTS_RAW
from services.sender import domain, links, store
from services.sender.domain import Contact

_PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_decode = msgspec.msgpack.Decoder(Contact).decode
_encode = msgspec.msgpack.Encoder().encode
_targets = msgspec.msgpack.Decoder(list[str]).decode
NOT_RECORDED: tuple[type[BaseException], ...] = (SendFailed, Full, *TRANSIENT)
TEXTS = {
    "en": (
        "Unsubscribe",
        "Do you want to stop these messages?",
        "Yes, unsubscribe me",
        "You are unsubscribed.",
        "This link is not valid.",
    ),
    "ru": ("Отписка", "Отписаться от этих сообщений?", "Да, отписаться", "Вы отписаны.", "Ссылка недействительна."),
}
CLICKED = {
    "email": "Email Link Clicked",
    "sms": "SMS Link Clicked",
    "telegram": "Telegram Link Clicked",
    "vk": "VK Link Clicked",
}
READ = "SELECT intent, profile::text AS profile, links, state FROM attempt WHERE id = $1"


class Public:
    """The public paths. Each answers 2xx only after Kafka has the fact (and, for an unsubscribe, the ledger has the no)."""

    def __init__(self, db: Database, publisher: Publisher, keys: links.Keys, clock: Clock, partitions: int) -> None:
        self._db, self._publisher, self._keys, self._clock, self._partitions = db, publisher, keys, clock, partitions
        self.reconcile: Callable[[Intent, str], Awaitable[None]] | None = None

    def app(self, more: Sequence[Route] = ()) -> Starlette:
        """more: further paths on the same port."""
        return Starlette(
            routes=[
                *more,
                Route("/c/{token}", self.click),
                Route("/o/{token}", self.open),
                Route("/u/{token}", self.show, methods=["GET"]),
                Route("/u/{token}", self.unsubscribe, methods=["POST"]),
            ]
        )

    async def click(self, request: Request) -> Response:
        found = await self._row(request, links.Kind.CLICK)
        if found is None:
            return _page(request, 4, 404)
        link, row, intent = found
        targets = _targets(row["links"]) if row["links"] else []
        if link.number >= len(targets):
            return _page(request, 4, 404)
        # The way to the page matters more than our count: a person whose click could not be recorded still gets there.
        try:
            await self._publish(intent, row["profile"], CLICKED[intent.channel], f"click:{link.number}", {"link": link.number})
        except NOT_RECORDED:
            return RedirectResponse(targets[link.number], status_code=302, headers={"X-Recorded": "no"})
        return RedirectResponse(targets[link.number], status_code=302)

    async def open(self, request: Request) -> Response:
        found = await self._row(request, links.Kind.OPEN)
        if found is not None:
            _link, row, intent = found
            await self._publish(intent, row["profile"], "Email Opened", "open", {})
        return Response(_PIXEL, media_type="image/gif", headers={"Cache-Control": "no-store"})

    async def show(self, request: Request) -> Response:
        return _page(request, 1 if await self._row(request, links.Kind.UNSUBSCRIBE) else 4, 200)

    async def unsubscribe(self, request: Request) -> Response:
        """One click: the ledger's copy first (in force for the next provider call), then the fact for everybody else."""
        found = await self._row(request, links.Kind.UNSUBSCRIBE)
        if found is None:
            return _page(request, 4, 404)
        _link, row, intent = found
        now = (await self._clock.now())[0]
        while not await self._forbid(row["profile"], intent, now):
            continue
        try:
            more = {"channel": intent.channel, "topic": "*"}
            await self._publish(intent, row["profile"], "Email Unsubscribed", "unsubscribe", more)
        except (SendFailed, Full):
            return JSONResponse({"title": "try again", "status": 503}, status_code=503, headers={"Retry-After": "5"})
        return _page(request, 3, 200)

    async def _forbid(self, person: str, intent: Intent, now: int) -> bool:
        """False when a merge came between: to be done again."""
        try:
            async with self._db.transaction() as connection:
                crowd = await people.load(connection, [person])
                canonical = crowd.canonical(person)
                state = crowd.state(canonical)
                contact = _decode(state) if state else Contact()
                domain.withdraw(contact, intent.brand, intent.channel, "*", now)
                await crowd.save(connection, [Saved(canonical, partition_of(canonical, self._partitions), _encode(contact), None)])
                await connection.execute(store.TOUCH, [canonical])
        except Again:
            return False
        return True

    async def _row(self, request: Request, kind: links.Kind) -> tuple[links.Link, Any, Intent] | None:
        token = request.path_params["token"].removesuffix(".gif")
        link = links.read(token, self._keys)
        if link is None or link.kind is not kind:
            return None
        async with self._db.connection() as connection:
            row = await connection.fetchrow(READ, link.id)
        if row is None:
            return None
        intent = decode_intent(row["intent"])
        if row["state"] == "in_doubt" and self.reconcile is not None:
            await self.reconcile(intent, row["profile"])  # who clicks has got it
        return link, row, intent

    async def _publish(self, intent: Intent, person: str, event: str, name: str, more: dict[str, Any]) -> None:
        """The fact enters like any other, by the person's address; one open, click or no of a message counts once."""
        async with self._db.connection() as connection:
            row = (await store.contacts(connection, [person])).get(person)
        address = domain.address_of(_decode(row["state"]), intent.channel) if row is not None else None
        if address is None:
            return
        now = (await self._clock.now())[0]
        identifier = f"{domain.ADDRESS_KIND[intent.channel]}:{address}"
        fact = Fact(
            id=derive("link", intent.id, name),
            type="track",
            event=event,
            brand=intent.brand,
            source="links",
            occurred_at=now,
            received_at=now,
            identifiers=(identifier,),
            properties={"intent": intent.id, "document": intent.document, "step": intent.step, "channel": intent.channel, **more},
            cause=intent.id,
        )
        key = f"links|{identifier}"
        place = partition_of(key, self._partitions)
        await self._publisher.publish([Outgoing(FACTS_RAW.name, place, key.encode(), encode(fact))])


def _page(request: Request, text: int, status: int) -> HTMLResponse:
    language = "ru" if request.headers.get("accept-language", "").lower().startswith("ru") else "en"
    texts = TEXTS[language]
    form = f'<form method="post"><button>{html.escape(texts[2])}</button></form>' if text == 1 else ""
    body = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(texts[0])}</title><body><p>{html.escape(texts[text])}</p>{form}</body></html>"
    )
    return HTMLResponse(body, status, headers={"Content-Security-Policy": "default-src 'none'; form-action 'self'"})
