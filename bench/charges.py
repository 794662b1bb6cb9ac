"""Charges a second through identity and the day's sums: hourly charges of products, told as fast as they are acknowledged."""

import json
import time
from dataclasses import dataclass
from typing import Any

from bench.calibration import score
from bench.installation import Installation, installation, watching
from bench.load import Load, at_rate
from bench.processes import cpu_seconds, spent
from bench.results import record

CHARGE = (
    '{"type":"track","event":"Charge","messageId":"c%d-%d","userId":"u%d","timestamp":"%s",'
    '"properties":{"product":"p%d","amount":{"minor":%d,"currency":"RUB"},"period":"hour","resource":"r%d"}}'
)
PRODUCTS = 5


@dataclass
class Charges(Load):
    """Hourly charges of evenly drawn people and products."""

    spread: str = "even"
    minor: int = 0

    def _event(self, now: str, _mailed: dict[int, float]) -> str:
        number, person = next(self._number), next(self._drawn)
        self.minor += number % 997
        return CHARGE % (self.seed, number, person, now, number % PRODUCTS, number % 997, number % 50)


async def charges(seconds: float = 30, rate: float = 5000, people: int = 10_000) -> None:
    """Best of three; a run whose sums are not exact fails. All services are up; none but profile has anything to do."""
    async with installation() as found:
        runs = [await _run(found, Charges(people, seed=seed), rate, seconds) for seed in range(20, 23)]
    best = max(runs, key=lambda run: float(run["charges_per_s"]))
    record("charges.charges_per_s", best["charges_per_s"], "charges/s", best["charges"], runs=runs)


async def _run(found: Installation, load: Charges, rate: float, seconds: float) -> dict[str, Any]:
    (before,) = await found.query("SELECT coalesce(sum(minor), 0)::bigint AS minor FROM profile.charge")
    used, calibration, start = cpu_seconds(found.home), score(), time.perf_counter()
    async with watching(found) as watch:
        await at_rate(load, found.poster(), rate, seconds, 100)
        await watch.caught_up(600)
    took = time.perf_counter() - start
    cost = spent(used, cpu_seconds(found.home))
    (after,) = await found.query("SELECT sum(minor)::bigint AS minor FROM profile.charge")
    if after["minor"] - before["minor"] != load.minor:
        raise RuntimeError(f"{load.minor} were charged, {after['minor'] - before['minor']} are added up")
    run = {
        "charges": load.sent,
        "charges_per_s": round(load.sent / took, 1),
        "profile_cpu_us": round(cost.get("profile", 0) * 1e6 / max(1, load.sent), 1),
        "calibration": calibration,
    }
    print(json.dumps({"run": run}), flush=True)
    return run
