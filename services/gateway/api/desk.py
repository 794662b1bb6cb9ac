"""Where every management call comes in: who calls, may he, one transaction, and one answer however often he asks."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from runtime.clock import wall_ms
from runtime.db import Connection
from runtime.process import Context
from schemas.write_keys import hash_of
from services.gateway.api import wire
from services.gateway.domain.access import Key
from services.gateway.domain.problems import Language, Problem, language_of
from services.gateway.handler.call import Answer, Call
from services.gateway.store import keys

log = logging.getLogger(__name__)

TOLD_S = 5.0  # without Kafka the caller is answered all the same: it is published, and will get there

Work = Callable[[Call, Any], Awaitable[Answer]]
Ready = Callable[[Call], Awaitable[Answer]]
Ask = Callable[[Any], Awaitable[Ready]]


class Desk:
    """Checks keys and runs calls in transactions."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def admit(self, request: Request, scope: str) -> Key:
        """Whose call it is, if he may. Raises Problem."""
        async with self.context.db.transaction() as connection:
            return await self._key(connection, request, scope, hold=False)

    @asynccontextmanager
    async def calling(
        self, request: Request, scope: str, *, hold: bool = False, language: Language | None = None
    ) -> AsyncIterator[Call]:
        """One transaction for a call. hold: whoever revokes the key meanwhile waits for its end. language: None, by the request's header."""
        async with self.context.db.transaction() as connection:
            key = await self._key(connection, request, scope, hold=hold)
            spoken = language or language_of(request.headers.get("accept-language", ""))
            yield Call(connection, key, wall_ms(), self.context.settings, spoken)

    async def act(
        self, request: Request, scope: str, work: Work, limit: int = wire.MAX_BODY, read: Callable[[bytes], Any] | None = None
    ) -> Response:
        """Run `work` with the request's JSON (None without a body), or with what `read` makes of the body. A repeated Idempotency-Key gets the
        first answer again.
        """
        raw, body = await self._read(request, scope, limit, read or wire.json_of)
        return await self._run(request, scope, raw, lambda call: work(call, body))

    async def act_on(self, request: Request, scope: str, ask: Ask, limit: int = wire.MAX_BODY) -> Response:
        """The same with the work that `ask` makes of the JSON. What other services are to tell for it is asked there: a transaction that
        waits for them would hold its locks, and be ended. Who gets the first answer again asks nobody.
        """
        raw, body = await self._read(request, scope, limit)
        async with self.calling(request, scope) as call:
            replayed = await self._replayed(call, request, raw)
        if replayed is not None:
            return await self._flushed(replayed)
        return await self._run(request, scope, raw, await ask(body))

    async def _read(
        self, request: Request, scope: str, limit: int, read: Callable[[bytes], Any] = wire.json_of
    ) -> tuple[bytes, Any]:
        await self.admit(request, scope)  # before a stranger's body is read
        raw = await wire.body_of(request, limit)
        return raw, read(raw) if raw else None

    async def _run(self, request: Request, scope: str, raw: bytes, work: Ready) -> Response:
        async with self.calling(request, scope, hold=True) as call:
            answer = await self._replayed(call, request, raw)
            if answer is None:
                done = await work(call)
                await self._keep(call, request, raw, done)
                answer = wire.answered(done)
        return await self._flushed(answer)

    async def _flushed(self, answer: Response) -> Response:
        """What the call published is in the log before the caller hears of it: a fact that he sends next comes behind it there."""
        try:
            async with asyncio.timeout(TOLD_S):
                await self.context.relay.flush()
        except TimeoutError:
            log.warning("answered before it is in the log")
        return answer

    async def _replayed(self, call: Call, request: Request, raw: bytes) -> Response | None:
        """The first answer to a request that is repeated."""
        name = _name(call.key, request)
        kept = await keys.kept(call.connection, name, call.now) if name is not None else None
        if name is None or kept is None:
            return None
        if kept["request"] != _hash(raw):
            raise Problem("idempotency_mismatch")
        body, headers = msgspec.json.decode(self.context.vault.open(kept["body"], name))
        return wire.answered(Answer(body, kept["status"], {**headers, "Idempotency-Replayed": "true"}))

    async def _keep(self, call: Call, request: Request, raw: bytes, answer: Answer) -> None:
        name = _name(call.key, request)
        if name is not None:
            sealed = self.context.vault.seal(msgspec.json.encode((answer.body, dict(answer.headers))), name)
            await keys.keep(call.connection, name, _hash(raw), answer.status, sealed, call.now)

    async def _key(self, connection: Connection, request: Request, scope: str, *, hold: bool) -> Key:
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not shown.strip():
            raise Problem("unauthorized")
        hashed = hash_of(shown.strip())
        found = await keys.find(connection, hashed, wall_ms(), hold=hold)
        if found is None or not hmac.compare_digest(found[1], hashed):
            raise Problem("unauthorized")
        found[0].needs(scope)
        return found[0]


def _name(key: Key, request: Request) -> str | None:
    """Under which the answer is kept; None: the caller wants none kept."""
    given = request.headers.get("idempotency-key") if request.method == "POST" else None
    return None if given is None else hash_of(f"{key.id}\x1f{request.url.path}\x1f{given}")


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
