"""The tables of launches: whom a campaign is for, what was decided about each, and how far each partition has come.

A row of `recipient` changes only under the lock of that person's row in `person`, so it says exactly whether his turn is still to come.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from runtime.db import Connection

ALL = 2**63 - 1

# All partitions at once, by whoever hears of it first; again with each change of the launch, until it is forgotten. Those of a throttled one begin one after the other.
NOTE = """
INSERT INTO launch_partition AS p (launch, partition, revision, round, next_at)
SELECT u.launch, n, u.revision, u.round, u.next_at + round(n * u.every_ms)::bigint
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::float8[]) AS u (launch, revision, round, next_at, every_ms),
    generate_series(0, $6::int - 1) AS n
WHERE NOT EXISTS (SELECT FROM launch_partition q WHERE q.launch = u.launch AND q.partition = n AND q.revision >= u.revision)
  AND NOT EXISTS (SELECT FROM launch_report o WHERE o.launch = u.launch)
ORDER BY u.launch, n
ON CONFLICT (launch, partition) DO UPDATE SET revision = EXCLUDED.revision, round = EXCLUDED.round, open = true,
    next_at = greatest(p.next_at, EXCLUDED.next_at),
    chosen = p.chosen AND p.round = EXCLUDED.round, last_id = CASE WHEN p.round = EXCLUDED.round THEN p.last_id END
WHERE p.revision < EXCLUDED.revision
"""
UNNOTED = """
SELECT EXISTS (
    SELECT FROM unnest($1::uuid[], $2::int[]) AS u (launch, revision)
    WHERE (SELECT count(*) FROM launch_partition p WHERE p.launch = u.launch AND p.revision >= u.revision) < $3
      AND NOT EXISTS (SELECT FROM launch_report o WHERE o.launch = u.launch)
)
"""
# stops: everybody who waits is told so, whatever the sender has and the throttle says; whole: every partition must have chosen first (a pilot); asks: what the
# segmenter must have answered in the partition.
OPEN = """
SELECT p.launch::text AS launch, p.partition, p.last_id::text AS last_id, p.chosen, p.stopped, p.issued, p.next_at
FROM launch_partition p JOIN unnest($2::uuid[], $3::boolean[], $4::boolean[]) WITH ORDINALITY AS l (launch, stops, whole, number) ON l.launch = p.launch
WHERE p.open AND p.partition = ANY($1::smallint[]) AND (l.stops OR (p.next_at <= $5 AND p.issued - p.settled < $6))
  AND (p.chosen OR NOT EXISTS (
    SELECT FROM unnest($7::uuid[], $8::text[]) AS a (launch, asked) LEFT JOIN mark m ON m.topic = a.asked AND m.partition = p.partition
    WHERE a.launch = p.launch AND coalesce(m.next_offset, 0) <= 0))
  AND (NOT l.whole OR NOT p.chosen OR NOT EXISTS (SELECT FROM launch_partition q WHERE q.launch = p.launch AND NOT q.chosen))
ORDER BY l.number, p.partition
"""
ROOM = "SELECT count(*) < $1 FROM (SELECT FROM outbox LIMIT $1) AS waiting"
PAGE = """
SELECT id::text AS id, state FROM person
WHERE partition = $1 AND merged_into IS NULL AND erased_at IS NULL AND id > $2 ORDER BY person.id LIMIT $3
"""
CHOOSE = """
INSERT INTO recipient (launch, id, partition, place) SELECT $1, u.id, $2, u.place FROM unnest($3::uuid[], $4::bigint[]) AS u (id, place)
ORDER BY u.id ON CONFLICT DO NOTHING
"""
CAME = "UPDATE launch_partition SET last_id = $3, chosen = $4 WHERE launch = $1 AND partition = $2"
SAMPLE = """
INSERT INTO pilot (launch, upto)
SELECT $1, coalesce((SELECT place FROM recipient WHERE launch = $1 ORDER BY place OFFSET $2::int - 1 LIMIT 1), $3) ON CONFLICT DO NOTHING
"""
UPTO = "SELECT upto FROM pilot WHERE launch = $1"
NEXT = "SELECT id::text AS id FROM recipient WHERE launch = $1 AND partition = $2 AND due AND place <= $3 ORDER BY place LIMIT $4"
STILL = "SELECT id::text AS id FROM recipient WHERE launch = $1 AND id = ANY($2::uuid[]) AND due"
STOP = """
WITH known AS (UPDATE launch_partition SET stopped = true WHERE launch = $1 AND partition = $2)
UPDATE recipient SET due = true WHERE launch = $1 AND partition = $2 AND verdict = 'deferred' AND NOT due
"""
TAKEN = "UPDATE recipient SET due = false WHERE launch = $1 AND id = ANY($2::uuid[]) AND due"
# What was said of a letter that has gone stands, whatever is heard of another attempt at it, or of its twin since a merge.
DECIDED = """
UPDATE recipient r SET verdict = u.verdict, rule = u.rule, attempt = u.attempt, due = u.due, intent = coalesce(u.intent, r.intent),
    variant = CASE WHEN u.variant = '' THEN r.variant ELSE u.variant END
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::uuid[], $8::boolean[])
    AS u (launch, id, verdict, rule, variant, attempt, intent, due)
