"""How facts enter: over HTTP as every client does, or straight into the topic as a backend may. Answers which got a 2xx."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx

from runtime.clock import wall_ms
from runtime.kafka import Producer, SendFailed
from runtime.publisher import Outgoing, Publisher
from runtime.settings import Settings
from schemas.facts import Fact, encode
from schemas.ids import derive, partition_of
from tests.chaos.stream import Call


class Entry(Protocol):
    """A door. `post` answers the calls that were acknowledged; the others may or may not have been kept: send them again."""

    async def post(self, calls: Sequence[Call]) -> Sequence[Call]: ...

    async def close(self) -> None: ...


class TopicEntry:
    """A backend that writes `facts.raw` itself; the ack of Kafka is the 2xx."""

    def __init__(self, settings: Settings) -> None:
        self._partitions = settings.partitions
        self._publisher = Publisher(lambda: Producer(settings, "backend"))

    async def post(self, calls: Sequence[Call]) -> Sequence[Call]:
        now = wall_ms()
        try:
            await self._publisher.publish([self._record(call, now) for call in calls])
        except SendFailed:
            return ()
        return calls

    def _record(self, call: Call, now: int) -> Outgoing:
        fact = Fact(
            id=derive(call.source, call.message),
            type=call.kind,
            brand="shop",
            source=call.source,
            lane="bulk" if call.lane == "bulk" else "live",
            occurred_at=call.occurred_at,
            received_at=now,
            identifiers=call.identifiers,
            event="Seen" if call.kind == "track" else "",
            attributes=call.attributes,
            properties={"message": call.message},
        )
        topic = "facts.raw.bulk" if call.lane == "bulk" else "facts.raw"
        return Outgoing(topic, partition_of(call.key, self._partitions), call.key.encode(), encode(fact))

    async def close(self) -> None:
        await self._publisher.close()


class HttpEntry:
    """`/v1/batch` for the first lane, `/v1/import` for the second; the write key is the user of Basic authorization."""

    def __init__(self, url: str, keys_file: Path) -> None:
        keys = json.loads(keys_file.read_text(encoding="utf-8"))
        self._client = httpx.AsyncClient(base_url=url, auth=(keys["write_key"], ""), timeout=30, trust_env=False)

    async def post(self, calls: Sequence[Call]) -> Sequence[Call]:
        live = [call for call in calls if call.lane == "live"]
        bulk = [call for call in calls if call.lane == "bulk"]
        return [*await self._send("/v1/batch", live), *await self._send("/v1/import", bulk)]

    async def _send(self, path: str, calls: Sequence[Call]) -> Sequence[Call]:
        if not calls:
            return ()
        try:
            answer = await self._client.post(path, json={"batch": [_segment(call) for call in calls]})
        except httpx.HTTPError:
            return ()
        if answer.status_code in (400, 401, 404, 413):
            raise RuntimeError(f"{path} refused the stream for good: {answer.status_code} {answer.text[:300]}")
        return calls if answer.is_success else ()

    async def close(self) -> None:
        await self._client.aclose()


def _segment(call: Call) -> dict[str, Any]:
    """The call as an official SDK sends it; addresses go along as externalIds, so that they name without being attributes."""
    named = dict(i.split(":", 1) for i in call.identifiers)
    body: dict[str, Any] = {
        "type": call.kind,
        "messageId": call.message,
        "timestamp": datetime.fromtimestamp(call.occurred_at / 1000, UTC).isoformat(),
        "context": {"externalIds": [{"id": v, "type": k} for k, v in named.items() if k not in ("user_id", "anonymous_id")]},
        "properties": {"message": call.message},
    }
    if call.kind == "track":
        body["event"] = "Seen"
    else:
        body["traits"] = call.attributes
    return body | {field: named[kind] for kind, field in (("user_id", "userId"), ("anonymous_id", "anonymousId")) if kind in named}
