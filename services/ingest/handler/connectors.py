"""What becomes of a payload: kept, read, made into facts, noted."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from runtime.db import TRANSIENT
from schemas.connectors import Connector
from schemas.facts import Fact
from services.ingest.domain import Accepted, Arrival, Fault, Malformed, Source, make, normalise, read_payload
from services.ingest.handler.in_force import InForce
from services.ingest.ports import Clock, Log, Unavailable, record
from services.ingest.store import Kept, Payloads

log = logging.getLogger(__name__)

JSON = "application/json"


class Read(NamedTuple):
    """What a payload comes to. calls: as they are sent to the tracking API; facts: those that were taken; faults: of both.

    warnings: identifiers that were left out of the facts, which have others.
    """

    calls: list[dict[str, Any]]
    facts: list[Fact]
    faults: list[Fault]
    warnings: list[Fault]


def read(connector: Connector, kept: Kept, *, driven: bool) -> Read:
    """What a payload comes to by a connector, with nothing sent."""
    source = Source(
        brand=connector.brand, name=connector.told_by(), lane=connector.lane, currency=connector.currency, region=connector.region
    )
    arrival = Arrival(source=source, now=kept.received_at, driven=driven, lane=connector.lane)
    try:
        body = read_payload(kept.content_type, kept.body)
    except Malformed as malformed:
        return Read([], [], [malformed.fault], [])
    packed = msgspec.json.encode(sorted(kept.query.items())) + kept.body
    made = make(connector, body, kept.query, f"{hashlib.sha256(packed).hexdigest()}-{kept.first_at}")
    taken, faults, warnings = [], list(made.faults), list[Fault]()
    for index, (number, call) in enumerate(made.calls):
        result = normalise(msgspec.json.encode(call), arrival, index)
        if isinstance(result, Accepted):
            taken.append(result.fact)
            warnings += [_of_call(number, warning) for warning in result.warnings if _is_said(call, warning)]
        else:
            faults.append(_of_call(number, result))
    return Read([call for _, call in made.calls], taken, faults, warnings)


def _is_said(call: Mapping[str, Any], warning: Fault) -> bool:
    """An address that is left empty is none, and no wrong one."""
    name = warning.path.rpartition(".")[2]
    said = {**call, **call.get("context", {}).get("traits", {}), **call.get("traits", {})}
    return said.get(name) not in (None, "")


def _of_call(number: int, fault: Fault) -> Fault:
    return msgspec.structs.replace(fault, path=f"calls.{number}: {fault.path}")


class Hooks:
    """Takes payloads in. 2xx means: the log has its facts, and what made none is kept and told of."""

    def __init__(self, connectors: InForce[Connector], payloads: Payloads, log_: Log, clock: Clock, partitions: int) -> None:
        self._connectors, self._payloads, self._log, self._clock = connectors, payloads, log_, clock
        self._partitions = partitions

    def connector(self, key: str) -> Connector | None:
        return self._connectors.get(key)

    async def take(self, connector: Connector, content_type: str, query: Mapping[str, str], body: bytes) -> None:
        """Raises Overloaded or Unavailable: nothing of it is known to be kept, and the sender sends it again."""
        now, driven = await self._clock()
        try:
            kept = await self._payloads.add(connector.key, connector.brand, now, content_type, query, body)
        except TRANSIENT as error:
            raise Unavailable from error
        await self.tell(connector, kept, driven=driven)

    async def rehearse(self, connector: Connector, content_type: str, query: Mapping[str, str], body: bytes) -> Read:
        """Keep a payload and say what it comes to; nothing is sent."""
        now, driven = await self._clock()
        try:
            kept = await self._payloads.add(connector.key, connector.brand, now, content_type, query, body)
            found = read(connector, kept, driven=driven)
            await self._payloads.note(kept.id, 0, found.faults)
        except TRANSIENT as error:
            raise Unavailable from error
        return found

    async def tell(self, connector: Connector, kept: Kept, *, driven: bool) -> Read:
        """Send what a kept payload comes to; told again, its facts have the same ids."""
        found = read(connector, kept, driven=driven)
        if found.facts:
            await self._log.publish([record(fact, self._partitions) for fact in found.facts])
        try:
            await self._payloads.note(kept.id, len(found.facts), found.faults)
        except TRANSIENT as error:
            if found.faults:
                raise Unavailable from error
            log.warning("what a payload came to could not be noted", extra={"why": type(error).__name__})
        return found

    async def operate(self, connector: Connector, query: Mapping[str, str], body: bytes, *, whole: bool) -> Read:
        """Take an operation in. What can be read is told at once; the rest of it is kept, as payloads are. Raises Overloaded, Unavailable.

        whole: nothing of it is told if anything is wrong with it, for the sender hears of it and sends it again.
        """
        now, driven = await self._clock()
        fresh = Kept(id=0, received_at=now, first_at=now, content_type=JSON, query=dict(query), body=body, facts=0, faults=[])
        found = read(connector, fresh, driven=driven)
        wrong = [*found.faults, *(found.warnings if whole else ())]
        if not connector.knows(query.get("operation", "")):
            wrong = [Fault("", "operation_unknown", "Nothing is made of this operation.", "name it in a call of the connector")]
        if wrong:
            return await self._keep(connector, fresh, wrong, whole=whole, driven=driven)
        if found.facts:
            await self._log.publish([record(fact, self._partitions) for fact in found.facts])
        return found

    async def _keep(self, connector: Connector, fresh: Kept, wrong: list[Fault], *, whole: bool, driven: bool) -> Read:
        try:
            kept = await self._payloads.add(
                connector.key, connector.brand, fresh.received_at, fresh.content_type, fresh.query, fresh.body
            )
            if not whole:
                return (await self.tell(connector, kept, driven=driven))._replace(faults=wrong)
            await self._payloads.note(kept.id, 0, wrong)
        except TRANSIENT as error:
            raise Unavailable from error
        return Read([], [], wrong, [])

    async def replay(self, connector: Connector, ids: Sequence[int], brands: Sequence[str] | None) -> list[tuple[int, Read]]:
        now, driven = await self._clock()
        return [
            (kept.id, await self.tell(connector, kept, driven=driven))
            for kept in await self._payloads.some(connector.key, ids, brands, now)
        ]