WHERE r.launch = u.launch AND r.id = u.id AND u.attempt >= r.attempt AND NOT (r.verdict = 'accepted' AND u.verdict <> 'accepted')
  AND (r.verdict = '' OR u.rule NOT IN ('merged', 'already_sent'))
"""
BECAME = """
UPDATE recipient r SET became = r.became | u.bit FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[]) AS u (launch, id, intent, bit)
WHERE r.launch = u.launch AND r.id = u.id AND r.intent = u.intent
"""
COUNTED = """
UPDATE launch_partition p SET issued = p.issued + u.issued, settled = p.settled + u.settled, open = p.open OR u.open
FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::int[], $5::boolean[]) AS u (launch, partition, issued, settled, open)
WHERE p.launch = u.launch AND p.partition = u.partition
"""
CLOSE = """
UPDATE launch_partition SET open = false WHERE launch = $1 AND partition = $2
AND NOT EXISTS (SELECT FROM recipient WHERE launch = $1 AND partition = $2 AND due AND place <= $3)
"""
LOCK = (
    "SELECT FROM launch_partition WHERE launch = $1 AND partition = $2 FOR UPDATE"  # so that CLOSE sees what others have just set
)
DELAY = "UPDATE launch_partition SET next_at = $3 WHERE launch = $1 AND partition = $2"
# The winner takes the loser's row, or of two the verdict that went further; of two that went as far his own. Whose turn is yet to come goes
# before who was skipped: what kept one of them from his letter need not keep the other. Of whom nothing is decided his turn is yet to come.
FOLD = """
WITH pair AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS u (loser, winner, partition)),
gone AS (DELETE FROM recipient r USING pair WHERE r.id = pair.loser AND r.launch = ANY($4::uuid[]) RETURNING r.*, pair.winner, pair.partition AS home)
INSERT INTO recipient AS r (launch, id, partition, place, verdict, rule, variant, attempt, intent, became, due)
SELECT DISTINCT ON (launch, winner) launch, winner, home, place, verdict, rule, variant, attempt, intent, became, due OR verdict = '' FROM gone ORDER BY launch, winner, {rank} DESC, id
ON CONFLICT (launch, id) DO UPDATE SET verdict = EXCLUDED.verdict, rule = EXCLUDED.rule, variant = EXCLUDED.variant,
    attempt = EXCLUDED.attempt, intent = EXCLUDED.intent, due = EXCLUDED.due, became = r.became | EXCLUDED.became, place = least(r.place, EXCLUDED.place)
WHERE {ranked} > {own}
"""
_RANK = "array_position(ARRAY['skipped', '', 'deferred', 'late', 'held', 'would_have_sent', 'failed', 'sent', 'in_doubt', 'unknown', 'accepted'], {})"
FOLD = FOLD.format(rank=_RANK.format("verdict"), ranked=_RANK.format("EXCLUDED.verdict"), own=_RANK.format("r.verdict"))
REOPEN = "UPDATE launch_partition SET open = true WHERE launch = ANY($1::uuid[]) AND partition = ANY($2::smallint[]) AND NOT open"
CHOOSING = "SELECT launch::text AS launch, partition FROM launch_partition WHERE launch = ANY($1::uuid[]) AND NOT chosen"
ERASE = "DELETE FROM recipient WHERE launch = ANY(SELECT DISTINCT launch FROM launch_partition) AND id = ANY($1::uuid[])"
REPORT = """
SELECT verdict, rule, variant, place <= $2 AS pilot, count(*) AS people, count(*) FILTER (WHERE became & 1 > 0) AS opened,
    count(*) FILTER (WHERE became & 2 > 0) AS clicked, count(*) FILTER (WHERE became & 4 > 0) AS bounced, count(*) FILTER (WHERE became & 8 > 0) AS left
