"""The tables of companies and deals: what they are, who belongs to them, and what each of those was last told."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from runtime.db import Connection
from services.profile.domain import deals
from services.profile.domain.accounts import Account
from services.profile.domain.deals import Deal

ACCOUNT, DEAL = "account", "deal"

MAKE = """
INSERT INTO object (id, kind, key, state) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[]) ORDER BY 1
ON CONFLICT (id) DO NOTHING
"""
LOCK = "SELECT id::text AS id, kind, state FROM object WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
LOOK = "SELECT id::text AS id, kind, state FROM object WHERE id = ANY($1::uuid[])"
UPDATE = "UPDATE object o SET state = u.state FROM unnest($1::uuid[], $2::bytea[]) AS u (id, state) WHERE o.id = u.id"
LIST = """
SELECT id::text AS id, kind, key, state FROM object
WHERE kind = $1 AND (key, id) > ($2, $3::uuid) AND ($4::text IS NULL OR key = $4) ORDER BY key, id LIMIT $5
"""
# More than `$2` belong to it: then nobody is asked for, as nobody but whom a fact names is told.
PEOPLE = """
SELECT o.id::text AS object, b.profile::text AS profile FROM unnest($1::uuid[]) AS o (id)
CROSS JOIN LATERAL (SELECT profile FROM belonging WHERE object = o.id ORDER BY profile LIMIT $2 + 1) AS b
"""
OF_PEOPLE = "SELECT object::text AS object, profile::text AS profile, state FROM belonging WHERE profile = ANY($1::uuid[])"
MEMBERS = """
SELECT b.profile::text AS profile, b.state FROM belonging b
WHERE b.object = $1::uuid AND ($3::text[] IS NULL OR EXISTS (
    SELECT FROM profile_brand s WHERE s.profile = b.profile AND s.brand = ANY($3)
)) ORDER BY b.profile LIMIT $2
"""
KEEP = """
INSERT INTO belonging (object, profile, state) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) ORDER BY 1, 2
ON CONFLICT (object, profile) DO UPDATE SET state = EXCLUDED.state
"""
LEAVE = "DELETE FROM belonging WHERE profile = ANY($1::uuid[])"
DEALS_OF = """
SELECT o.id::text AS id, o.state, EXISTS (
    SELECT FROM belonging other WHERE other.object = o.id AND other.profile <> ALL ($1::uuid[])
) AS shared FROM object o WHERE o.kind = 'deal' AND o.id IN (SELECT object FROM belonging WHERE profile = ANY($1::uuid[]))
ORDER BY o.id FOR UPDATE OF o
"""
DROP = "DELETE FROM object WHERE id = ANY($1::uuid[])"
KNOW = "INSERT INTO affiliate (profile) SELECT * FROM unnest($1::uuid[]) ORDER BY 1 ON CONFLICT DO NOTHING"
AFFILIATES = "SELECT profile::text AS profile FROM affiliate WHERE profile = ANY($1::uuid[])"
LOCK_PEOPLE = """
SELECT profile::text AS profile, told_at, told FROM affiliate WHERE profile = ANY($1::uuid[]) ORDER BY profile FOR UPDATE
"""
TOLD = """
UPDATE affiliate a SET told_at = u.told_at, told = u.told FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS u (profile, told_at, told)
WHERE a.profile = u.profile
"""
FORGET = "DELETE FROM affiliate WHERE profile = ANY($1::uuid[])"

Object = Account | Deal
Membership = dict[str, tuple[int, Any]]
_encode = msgspec.msgpack.Encoder().encode
_decoders: Mapping[str, Callable[[bytes], Object]] = {
    ACCOUNT: msgspec.msgpack.Decoder(Account).decode,
    DEAL: msgspec.msgpack.Decoder(Deal).decode,
}
_membership = msgspec.msgpack.Decoder(Membership).decode


class Belonging(NamedTuple):
    """A person and a company or deal of his. state: of the membership."""

    object: str
    profile: str
    state: Membership


class Affiliate(NamedTuple):
    """What somebody was last told of what he belongs to (JSON), under which instant (ms)."""

    told_at: int
    told: bytes


class Listed(NamedTuple):
    """A row of a list, with its id and what names it outside."""

    id: str
    key: str
    state: Object


async def lock_objects(connection: Connection, wanted: Mapping[str, Object]) -> dict[str, Object]:
    """Make those that there are not, and lock all of them in the order of their ids."""
    ids = sorted(wanted)
    kinds = [ACCOUNT if isinstance(wanted[id_], Account) else DEAL for id_ in ids]
    keys = [wanted[id_].key for id_ in ids]
    await connection.execute(MAKE, ids, kinds, keys, [_encode(wanted[id_]) for id_ in ids])
    return _states(await connection.fetch(LOCK, ids))


async def objects(connection: Connection, ids: Iterable[str]) -> dict[str, Object]:
    """Without a lock."""
    wanted = sorted(set(ids))
    return _states(await connection.fetch(LOOK, wanted)) if wanted else {}


def _states(rows: Iterable[Any]) -> dict[str, Object]:
    return {row["id"]: _decoders[row["kind"]](row["state"]) for row in rows}


async def save_objects(connection: Connection, changed: Mapping[str, Object]) -> None:
    ids = sorted(changed)
    await connection.execute(UPDATE, ids, [_encode(changed[id_]) for id_ in ids])


async def listed(connection: Connection, kind: str, after: tuple[str, str], key: str | None, limit: int) -> list[Listed]:
    """A page, by key. after: key and id of the last one seen; key: only those that it names."""
    rows = await connection.fetch(LIST, kind, *after, key, limit)
    return [Listed(row["id"], row["key"], _decoders[kind](row["state"])) for row in rows]


async def belongers(connection: Connection, ids: Collection[str], most: int) -> dict[str, list[str]]:
    """Object -> the people who belong to it, or ever did; of one with more than `most` none."""
    found: dict[str, list[str]] = {}
    for row in await connection.fetch(PEOPLE, sorted(ids), most):
        found.setdefault(row["object"], []).append(row["profile"])
    return {object_: people for object_, people in found.items() if len(people) <= most}


async def members(connection: Connection, id_: str, limit: int, brands: Collection[str] | None) -> list[tuple[str, Membership]]:
    """Who belongs to it, or did. brands: only those who were seen in one of them."""
    rows = await connection.fetch(MEMBERS, id_, limit, None if brands is None else sorted(brands))
    return [(row["profile"], _membership(row["state"])) for row in rows]


async def belongings(connection: Connection, people: Collection[str]) -> list[Belonging]:
    """All that these people belong to."""
    rows = await connection.fetch(OF_PEOPLE, sorted(people))
    return [Belonging(row["object"], row["profile"], _membership(row["state"])) for row in rows]


async def keep_belongings(connection: Connection, kept: Sequence[Belonging]) -> None:
    objects_, people, states = zip(*kept, strict=True)
    await connection.execute(KEEP, list(objects_), list(people), [_encode(state) for state in states])


async def affiliated(connection: Connection, people: Collection[str]) -> set[str]:
    """Those of them who belong, or belonged, to anything."""
    return {row["profile"] for row in await connection.fetch(AFFILIATES, sorted(people))}


async def lock_affiliates(connection: Connection, people: Collection[str], new: Collection[str]) -> dict[str, Affiliate]:
    """Lock them in the order of their ids. new: who may belong to something for the first time."""
    if new:
        await connection.execute(KNOW, sorted(new))
    rows = await connection.fetch(LOCK_PEOPLE, sorted(people))
    return {row["profile"]: Affiliate(row["told_at"], row["told"]) for row in rows}


async def save_told(connection: Connection, told: Mapping[str, Affiliate]) -> None:
    people = sorted(told)
    await connection.execute(TOLD, people, [told[p].told_at for p in people], [told[p].told for p in people])


async def forget_affiliates(connection: Connection, people: Collection[str]) -> None:
    """Of those who were merged into others nothing stays."""
    await connection.execute(LEAVE, sorted(people))
    await connection.execute(FORGET, sorted(people))


async def forget_belongings(connection: Connection, people: Collection[str]) -> None:
    """Of those who are erased nothing stays, nor of deals that were nobody else's; a deal that is somebody's or a company's too stays
    without its name, which may be the person's.
    """
    rows = await connection.fetch(DEALS_OF, sorted(people))
    found = {row["id"]: (cast("Deal", _decoders[DEAL](row["state"])), row["shared"]) for row in rows}
    kept = {id_: deals.unnamed(deal) for id_, (deal, shared) in found.items() if shared or deals.company(deal) is not None}
    if kept:
        await save_objects(connection, kept)
    await connection.execute(DROP, sorted(found.keys() - kept.keys()))
    await forget_affiliates(connection, people)
    await connection.execute("DELETE FROM profile_brand WHERE profile = ANY($1::uuid[])", sorted(people))
