"""Pools of promo codes over HTTP, for the gateway: it has checked who asks and for which pool. On the admin port, never open to the outside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.orchestrator.domain.code_lists import Wrong
from services.orchestrator.promo.loading import Loading

if TYPE_CHECKING:
    from runtime.process import Context

MAX_BYTES = 100_000_000
COUNTS = """
SELECT count(*) FILTER (WHERE given_at IS NULL AND used_at IS NULL) AS free, count(*) FILTER (WHERE given_at IS NOT NULL) AS given,
    count(*) FILTER (WHERE used_at IS NOT NULL) AS used
FROM promo_code WHERE pool = $1
"""


def routes(context: "Context") -> Sequence[BaseRoute]:
    async def load(request: Request) -> Response:
        """Codes as JSON, else as text; `?brand=`."""
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > MAX_BYTES:
                    return JSONResponse({"code": "too_large", "limit": MAX_BYTES}, 422)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
        now, _ = await context.clock.now()
        try:
            async with context.db.transaction() as connection:
                loading = Loading(connection, context.vault, request.path_params["key"], request.query_params["brand"], now)
                answer = await loading.load(bytes(body), is_json=is_json, key=request.headers.get("idempotency-key"))
        except Wrong as wrong:
            return JSONResponse({"path": wrong.path, "code": wrong.code, "message": wrong.message}, 422)
        return JSONResponse(answer)

    async def counts(request: Request) -> Response:
        async with context.db.connection() as connection:
            row = await connection.fetchrow(COUNTS, request.path_params["key"])
        return JSONResponse(dict(row))

    return [Route("/promo-pools/{key}/codes", load, methods=["POST"]), Route("/promo-pools/{key}", counts)]
