"""Traffic and ad spend by their keys."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from runtime.db import Connection, Row
from schemas.attribution import MOST_TRAFFIC, Spend
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.traffic import Place

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
# By the key, which is an index: of a brand and some days no other row is read.
PAGE = """
SELECT brand, day, source, campaign, landing, visits, cost, currency FROM traffic
WHERE day >= $1 AND day <= $2 AND (brand, day, source, campaign, landing) > ($3, $4, $5, $6, $7) {brands}
ORDER BY brand, day, source, campaign, landing LIMIT $8
"""
# For reports, which tell nothing else apart.
SUMMED = """
SELECT day, landing, currency, sum(visits) AS visits, sum(cost) AS cost FROM traffic
WHERE day >= $1 AND day <= $2 AND (cardinality($3::text[]) = 0 OR brand = ANY($3)) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT $4
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


async def page(connection: Connection, after: Place, days: tuple[date, date], brands: Sequence[str], limit: int) -> list[Row]:
    """Rows behind that place, in the order of their keys. brands: () for all."""
    if not brands:
        return list(await connection.fetch(PAGE.format(brands=""), *days, *after, limit))
    return list(await connection.fetch(PAGE.format(brands="AND brand = ANY($9)"), *days, *after, limit, list(brands)))


async def summed(connection: Connection, days: tuple[date, date], brands: Sequence[str]) -> list[dict[str, Any]]:
    """What goes along with a report's question: the fields of Visits. Raises Problem: there is more than a question takes along."""
    rows = await connection.fetch(SUMMED, *days, list(brands), MOST_TRAFFIC + 1)
    if len(rows) > MOST_TRAFFIC:
        raise Problem("invalid", [Fault("to", "traffic_too_much", params={"limit": MOST_TRAFFIC})])
    return [
        {"day": row["day"].isoformat(), "landing": row["landing"], "currency": row["currency"] or None}
        | {name: int(row[name]) for name in ("visits", "cost")}
        for row in rows
    ]
