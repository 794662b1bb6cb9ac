"""The public paths on the gateway's port, streamed through to the services that serve them. Heavy senders use ingest's own port."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.gateway.api import wire
from services.gateway.api.neighbours import PUBLIC
from services.gateway.domain.problems import Problem

WAYS = {
    "v1": "ingest",
    "v3": "ingest",
    "hooks/smsc": "sender",
    "hooks": "ingest",
    "c": "sender",
    "o": "sender",
    "u": "sender",
    "p": "sender",
    "d": "sender",
    "e": "sender",
    "s": "sender",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Of one connection, not of the message; the forwarding ones are written anew.
_OURS = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade expect"
    b" host x-forwarded-for x-forwarded-proto x-forwarded-host".split()
)


class Proxy:
    """Passes requests and answers on as they are, neither read nor kept."""

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        self._addresses = {name: addresses.get(name + PUBLIC, ()) for name in set(WAYS.values())}
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=100, keepalive_expiry=2)
        self._client = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(60, connect=2), limits=limits)

    async def close(self) -> None:
        await self._client.aclose()

    def routes(self) -> list[Route]:
        return [Route(f"/{way}/{{rest:path}}", self._to(name), methods=list(METHODS)) for way, name in WAYS.items()]

    def _to(self, service: str) -> Any:
        async def endpoint(request: Request) -> Response:
            return await self._pass(service, request)

        return endpoint

    async def _pass(self, service: str, request: Request) -> Response:
        addresses = self._addresses[service]
        if not addresses:
            return wire.problem(request, Problem("service_unknown", service=service + PUBLIC))
        path, query = request.scope["raw_path"], request.scope["query_string"]
        url = httpx.URL(addresses[0]).copy_with(raw_path=path + (b"?" + query if query else b""))
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        body = wire.streamed(request) if has_body else None
        asked = self._client.build_request(request.method, url, headers=_headers(request), content=body)
        try:
            answer = await self._client.send(asked, stream=True)
        except ClientDisconnect:
            return Response(status_code=499)
        except httpx.HTTPError:
            return wire.problem(request, Problem("service_unavailable", service=service))
        response = StreamingResponse(answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose))
        response.raw_headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _OURS]
        return response


def _headers(request: Request) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in request.headers.raw if name not in _OURS]
    by = request.headers.get("x-forwarded-for")
    client = request.client.host if request.client else "unknown"
    host = request.headers.get("host", "")
    return [
        *kept,
        (b"x-forwarded-for", (f"{by}, {client}" if by else client).encode("latin-1")),
        (b"x-forwarded-proto", request.url.scheme.encode()),
        (b"x-forwarded-host", host.encode("latin-1")),
    ]
