"""Who everybody is, page by page, for whoever makes derived state anew: attributes, kinds of identifiers, bucketing pairs, words of consent."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from runtime.db import Connection, Row
from schemas.permission import Words
from services.profile.domain import Attributes, Profile
from services.profile.domain.ledger import Entry, words
from services.profile.store.consents import COLUMNS
from services.profile.store.people import JUNK
from services.profile.store.rows import FAMILY

COUNT = "SELECT count(*) FROM profile WHERE merged_into IS NULL AND erased_at IS NULL"
PAGE = """
SELECT id::text AS id, state FROM profile
WHERE merged_into IS NULL AND erased_at IS NULL AND ($1::uuid IS NULL OR id > $1) AND ($2::uuid IS NULL OR id <= $2) ORDER BY id LIMIT $3
"""
MERGED = "SELECT id::text, merged_into::text FROM profile WHERE merged_into IS NOT NULL AND erased_at IS NULL"
ERASED = "SELECT id::text FROM profile WHERE erased_at IS NOT NULL"
KINDS = f"SELECT DISTINCT profile::text, split_part(key, ':', 1) FROM identifier WHERE profile = ANY($1::uuid[]) AND NOT ({JUNK})"  # noqa: S608
_SHOWN = ", ".join(f"c.{name}::text" if name in ("profile", "home", "fact") else f"c.{name}" for name in COLUMNS)
WORDS = f"""
SELECT c.profile::text, {_SHOWN} FROM consent c WHERE c.profile = ANY($1::uuid[])
    AND NOT EXISTS (SELECT FROM consent_parted p WHERE p.partition = c.partition AND p.number = c.number)
UNION ALL SELECT p.profile::text, {_SHOWN} FROM consent_parted p JOIN consent c USING (partition, number) WHERE p.profile = ANY($1::uuid[])
"""  # noqa: S608

_decode = msgspec.msgpack.Decoder(Profile).decode


class Identity(NamedTuple):
    """One person. others: ids of all who became one with him."""

    id: str
    others: Sequence[str]
    attributes: Attributes
    kinds: Sequence[str]
    bucketing: tuple[int, str] | None
    words: Words


class Gone(NamedTuple):
    """merged: who became one with somebody -> whom he became then; erased: who was erased, and who had become one with them."""

    merged: Mapping[str, str]
    erased: frozenset[str]


async def count(connection: Connection) -> int:
    return int(await connection.fetchval(COUNT))


async def gone(connection: Connection) -> Gone:
    return Gone(dict(await connection.fetch(MERGED)), frozenset(row[0] for row in await connection.fetch(ERASED)))


async def page(connection: Connection, after: str | None, limit: int) -> list[Identity]:
    """The people that follow, by id, as they are by now."""
    return await _known(connection, await connection.fetch(PAGE, after, None, limit))


async def between(connection: Connection, after: str | None, upto: str | None) -> list[Identity]:
    """The people behind an id, up to another; None: from the first, to the last."""
    return await _known(connection, await connection.fetch(PAGE, after, upto, None))


async def _known(connection: Connection, rows: Sequence[Row]) -> list[Identity]:
    states = {row["id"]: _decode(row["state"]) for row in rows}
    owner = {one: one for one in states} | {row["id"]: row["person"] for row in await connection.fetch(FAMILY, list(states))}
    others: dict[str, list[str]] = {}
    kinds: dict[str, set[str]] = {}
    said: dict[str, list[Entry]] = {}
    for id_, person in owner.items():
        if id_ != person:
            others.setdefault(person, []).append(id_)
    for id_, kind in await connection.fetch(KINDS, list(owner)):
        kinds.setdefault(owner[id_], set()).add(kind)
    for id_, *entry in await connection.fetch(WORDS, list(owner)):
        said.setdefault(owner[id_], []).append(Entry(*entry))
    return [
        Identity(id_, sorted(others.get(id_, ())), one.attributes, sorted(kinds.get(id_, ())), _pair(one), words(said.get(id_, ())))
        for id_, one in states.items()
    ]


def _pair(one: Profile) -> tuple[int, str] | None:
    return None if one.bucketing_id is None or one.bucketed_at is None else (one.bucketed_at, one.bucketing_id)