FROM recipient WHERE launch = $1 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
PROGRESS = """
SELECT count(*) AS partitions, count(*) FILTER (WHERE chosen) AS chosen, coalesce(sum(issued), 0) AS issued, coalesce(sum(settled), 0) AS settled,
    bool_or(open) AS open FROM launch_partition WHERE launch = $1
"""


class Decided(NamedTuple):
    """What was decided about somebody last. id: the canonical one."""

    launch: str
    id: str
    verdict: str
    rule: str
    variant: str
    attempt: int
    intent: str | None
    due: bool


class Became(NamedTuple):
    """Something that he did with his letter, as a bit of `became`."""

    launch: str
    id: str
    intent: str
    bit: int


class Standing(NamedTuple):
    """A partition in which a launch may have something to do."""

    launch: str
    partition: int
    last_id: str | None
    chosen: bool
    stopped: bool
    issued: int
    next_at: int


class Wanted(NamedTuple):
    """Launches that may go on now, in the order in which they do, as arrays of `OPEN`."""

    launches: list[str]
    stops: list[bool]
    whole: list[bool]
    asking: list[str]
    asked: list[str]


async def open_partitions(
    connection: Connection, partitions: Collection[int], wanted: Wanted, now: int, ahead: int
) -> list[Standing]:
    """ahead: so many intents of a partition may be with the sender."""
    if not wanted.launches:
        return []
    arrays = (wanted.launches, wanted.stops, wanted.whole)
    rows = await connection.fetch(OPEN, sorted(partitions), *arrays, now, ahead, wanted.asking, wanted.asked)
    return [Standing(*row) for row in rows]


async def decided(connection: Connection, news: Collection[Decided], became: Collection[Became]) -> None:
    if news:
        rows = sorted({(one.launch, one.id): one for one in news}.values())
        await connection.execute(DECIDED, *(list(column) for column in _columns(rows)))
    if became:
        merged: dict[tuple[str, str, str], int] = {}
        for launch, who, intent, bit in became:
            merged[launch, who, intent] = merged.get((launch, who, intent), 0) | bit
        keys = sorted(merged)
        columns = [[key[n] for key in keys] for n in range(3)]
        await connection.execute(BECAME, *columns, [merged[key] for key in keys])


def _columns(rows: Sequence[Decided]) -> Sequence[Sequence[Any]]:
    fields = ("launch", "id", "verdict", "rule", "variant", "attempt", "intent", "due")
    return [[getattr(row, name) for row in rows] for name in fields]


async def count(connection: Connection, tally: Mapping[tuple[str, int], Sequence[int]]) -> None:
    """tally: (launch, partition) -> how many intents were issued, how many settled, and whether anybody's turn comes again (0 or 1)."""
    if tally:
        places = sorted(tally)
        columns = [[tally[place][n] for place in places] for n in range(3)]
        launches, partitions = [launch for launch, _ in places], [partition for _, partition in places]
        await connection.execute(COUNTED, launches, partitions, columns[0], columns[1], [n > 0 for n in columns[2]])


async def fold(connection: Connection, pairs: Mapping[str, tuple[str, int]], launches: Sequence[str]) -> None:
    """Make the losers' rows those of their winners. pairs: loser -> (winner, his partition); all their rows in `person` are locked."""
    losers = sorted(pairs)
    homes = [pairs[loser][1] for loser in losers]
    await connection.execute(FOLD, losers, [pairs[loser][0] for loser in losers], homes, list(launches))
    await connection.execute(REOPEN, list(launches), homes)


async def choose(connection: Connection, launch: str, partition: int, found: Mapping[str, int]) -> None:
    """found: person -> place. Who has a row keeps it."""
    if found:
        await connection.execute(CHOOSE, launch, partition, list(found), list(found.values()))
