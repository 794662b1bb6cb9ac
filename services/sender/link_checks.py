"""Whether the pages that a letter leads to answer, before it is sent: asked by the gateway's check of a campaign.

Whoever writes a letter chooses these addresses, so they are called as webhooks are: the very number that was looked at, no proxy, no cookie;
and only those of the public internet, as a reader of the letter has no other.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sender.dial import SCHEMES, Dial, NoSuchName, Refused, Resolve
from services.sender.webhook_addresses import Network

if TYPE_CHECKING:
    from services.sender.settings import SenderSettings

MOST = 50  # links of one question
ALL_S = 5.0  # for all of them, side by side
CONNECT_S = 1.5  # to one number of a name
AT_ONCE = 10
HOPS = 5  # redirects that are followed
HEADERS = (("User-Agent", "Otklik-Links/1"), ("Accept", "*/*"))
AGAIN = frozenset((403, 404, 405, 501))  # what servers say to a HEAD that would have answered a GET
MOST_ASKED = 2  # questions of a process at one time


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """status: of the last answer, 0 where none came; why: `refused` (an address that is not public), `unresolved` (there is no such name),
    `no_answer` (also of who knows names), `redirects` (too many of them, or to no page).
    """

    status: int = 0
    why: str = ""


class _Asked(msgspec.Struct):
    links: Annotated[list[str], msgspec.Meta(max_length=MOST)]


_asked = msgspec.json.Decoder(_Asked).decode
_NO_ANSWER = Found(why="no_answer")


class LinkChecks:
    """allowed: networks that may be called beside the public internet."""

    def __init__(self, allowed: tuple[Network, ...] = (), lookup: Resolve | None = None) -> None:
        self._dial = Dial(allowed, connections=AT_ONCE, threads=AT_ONCE, lookup=lookup)

    async def close(self) -> None:
        await self._dial.close()

    async def of(self, links: Sequence[str], seconds: float = ALL_S) -> dict[str, Found]:
        """What each answers. Those that say nothing within `seconds` for all have no answer."""
        turns = asyncio.Semaphore(AT_ONCE)
        asking = {link: asyncio.create_task(self._in_turn(turns, link)) for link in dict.fromkeys(links)}
        if asking:
            await asyncio.wait(asking.values(), timeout=seconds)
        late = [task for task in asking.values() if task.cancel()]
        await asyncio.gather(*late, return_exceptions=True)
        return {link: _NO_ANSWER if task.cancelled() else task.result() for link, task in asking.items()}

    async def _in_turn(self, turns: asyncio.Semaphore, link: str) -> Found:
        async with turns:
            return await self._follow(link)

    async def _follow(self, link: str) -> Found:
        """A page by its redirects; each address that they lead to is looked at anew."""
        try:
            url = httpx.URL(link)
            for _ in range(HOPS + 1):
                found = await self._ask(url)
                if isinstance(found, Found):
                    return found
                url = url.join(found)
        except (httpx.InvalidURL, UnicodeError):
            pass
        return Found(why="redirects")

    async def _ask(self, url: httpx.URL) -> Found | str:
        """What it answers, or where it leads on to."""
        if url.scheme not in SCHEMES or not url.host:
            return Found(why="redirects")
        try:
            numbers = await self._dial.numbers(url)
        except Refused:
            return Found(why="refused")
        except NoSuchName:
            return Found(why="unresolved")
        except OSError:  # today's trouble of whoever knows names is no fault of the letter
            return _NO_ANSWER
        found: Found | str = _NO_ANSWER
        for number in numbers:
            found = await self._answer("HEAD", url, number)
            if isinstance(found, Found) and found.status in AGAIN:
                found = await self._answer("GET", url, number)
            if found != _NO_ANSWER:
                break
        return found

    async def _answer(self, method: str, url: httpx.URL, number: str) -> Found | str:
        """The head of an answer: nothing of its body is read."""
        limits = {"connect": CONNECT_S, "read": ALL_S, "write": ALL_S, "pool": ALL_S}
        try:
            answer = await self._dial.call(method, url, number, HEADERS, {"timeout": limits})
        except httpx.HTTPError:
            return _NO_ANSWER
        with contextlib.suppress(httpx.HTTPError, OSError):
            await answer.aclose()
        leads = answer.headers.get("location", "")
        return leads if 300 <= answer.status_code < 400 and leads else Found(status=answer.status_code)


def routes(settings: "SenderSettings", made: Callable[[], LinkChecks] = LinkChecks) -> Sequence[BaseRoute]:
    turns = asyncio.Semaphore(MOST_ASKED)

    async def check(request: Request) -> Response:
        """`POST /links/check` {links}: {on, links: {link: {status, why}}}; on false: this installation makes no calls for it."""
        try:
            asked = _asked(await request.body())
        except msgspec.MsgspecError as error:
            return JSONResponse({"error": str(error)}, 400)
        if not settings.check_links:
            return JSONResponse({"on": False, "links": {}})
        async with turns:
            checks = await asyncio.to_thread(made)  # certificates of the world are read for it
            try:
                found = await checks.of(asked.links)
            finally:
                await checks.close()
        return JSONResponse({"on": True, "links": {link: msgspec.to_builtins(one) for link, one in found.items()}})

    return [Route("/links/check", check, methods=["POST"])]
