"""How long a rebuild takes: `pytest tests/rebuilding/measure_rebuild.py -s`. A lake of FACTS purchases of PEOPLE, and everybody's state."""

import resource
import time

import msgspec
import pytest

from deploy.rebuilding.run import rebuild, report
from runtime.process import Context, open_context
from schemas.ids import derive
from services.profile.__main__ import service as profile
from services.profile.domain import Profile
from services.segmenter.domain import state
from services.segmenter.domain.state import State
from tests.segmenter.live.by_hand import Process, publish
from tests.segmenter.live.measure_filling import FACTS, PEOPLE, SEGMENTS, T0, context, fill_lake

__all__ = ["context"]
IDENTIFIERS = "INSERT INTO profile.identifier (key, profile) SELECT 'email:' || u || '@e.org', u FROM unnest($1::uuid[]) AS u"
PROFILES = "INSERT INTO profile.profile (id, first_at, state) SELECT u, 0, $2 FROM unnest($1::uuid[]) AS u"
PERSONS = "INSERT INTO person (id, partition, state) SELECT u.id, 0, $2 FROM unnest($1::uuid[]) AS u (id)"


@pytest.mark.timeout(1800)
async def test_measure(context: Context) -> None:
    people = sorted(derive("person", n) for n in range(PEOPLE))
    await fill_lake(context, people)
    who = await open_context(profile(), context.settings)
    process = Process(context)
    async with process.handler.life(context):
        for key, condition in SEGMENTS.items():
            await publish(context, "segment", key, condition=condition)
        await process.fire()
        async with context.db.transaction() as connection:
            number = await connection.fetchval("SELECT number FROM plan")
            attributes = {"city": (T0, "Kazan")}
            await connection.execute(PERSONS, people, state.encode(State(number, T0, kinds=("email",), attributes=attributes)))
            await connection.execute(PROFILES, people, msgspec.msgpack.encode(Profile(0, attributes=attributes)))
            await connection.execute(IDENTIFIERS, people)
            await connection.execute("UPDATE plan SET filling = 0, scope = '{}', again = '{}'")
    start, used = time.perf_counter(), time.process_time()
    done = await rebuild(context.settings)
    took, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{PEOPLE} people, {FACTS} facts, {len(SEGMENTS)} segments: {took:.1f} s, {used:.1f} s of this process's CPU, peak {peak:.0f} MB"
    )
    print("\n".join(list(report(done))[-2:]))
    await who.clock.stop()
    await who.db.close()
