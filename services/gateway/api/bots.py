"""/api/bots/{key}/...: where the messenger tells its updates to, and links into the bot that know who follows them."""

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from schemas.bots import Bot, secret_of
from schemas.starts import person_start
from services.gateway.api.desk import Desk
from services.gateway.api.in_force import in_force
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import brands_of, path_of
from services.gateway.domain.access import Key
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Fault, Problem

BOT = KINDS["bot"]
Dialogue = Annotated[str, Query(max_length=20)]


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["bots"])

    @router.get("/api/bots/{key}/url")
    async def url(request: Request, key: str) -> Response:
        """What Telegram's setWebhook, or VK's settings of the Callback API, are to be given. Another `secret_version` gives another secret."""
        async with desk.calling(request, "admin") as call:
            bot = cast("Bot", await in_force(call, BOT, key))
        path = f"/hooks/{bot.channel}/{key}"
        secret = secret_of(desk.context.vault, bot)
        return JSONResponse({"url": f"{str(request.base_url).rstrip('/')}{path}", "path": path, "secret": secret})

    @router.get("/api/bots/{key}/start")
    async def start(request: Request, key: str, profile: str, dialogue: Dialogue = "") -> Response:
        """What a link into the bot starts with that is made for one person: `https://t.me/<bot>?start=<start>`. Who follows it within 30
        days is taken for him, so it is shown to nobody else; each is in the audit. A key of some brands makes
        them for who was seen in one of these. Letters have it as `{{ chat_start }}`.
        """
        async with desk.calling(request, "write") as call:
            bot = cast("Bot", await in_force(call, BOT, key))
            if dialogue and dialogue not in {one.key for one in bot.dialogues}:
                raise Problem("invalid", [Fault("dialogue", "value", f"there is no dialogue {dialogue!r}")])
            person = await _person(neighbours, call.key, profile)
            await call.audit("start", f"bot {key}", profile=person)
        now, _ = await desk.context.clock.now()
        return JSONResponse({"start": person_start(desk.context.vault, person, now, dialogue)})

    return router


async def _person(neighbours: Neighbours, key: Key, profile: str) -> str:
    """Who he is now, if the key may know of him."""
    status, found = await neighbours.ask("profile", path_of(profile), **brands_of(key))
    if status != 200:
        raise Problem("profile_not_found")
    return str(found["id"])
