"""The audience service: the lake -> answers about conditions in bulk."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.routing import BaseRoute

from runtime.definitions import decode_published
from runtime.process import Context
from runtime.process import main as run_main
from runtime.service import Consumes, Service
from schemas.topics import DEFINITIONS
from services.audience.api import Questions
from services.audience.handler.following import Follower
from services.audience.settings import AudienceSettings


def service(settings: AudienceSettings | None = None) -> Service:
    own = settings or AudienceSettings()
    followers: dict[int, Follower] = {}

    def follower(context: Context) -> Follower:
        return followers.setdefault(id(context), Follower(context, own))

    @asynccontextmanager
    async def life(context: Context) -> AsyncIterator[None]:
        async with follower(context).life():
            yield

    def api(context: Context) -> Sequence[BaseRoute]:
        return Questions(context, follower(context), own.at_once).routes()

    return Service(name="audience", consumes=(Consumes(DEFINITIONS, decode_published),), life=life, api=api)


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
