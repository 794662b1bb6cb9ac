"""What one service takes for facts that lie in the topic as it starts: it is busy until all of them are handled and told."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from bench.calibration import score
from bench.processes import cpu_seconds, spent
from deploy.local.supervision import Supervisor
from runtime.kafka import Out, Producer
from runtime.settings import Settings
from schemas.facts import Fact, encode
from schemas.ids import partition_of

SAMPLE_S = 0.02


async def stopped(supervisor: Supervisor, programs: Collection[str]) -> None:
    """Stop them and wait until they are."""
    for name in programs:
        supervisor.stop_program(name)
    while any(supervisor.states()[name]["statename"] != "STOPPED" for name in programs):  # noqa: ASYNC110  (it tells nobody)
        await asyncio.sleep(0.05)


async def facts_into(settings: Settings, partitions: int, told: Iterable[tuple[str, Fact]]) -> None:
    """Facts of profiles, in their order, into the topic `facts`, with one producer."""
    places: dict[int, list[Out]] = {}
    for profile, fact in told:
        places.setdefault(partition_of(profile, partitions), []).append((profile.encode(), encode(fact), []))
    producer = await Producer(settings, "bench").start()
    await asyncio.gather(*(producer.send("facts", place, records) for place, records in places.items()))
    await producer.stop()


class Backlog:
    """One process of a service, stopped while facts are written. connection: sees its tables."""

    def __init__(self, home: Path, connection: Any, service: str) -> None:
        self._home, self._connection, self._service = home, connection, service
        self._program = f"{service}-1"
        self._supervisor = Supervisor(home)

    async def measured(self, facts: int, prepare: Callable[[], Awaitable[None]]) -> dict[str, Any]:
        """facts: how many `prepare` writes to the topic, while the process is stopped. The first batch, which finds caches empty, does not
        count. cpu_us: of the service and PostgreSQL together, microseconds a fact.
        """
        await stopped(self._supervisor, [self._program])
        await prepare()
        await self._connection.execute("CHECKPOINT")
        calibration, goal = score(), await self._position() + facts
        self._supervisor.start_program(self._program)
        began, first = await self._moved()
        before = cpu_seconds(self._home)
        while await self._position() < goal or await self._unsent():  # noqa: ASYNC110  (another process's table)
            await asyncio.sleep(SAMPLE_S)
        took = time.perf_counter() - began
        used, handled = spent(before, cpu_seconds(self._home)), goal - first
        cpu = {program: round(seconds * 1e6 / handled, 1) for program, seconds in used.items() if program != "other"}
        return {
            "facts": handled, "facts_per_s": round(handled / took, 1), "cpu_us": round(cpu[self._service] + cpu["postgres"], 1),
            "cpu_us_by_program": cpu, "calibration": calibration,
        }  # fmt: skip

    async def _position(self) -> int:
        question = f"SELECT sum(greatest(next_offset, 0))::bigint FROM {self._service}.watermark WHERE topic = 'facts'"
        return int(await self._connection.fetchval(question))

    async def _unsent(self) -> bool:
        return bool(await self._connection.fetchval(f"SELECT EXISTS (SELECT FROM {self._service}.outbox)"))

    async def _moved(self) -> tuple[float, int]:
        """When (s) and where it stands after its first batch."""
        start = await self._position()
        while (position := await self._position()) == start:  # noqa: ASYNC110  (another process's table)
            await asyncio.sleep(SAMPLE_S)
        return time.perf_counter(), position
