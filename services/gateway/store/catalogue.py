"""What the installation has seen, for those who write conditions."""

from collections.abc import Collection

from runtime.catalogue import catalogue
from runtime.db import Connection
from services.gateway.domain.acquaintance import Seen, Value


async def seen(connection: Connection, events: Collection[str] | None = None) -> Seen:
    """All events and attributes, and the properties of these events (None: of all)."""
    found = await catalogue(connection, events)
    properties: dict[str, dict[str, Value]] = {}
    attributes: dict[str, Value] = {}
    for one in found.paths:
        known = attributes if one.scope == "attributes" else properties.setdefault(one.event, {})
        first = known.setdefault(one.path, Value(one.kind))
        if first.kind != one.kind:
            known[one.path] = Value(first.kind, {**first.others, one.kind: first.others.get(one.kind, 0) + one.asides})
    return Seen(frozenset(found.events), properties, attributes)
