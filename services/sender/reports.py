"""What providers tell of a message afterwards comes in here and leaves as facts like any other, over the second lane."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.clock import Clock
from runtime.db import TRANSIENT, Database
from runtime.kafka import SendFailed
from runtime.publisher import Full, Outgoing, Publisher
from schemas.facts import Fact, encode
from schemas.ids import derive, partition_of
from schemas.messages import Intent, decode_intent
from schemas.topics import FACTS_RAW_BULK
from services.sender.channels.contract import Delivery, DeliveryStatus
from services.sender.channels.smsc import parse_callback
from services.sender.domain import Contact, address_of
from services.sender.store import contacts

EVENTS = {DeliveryStatus.DELIVERED: "SMS Delivered", DeliveryStatus.READ: "SMS Read", DeliveryStatus.FAILED: "SMS Failed"}
READ = "SELECT intent, profile::text AS profile, state FROM attempt WHERE id = $1 AND channel = 'sms'"
MOST = 65_536  # bytes of a report
NOT_KEPT: tuple[type[BaseException], ...] = (SendFailed, Full, *TRANSIENT)

_contact = msgspec.msgpack.Decoder(Contact).decode


class Reports:
    """`POST /hooks/smsc/{secret}` with SMSC's form. 2xx only when Kafka has the fact; the provider tries again otherwise.

    A report is trusted as far as its secret address: it makes facts and settles doubt, and forbids no address.
    """

    def __init__(self, db: Database, publisher: Publisher, clock: Clock, partitions: int, secret: str) -> None:
        self._db, self._publisher, self._clock, self._partitions, self._secret = db, publisher, clock, partitions, secret
        self.reconcile: Callable[[Intent, str], Awaitable[None]] | None = None

    def routes(self) -> list[Route]:
        return [Route("/hooks/smsc/{secret}", self.smsc, methods=["POST"])] if self._secret else []

    async def smsc(self, request: Request) -> Response:
        if not hmac.compare_digest(request.path_params["secret"].encode(), self._secret.encode()):
            return _said(404, "unknown", "There is nothing here.")
        told = await _told(request)
        key = _key(told.provider_id) if told else None
        if told is None or key is None:
            return _said(400, "report_unreadable", "id or status cannot be read: send SMSC's form")
        async with self._db.connection() as connection:
            row = await connection.fetchrow(READ, key)
            found = (await contacts(connection, [row["profile"]])).get(row["profile"]) if row else None
        if row is None:
            return _said(404, "message_unknown", "No message has this id.")
        intent = decode_intent(row["intent"])
        address = address_of(_contact(found["state"]), "sms") if found is not None else None
        if told.status not in EVENTS or address is None:
            return Response(status_code=204)  # still on its way, or the person is gone
        try:
            await self._publish(told, intent, address)
        except NOT_KEPT:
            return _said(503, "try_again", "The report could not be kept.")
        if row["state"] == "in_doubt" and self.reconcile is not None:
            await self.reconcile(intent, row["profile"])  # whatever became of it, the provider had it
        return Response(status_code=204)

    async def _publish(self, told: Delivery, intent: Intent, phone: str) -> None:
        now = (await self._clock.now())[0]
        identifier = f"phone:{phone}"
        properties: dict[str, Any] = {"intent": intent.id, "document": intent.document, "step": intent.step, "channel": "sms"}
        fact = Fact(
            id=derive("report", intent.id, told.status.value),
            type="track",
            event=EVENTS[told.status],
            brand=intent.brand,
            source="reports",
            lane="bulk",
            occurred_at=min(now, told.at_ms or now),
            received_at=now,
            identifiers=(identifier,),
            properties={**properties, "code": told.code},
            cause=intent.id,
        )
        key = f"reports|{identifier}"
        place = partition_of(key, self._partitions)
        await self._publisher.publish([Outgoing(FACTS_RAW_BULK.name, place, key.encode(), encode(fact))])


async def _told(request: Request) -> Delivery | None:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST:
            return None
    return parse_callback(_form(bytes(body)))


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return {}


def _key(provider_id: str) -> str | None:
    """Our own id, which SMSC was given: a uuid."""
    try:
        return str(UUID(provider_id))
    except ValueError:
        return None


def _said(status: int, code: str, detail: str) -> JSONResponse:
    return JSONResponse({"status": status, "code": code, "detail": detail}, status, media_type="application/problem+json")
