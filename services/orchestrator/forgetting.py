"""How a launch stands, and what is left of one that is forgotten: its report. The rows of its people go, in chunks, by whoever fires timers.

It is forgotten when its document is in force no more, forty days after the last change: nothing of it is decided then.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from runtime.db import Connection, Row
from schemas.campaigns import LAUNCHES
from services.orchestrator import recipients

CHUNK = 5_000
DID = ("opened", "clicked", "bounced", "left")
# By what is stored, not by a book: that of a batch may be older than a launch which another has noted.
NEXT = f"""
SELECT p.launch::text AS launch FROM launch_partition p
WHERE NOT EXISTS (SELECT FROM definition_current c WHERE c.kind = '{LAUNCHES}' AND c.key = p.launch::text)
    OR EXISTS (SELECT FROM launch_report o WHERE o.launch = p.launch) ORDER BY p.launch LIMIT 1
"""  # noqa: S608 - no values
IS_DUE = f"SELECT EXISTS ({NEXT})"
ONE = "SELECT pg_try_advisory_xact_lock(hashtext('launch.forget'))"
STORED = "SELECT report FROM launch_report WHERE launch = $1"
STORE = "INSERT INTO launch_report (launch, report) VALUES ($1, $2)"
SHUT = "UPDATE launch_partition SET open = false WHERE launch = $1 AND open"
# Rows that a late verdict holds are taken the next time.
DROP = """
DELETE FROM recipient WHERE launch = $1
    AND id = ANY(ARRAY(SELECT id FROM recipient WHERE launch = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
CLOSE = (
    "DELETE FROM launch_partition WHERE launch = $1 AND NOT EXISTS (SELECT FROM recipient WHERE launch = $1)",
    "DELETE FROM pilot WHERE launch = $1 AND NOT EXISTS (SELECT FROM recipient WHERE launch = $1)",
)


async def forget(connection: Connection) -> bool:
    """A chunk of the next launch that is forgotten; False: there is none, or another process does it."""
    if not await connection.fetchval(ONE):
        return False
    launch = await connection.fetchval(NEXT)
    if launch is None:
        return False
    if await connection.fetchval(STORED, launch) is None:
        report = await counted(connection, launch)
        report["walk"]["going"] = False
        await connection.execute(STORE, launch, msgspec.json.encode(report).decode())
        await connection.execute(SHUT, launch)
    gone = await connection.execute(DROP, launch, CHUNK)
    if int(gone.rsplit(" ", 1)[1]) < CHUNK:
        for query in CLOSE:
            await connection.execute(query, launch)
    return True


async def report(connection: Connection, launch: str) -> dict[str, Any]:
    """How a launch stands, or stood when it was forgotten, as `told`. The connection is in a transaction that sees one instant."""
    stored = await connection.fetchval(STORED, launch)
    return msgspec.json.decode(stored, type=dict[str, Any]) if stored is not None else await counted(connection, launch)


async def counted(connection: Connection, launch: str) -> dict[str, Any]:
    """Of the rows of its people."""
    upto = await connection.fetchval(recipients.UPTO, launch)
    rows = await connection.fetch(recipients.REPORT, launch, upto if upto is not None else -1)
    progress = await connection.fetchrow(recipients.PROGRESS, launch)
    assert progress is not None
    return told(rows, progress)


def told(rows: Sequence[Row], progress: Row) -> dict[str, Any]:
    """{audience, complete, people: [{verdict, rule, people}], variants, pilot, walk}. verdict `undecided`: his turn is yet to come. The people
    add up to the audience, which is complete when everybody was looked at. pilot: the same of its people alone, where there was one.
    """
    piloted = [row for row in rows if row["pilot"]]
    whole = progress["partitions"] > 0 and progress["chosen"] == progress["partitions"]
    return {
        "audience": sum(row["people"] for row in rows),
        "complete": whole,
        "people": _people(rows),
        "variants": _variants(rows),
        "pilot": {"audience": sum(r["people"] for r in piloted), "people": _people(piloted), "variants": _variants(piloted)}
        if piloted
        else None,
        "walk": {"going": bool(progress["open"]), "issued": int(progress["issued"]), "settled": int(progress["settled"])},
    }


def _people(rows: Sequence[Row]) -> list[dict[str, Any]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        found[row["verdict"] or "undecided", row["rule"]] += row["people"]
    return [{"verdict": verdict, "rule": rule, "people": people} for (verdict, rule), people in sorted(found.items())]


def _variants(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """By the letter that they were to get: how many there are, how many the provider took, and who did what with it."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        of = found.setdefault(row["variant"], Counter())
        of["people"] += row["people"]
        of["accepted"] += row["people"] if row["verdict"] == "accepted" else 0
        for name in DID:
            of[name] += row[name]
    return [{"variant": name, **{key: of[key] for key in ("people", "accepted", *DID)}} for name, of in sorted(found.items())]
