"""Figures for BI tools: what stood for some days is replaced by what is so now."""

from collections.abc import Sequence
from datetime import date

from runtime.db import Connection
from services.gateway.domain.dashboards import Row

OUTCOMES = ("brand", "day", "document", "step", "channel", "class", "variant", "template", "sent", "failed", "delivered", "bounced", "opened", "clicked",
            "unsubscribed", "complained", "as_of")  # fmt: skip
CONVERSIONS = (*OUTCOMES[:8], "target", "currency", "converted", "actions", "revenue", "as_of")
CHANNELS = ("brand", "quarter", "target", "currency", "kind", "name", "conversions", "revenue", "share", "as_of")
EXPERIMENTS = (
    "experiment", "brand", "day", "arm", "people", "metric", "value", "difference", "low", "high", "p", "verdict", "as_of",
)  # fmt: skip
# Whoever takes the turn moves it on; one that was taken less than `every` ms ago is refused.
TURN = """
INSERT INTO refresh AS r (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at WHERE r.at <= $2 - $3 RETURNING true
"""
ONE = "SELECT pg_advisory_xact_lock(hashtext('gateway.bi'))"  # two refreshes of one range would meet at its rows


async def take_turn(connection: Connection, name: str, now: int, every: int) -> bool:
    return bool(await connection.fetchval(TURN, name, now, every))


async def turn_again(connection: Connection, name: str, at: int) -> None:
    """It did not come to its end: as if it had been taken then."""
    await connection.execute("UPDATE refresh SET at = $2 WHERE name = $1", name, at)


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
