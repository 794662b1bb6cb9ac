"""The Segment tracking API over HTTP. 2xx means: the log has every readable event, the dead letters have the others."""

import re
from typing import cast

import msgspec

from schemas.facts import Lane
from schemas.topics import PARTITIONS
from services.ingest import domain
from services.ingest.domain import Accepted, Arrival, Batch, Fault, Malformed, Source
from services.ingest.ports import Buried, Clock, Log, Overloaded, Sources, Unavailable, Unread, record

from . import wire
from .hooks import HOOKS, HookEdge
from .operations import OPERATIONS, OperationsEdge
from .problems import Reply, faulty, malformed, problem, told

_SHORT = {"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias"}
_CALLS: dict[str, str | None] = {name: name for name in domain.KINDS} | _SHORT | {"batch": None, "b": None, "import": None}
POSTS = {f"/v1/{name}": kind for name, kind in _CALLS.items()}
PIXELS = {f"/v1/pixel/{name}": kind for name, kind in _CALLS.items() if kind is not None}

_JSON = ((b"content-type", b"application/json"),)
_DONE = Reply(200, b'{"success":true}', _JSON)
_GIF = Reply(
    200,
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;",
    ((b"content-type", b"image/gif"), (b"cache-control", b"no-store, private")),
)
_CORS = (
    (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding, traceparent"),
    (b"access-control-expose-headers", b"retry-after, x-ratelimit-reset"),
    (b"access-control-max-age", b"86400"),
)
_NOT_FOUND = problem(404, "not_found", "Calls go to /v1/batch, /v1/track and so on.")
_NOT_ALLOWED = problem(405, "method_not_allowed", "Calls are sent by POST, pixels by GET.")
_KEY_UNKNOWN = problem(401, "write_key_unknown", "Send a write key: Basic authorization (key as the user), or `writeKey`.")
_TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_UNAVAILABLE_RETRY_S = 5


class Edge:
    """The ASGI application. It keeps nothing between requests."""

    def __init__(
        self,
        log: Log,
        buried: Buried,
        sources: Sources,
        clock: Clock,
        partitions: int,
        hooks: HookEdge | None = None,
        operations: OperationsEdge | None = None,
    ) -> None:
        self._hooks, self._operations = hooks, operations
        self._log = log
        self._buried = buried
        self._sources = sources
        self._clock = clock
        self._partitions = partitions

    async def __call__(self, scope: wire.Scope, receive: wire.Receive, send: wire.Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        headers: wire.Headers = dict(scope["headers"])
        try:
            reply = await self._reply(scope, headers, receive)
        except wire.DisconnectedError:
            return
        origin = headers.get(b"origin")
        allowed = ((b"access-control-allow-origin", origin or b"*"), (b"vary", b"origin"), *_CORS)
        await wire.answer(send, reply.status, (*reply.headers, *allowed), reply.body)

    async def _reply(self, scope: wire.Scope, headers: wire.Headers, receive: wire.Receive) -> Reply:
        try:
            return await self._routed(scope, headers, receive)
        except Malformed as refused:
            return malformed(refused.fault)
        except Overloaded as error:
            return await self._overloaded(error.retry_after_s)
        except Unavailable:
            detail = "Nothing of this request is known to be kept. Send it again."
            return problem(503, "log_unavailable", detail, retry_after_s=_UNAVAILABLE_RETRY_S)

    async def _routed(self, scope: wire.Scope, headers: wire.Headers, receive: wire.Receive) -> Reply:
        path, method = scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/"), scope["method"]
        if path not in POSTS and path not in PIXELS:
            if self._hooks is not None and path.startswith(HOOKS):
                return await self._hooks(path, method, scope, headers, receive)
            if self._operations is not None and path.startswith(OPERATIONS):
                return await self._operations(path, method, scope, headers, receive)
            return _NOT_FOUND
        if method == "OPTIONS":
            return Reply(204, b"")
        if method != ("POST" if path in POSTS else "GET"):
            return _NOT_ALLOWED
        return await self._served(path, scope, headers, receive)

    async def _served(self, path: str, scope: wire.Scope, headers: wire.Headers, receive: wire.Receive) -> Reply:
        query = wire.query_of(scope)
        # The first key that is given counts: a wrong one is not excused by another further on.
        key = wire.basic_user(headers) or query.get("writeKey")
        source = self._sources(key) if key else None
        if key and source is None:
            return _KEY_UNKNOWN
        pixel = path in PIXELS
        kind = PIXELS[path] if pixel else POSTS[path]
        body = _pixel_data(query) if pixel else await wire.body_of(headers, receive)
        batch = domain.split(body, single=kind is not None)
        if source is None and type(batch.write_key) is str:
            source = self._sources(batch.write_key)
        if source is None:
            return _KEY_UNKNOWN
        lane: Lane = "bulk" if path == "/v1/import" else source.lane
        arrival = await self._arrival(source, kind, lane, batch, _ip(scope), headers)
        return await self._kept(batch, arrival, strict=_is_strict(query), success=_GIF if pixel else _DONE)

    async def _arrival(
        self, source: Source, kind: str | None, lane: Lane, batch: Batch, ip: str | None, headers: wire.Headers
    ) -> Arrival:
        now, driven = await self._clock()
        trace = headers.get(b"traceparent", b"")
        return Arrival(
            source=source,
            now=now,
            driven=driven,
            kind=kind,
            lane=lane,
            sent_at=domain.parse_time(batch.sent_at),
            context=domain.read_shared(batch.context, "context"),
            integrations=domain.read_shared(batch.integrations, "integrations"),
            ip=ip,
            traceparent=trace.decode() if _TRACEPARENT.fullmatch(trace) else None,
        )

    async def _kept(self, batch: Batch, arrival: Arrival, *, strict: bool, success: Reply) -> Reply:
        """Keeps the events of one request and answers when they are kept."""
        accepted: list[tuple[int, Accepted]] = []
        faults: list[Unread] = []
        for index, event in enumerate(batch.batch):
            raw = bytes(event)
            result = domain.normalise(raw, arrival, index)
            if type(result) is Accepted:
                accepted.append((index, result))
            else:
                faults.append(_unread(arrival, index, cast("Fault", result), raw))
        if accepted:
            await self._log.publish([record(one.fact, self._partitions) for _, one in accepted])
        if faults and arrival.kind is not None and faults[0].fault.code == "event_too_large":
            return malformed(faults[0].fault)
        if strict:
            return faulty(faults, len(accepted)) if faults else _with_warnings(accepted, success)
        if faults:
            await self._buried.bury(faults)
        return success

    async def _overloaded(self, retry_after_s: int) -> Reply:
        reply = problem(429, "overloaded", "There is no room now. Send it again later.", retry_after_s=retry_after_s)
        now, driven = await self._clock()
        if driven:  # the header is in Unix time of the sender's clock
            return reply
        reset = str(now // 1_000 + retry_after_s).encode()
        return reply._replace(headers=(*reply.headers, (b"x-ratelimit-reset", reset)))


def app(
    log: Log,
    buried: Buried,
    sources: Sources,
    clock: Clock,
    partitions: int = PARTITIONS,
    hooks: HookEdge | None = None,
    operations: OperationsEdge | None = None,
) -> Edge:
    """The ASGI application of ingest. See `ports` for what it is given."""
    return Edge(log, buried, sources, clock, partitions, hooks, operations)


def _pixel_data(query: dict[str, str]) -> bytes:
    try:
        # A "+" of unescaped base64 arrives as a space.
        return wire.unbase64(query.get("data", "").replace(" ", "+").encode())
    except ValueError as error:
        raise Malformed("data", "data_broken", "`data` is not base64.", "send the event's JSON in base64") from error


def _is_strict(query: dict[str, str]) -> bool:
    return query.get("strict") in ("1", "true")


def _ip(scope: wire.Scope) -> str | None:
    client = scope.get("client")
    return str(client[0]) if client else None


def _unread(arrival: Arrival, index: int, fault: Fault, raw: bytes) -> Unread:
    return Unread(source=arrival.source, kind=arrival.kind, index=index, received_at=arrival.now, fault=fault, raw=raw)


def _with_warnings(accepted: list[tuple[int, Accepted]], success: Reply) -> Reply:
    """The strict answer to a request without faults: says which identifiers were left out."""
    warnings = [told(index, warning) for index, one in accepted for warning in one.warnings]
    if not warnings or success is not _DONE:
        return success
    return Reply(200, msgspec.json.encode({"success": True, "warnings": warnings}), _JSON)


async def _lifespan(receive: wire.Receive, send: wire.Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
