"""What every loop asks again and again reads an index, however large the table: a plan that reads it whole is found here, not at a million."""

import pytest

from runtime import people
from runtime.service import Service
from services.orchestrator import store as orchestrator_store
from services.orchestrator.__main__ import service as orchestrator
from services.profile.__main__ import service as profile
from services.profile.store import charges
from services.segmenter import sweeping
from services.segmenter.__main__ import service as segmenter
from services.sender import store as sender_store
from services.sender.__main__ import service as sender
from services.sender.settings import SenderSettings
from tests.conftest import free_ports
from tests.support.live import running


def own_port() -> Service:
    """A sender that can be started beside an installation that is up."""
    return sender(SenderSettings(public_port=free_ports(1)[0]))


PEOPLE = """
INSERT INTO person (id, partition, state, due_at)
SELECT md5(n::text)::uuid, n % 12, ''::bytea, 2000000000000 + n FROM generate_series(1, 30000) AS n
"""
ATTEMPTS = """
INSERT INTO attempt (id, address_key, profile, channel, message_class, state, attempt, owner, not_after, intent, received_at)
SELECT md5(n::text)::uuid, md5(n::text)::bytea, md5(n::text)::uuid, 'email', 'mass', CASE WHEN n % 3 = 0 THEN 'taken' ELSE 'accepted' END,
       0, CASE WHEN n % 3 = 0 THEN n % 2 END, 0, '', 0
FROM generate_series(1, 30000) AS n
"""
CHARGES = """
INSERT INTO charge (profile, brand, product, currency, day, lane, partition, first, minor, counted, first_at, last_at, due_at)
SELECT md5(n::text)::uuid, 'shop', 'vm', 'RUB', 20000, 'live', n % 12, md5(n::text)::uuid, 1, 1, 0, 0, 2000000000000 + n
FROM generate_series(1, 30000) AS n
"""
DAYS = "uuid[], text[], text[], text[], int[], text[]"
A_DAY = "'{00000000-0000-0000-0000-000000000001}', '{shop}', '{vm}', '{RUB}', '{20000}', '{live}'"
PARTITIONS = "'{0,1,2,3,4,5,6,7,8,9,10,11}'"
ASKED = {
    "is due": (orchestrator, PEOPLE, people.IS_DUE, "smallint[], bigint", f"{PARTITIONS}, 5"),
    "due": (orchestrator, PEOPLE, people.DUE, "smallint[], bigint, bigint", f"{PARTITIONS}, 5, 200"),
    "waiting": (orchestrator, PEOPLE, orchestrator_store.WAITING, "text[], int[], bigint[]", "'{facts,facts}', '{0,1}', '{10,10}'"),
    "walk": (segmenter, PEOPLE, sweeping.WALK, "smallint, uuid, bigint", "3, '0f000000-0000-0000-0000-000000000000', 100"),
    "charges are due": (profile, CHARGES, charges.IS_DUE, "smallint[], bigint", f"{PARTITIONS}, 5"),
    "due charges": (profile, CHARGES, charges.DUE, "smallint[], bigint, bigint", f"{PARTITIONS}, 5, 200"),
    "days of a batch": (profile, CHARGES, charges.LOCK, DAYS, A_DAY),
    "days that were told": (profile, CHARGES, charges.DELETE, DAYS, A_DAY),
    "owners": (own_port, ATTEMPTS, sender_store.OWNERS, "int", "7"),
}


@pytest.mark.parametrize("what", ASKED)
async def test_no_large_table_is_read_whole(config, what):
    service, fill, query, kinds, values = ASKED[what]
    async with running(config, service()) as (context,), context.db.connection() as connection:
        await connection.execute(fill)
        await connection.execute("ANALYZE")
        await connection.execute("SET plan_cache_mode = force_generic_plan")  # as of the sixth time that a statement is run
        await connection.execute(f"PREPARE asked ({kinds}) AS {query}")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked ({values})"))
    assert "Filter: (($2 IS NULL)" not in plan, plan
    assert "Index" in plan and "Seq Scan on person" not in plan and "Seq Scan on attempt" not in plan, plan
    assert "Seq Scan on charge" not in plan, plan
    assert what != "walk" or "Sort" not in plan, plan
