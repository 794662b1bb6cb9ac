"""Reading requests and writing answers."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.gateway.domain.problems import Problem, language_of
from services.gateway.handler.call import Answer

MAX_BODY = 1_000_000
MAX_IMPORT = 10_000_000


async def body_of(request: Request, limit: int = MAX_BODY) -> bytes:
    """The body, refused as soon as it is known to be too large."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise Problem("too_large", limit=limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Problem("too_large", limit=limit)
        parts.append(part)
    return b"".join(parts)


async def streamed(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes, to be passed on."""
    async for part in request.stream():
        if part:
            yield part


def json_of(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Problem("malformed_json") from error


def answered(answer: Answer) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status, headers=dict(answer.headers))
    return JSONResponse(answer.body, answer.status, dict(answer.headers))


def problem(request: Request, what: Problem) -> Response:
    """The problem document in the caller's language."""
    language = language_of(request.headers.get("accept-language", ""))
    headers = {"Content-Language": language, "Vary": "Accept-Language"}
    if what.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if what.status == 503:
        headers["Retry-After"] = "5"
    return JSONResponse(what.document(language), what.status, headers, media_type="application/problem+json")
