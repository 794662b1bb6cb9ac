"""Attributes of people as JSON that SQL can read, for bi.profiles: brought up beside the way of a fact, from a list of whose row changed."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from runtime.db import Connection
from services.profile.domain import Profile
from services.profile.domain.cells import kinds

ONE = "SELECT pg_try_advisory_xact_lock(hashtext('profile.shown'))"
AFTER_OTHERS = "SELECT pg_advisory_xact_lock(hashtext('profile.shown'))"
LEARN = "INSERT INTO attribute (name, kind) SELECT * FROM unnest($1::text[], $2::text[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING"
CELLS = "SELECT name, kind FROM attribute ORDER BY name, kind"
TAKE = """
DELETE FROM changed WHERE ctid = ANY(ARRAY(SELECT ctid FROM changed LIMIT $1)) RETURNING profile::text AS profile
"""
STATES = "SELECT id::text AS id, state FROM profile WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL"
SHOW = """
INSERT INTO shown (profile, attributes) SELECT * FROM unnest($1::uuid[], $2::jsonb[]) ORDER BY 1
ON CONFLICT (profile) DO UPDATE SET attributes = EXCLUDED.attributes WHERE shown.attributes <> EXCLUDED.attributes
"""
HIDE = "DELETE FROM shown WHERE profile = ANY($1::uuid[])"

_decode = msgspec.msgpack.Decoder(Profile).decode
_json = msgspec.json.Encoder().encode


async def note(connection: Connection, people: Iterable[str]) -> None:
    """These people's rows are written in this transaction. A copy of ids: the cheapest thing that can be said of each."""
    await connection.copy_records_to_table("changed", records=[(one,) for one in people], columns=("profile",))


async def hide(connection: Connection, people: Sequence[str]) -> None:
    """They are erased: nothing of theirs is shown, nor will be by who reads their rows at this moment."""
    await connection.execute(HIDE, list(people))
    await note(connection, people)


async def bring_up(connection: Connection, most: int, *, wait: bool = False) -> int:
    """Up to `most` of those who have changed, in the caller's transaction; nobody else does meanwhile. wait: until nobody does, else 0.
    Returns of how many it was said.

    Whose row is written while this one reads it is said to have changed once more.
    """
    if wait:
        await connection.execute(AFTER_OTHERS)
    elif not await connection.fetchval(ONE):
        return 0
    said = [row["profile"] for row in await connection.fetch(TAKE, most)]
    people = sorted(set(said))
    rows = await connection.fetch(STATES, people) if people else []
    if rows:
        profiles = [_decode(row["state"]) for row in rows]
        await connection.execute(SHOW, [row["id"] for row in rows], [_shown(profile) for profile in profiles])
        told = sorted(cell for cell in kinds(profile.attributes for profile in profiles) if "\x00" not in cell[0])
        await connection.execute(LEARN, [name for name, _ in told], [kind for _, kind in told])
    if gone := set(people) - {row["id"] for row in rows}:
        await connection.execute(HIDE, sorted(gone))
    return len(said)


async def cells(connection: Connection) -> list[tuple[str, str]]:
    """(name, kind) of all cells of attributes that anybody ever had; a name may stand there with several kinds."""
    return [tuple(row) for row in await connection.fetch(CELLS)]


def _shown(profile: Profile) -> str:
    said = {name: value for name, (_, value) in profile.attributes.items() if value is not None}
    text = _json(said).decode()
    return _json(_without_nul(said)).decode() if "\\u0000" in text else text


def _without_nul(value: Any) -> Any:
    """No text of PostgreSQL can hold one."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {name.replace("\x00", ""): _without_nul(inner) for name, inner in value.items()}
    return [_without_nul(inner) for inner in value] if isinstance(value, list) else value
