"""The operations API of Mindbox: `POST /v3/operations/{async,sync}`, so that a shop can move by changing the host.

Its protocol: what is wrong with the data is a `ValidationError` with HTTP 200 and a location for each message; what is wrong with the
call is a `ProtocolError`; what passes is an `InternalServerError`, sent again later.
"""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from schemas.connectors import Connector, Endpoint
from schemas.write_keys import hash_of
from services.ingest.domain import MAX_PAYLOAD, Fault, Malformed, location, message, read_payload
from services.ingest.ports import Overloaded, Unavailable

from . import wire
from .hooks import query_of
from .problems import Reply

OPERATIONS = "/v3/operations/"
_MODES = ("async", "sync")
_SECRET = re.compile(rb'(?:Mindbox\s+secretKey=(?:"([^"]*)"|(\S+))|SecretKey\s+(\S+))', re.IGNORECASE)
_JSON = (b"content-type", b"application/json; charset=utf-8")
_RETRY_S = 5


class Takes(Protocol):
    """What the edge needs of the handler."""

    def connector(self, key: str) -> Connector | None: ...

    async def operate(self, connector: Connector, query: Mapping[str, str], body: bytes, *, whole: bool) -> Any: ...


class OperationsEdge:
    """Answers in the shape of Mindbox, whatever happens."""

    def __init__(self, hooks: Takes) -> None:
        self._hooks = hooks

    async def __call__(
        self, path: str, method: str, scope: wire.Scope, headers: wire.Headers, receive: Callable[[], Awaitable[Any]]
    ) -> Reply:
        mode = path.removeprefix(OPERATIONS)
        if mode not in _MODES:
            return _protocol(404, "Operations go to /v3/operations/async and /v3/operations/sync.")
        if method == "OPTIONS":
            return Reply(204, b"")
        if method != "POST":
            return _protocol(405, "Operations are sent by POST.")
        try:
            return await self._taken(mode, query_of(scope), headers, receive)
        except Malformed as malformed:
            return _protocol(400, f"{malformed.fault.message} Mend: {malformed.fault.mend}.")
        except Overloaded as error:
            return _later(429, error.retry_after_s)
        except Unavailable:
            return _later(503, _RETRY_S)

    async def _taken(self, mode: str, query: dict[str, str], headers: wire.Headers, receive: Callable[[], Awaitable[Any]]) -> Reply:
        operation = query.get("operation", "")
        if not operation:
            return _protocol(400, "`operation` is missing in the address.")
        connector = self._hooks.connector(query.get("endpointId", "").lower())
        # One answer for a wrong endpoint and a wrong secret: who guesses is not told how far he is.
        if connector is None or connector.endpoint is None or not _may(connector.endpoint, operation, headers):
            return _protocol(401, "The endpointId is not known, or the operation needs its secret key.")
        body = await _body(headers, receive)
        if (ip := headers.get(b"x-customer-ip")) is not None:
            query = {**query, "customerIp": ip.decode("latin-1")}
        found = await self._hooks.operate(connector, query, body, whole=mode == "sync")
        if any(fault.code == "operation_unknown" for fault in found.faults):
            return _protocol(400, f"Nothing is made of this operation here: name it in the connector {connector.key}.")
        if found.faults and not found.facts:
            return _invalid(connector, found.faults, russian=not headers.get(b"accept-language", b"ru").startswith(b"en"))
        return _answer(200, {"status": "Success"})


def _may(endpoint: Endpoint, operation: str, headers: wire.Headers) -> bool:
    """A secret that is shown must be right, also where none is needed."""
    shown = headers.get(b"authorization")
    if shown is None:
        return operation in endpoint.open
    found = _SECRET.fullmatch(shown.strip())
    given = (found[1] or found[2] or found[3] or b"").decode("latin-1") if found else ""
    return endpoint.secret is not None and hmac.compare_digest(hash_of(given), endpoint.secret)


async def _body(headers: wire.Headers, receive: Callable[[], Awaitable[Any]]) -> bytes:
    """One JSON object. Raises Malformed."""
    body = await wire.body_of(headers, receive)
    kind = headers.get(b"content-type", b"").decode("latin-1")
    if "xml" in kind.lower() or body.lstrip()[:1] == b"<":
        raise Malformed("", "xml", "XML is not read here.", "send the same as JSON, with Content-Type: application/json")
    if len(body) > MAX_PAYLOAD:
        raise Malformed("", "body_too_large", "The body is larger than 256 KB.", "send less in one operation")
    if not isinstance(read_payload("application/json", body), dict):
        raise Malformed("", "body_wrong", "The body is no JSON object.", 'send an object: {"customer": {...}}')
    return body


def _invalid(connector: Connector, faults: list[Fault], *, russian: bool) -> Reply:
    told = {(message(fault, russian=russian), location(connector, fault)): None for fault in faults}
    return _answer(200, {"status": "ValidationError", "validationMessages": [{"message": m, "location": at} for m, at in told]})


def _protocol(status: int, text: str) -> Reply:
    return _answer(status, {"status": "ProtocolError", "errorMessage": text, "httpStatusCode": status})


def _later(status: int, retry_after_s: int) -> Reply:
    """Nothing of it is known to be kept; with the same transactionId it counts once."""
    document = {"status": "InternalServerError", "errorMessage": "Send it again later.", "httpStatusCode": status}
    reply = _answer(status, document)
    return reply._replace(headers=(*reply.headers, (b"retry-after", str(retry_after_s).encode())))


def _answer(status: int, document: dict[str, Any]) -> Reply:
    return Reply(status, msgspec.json.encode(document), (_JSON, (b"cache-control", b"no-store")))
