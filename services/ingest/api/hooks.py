"""Webhooks in: `POST /hooks/{connector}/{secret}`, any JSON or form body; `?test=1` answers what it would make and sends nothing. The updates
of bots have two names there.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from schemas.connectors import Connector
from services.ingest.domain import MAX_PAYLOAD, Malformed

from . import wire
from .bots import TELEGRAM, VK, BotEdge
from .problems import Reply, problem, told

HOOKS = "/hooks/"
_TEXT = ((b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"))
_ECHO = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_UNKNOWN = problem(404, "hook_unknown", "There is no such webhook. Its address is told by GET /api/connectors/{key}/url.")
_NOT_ALLOWED = problem(405, "method_not_allowed", "Payloads are sent by POST.")


class Takes(Protocol):
    """What the edge needs of the handler."""

    def connector(self, key: str) -> Connector | None: ...

    async def take(self, connector: Connector, content_type: str, query: Mapping[str, str], body: bytes) -> Any: ...

    async def rehearse(self, connector: Connector, content_type: str, query: Mapping[str, str], body: bytes) -> Any: ...


class HookEdge:
    """secret_of: what stands at the end of a connector's address; bots: hears what the messengers tell of them."""

    def __init__(self, hooks: Takes, secret_of: Callable[[Connector], str], bots: BotEdge) -> None:
        self._hooks, self._secret_of, self._bots = hooks, secret_of, bots

    async def __call__(
        self, path: str, method: str, scope: wire.Scope, headers: wire.Headers, receive: Callable[[], Awaitable[Any]]
    ) -> Reply:
        """Raises Malformed, Overloaded, Unavailable."""
        key, _, shown = path.removeprefix(HOOKS).partition("/")
        if key in (TELEGRAM, VK):
            return await self._bots(key, shown, method, headers, receive)
        connector = self._hooks.connector(key)
        # One answer for a wrong key and a wrong secret: who guesses is not told how far he is.
        wanted = self._secret_of(connector) if connector is not None else ""
        if connector is None or not hmac.compare_digest(shown.encode(), wanted.encode()):
            return _UNKNOWN
        done = Reply(200, connector.answer.encode(), _TEXT)
        if method in ("GET", "HEAD"):  # how some services see whether an address is there
            return done
        if method != "POST":
            return _NOT_ALLOWED
        body = await wire.body_of(headers, receive)
        if len(body) > MAX_PAYLOAD:
            raise Malformed("", "body_too_large", "The body is larger than 256 KB.", "send less; put files elsewhere")
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        query = query_of(scope)
        if query.pop("test", "") in ("1", "true"):  # builders send samples while a hook is set up
            found = await self._hooks.rehearse(connector, content_type, query, body)
            echo = {"calls": found.calls, "faults": [told(None, fault) for fault in found.faults]}
            return Reply(200, msgspec.json.encode(echo), _ECHO)
        await self._hooks.take(connector, content_type, query, body)
        return done


def query_of(scope: wire.Scope) -> dict[str, str]:
    try:
        return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True, max_num_fields=200))
    except ValueError as error:
        raise Malformed("", "query_too_long", "The address has more than 200 fields.", "send them in the body") from error
