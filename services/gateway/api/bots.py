"""/api/bots/{key}/...: where the messenger tells its updates to, and links into the bot that know who follows them."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from schemas.bots import Bot, secret_of
from schemas.starts import person_start
from services.gateway.api.desk import Desk
from services.gateway.api.in_force import in_force
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Fault, Problem

BOT = KINDS["bot"]
Dialogue = Annotated[str, Query(max_length=20)]


def routes(desk: Desk) -> APIRouter:
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
        days is taken for him, so it is shown to nobody else. Letters have it as `{{ chat_start }}`.
        """
        async with desk.calling(request, "write") as call:
            bot = cast("Bot", await in_force(call, BOT, key))
        person = _person(profile)
        if dialogue and dialogue not in {one.key for one in bot.dialogues}:
            raise Problem("invalid", [Fault("dialogue", "value", f"there is no dialogue {dialogue!r}")])
        now, _ = await desk.context.clock.now()
        return JSONResponse({"start": person_start(desk.context.vault, person, now, dialogue)})

    return router


def _person(profile: str) -> str:
    try:
        return str(UUID(profile))
    except ValueError as error:
        raise Problem("profile_not_found") from error
