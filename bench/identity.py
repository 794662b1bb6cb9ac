"""Merges a second, and what an identifier that everybody shares costs the others."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from bench.calibration import score
from bench.installation import Installation, installation, watching
from bench.load import Load
from bench.processes import cpu_seconds, spent
from bench.results import record

CALL = '{"type":"identify","messageId":"%s","userId":"%s","timestamp":"%s","traits":{%s}}'
DEVICE = '{"type":"identify","messageId":"%s","anonymousId":"%s","timestamp":"%s","traits":{%s}}'
ORDER = (
    '{"type":"track","event":"Order Completed","messageId":"%s","userId":"u%d","timestamp":"%s","properties":{"order_id":"o%s","revenue":9.50,"currency":"GBP",'
    '"mail":false,"later":false}}'
)
SIZE = 100  # facts of a batch
HALF = 2  # every second fact is of somebody whom the shared identifier does not concern


@dataclass
class Halves(Load):
    """Customers told by a shop with a phone and by a club with an address, each by itself; then facts that say both: each merges two."""

    def _event(self, now: str, _mailed: dict[int, float]) -> str:
        number = next(self._number)
        if number < self.people:
            return CALL % (f"{self.seed}p{number}", f"{self.seed}u{number}", now, f'"phone":"{phone(number, self.seed)}"')
        person = number % self.people
        traits = f'"email":"{self.seed}e{person}@customers.example"'
        if number >= 2 * self.people:
            traits += f',"phone":"{phone(person, self.seed)}"'
        return DEVICE % (f"{self.seed}d{number}", f"{self.seed}d{number}", now, traits)


@dataclass
class Shared(Load):
    """Orders, each of a customer of his own; every second one with a phone. sharing: how many customers have one phone; 0: all have it."""

    spread: str = "even"
    sharing: int = 1

    def _event(self, now: str, _mailed: dict[int, float]) -> str:
        number = next(self._number)
        if number % HALF:
            return ORDER % (f"{self.seed}-{number}", number, now, number)
        whose = 0 if not self.sharing else number // HALF // self.sharing
        return CALL % (f"{self.seed}-{number}", f"{self.seed}u{number}", now, f'"phone":"{phone(whose, self.seed)}"')


def phone(number: int, seed: int) -> str:
    return f"+79{seed % 100:02d}{number:07d}"


async def identity(people: int = 20_000, orders: int = 100_000) -> None:
    """Best of three each; the slowdown is that of the times of runs that differ in what is shared alone."""
    async with installation() as found:
        merged = [await _merges(found, people, seed) for seed in range(10, 13)]
        best = max(merged, key=lambda run: float(run["merges_per_s"]))
        record("identity.merges_per_s", best["merges_per_s"], "merges/s", people, runs=merged)
        ways = {"alone": 1, "below_junk": 9, "everybody": 0}
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for turn in range(3):  # in turns, since the machine drifts
            for place, (way, sharing) in enumerate(ways.items()):
                load = Shared(1, seed=20 + 3 * turn + place, sharing=sharing)
                runs[way].append(await _timed(found, load, orders))
                print(json.dumps({"run": {way: runs[way][-1]}}), flush=True)
    least = {way: min(float(run["seconds"]) for run in of_way) for way, of_way in runs.items()}
    record("identity.hot_identifier_slowdown", round(least["everybody"] / least["alone"], 3), "ratio of s", orders, runs=runs)
    record("identity.shared_below_junk_slowdown", round(least["below_junk"] / least["alone"], 3), "ratio of s", orders)


async def _merges(found: Installation, people: int, seed: int) -> dict[str, Any]:
    load = Halves(people, "even", seed=seed)
    await _timed(found, load, 2 * people)
    (before,) = await found.query("SELECT count(*) AS n FROM profile.profile WHERE merged_into IS NOT NULL")
    run = await _timed(found, load, people)
    (after,) = await found.query("SELECT count(*) AS n FROM profile.profile WHERE merged_into IS NOT NULL")
    if after["n"] - before["n"] < people:
        raise RuntimeError(f"{people} facts were to merge two people each, {after['n'] - before['n']} did")
    run = {"merges_per_s": round(people / run["seconds"], 1), **run}
    print(json.dumps({"run": run}), flush=True)
    return run


async def _timed(found: Installation, load: Load, count: int) -> dict[str, Any]:
    """Post so many facts as fast as answers come, and wait until nobody is behind."""
    used, calibration, start = cpu_seconds(found.home), score(), time.perf_counter()
    async with watching(found) as watch:
        await _post(found, load, count)
        await watch.caught_up(900)
    took = time.perf_counter() - start
    cost = spent(used, cpu_seconds(found.home))
    return {
        "seconds": round(took, 2),
        "facts": count,
        "profile_cpu_us": round(cost.get("profile", 0) * 1e6 / count, 1),
        "calibration": calibration,
    }


async def _post(found: Installation, load: Load, count: int) -> None:
    poster, turns = found.poster(), iter(range(count // SIZE))

    async def work() -> None:
        for _ in turns:
            if await poster.post("/v1/batch", load.batch(SIZE)[0]) != 200:
                raise RuntimeError("a batch was refused")

    await asyncio.gather(*(work() for _ in range(8)))
