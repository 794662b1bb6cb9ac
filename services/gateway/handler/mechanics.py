"""Install a ready-made mechanic: its documents as drafts, or in force, in one transaction."""

import asyncio
from typing import Any

from services.gateway.domain.kinds import brand_of, key_of, text_of
from services.gateway.domain.mechanics import Install, Mechanic, differences, made
from services.gateway.domain.problems import Fault, Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.documents import Read, import_read, read_import, save
from services.gateway.handler.keys import validated
from services.gateway.handler.publishing import Publishing
from services.gateway.store import documents


async def install(call: Call, mechanic: Mechanic, body: Any) -> Answer:
    """The same call again changes nothing. Raises Problem `mechanic_differs`, at each document that is there with another body."""
    asked = validated(Install, body)
    call.key.needs_brand(asked.brand)
    if asked.publish:
        call.key.needs("publish")
    bodies = made(mechanic, asked)
    given = await asyncio.to_thread(read_import, {"documents": bodies})  # others go on meanwhile
    publishing = await Publishing.begin(call) if asked.publish else None  # before any document is locked, as whoever publishes does
    fresh, kept = await _place(call, given, keep=asked.keep)
    name = mechanic.about.name
    await call.audit("install", f"mechanic {name}", brand=asked.brand, publish=asked.publish)
    told = {"mechanic": name, "brand": asked.brand}
    if publishing is not None:
        done = await import_read(call, publishing, [one for one in given if one[0] not in kept])
        return Answer({**told, "documents": done.body["documents"], "kept": _named(given, kept)})
    saved = [
        {"kind": kind.name, "key": key_of(document), "changed": place in fresh}
        for place, kind, document in given
        if place not in kept
    ]
    return Answer({**told, "documents": saved, "kept": _named(given, kept)})


async def _place(call: Call, given: list[Read], *, keep: bool) -> tuple[set[int], set[int]]:
    """Save what is not there. Returns the places of what was new, and of what stays as somebody else wrote it. Every row is ours until the end
    of the transaction: it was locked, or has just been inserted.
    """
    fresh, kept, faults = set(), set(), []
    for place, kind, document in sorted(given, key=lambda one: (one[1].name, key_of(one[2]))):  # one order of locks
        key = key_of(document)
        call.key.needs_brand(brand_of(kind.name, document))
        before = await documents.get(call.connection, kind.name, key, lock=True)
        if before is None:
            _, new = await save(call, kind, key, document)
            if not new:
                raise Problem("revision_stale", revision=1)
            fresh.add(place)
        elif before.body != text_of(document):
            kept.add(place)
            where = next(differences(before.body, text_of(document)))
            faults.append(Fault(f"{kind.plural}.{key}{where}", "document_differs", params={"kind": kind.name, "key": key}))
    if faults and not keep:
        raise Problem("mechanic_differs", faults)
    return fresh, kept


def _named(given: list[Read], places: set[int]) -> list[dict[str, str]]:
    return [{"kind": kind.name, "key": key_of(document)} for place, kind, document in given if place in places]
