"""What people did, as the lake has it: DuckDB counts, adds up and picks the newest instants, for every accumulator that is asked.

Whether a fact counts, and what it adds, is decided by the very function that live facts go through, once for each combination of values
that the properties it looks at ever had. So bulk and live cannot differ in a comparison, and a million facts cost as many calls as they
are different.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from runtime.kafka import Place
from runtime.lake import Snapshot, text
from runtime.property_columns import properties, sources
from services.segmenter.domain.gathering import Added
from services.segmenter.domain.live import SKEW_MS
from services.segmenter.domain.plan import Accumulator
from services.segmenter.domain.series import VALUES, Series

Found = dict[str, dict[int, Series]]  # person -> accumulator -> what he did
KEYS_AT_ONCE = 50_000

CUTS = "CREATE TEMP TABLE cut (topic VARCHAR, place INTEGER, upto BIGINT)"
COUNTED = """
CREATE TEMP TABLE counted (
    share INTEGER, x UUID, accumulator BIGINT, count BIGINT, total HUGEINT, first BIGINT, last BIGINT, times BIGINT[], amounts BIGINT[]
)
"""
CUT = "INSERT INTO cut SELECT unnest($1::VARCHAR[]), unnest($2::INTEGER[]), unnest($3::BIGINT[])"
WHOM = "CREATE TEMP TABLE whom AS SELECT unnest($1::UUID[]) AS x"
KEYS = "CREATE OR REPLACE TEMP TABLE keys AS SELECT row_number() OVER () AS n, * FROM "
ORDERED = "CREATE TEMP TABLE ordered AS SELECT * FROM counted ORDER BY share, x"
ROWS = "SELECT x::VARCHAR, accumulator, count, total, first, last, times, amounts FROM ordered WHERE "
NEXT = ROWS + "share = ? AND x > ?::UUID ORDER BY x LIMIT ?"
OF = ROWS + "x IN (SELECT unnest(?::UUID[]))"
ALL = ROWS + "true"
BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


class Cut(NamedTuple):
    """What is read: facts below these offsets, told of these people (None: of everybody). now: ms, by which instants are judged. before:
    ms, nothing that was received then or later.
    """

    places: Mapping[Place, int]
    now: int
    people: Sequence[str] | None = None
    before: int | None = None


class Gathered:
    """The answer, in DuckDB's memory until `close`. People are as the facts name them: who became one with whom is not known here.

    They stand in shares, so that several processes can take them apart: as many as there are partitions.
    """

    def __init__(self, snapshot: Snapshot, accumulators: int) -> None:
        """accumulators: how many were asked, which is how many rows somebody has at most."""
        self._snapshot, self._each = snapshot, accumulators

    async def next(self, share: int, after: str | None, limit: int) -> tuple[Found, bool]:
        """The people of a share that follow, in the order of their ids, up to `limit`, and whether there are more."""
        most = limit * self._each + 1  # the rows of so many people are among these, and one of somebody else if there is one
        found = _found(await self._snapshot.query(NEXT, [share, after or BEFORE_ALL, most]))
        return dict(islice(found.items(), limit)), len(found) > limit

    async def of(self, people: Sequence[str]) -> Found:
        return _found(await self._snapshot.query(OF, [list(people)])) if people else {}

    async def everybody(self) -> Found:
        return _found(await self._snapshot.query(ALL))

    def close(self) -> None:
        self._snapshot.close()


def _found(rows: Sequence[tuple[Any, ...]]) -> Found:
    found: Found = {}
    for x, accumulator, *series in rows:
        found.setdefault(x, {})[accumulator] = Series(*series)
    return found


async def gather(snapshot: Snapshot, accumulators: Sequence[Accumulator], cut: Cut, shares: int) -> Gathered:
    """Count what the lake has. Raises StaleSnapshot when a file of it is gone; the snapshot is the answer's."""
    await snapshot.query(CUTS)
    await snapshot.query(COUNTED)
    places = sorted(cut.places)
    await snapshot.query(CUT, [[topic for topic, _ in places], [place for _, place in places], [cut.places[p] for p in places]])
    if cut.people is not None:
        await snapshot.query(WHOM, [list(cut.people)])
    for accumulator in accumulators:
        await _Counting(snapshot, accumulator, cut, shares).run()
    await snapshot.query(ORDERED)
    return Gathered(snapshot, len(accumulators))


