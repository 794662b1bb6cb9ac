"""What is asked many times a second reads an index, however large the table: a plan that reads it whole is found here, not at a million."""

import pytest

from runtime import people
from services.orchestrator import store
from services.orchestrator.__main__ import service as orchestrator
from tests.support.live import running

FILL = """
INSERT INTO person (id, partition, state, due_at)
SELECT md5(n::text)::uuid, n % 12, repeat('x', 200)::bytea, 2000000000000 + n FROM generate_series(1, 30000) AS n
"""
ASKED = {
    "is due": (people.IS_DUE, "smallint[], bigint", "'{0,1,2,3,4,5,6,7,8,9,10,11}', 5"),
    "due": (people.DUE, "smallint[], bigint, bigint", "'{0,1,2,3,4,5,6,7,8,9,10,11}', 5, 200"),
    "waiting": (store.WAITING, "text[], int[], bigint[]", "'{facts,facts}', '{0,1}', '{10,10}'"),
}


@pytest.mark.parametrize("what", ASKED)
async def test_no_table_of_people_is_read_whole(config, what):
    query, kinds, values = ASKED[what]
    async with running(config, orchestrator()) as (context,), context.db.connection() as connection:
        await connection.execute(FILL)
        await connection.execute("ANALYZE person")
        await connection.execute("SET plan_cache_mode = force_generic_plan")  # as of the sixth time that a statement is run
        await connection.execute(f"PREPARE asked ({kinds}) AS {query}")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked ({values})"))
    assert "Index" in plan and "Seq Scan on person" not in plan, plan
