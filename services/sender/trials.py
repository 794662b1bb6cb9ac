"""What the gateway asks before a campaign is launched: its letters as some of its people would get them. Nothing is sent, and no address,
attribute or text leaves.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from html import unescape
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from schemas.messages import Intent
from services.sender import store
from services.sender.content.templates import TemplateFault
from services.sender.letters import Letters
from services.sender.links import PATHS, Kind

if TYPE_CHECKING:
    from runtime.db import Database
    from runtime.process import Context

NO = (Kind.UNSUBSCRIBE, Kind.PREFERENCES)  # links by which a reader can say no
MOST = 1_000  # people that one letter is tried on
PATIENCE_S, LOOK_S = 5.0, 0.1  # for a template that was just published
_LINK = re.compile(r"""href\s*=\s*["']([^"']*)["']""", re.IGNORECASE)
_BARE = re.compile(r"https?://[^\s<>\"')]+")


class Asked(msgspec.Struct, frozen=True):
    """intent: of nobody, with the template, channel, class, topic and brand of the letter; people: whom it is tried on; wait_s: how long a
    template that is on its way here is waited for.
    """

    intent: Intent
    people: Annotated[list[str], msgspec.Meta(max_length=MOST)]
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=PATIENCE_S)] = PATIENCE_S


_asked = msgspec.json.Decoder(Asked).decode


def routes(context: "Context", letters: Callable[[], Letters], public_url: str) -> Sequence[BaseRoute]:
    async def trial(request: Request) -> Response:
        """`POST /letters/trial`, see `tried`."""
        try:
            asked = _asked(await request.body())
        except msgspec.DecodeError as error:
            return JSONResponse({"error": str(error)}, 400)
        now = context.clock.last_known_ms()
        current = await known(context.db, letters, asked.intent, asked.wait_s)
        async with context.db.connection() as connection:
            rows = await store.contacts(connection, asked.people)
        return JSONResponse(await tried(current, asked, [rows.get(person) for person in asked.people], now, public_url))

    return [Route("/letters/trial", trial, methods=["POST"])]


async def known(db: "Database", letters: Callable[[], Letters], intent: Intent, seconds: float) -> Letters:
    """The letters of this moment. A template that was published a moment ago is on its way here: it is waited for, at most so long."""
    until = asyncio.get_running_loop().time() + seconds
    while True:
        async with db.connection() as connection:
            current = await letters().current(connection)
        if current.knows(intent) or asyncio.get_running_loop().time() >= until:
            return current
        await asyncio.sleep(LOOK_S)


async def tried(letters: Letters, asked: Asked, rows: Sequence[Any], now: int, public_url: str) -> dict[str, Any]:
    """{people, forbidden: {rule: people}, missing: {variable: people}, faults: {code: people}, bytes: of the largest, links, fixed,
    unsubscribes}. fixed: those of links that stand in the template as they are, so that they are the same for everybody. The fault
    `not_there_yet`: this service has not the template yet. unsubscribes: each has a link by which its reader can say no. links: those that are not made for each message, as these begin with
    public_url.
    """
    ours, no = (tuple(f"{public_url}/{PATHS[kind]}/" for kind in kinds) for kinds in (PATHS, NO))
    forbidden, missing, faults = Counter[str](), Counter[str](), Counter[str]()
    links: set[str] = set()
    largest, unsubscribes, people = 0, True, len(rows)
    if not letters.knows(asked.intent):
        faults["not_there_yet"], rows = people, ()
    for row in rows:
        await asyncio.sleep(0)  # mail goes on meanwhile
        rule, parts = letters.tried(asked.intent, row, now)
        if rule is not None:
            forbidden[rule] += 1
        if isinstance(parts, TemplateFault):
            faults[parts.code] += 1
        elif parts is not None:
            missing.update(parts.missing)
            body = parts.html if parts.html is not None else parts.text
            largest = max(largest, len(body.encode()))
            found = {unescape(one).strip() for one in (_LINK if parts.html is not None else _BARE).findall(body)}
            unsubscribes = unsubscribes and any(one.startswith(no) for one in found)
            links |= {one for one in found if not one.startswith(ours)}
    return {
        "people": people, "forbidden": dict(forbidden), "missing": dict(missing), "faults": dict(faults),
        "bytes": largest, "links": sorted(links), "fixed": sorted(links & _written(letters.source(asked.intent))), "unsubscribes": unsubscribes,
    }  # fmt: skip


def _written(source: str) -> set[str]:
    """Links that a template says without a variable."""
    found = {unescape(one).strip() for one in (*_LINK.findall(source), *_BARE.findall(source))}
    return {one for one in found if "{{" not in one and "{%" not in one}
