"""How facts enter: over HTTP as every client does, or straight into the topic as a backend may. Answers which got a 2xx."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import msgspec

from runtime.clock import wall_ms
from runtime.kafka import Producer, SendFailed
from runtime.publisher import Outgoing, Publisher
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import Fact, encode
from schemas.ids import derive, partition_of
from schemas.write_keys import hash_of
from tests.chaos.stream import SOURCES, Call
from tests.chaos.welcome import publish
from tests.support.live import until

OWN = {"user_id": "userId", "anonymous_id": "anonymousId"}  # identifiers with a field of their own in a call


class Entry(Protocol):
    """A door. `post` answers the calls that were acknowledged; the others may or may not have been kept: send them again."""

    async def post(self, calls: Sequence[Call]) -> Sequence[Call]: ...

    async def post_file(self, calls: Sequence[Call]) -> Sequence[Call]: ...

    async def publish_keys(self) -> None: ...

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

    async def post_file(self, calls: Sequence[Call]) -> Sequence[Call]:
        return await self.post(calls)

    async def publish_keys(self) -> None:
        """A backend has none."""

    def _record(self, call: Call, now: int) -> Outgoing:
        fact = Fact(
            id=derive(call.source, call.message),
            type=call.kind,
            brand="shop",
            source=call.source,
            lane="bulk" if call.lane == "bulk" else "live",
            occurred_at=call.occurred_at or now,
            received_at=now,
            identifiers=call.identifiers,
            event=call.event if call.kind == "track" else "",
            attributes=call.attributes,
            properties={"message": call.message, **call.properties},
        )
        topic = "facts.raw.bulk" if call.lane == "bulk" else "facts.raw"
        return Outgoing(topic, partition_of(call.key, self._partitions), call.key.encode(), encode(fact))

    async def close(self) -> None:
        await self._publisher.close()


class HttpEntry:
    """The ingest service, as SDKs and the gateway call it: a write key per source, `/v1/batch`, `/v1/import`, and files.

    service, internal: its base addresses; secret: the token of the internal one. The keys are documents, published as the gateway does.
    """

    def __init__(self, settings: Settings, service: str, internal: str, token: str) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(base_url=service, timeout=20, trust_env=False)
        self._internal = httpx.AsyncClient(
            base_url=internal, timeout=20, trust_env=False, headers={"authorization": f"Bearer {token}"}
        )
        self._version = 0

    async def open(self) -> "HttpEntry":
        """Publish the keys; returns when they are in force."""
        await self.publish_keys()
        await until(self._known, 60)
        return self

    async def publish_keys(self) -> None:
        """A new version of every key: the same again, so that ingest has documents to read."""
        self._version += 1
        documents = []
        for source in SOURCES:
            hashed = hash_of(f"key of {source}")
            body = encode({"hash": hashed, "brand": "shop", "source": source})
            documents.append(Published(kind="write_key", key=hashed, version=self._version, pointer=True, body=msgspec.Raw(body)))
        await publish(self._settings, documents)  # when the broker is away the keys in force stay

    async def _known(self) -> bool:
        try:
            answers = [await self._client.post("/v1/batch", json={"batch": []}, auth=(f"key of {s}", "")) for s in SOURCES]
        except httpx.HTTPError:
            return False
        return all(answer.status_code != 401 for answer in answers)

    async def post(self, calls: Sequence[Call]) -> Sequence[Call]:
        """Sources and lanes side by side: they share no key."""
        doors = [(path, lane, source) for path, lane in (("/v1/batch", "live"), ("/v1/import", "bulk")) for source in SOURCES]
        answers = await asyncio.gather(
            *(self._send(path, source, [c for c in calls if (c.lane, c.source) == (lane, source)]) for path, lane, source in doors)
        )
        return [call for answer in answers for call in answer]

    async def _send(self, path: str, source: str, calls: Sequence[Call]) -> Sequence[Call]:
        if not calls:
            return ()
        body = {"batch": [_segment(call) for call in calls]}
        try:
            answer = await self._client.post(path, json=body, auth=(f"key of {source}", ""))
        except httpx.HTTPError:
            return ()
        return calls if _is_kept(answer, path) else ()

    async def post_file(self, calls: Sequence[Call]) -> Sequence[Call]:
        """An import. Without an idempotency key: a repeat is another import, whose facts have the same ids."""
        rows = "".join(f"{c.message},{c.identifiers[0].removeprefix('user_id:')},{c.occurred_at}\n" for c in calls)
        mapping = {
            "call": "track", "event": "Seen", "identifiers": {"user_id": "user"}, "message_id": "{message}", "timestamp": "at",
            "properties": {"message": "message"}, "source": calls[0].source, "brand": "shop",
        }  # fmt: skip
        try:
            answer = await self._internal.post(
                "/internal/imports", params={"mapping": json.dumps(mapping)}, content=f"message,user,at\n{rows}".encode()
            )
        except httpx.HTTPError:
            return ()
        return calls if _is_kept(answer, "/internal/imports") else ()

    async def close(self) -> None:
        await self._client.aclose()
        await self._internal.aclose()


def _is_kept(answer: httpx.Response, path: str) -> bool:
    if answer.is_client_error and answer.status_code != 429:
        raise RuntimeError(f"{path} refused for good: {answer.status_code} {answer.text[:500]}")
    return answer.is_success


def _segment(call: Call) -> dict[str, Any]:
    """The call as an official SDK sends it; addresses go along as externalIds, so that they name without being attributes."""
    named = [i.split(":", 1) for i in call.identifiers]
    own = {kind: value for kind, value in named if kind in OWN}
    body: dict[str, Any] = {
        "type": call.kind,
        "messageId": call.message,
        "context": {"externalIds": [{"id": value, "type": kind} for kind, value in named if kind not in OWN]},
        "properties": {"message": call.message, **call.properties},
    }
    if call.occurred_at:
        body["timestamp"] = datetime.fromtimestamp(call.occurred_at / 1000, UTC).isoformat()
    if call.kind == "track":
        body["event"] = call.event
    else:
        body["traits"] = call.attributes
    return body | {OWN[kind]: value for kind, value in own.items()}
