"""Launches of campaigns, as they were told last."""

from typing import NamedTuple

from runtime.db import Connection, Row
from schemas.campaigns import Launch

LAST = "SELECT revision, stood FROM launch WHERE campaign = $1 ORDER BY number DESC LIMIT 1"
OF_NUMBER = "SELECT revision, stood FROM launch WHERE campaign = $1 AND number = $2"
UNDER_WAY = "SELECT revision, stood FROM launch WHERE campaign = $1 AND NOT retired AND stood->>'state' <> 'stopped' ORDER BY number FOR UPDATE"
OVER = "SELECT revision, stood FROM launch WHERE NOT retired AND until <= $1 ORDER BY until, id LIMIT 100 FOR UPDATE"
TELL = """
INSERT INTO launch (id, campaign, number, version, revision, stood, until) VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7)
ON CONFLICT (id) DO UPDATE SET revision = EXCLUDED.revision, stood = EXCLUDED.stood, until = EXCLUDED.until
"""
RETIRE = "UPDATE launch SET retired = true WHERE id = $1"
USED = "SELECT EXISTS (SELECT FROM launch WHERE campaign = $1 AND version = $2 AND NOT retired)"


class Stood(NamedTuple):
    """How a launch stands, and how often it was told."""

    launch: Launch
    revision: int


def _stood(row: Row) -> Stood:
    return Stood(Launch.model_validate_json(row["stood"]), row["revision"])


async def last(connection: Connection, campaign: str, number: int | None = None, *, lock: bool = False) -> Stood | None:
    """The newest launch of a campaign, or the one of this number."""
    query, given = (LAST, ()) if number is None else (OF_NUMBER, (number,))
    row = await connection.fetchrow(query + (" FOR UPDATE" if lock else ""), campaign, *given)
    return _stood(row) if row else None


async def under_way(connection: Connection, campaign: str) -> list[Stood]:
    return [_stood(row) for row in await connection.fetch(UNDER_WAY, campaign)]


async def over(connection: Connection, now: int) -> list[Stood]:
    """Those of which nothing may be decided any more."""
    return [_stood(row) for row in await connection.fetch(OVER, now)]


async def tell(connection: Connection, stood: Stood, until: int) -> None:
    one = stood.launch
    await connection.execute(TELL, one.key, one.campaign, one.number, one.version, stood.revision, one.model_dump_json(), until)


async def retire(connection: Connection, launch: Launch) -> bool:
    """Forget one. True when no other launch of its version is left."""
    await connection.execute(RETIRE, launch.key)
    return not await connection.fetchval(USED, launch.campaign, launch.version)
