"""From drafts to `definitions`: references, revision and rights are checked in the transaction that publishes (DESIGN 1)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel

from runtime import own
from runtime.batch import Emit
from runtime.outbox import RecordTooLarge
from schemas.campaigns import Campaign
from schemas.definitions import Published
from schemas.experiment_documents import Experiment
from schemas.ids import partition_of
from schemas.parameters import Pattern
from schemas.policies import Policy
from schemas.segments import Segment
from schemas.topics import DEFINITIONS
from schemas.unnamed import conditions
from services.gateway.domain.endpoints import not_allowed
from services.gateway.domain.kinds import KINDS, MAX_BYTES, brand_of, cost_of, kept, text_of
from services.gateway.domain.problems import Problem
from services.gateway.domain.references import Standing, check, misfits, refs_of, users
from services.gateway.handler import experiments
from services.gateway.handler.call import Call
from services.gateway.handler.making import Making
from services.gateway.store import documents

SERVICE = "gateway"
LANE = "api"
BESIDE = {"migration": "journey"}  # behind the version to which it leads


class Ruling(NamedTuple):
    """What is in force now. changed: it was not before; document: as it was published, which is whole where the draft was made of another."""

    version: int
    changed: bool
    document: BaseModel


class Publishing:
    """Publishes within one transaction. One at a time in an installation: who has begun holds the row that counts the emits."""

    def __init__(self, call: Call, now: int, world: dict[tuple[str, str], Standing]) -> None:
        self._call, self._now, self._world = call, now, world
        self._emits: list[Emit] = []
        self._moved: set[tuple[str, str]] = set()  # to another channel or brand, or it has parameters now, or no more
        self._making = Making(call, world)

    @classmethod
    async def begin(cls, call: Call) -> "Publishing":
        _, now, _ = await own.lock(call.connection, LANE)
        return cls(call, now, await documents.world(call.connection))

    @property
    def now(self) -> int:
        """Of the installation's clock (ms)."""
        return self._now

    async def publish(self, kind: str, key: str, document: BaseModel, draft: documents.Draft) -> Ruling:
        """Put a draft in force. What is in force already stays as it is."""
        self._needs(kind)
        faults = [*check(kind, key, document, self._world), *not_allowed(document, http=self._call.settings.webhook_http)]
        if faults:
            raise Problem("invalid", faults)
        if isinstance(document, Experiment):
            await experiments.refuse(self._call, document, self._now)
        document = await self._making.whole(document)
        body = text_of(document)
        number = draft.published_version
        if number is not None and await documents.body(self._call.connection, kind, key, number) == body:
            return Ruling(number, False, document)
        version = await documents.next_version(self._call.connection, kind, key)
        channel = str(body.get("channel", "email"))
        cost = cost_of(KINDS[kind], body) if kind in KINDS else 0
        is_pattern = isinstance(document, Pattern)
        standing = Standing(version, brand_of(kind, document), refs_of(document), channel, cost, is_pattern)
        await documents.add_version(self._call.connection, kind, key, standing, json.dumps(body), self._now, self._call.key.id)
        before = self._world.get((kind, key))
        if before is not None and before.fits_as() != standing.fits_as():
            self._moved.add((kind, key))
        self._world[kind, key] = standing
        if not isinstance(document, Campaign):  # what it asks, its launches ask: launching.py
            self.answer_conditions(document, version)
        self.emit(kind, key, version, None if is_pattern else body)  # by itself it starts nobody
        self._making.published(key, document)
        said = {"reason": document.reason} if isinstance(document, Policy) else {}
        await self._call.audit("publish", f"{kind} {key}", version=version, revision=draft.revision, **said)
        return Ruling(version, True, document)

    def _needs(self, kind: str) -> None:
        """Write keys are published by calls of their own, which have asked already."""
        if kind in KINDS:
            self._call.key.needs(KINDS[kind].needs)

    async def withdraw(self, kind: str, key: str, version: int) -> None:
        """Take a document out of force. Its versions stay: people may stand in them."""
        self._needs(kind)
        by = users(kind, key, self._world)
        if by:
            raise Problem("referenced", by=", ".join(map(" ".join, by)))
        self._world.pop((kind, key), None)
        self.emit(kind, key, version, None)

    def emit(self, kind: str, key: str, version: int, body: Mapping[str, Any] | None) -> None:
        """One record: a version with the pointer to it, or (body None) the news that none is in force.

        All records of one document lie in one partition: a pointer must not overtake the next one.
        """
        published = Published(kind=kind, key=key, version=version, pointer=True, deleted=body is None, received_at=self._now)
        if body is not None:  # an empty Raw would be encoded as nothing at all
            published = msgspec.structs.replace(published, body=msgspec.Raw(msgspec.json.encode(body)))
        name = f"{kind}:{key}"
        home = f"{BESIDE.get(kind, kind)}:{key}"
        at = own.unplaced("", "", b"").at
        partition = partition_of(home, self._call.settings.partitions)
        stands = "deleted" if body is None else version
        self._emits.append(Emit(DEFINITIONS.name, f"{name}@{stands}", msgspec.json.encode(published), at, kind, partition))

    async def finish(self) -> None:
        """Write what was published to the outbox, unless what is in force does not fit it. Asked here and not of each document: an
        import may bring those that use it along.
        """
        if not self._emits:
            return
        await self._make_anew()
        await self._refuse_misfits()
        try:
            await own.publish_in(self._call.connection, self._call.settings, SERVICE, LANE, self._emits)
        except RecordTooLarge as error:
            raise Problem("document_too_large", limit=MAX_BYTES) from error

    async def _make_anew(self) -> None:
        """What is made of the journeys with parameters that were published goes with them."""
        for instance in await self._making.outdated(self._world):
            draft = await documents.get(self._call.connection, "journey", instance.key, lock=True)
            if draft is None:
                continue
            try:
                await self.publish("journey", instance.key, instance, draft)
            except Problem as problem:
                faults = [replace(one, path=f"journeys.{instance.key}.{one.path}") for one in problem.faults]
                raise Problem("used_otherwise", faults, by=f"journey {instance.key}") from problem

    async def _refuse_misfits(self) -> None:
        using: dict[tuple[str, str], BaseModel] = {}
        for kind, key in {user for one in self._moved for user in users(*one, self._world)}:
            body = await documents.body(self._call.connection, kind, key, self._world[kind, key].version)
            using[kind, key] = kept(kind, body or {})
        found = misfits(self._moved, dict(sorted(using.items())), self._world)
        if found:
            raise Problem("used_otherwise", [one.fault for one in found], by="; ".join(one.where for one in found))

    def answer_conditions(self, document: BaseModel, version: int) -> None:
        """The segmenter alone evaluates "who": each condition of a journey, campaign or rule is a segment of its own, before that needs it."""
        for key, condition in conditions(document, version).items():
            segment = Segment(key=key, name=key, brand=getattr(document, "brand", None), condition=condition)
            self.emit(KINDS["segment"].name, key, 1, text_of(segment))
