"""Traffic and ad spend by their keys."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from runtime.db import Connection, Row
from schemas.attribution import MOST_TRAFFIC, Spend

# Rows are locked in the order of their keys, whoever uploads beside.
KEEP = """
INSERT INTO traffic AS t (brand, day, source, campaign, landing, visits, cost, currency, told_at)
SELECT *, $9 FROM unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[])
    AS given (brand, day, source, campaign, landing, visits, cost, currency) ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (brand, day, source, campaign, landing) DO UPDATE
SET visits = EXCLUDED.visits, cost = EXCLUDED.cost, currency = EXCLUDED.currency, told_at = EXCLUDED.told_at
WHERE (t.visits, t.cost, t.currency) IS DISTINCT FROM (EXCLUDED.visits, EXCLUDED.cost, EXCLUDED.currency)
RETURNING (xmax = 0) AS fresh
"""
PAGE = """
SELECT * FROM traffic WHERE id > $1 AND day >= $2 AND day <= $3 AND (cardinality($4::text[]) = 0 OR brand = ANY($4)) ORDER BY id LIMIT $5
"""
# For reports: campaigns are not told apart there.
SUMMED = """
SELECT day, brand, source, landing, currency, sum(visits)::bigint AS visits, sum(cost)::bigint AS cost FROM traffic
WHERE day >= $1 AND day <= $2 AND (cardinality($3::text[]) = 0 OR brand = ANY($3)) GROUP BY day, brand, source, landing, currency
ORDER BY day, brand, source, landing, currency LIMIT $4
"""


class Kept(NamedTuple):
    """How many rows were new, and how many others were corrected."""

    fresh: int
    corrected: int


async def keep(connection: Connection, rows: Sequence[Spend], now: int) -> Kept:
    columns = [
        [row.brand for row in rows], [date.fromisoformat(row.day) for row in rows], [row.source for row in rows], [row.campaign for row in rows],
        [row.landing for row in rows], [row.visits for row in rows], [row.cost for row in rows], [row.currency or "" for row in rows],
    ]  # fmt: skip
    told = [row["fresh"] for row in await connection.fetch(KEEP, *columns, now)]
    return Kept(sum(told), len(told) - sum(told))


async def page(connection: Connection, after: int, days: tuple[date, date], brands: Sequence[str], limit: int) -> list[Row]:
    """Rows in the order in which they first came."""
    return list(await connection.fetch(PAGE, after, *days, list(brands), limit))


async def summed(connection: Connection, days: tuple[date, date], brands: Sequence[str]) -> list[dict[str, Any]]:
    """What goes along with a report's question: the fields of Spend."""
    rows = await connection.fetch(SUMMED, *days, list(brands), MOST_TRAFFIC)
    return [{**dict(row), "day": row["day"].isoformat(), "currency": row["currency"] or None} for row in rows]
