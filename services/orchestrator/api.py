"""What the gateway asks of the orchestrator: who stands where in a journey."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.orchestrator import walking

if TYPE_CHECKING:
    from runtime.process import Context


def routes(context: "Context") -> Sequence[BaseRoute]:
    async def standing(request: Request) -> Response:
        """`?journey=KEY`: `{versions: {"2": {"step": 17}}, entering, held, waiting, settled}`; settled: nobody is still to be moved or woken."""
        async with context.db.transaction() as connection:
            found = await walking.standing(connection, request.query_params["journey"])
            settled = not await walking.is_due(connection)
        return JSONResponse({**found._asdict(), "settled": settled})

    return [Route("/standing", standing)]
