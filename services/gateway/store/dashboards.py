"""Figures for BI tools: what stood for some days is replaced by what is so now."""

from collections.abc import Sequence
from datetime import date

from runtime.db import Connection
from services.gateway.domain.dashboards import BY, MESSAGES, Row

OUTCOMES = ("brand", *BY, *MESSAGES, "as_of")
CONVERSIONS = ("brand", *BY, "target", "currency", "converted", "actions", "revenue", "as_of")
CHANNELS = ("brand", "quarter", "target", "currency", "kind", "name", "conversions", "revenue", "share", "as_of")
EXPERIMENTS = (
    "experiment", "brand", "day", "arm", "people", "metric", "value", "difference", "low", "high", "p", "verdict", "as_of",
)  # fmt: skip
# A refresh is due `every` ms after `at`. Whoever takes it moves `at` on so far that it is due when his lease ends.
TAKE = """
INSERT INTO refresh AS r (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at WHERE r.at <= $3 RETURNING true
"""
MOVE = "UPDATE refresh SET at = $3 WHERE name = $1 AND at = $2 RETURNING true"
ONE = "SELECT pg_advisory_xact_lock(hashtext('gateway.bi'))"  # two refreshes of one range would meet at its rows


class Lease:
    """The turn to do a refresh, held for `least` ms from each time it is renewed. every: ms from one beginning to the next. now: ms, real time."""

    def __init__(self, name: str, every: int, least: int) -> None:
        self._name, self._every, self._least = name, every, least
        self._at = 0

    async def taken(self, connection: Connection, now: int) -> bool:
        """Whether it is due, and ours."""
        at = self._held(now)
        mine = bool(await connection.fetchval(TAKE, self._name, at, now - self._every))
        self._at = at if mine else 0
        return mine

    async def renewed(self, connection: Connection, now: int) -> bool:
        """Whether it is ours still."""
        return await self._moved(connection, self._held(now))

    async def done(self, connection: Connection, begun: int) -> bool:
        """The next one is due `every` after this one's beginning; whether it was ours still."""
        return await self._moved(connection, begun)

    def _held(self, now: int) -> int:
        return now - self._every + self._least

    async def _moved(self, connection: Connection, at: int) -> bool:
        ours = bool(await connection.fetchval(MOVE, self._name, self._at, at))
        self._at = at if ours else self._at
        return ours


async def replace_days(
    connection: Connection, brand: str, days: tuple[date, date], outcomes: Sequence[Row], conversions: Sequence[Row]
) -> None:
    """All of a brand's days, in the caller's transaction."""
    await connection.execute(ONE)
    for table, columns, rows in (("outcome_day", OUTCOMES, outcomes), ("conversion_day", CONVERSIONS, conversions)):
        await connection.execute(f"DELETE FROM {table} WHERE brand = $1 AND day BETWEEN $2 AND $3", brand, *days)  # noqa: S608 - ours
        await connection.copy_records_to_table(table, records=rows, columns=columns)


async def replace_quarter(connection: Connection, brand: str, quarter: date, rows: Sequence[Row]) -> None:
    await connection.execute(ONE)
    await connection.execute("DELETE FROM channel_quarter WHERE brand = $1 AND quarter = $2", brand, quarter)
    await connection.copy_records_to_table("channel_quarter", records=rows, columns=CHANNELS)


async def replace_experiment(connection: Connection, experiment: str, days: tuple[date, date], rows: Sequence[Row]) -> None:
    await connection.execute(ONE)
    await connection.execute("DELETE FROM experiment_day WHERE experiment = $1 AND day BETWEEN $2 AND $3", experiment, *days)
    await connection.copy_records_to_table("experiment_day", records=rows, columns=EXPERIMENTS)


async def keep_experiments(connection: Connection, experiments: Sequence[str]) -> None:
    """Forget those that are no more."""
    await connection.execute("DELETE FROM experiment_day WHERE NOT experiment = ANY($1)", list(experiments))
