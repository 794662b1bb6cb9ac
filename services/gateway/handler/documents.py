"""Documents: write, delete, publish, import."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runtime import own
from schemas.journeys import Journey
from services.gateway.domain.endpoints import not_allowed
from services.gateway.domain.kinds import KINDS, MAX_BYTES, Kind, brand_of, key_of, read, reread, text_of
from services.gateway.domain.moves import Publish
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.reading import faults_of
from services.gateway.domain.references import references
from services.gateway.handler import experiments, launching
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.finding import mine, seen
from services.gateway.handler.in_use import Versions, refuse_unasked
from services.gateway.handler.keys import validated
from services.gateway.handler.lifecycle import lead, reopen
from services.gateway.handler.noticing import warnings, with_warnings
from services.gateway.handler.publishing import Publishing
from services.gateway.store import documents
from services.gateway.store.documents import Draft


class Imported(BaseModel):
    """What `POST /api/documents/import` takes for each document: body: as for PUT, with its key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    body: dict[str, Any]


class Import(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: tuple[Imported, ...] = Field(min_length=1, max_length=1000)


Read = tuple[int, Kind, BaseModel]  # of an import: its place there


def etag(revision: int) -> str:
    return f'"{revision}"'


def shown(body: dict[str, Any], draft: Draft) -> dict[str, Any]:
    """The document as GET gives it and PUT takes it back."""
    meta = {"revision": draft.revision, "updated_at": draft.updated_at, "published_version": draft.published_version}
    return {**body, "_meta": meta}


async def get(call: Call, kind: Kind, key: str) -> Answer:
    draft = await seen(call, kind, key)
    return Answer(shown(draft.body, draft), headers={"ETag": etag(draft.revision)})


async def put(call: Call, kind: Kind, key: str, body: Any, match: str | None, *, only_new: bool = False) -> Answer:
    """Save a draft. match: the If-Match header; only_new: `If-None-Match: *` came."""
    document = read(kind, key, body)
    if faults := not_allowed(document, http=call.settings.webhook_http):
        raise Problem("invalid", faults)
    call.key.needs_brand(brand_of(kind.name, document))
    before = await documents.get(call.connection, kind.name, key, lock=True)
    if before is not None:
        call.key.needs_brand(before.brand)
    matches(before, match, kind, key)
    if kind is experiments.EXPERIMENT:
        await experiments.refuse_change(call, key, document, await own.now(call.connection))
    _, fresh = await save(call, kind, key, document)
    draft = await documents.get(call.connection, kind.name, key)
    assert draft is not None
    if only_new and not fresh:
        raise Problem("revision_stale", revision=before.revision if before else 1)
    await call.audit("save", f"{kind.name} {key}", revision=draft.revision)
    saved = shown(draft.body, draft)
    (told,) = await warnings(call, [(kind, draft.body)])
    saved["_meta"] = with_warnings(saved["_meta"], told)
    return Answer(saved, 201 if fresh else 200, {"ETag": etag(draft.revision)})


async def delete(call: Call, kind: Kind, key: str, match: str | None, asked: Versions) -> Answer:
    """Delete a draft, and take what is published of it out of force. asked: versions of journeys that mention it, in which nobody stands."""
    publishing = await Publishing.begin(call)
    await refuse_unasked(call, kind.name, key, asked)
    draft = await mine(call, kind, key)
    matches(draft, match, kind, key)
    if kind is experiments.EXPERIMENT:
        await experiments.refuse_change(call, key, None, publishing.now)
    if draft.published_version is not None:
        call.key.needs("publish")
        await publishing.withdraw(kind.name, key, draft.published_version)
        if kind.name == "journey":
            await reopen(call, publishing, key)
        if kind is launching.CAMPAIGN:
            await launching.stop_all(call, publishing, key)
    await documents.delete(call.connection, kind.name, key)
    await call.audit("delete", f"{kind.name} {key}", revision=draft.revision, withdrawn_at=publishing.now)
    await publishing.finish()
    return Answer(status=204)


async def publish(call: Call, kind: Kind, key: str, match: str | None, body: Any = None) -> Answer:
    asked = validated(Publish, body if body is not None else {})
    publishing = await Publishing.begin(call)
    draft = await mine(call, kind, key)
    matches(draft, match, kind, key)
    document = read(kind, key, draft.body) if asked.version is None else await _earlier(call, kind, key, asked.version)
    version, changed, ruling = await publishing.publish(kind.name, key, document, draft)
    moves = await _lead(call, publishing, ruling, version, asked)
    await publishing.finish()
    (told,) = await warnings(call, [(kind, text_of(document))])
    done = {"kind": kind.name, "key": key, "version": version, "changed": changed, "revision": draft.revision}
    return Answer(with_warnings({**done, "moves": moves} if moves else done, told))


async def _earlier(call: Call, kind: Kind, key: str, version: int) -> BaseModel:
    """It may have been of another brand than the draft is now."""
    found = await documents.version(call.connection, kind.name, key, version)
    if found is None or not call.key.sees(found["brand"]):
        raise Problem("document_not_found", kind=kind.name, key=f"{key}@{version}")
    call.key.needs_brand(found["brand"])
    return reread(kind, key, found["body"])


async def _lead(call: Call, publishing: Publishing, document: BaseModel, version: int, asked: Publish) -> dict[int, dict[str, str]]:
    if not asked.move:
        return {}
    if not isinstance(document, Journey):
        raise Problem("invalid", [Fault("move", "extra_forbidden")])
    return await lead(call, publishing, document, version, asked.move)


async def import_all(call: Call, body: Any) -> Answer:
    """Save and publish many documents, each after what it mentions: all of them or none."""
    given = await asyncio.to_thread(read_import, body)  # others go on meanwhile
    return await import_read(call, await Publishing.begin(call), given)


async def import_read(call: Call, publishing: Publishing, given: Sequence[Read]) -> Answer:
    """The same of documents that were read."""
    results = []
    ordered = _in_order(given)
    for place, kind, document in ordered:
        key = key_of(document)
        call.key.needs_brand(brand_of(kind.name, document))
        before = await documents.get(call.connection, kind.name, key, lock=True)
        if before is not None:
            call.key.needs_brand(before.brand)
        if before is None or before.body != text_of(document):
            await save(call, kind, key, document)
        draft = await documents.get(call.connection, kind.name, key)
        assert draft is not None
        try:
            version, changed, _ = await publishing.publish(kind.name, key, document, draft)
        except Problem as problem:
            if problem.code != "invalid":
                raise
            raise Problem("invalid", _at(place, problem.faults)) from problem
        results.append({"kind": kind.name, "key": key, "version": version, "changed": changed})
    await publishing.finish()
    told = await warnings(call, [(kind, text_of(document)) for _, kind, document in ordered])
    return Answer({"documents": [with_warnings(done, one) for done, one in zip(results, told, strict=True)]})


def read_import(body: Any) -> list[Read]:
    """Every fault of every document at once."""
    try:
        given = Import.model_validate(body)
    except ValidationError as error:
        raise Problem("invalid", faults_of(body, error)) from error
    faults: list[Fault] = []
    found: dict[tuple[str, str], Read] = {}
    for place, one in enumerate(given.documents):
        kind, key = KINDS.get(one.kind), one.body.get("key")
        if kind is None:
            faults.append(Fault(f"documents.{place}.kind", "document_kind", params={"kinds": ", ".join(KINDS)}))
            continue
        if not isinstance(key, str):
            faults.append(Fault(f"documents.{place}.body.key", "string_type" if "key" in one.body else "missing"))
            continue
        if (kind.name, key) in found:
            faults.append(Fault(f"documents.{place}.body.key", "document_twice"))
            continue
        try:
            found[kind.name, key] = place, kind, read(kind, key, one.body)
        except Problem as problem:
            faults += _at(place, problem.faults)
    if faults:
        raise Problem("invalid", faults)
    return list(found.values())


def _at(place: int, faults: Sequence[Fault]) -> list[Fault]:
    prefix = f"documents.{place}.body"
    return [Fault(f"{prefix}.{f.path}" if f.path else prefix, f.code, f.message, f.params) for f in faults]


def _in_order(given: Sequence[Read]) -> list[Read]:
    """By rank of kind; within one, whatever mentions another of them after it. A circle keeps its order: publishing refuses it."""
    ordered: list[Read] = []
    waiting = sorted(given, key=lambda one: one[1].rank)
    while waiting:
        names = {(kind.name, key_of(document)) for _, kind, document in waiting}
        ready = [one for one in waiting if not any((r.kind, r.key) in names - {_name(one)} for r in references(one[2]))]
        ordered += ready or waiting
        waiting = [one for one in waiting if one not in ready] if ready else []
    return ordered


def _name(one: Read) -> tuple[str, str]:
    return one[1].name, key_of(one[2])


async def save(call: Call, kind: Kind, key: str, document: BaseModel) -> tuple[int, bool]:
    """(revision, whether it is new)."""
    text = json.dumps(text_of(document), ensure_ascii=False)
    if len(text.encode()) > MAX_BYTES:
        raise Problem("document_too_large", limit=MAX_BYTES)
    brand = brand_of(kind.name, document)
    return await documents.save(call.connection, kind.name, key, brand, text, call.now)


def matches(draft: Draft | None, match: str | None, kind: Kind, key: str) -> None:
    """If-Match: the revision that the caller has seen; `*`: any that there is."""
    if match is None:
        return
    if draft is None:
        raise Problem("document_not_found", kind=kind.name, key=key)
    tags = [tag.strip().removeprefix("W/") for tag in match.split(",")]
    if "*" not in tags and etag(draft.revision) not in tags:
        raise Problem("revision_stale", revision=draft.revision)
