"""What a connector took in, trying a mapping, and replaying: for the gateway, which has checked who asks."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from schemas.connectors import Connector
from services.ingest.domain import Malformed, read_payload
from services.ingest.handler.connectors import Hooks, Read, read
from services.ingest.store import Kept, Payloads

from .imports import answer, brands_of
from .problems import told

_LATEST = 2**62
_MOST = 100
_encode = msgspec.json.Encoder().encode


class ConnectorsApi:
    """`/internal/connectors/{key}/{payloads,test,replay}`."""

    def __init__(self, payloads: Payloads, hooks: Callable[[], Hooks], now: Callable[[], int]) -> None:
        self._payloads, self._hooks, self._now = payloads, hooks, now

    async def payloads(self, request: Request) -> Response:
        """Newest first, as they came: `?before=&limit=`."""
        try:
            before, limit = int(request.query_params.get("before", _LATEST)), int(request.query_params.get("limit", "20"))
        except ValueError:
            return answer({"code": "query_wrong"}, 422)
        before, limit = max(0, min(_LATEST, before)), max(1, min(_MOST, limit))
        found = await self._payloads.page(request.path_params["key"], before, limit, brands_of(request), self._now())
        return answer({"items": [_shown(kept) for kept in found], "next": found[-1].id if len(found) == limit else None})

    async def test(self, request: Request) -> Response:
        """{document, payload}: the calls and facts that a payload would make. payload: the id of a kept one, or {content_type, query, body}."""
        asked = msgspec.json.decode(await request.body())
        try:
            connector = Connector.model_validate(asked["document"])
        except ValidationError as error:
            return answer({"code": "document_wrong", "detail": error.title}, 422)
        given = asked.get("payload")
        if isinstance(given, Mapping):
            query = given.get("query")
            kept = Kept(
                id=0,
                received_at=self._now(),
                first_at=self._now(),
                content_type=str(given.get("content_type", "application/json")),
                query={str(name): str(value) for name, value in query.items()} if isinstance(query, Mapping) else {},
                body=given["body"].encode() if isinstance(given.get("body"), str) else _encode(given.get("body")),
                facts=0,
                faults=[],
            )
        else:
            found = await self._some(request, [given] if given is not None else None)
            if not found:
                return answer({"code": "payload_unknown"}, 404)
            kept = found[-1]
        return answer({"payload": _shown(kept), **_comes_to(read(connector, kept, driven=False))})

    async def replay(self, request: Request) -> Response:
        """{ids}: make facts of kept payloads by the published mapping; those that were made before are the same facts again."""
        connector = self._hooks().connector(request.path_params["key"])
        if connector is None:
            return answer({"code": "connector_unknown"}, 404)
        ids = msgspec.json.decode(await request.body())["ids"]
        replayed = await self._hooks().replay(connector, [one for one in ids[:_MOST] if 0 <= one <= _LATEST], brands_of(request))
        return answer({"items": [{"id": number, "facts": len(one.facts), "faults": one.faults} for number, one in replayed]})

    async def _some(self, request: Request, ids: list[Any] | None) -> list[Kept]:
        key, brands = request.path_params["key"], brands_of(request)
        if ids is None:
            return await self._payloads.page(key, _LATEST, 1, brands, self._now())
        return await self._payloads.some(key, [one for one in ids if type(one) is int and 0 <= one <= _LATEST], brands, self._now())


def routes(payloads: Payloads, hooks: Callable[[], Hooks], now: Callable[[], int]) -> list[BaseRoute]:
    api = ConnectorsApi(payloads, hooks, now)
    return [
        Route("/connectors/{key}/payloads", api.payloads, methods=["GET"]),
        Route("/connectors/{key}/test", api.test, methods=["POST"]),
        Route("/connectors/{key}/replay", api.replay, methods=["POST"]),
    ]


def _shown(kept: Kept) -> dict[str, Any]:
    try:
        body = read_payload(kept.content_type, kept.body)
    except Malformed:
        body = kept.body.decode("utf-8", "backslashreplace")
    return {
        "id": kept.id,
        "received_at": kept.received_at,
        "content_type": kept.content_type,
        "query": kept.query,
        "body": body,
        "facts": kept.facts,
        "faults": [told(None, fault) for fault in kept.faults],
    }


def _comes_to(found: Read) -> dict[str, Any]:
    return {"calls": found.calls, "facts": found.facts, "faults": [told(None, fault) for fault in found.faults]}
