"""Where people stood at an instant, as SQL over the memberships of the lake. Times in ms.

A person stands in a segment at an instant when the last thing told of him and it until then (that instant included) is that he entered.
Of somebody who became one with another nothing is told by his own id from then on: he stands nowhere by it, and what he is told to stand
in then is told of the winner. Who somebody is is said as of now: whoever had an id that is his now stood there as him.
"""
# ruff: noqa: S608 - what is put into SQL is of our own making; what a caller says is a parameter

from collections.abc import Sequence
from typing import Any

from runtime.lake import Snapshot, quote
from schemas.facts import PROFILE_MERGED

NEVER = 253_402_300_799_999  # the end of the year 9999
LAST = """
SELECT segment, profile AS told, arg_max(
    {{'type': type, 'since': epoch_ms(occurred_at), 'version': version, 'why': why, 'cause': cause}}, (occurred_at, kafka_offset)
) AS last
FROM {table} WHERE {segments} AND occurred_at <= make_timestamp_ms(?::BIGINT) GROUP BY ALL
"""
STANDING = """
SELECT s.segment, s.told, coalesce(a.person, s.told) AS person, s.last.since AS since, s.last.version AS version, s.last.why AS why,
    s.last.cause AS cause
FROM ({last}) AS s LEFT JOIN alias AS a ON a.told = s.told
WHERE s.last.type = 'entered' AND (a.gone_at IS NULL OR a.gone_at > make_timestamp_ms(?::BIGINT))
"""

Query = tuple[str, list[Any]]


def standing(snapshot: Snapshot, segments: Sequence[str], at: int) -> Query:
    """(segment, told, person, since, version, why, cause) of all who stood in these segments at an instant; a person with several ids of
    before once for each. The snapshot must know merges.
    """
    table = snapshot.table("memberships", until=at, as_told=True)
    chosen = f"segment IN ({', '.join('?' for _ in segments)})"
    return STANDING.format(last=LAST.format(table=table, segments=chosen)), [*segments, at, at]


def everybody(snapshot: Snapshot) -> Query:
    """(segment, profile, since, version, why, cause) of everybody who stands in any segment with a name."""
    last = LAST.format(table=snapshot.table("memberships", as_told=True), segments="NOT starts_with(segment, '~')")
    query = STANDING.format(last=last)
    return f"SELECT segment, told::VARCHAR, since, version, why, cause FROM ({query}) ORDER BY ALL", [NEVER, NEVER]


async def merges(snapshot: Snapshot) -> list[tuple[Any, ...]]:
    """(loser, winner, at) of everybody in the lake who became one with somebody."""
    name = snapshot.columns(PROFILE_MERGED, "properties", "loser").get("string")
    if name is None:
        return []
    table = snapshot.table("facts", PROFILE_MERGED, as_told=True)
    return await snapshot.query(
        f"SELECT {quote(name)}, profile::VARCHAR, epoch_ms(received_at) FROM {table} WHERE type = ? AND {quote(name)} IS NOT NULL",
        [PROFILE_MERGED],
    )
