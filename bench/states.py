"""What the segmenter keeps of people: how large it is after a year, and rows of it written past the log for other benches."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from bench import documents, live_segments
from bench.calibration import score
from bench.histories import NOW, Person, crowd, history
from bench.results import record
from schemas import audience as a
from schemas.facts import Fact
from schemas.ids import partition_of
from services.segmenter.domain.live import decide, fire
from services.segmenter.domain.plan import Plan, compile_plan
from services.segmenter.domain.state import State, encode

HOT = 10_000  # facts of one person in the year
Row = tuple[str, bytes, int | None]  # profile, encoded state, when time alone may next move him (ms)


def plan_of(conditions: Mapping[str, dict[str, Any]], number: int = 1) -> Plan:
    return compile_plan({key: a.ADAPTER.validate_python(condition) for key, condition in conditions.items()}, number)


def lived(facts: Iterable[Fact], plan: Plan, until: int) -> State:
    """Who all this happened to, at an instant (ms)."""
    state = State()
    for one in facts:
        state = decide(state, one, one.received_at, plan).state
    return fire(state, until, plan).state


def sizes(people: int) -> None:
    """Bytes of an encoded state by people with 50 to 300 facts over a year, and of one with very many."""
    for name, conditions in (("", live_segments.conditions()), ("_of_20_windows", documents.segments())):
        plan = plan_of(conditions)
        calibration = score()
        found = sorted(len(encode(lived(history(person), plan, NOW))) for person in crowd(people))
        hot = len(encode(lived(history(Person(people, HOT)), plan, NOW)))
        more = {"max": found[-1], f"of_{HOT}_facts": hot, "segments": len(plan.segments), "calibration": calibration}
        record(f"segment.state_bytes_median{name}", found[len(found) // 2], "bytes, encoded", people, **more)
        record(f"segment.state_bytes_p99{name}", found[len(found) * 99 // 100], "bytes, encoded", people, **more)


async def write(connection: asyncpg.Connection, rows: Sequence[Row], partitions: int) -> None:
    """Rows of people whom the segmenter has not met, as it writes them."""
    records = [(profile, partition_of(profile, partitions), state, due) for profile, state, due in rows]
    columns = ["id", "partition", "state", "due_at"]
    await connection.copy_records_to_table("person", schema_name="segmenter", columns=columns, records=records)


async def stored(connection: asyncpg.Connection) -> dict[str, int]:
    """Bytes of a state as PostgreSQL stores it (compressed above 2 KB), of those that it has."""
    (row,) = await connection.fetch(
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY pg_column_size(state)) AS median, percentile_disc(0.99) "
        "WITHIN GROUP (ORDER BY pg_column_size(state)) AS p99, count(*) AS people, pg_total_relation_size('segmenter.person') AS table_bytes "
        "FROM segmenter.person WHERE state <> ''"
    )
    return {name: int(value) for name, value in row.items()}
