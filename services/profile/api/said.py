"""Personal attributes for conditions: /internal/profiles/said, of some people; /internal/attributes/{name}/values, of all."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from runtime.process import Context
from services.profile.api.answers import refused
from services.profile.api.rows import checked
from services.profile.store import said

_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct):
    ids: list[UUID]
    names: list[str]


def routes(context: Context) -> Sequence[BaseRoute]:
    """`POST /profiles/said` `{ids, names}`, up to 10,000 ids: `{id: {name: [at, value]}}` of whom has said any of these, null for a value
    that was taken back. `GET /attributes/{name}/values`: lines of `["id", value]`, of everybody who has one. Nobody who was merged into
    another, or erased, is told of.
    """

    async def of_some(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await request.body(), type=Asked)
            ids = checked(asked.ids)
        except ValueError:
            return refused(422, "bad_ids")
        async with context.db.connection() as connection:
            return Response(_encode(await said.of(connection, ids, asked.names)), media_type="application/json")

    async def of_all(request: Request) -> Response:
        name = request.path_params["name"]
        while True:
            async with context.db.transaction() as connection:
                if await said.bring_up(connection):
                    break
        return StreamingResponse(_lines(context, name), media_type="application/x-ndjson")

    return [Route("/profiles/said", of_some, methods=["POST"]), Route("/attributes/{name}/values", of_all)]


async def _lines(context: Context, name: str) -> AsyncIterator[bytes]:
    async with context.db.connection() as connection, connection.transaction(readonly=True):
        async for portion in said.everybody(connection, name):
            yield "".join(f'["{person}",{value}]\n' for person, value in portion).encode()