class _Counting:
    """One accumulator."""

    def __init__(self, snapshot: Snapshot, accumulator: Accumulator, cut: Cut, shares: int) -> None:
        self._snapshot, self._one, self._cut, self._shares = snapshot, accumulator, cut, shares
        self._table = snapshot.table("facts", accumulator.event)

    async def run(self) -> None:
        if not self._one.paths:
            await self._add_up(self._facts(), "1")
            return
        there = frozenset(row[0] for row in await self._snapshot.query(f"DESCRIBE SELECT * FROM {self._table}"))  # noqa: S608
        asked = sources(self._one.paths, self._snapshot.kinds(self._one.event, "properties"), there)
        names = [f"k{number}" for number in range(len(asked))]
        facts = self._facts([f"{source.sql} AS {name}" for source, name in zip(asked, names, strict=True)])
        different = f"SELECT DISTINCT {', '.join(names)} FROM {facts}"  # noqa: S608 - names of ours
        await self._snapshot.query(KEYS + f"({different})")
        await self._weigh(names, lambda values: self._one.amount(properties(asked, values), None))
        same = " AND ".join(f"f.{name} IS NOT DISTINCT FROM k.{name}" for name in names)
        matching = f"{facts} AS f JOIN keys AS k ON {same}"
        if self._one.gathers in VALUES:
            await self._list_values(matching)
        else:
            await self._add_up(f"{matching} JOIN weights AS w ON w.n = k.n", "amount")

    def _facts(self, columns: Sequence[str] = ()) -> str:
        """Of one event, below the cuts: x, share, instant, and what else is asked."""
        event, latest = text(self._one.event), self._cut.now + SKEW_MS
        instant = f"greatest(0, least(epoch_ms(occurred_at), epoch_ms(received_at), {latest}))"
        asked = ["profile IS NOT NULL", f"coalesce(nullif(event, ''), type) = {event}"]
        if self._cut.people is not None:
            asked.append("profile IN (SELECT x FROM whom)")
        if self._cut.before is not None:
            asked.append(f"received_at < make_timestamp_ms({self._cut.before})")
        since, until = self._one.bounds
        asked += [] if since is None else [f"{instant} >= {since}"]
        asked += [] if until is None else [f"{instant} < {until}"]
        return (
            f"(SELECT {', '.join(['profile AS x', 'kafka_partition AS share', f'{instant} AS instant', *columns])} FROM {self._table} AS t "  # noqa: S608
            "JOIN cut ON cut.topic = t.topic AND cut.place = t.kafka_partition AND t.kafka_offset < cut.upto "
            f"WHERE {' AND '.join(asked)})"
        )

    async def _weigh(self, names: Sequence[str], amount: Callable[[Sequence[Any]], Added | None]) -> None:
        """What a fact with each combination of values adds, a row for each value of it; one that does not match has none."""
        await self._snapshot.query("CREATE OR REPLACE TEMP TABLE weights (n BIGINT, amount BIGINT)")
        ((count,),) = await self._snapshot.query("SELECT count(*) FROM keys")
        for start in range(0, count, KEYS_AT_ONCE):
            some = f"SELECT n, {', '.join(names)} FROM keys WHERE n > ? AND n <= ?"  # noqa: S608 - names of ours
            weights: list[tuple[int, int]] = []
            for n, *values in await self._snapshot.query(some, [start, start + KEYS_AT_ONCE]):
                added = amount(values)
                weights += () if added is None else [(n, one) for one in ((added,) if isinstance(added, int) else added)]
            columns = [[n for n, _ in weights], [one for _, one in weights]]
            await self._snapshot.query("INSERT INTO weights SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[])", columns)

    async def _add_up(self, source: str, amount: str) -> None:
        times, amounts = "[]", "[]"
        if self._one.rank:
            times = f"list_reverse(max(instant, {self._one.rank}))"
        elif self._one.window:
            parts = f"list_sort(list(struct_pack(instant := instant, amount := {amount})) FILTER (instant > {self._gone}))"
            times, amounts = _lists(parts)
        totals = self._totals(f"sum({amount})")
        await self._snapshot.query(f"INSERT INTO counted SELECT {totals}, {times}, {amounts} FROM {source} GROUP BY x")  # noqa: S608

    async def _list_values(self, matching: str) -> None:
        """The values that stood in each one's facts, with the latest instant of each or with all."""
        every = "DISTINCT x, instant, amount" if self._one.gathers == "each" else "x, max(instant) AS instant, amount"
        grouped = "" if self._one.gathers == "each" else "GROUP BY x, amount"
        await self._snapshot.query(
            f"INSERT INTO counted WITH pairs AS (SELECT {every} FROM {matching} JOIN weights AS w ON w.n = k.n WHERE instant > {self._gone} "  # noqa: S608
            f"{grouped}), parts AS (SELECT x, list_sort(list(struct_pack(instant := instant, amount := amount))) AS parts FROM pairs GROUP BY x), "
            f"totals AS (SELECT {self._totals('0')} FROM {matching} WHERE k.n IN (FROM weights SELECT n) GROUP BY x) "
            f"SELECT totals.*, {', '.join(_lists('parts.parts'))} FROM totals LEFT JOIN parts USING (x)"
        )

    @property
    def _gone(self) -> int:
        return self._cut.now - self._one.window

    def _totals(self, total: str) -> str:
        return (
            f"max(share) % {self._shares} AS share, x, {self._one.id} AS accumulator, count(*) AS count, {total} AS total, "
            "min(instant) AS first, max(instant) AS last"
        )


def _lists(parts: str) -> tuple[str, str]:
    """The instants and the amounts of a list of both."""
    instants, amounts = (f"coalesce(list_transform({parts}, lambda part: part.{name}), [])" for name in ("instant", "amount"))
    return instants, amounts
