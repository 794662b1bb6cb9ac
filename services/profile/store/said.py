"""What people have said of themselves, some attributes of many: for services that keep no personal value longer than they need it."""

from collections.abc import AsyncIterator, Collection, Sequence

import msgspec

from runtime.db import Connection
from services.profile.domain import Attributes
from services.profile.store import shown

STATES = "SELECT id::text AS id, state FROM profile WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL"
VALUES = "SELECT profile::text AS id, (attributes -> $1)::text AS value FROM shown WHERE attributes ? $1"
PIECE = 2_000  # people whose news is taken in at once
FETCHED = 5_000  # rows that are held at a time


class Some(msgspec.Struct, array_like=True):
    """The beginning of a `Profile`: what comes behind is not even decoded."""

    first_at: int
    attributes: Attributes


_decode = msgspec.msgpack.Decoder(Some).decode


async def of(connection: Connection, ids: Sequence[str], names: Collection[str]) -> dict[str, Attributes]:
    """Of those of these canonical people who are there and said any of these, the values with their moments as they are at this instant; a
    value that was taken back is None.
    """
    found: dict[str, Attributes] = {}
    for row in await connection.fetch(STATES, ids):
        attributes = _decode(row["state"]).attributes
        if said := {name: attributes[name] for name in names if name in attributes}:
            found[row["id"]] = said
    return found


async def everybody(connection: Connection, name: str) -> AsyncIterator[list[tuple[str, str]]]:
    """(profile, value as JSON) of all who have an attribute, in portions: in a transaction of the caller's, as of its beginning."""
    cursor = await connection.cursor(VALUES, name)
    while rows := await cursor.fetch(FETCHED):
        yield [(row["id"], row["value"]) for row in rows]


async def bring_up(connection: Connection) -> bool:
    """One portion of what has changed since `shown` was brought up, in the caller's transaction. Whether that was the last."""
    return await shown.bring_up(connection, PIECE, wait=True) < PIECE
