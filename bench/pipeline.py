"""The whole way under load: facts a second, CPU a thousand facts, fact to mail, growth of the cost with the number of people."""

from collections.abc import Mapping
from typing import Any

from bench.calibration import score
from bench.installation import Installation, caught_up, installation, introduce
from bench.load import Load, at_rate
from bench.processes import cpu_seconds, spent
from bench.results import record


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def latencies(found: Installation, load: Load) -> list[float]:
    """ms from the 2xx of an order's batch to the moment the sink had its letter."""
    delays = []
    for line in found.arrivals.read_text().splitlines():
        number, at = line.split(" ")
        if number != "-" and int(number) in load.mails:
            delays.append((float(at) - load.mails[int(number)]) * 1000)
    return delays


async def steady(
    found: Installation, people: int, rate: float, seconds: float, spread: str = "zipf", seed: int = 1
) -> dict[str, Any]:
    """Load at `rate` for `seconds` after everybody was introduced. CPU is counted until the lag is gone."""
    load = Load(people, spread, seed)
    await introduce(found, load)
    before, calibration = cpu_seconds(found.home), score()
    found.arrivals.write_text("")
    took = await at_rate(load, found.poster(), rate, seconds, 100)
    lag_s = await caught_up(found, 600)
    used = spent(before, cpu_seconds(found.home))
    ours = {name: value for name, value in used.items() if name not in ("sink", "other")}
    delays = latencies(found, load)
    return {
        "facts": load.sent,
        "seconds": round(took, 2),
        "lag_at_end_s": round(lag_s, 2),
        "facts_per_s": round(load.sent / (took + lag_s), 1),
        "cpu_s_per_1000": round(sum(ours.values()) * 1000 / max(1, load.sent), 4),
        "cpu_by_program": {name: round(value * 1e6 / max(1, load.sent), 1) for name, value in ours.items()},
        "mails": len(delays),
        "mailed_orders": len(load.mails),
        "p50_ms": round(percentile(delays, 0.5), 1),
        "p99_ms": round(percentile(delays, 0.99), 1),
        "calibration": calibration,
    }


def _keep(name: str, run: Mapping[str, Any]) -> None:
    more = {"calibration": run["calibration"], "run": {k: v for k, v in run.items() if k != "calibration"}}
    if name == "max":
        record("pipeline.facts_per_s", run["facts_per_s"], "facts/s", run["facts"], **more)
        record("pipeline.cpu_s_per_1000", run["cpu_s_per_1000"], "CPU-s per 1000 facts", run["facts"], **more)
    else:
        suffix = "" if name == "1000" else f"_at_{name}"
        record(f"pipeline.latency_p50_ms{suffix}", run["p50_ms"], "ms", run["mails"], **more)
        record(f"pipeline.latency_p99_ms{suffix}", run["p99_ms"], "ms", run["mails"], **more)


async def whole_way(seconds: float, people: int = 100_000) -> None:
    """Latency at 1,000 and at 3,000 facts a second, then as many as go through."""
    for name, rate, seed in (("1000", 1000.0, 1), ("3000", 3000.0, 2), ("max", 5500.0, 3)):
        async with installation() as found:
            _keep(name, await steady(found, people, rate, seconds, seed=seed))


async def growth(facts: int = 100_000) -> None:
    """CPU a fact with facts uniform over 1 million people against 10 thousand, after a checkpoint."""
    cost: dict[int, float] = {}
    for people in (10_000, 1_000_000):
        async with installation() as found:
            load = Load(people, "even", seed=people)
            await introduce(found, load)
            await found.query("CHECKPOINT")
            before = cpu_seconds(found.home)
            await at_rate(load, found.poster(), 2500, facts / 2500, 100)
            await caught_up(found, 600)
            used = {k: v for k, v in spent(before, cpu_seconds(found.home)).items() if k not in ("sink", "other")}
            cost[people] = sum(used.values()) * 1000 / load.sent
    ratio = cost[1_000_000] / cost[10_000]
    record(
        "pipeline.cost_growth_1m_over_10k",
        round(ratio, 3),
        "ratio of CPU-s per 1000",
        facts,
        cost={str(k): round(v, 4) for k, v in cost.items()},
    )


async def ingest(seconds: float = 10) -> None:
    """Facts a second that ingest acknowledges in batches of 100, and single events a second, services beside it running."""
    async with installation() as found:
        best: dict[str, float] = {}
        for run in range(3):
            load = Load(100_000, seed=10 + run)
            before, calibration = cpu_seconds(found.home), score()
            took = await at_rate(load, found.poster(), 0, seconds, 100)
            used = spent(before, cpu_seconds(found.home))
            rate = load.sent / took
            if rate > best.get("rate", 0):
                best = {"rate": rate, "cpu_us": used.get("ingest", 0) * 1e6 / load.sent, "n": load.sent, **calibration}
            await caught_up(found, 900)
        record(
            "ingest.facts_per_s",
            round(best["rate"]),
            "facts/s",
            int(best["n"]),
            ingest_cpu_us_per_fact=round(best["cpu_us"], 1),
            best=best,
        )
        load = Load(100_000, seed=20)
        took = await at_rate(load, found.poster(), 0, seconds, 1, workers=32)
        record("ingest.single_requests_per_s", round(load.sent / took), "requests/s", load.sent, calibration=score())
