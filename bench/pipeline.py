"""The whole way under load: facts a second, CPU a thousand facts, fact to mail, growth of the cost with the number of people."""

import asyncio
import json
from typing import Any

from bench.calibration import score
from bench.installation import Installation, installation, introduce, rest, watching
from bench.load import LATER_S, Load, at_rate
from bench.processes import cpu_seconds, spent
from bench.results import record


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def latencies(found: Installation, load: Load) -> list[float]:
    """ms from the 2xx of an order's batch, or from the instant its timer was due, to the moment the sink had its letter."""
    delays = []
    for line in found.arrivals.read_text().splitlines():
        number, at = line.split(" ")
        if number != "-" and int(number) in load.mails:
            delays.append((float(at) - load.mails[int(number)]) * 1000)
    return delays


async def all_mails(found: Installation, load: Load) -> list[float]:
    """Their latencies, as soon as the last timer's mail is there; what is not there by then is missing in the count of mails."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LATER_S + 10
    while len(delays := latencies(found, load)) < len(load.mails) and loop.time() < end:  # noqa: ASYNC110  (a file that grows)
        await asyncio.sleep(0.5)
    return delays


async def steady(found: Installation, load: Load, rate: float, seconds: float) -> dict[str, Any]:
    """Load at `rate` for `seconds`; everybody was introduced before. CPU is counted until nobody is behind any more."""
    load.sent, load.mails = 0, {}
    found.arrivals.write_text("")
    await found.query("CHECKPOINT")
    async with watching(found) as watch:
        await watch.caught_up(60)
        before, calibration = cpu_seconds(found.home), score()
        took = await at_rate(load, found.poster(), rate, seconds, 100)
        late = await watch.caught_up(600)
        delays = await all_mails(found, load)
        used = spent(before, cpu_seconds(found.home))
    lag_s = max(late.values(), default=0.0)
    ours = {name: value for name, value in used.items() if name not in ("sink", "other")}
    return {
        "offered_per_s": rate,
        "facts": load.sent,
        "seconds": round(took, 2),
        "lag_at_end_s": round(lag_s, 2),
        "lag_by_service_s": {name: round(value, 2) for name, value in late.items()},
        "facts_per_s": round(load.sent / (took + lag_s), 1),
        "cpu_s_per_1000": round(sum(ours.values()) * 1000 / max(1, load.sent), 4),
        "cpu_us_by_program": {name: round(value * 1e6 / max(1, load.sent), 1) for name, value in ours.items()},
        "mails": len(delays),
        "mailed_orders": len(load.mails),
        "p50_ms": round(percentile(delays, 0.5), 1),
        "p99_ms": round(percentile(delays, 0.99), 1),
        "calibration": calibration,
    }


async def several(found: Installation, load: Load, rate: float, seconds: float, runs: int) -> list[dict[str, Any]]:
    done = []
    for _ in range(runs):
        done.append(await steady(found, load, rate, seconds))
        print(json.dumps({"run": done[-1]}), flush=True)
    return done


async def latency(found: Installation, load: Load, rate: float, seconds: float, runs: int) -> None:
    run = min(await several(found, load, rate, seconds, runs), key=lambda run: float(run["p99_ms"]))
    suffix = "" if rate == 1000 else f"_at_{rate:.0f}"
    more = {"calibration": run.pop("calibration"), "run": run}
    record(f"pipeline.latency_p50_ms{suffix}", run["p50_ms"], "ms", run["mails"], **more)
    record(f"pipeline.latency_p99_ms{suffix}", run["p99_ms"], "ms", run["mails"], **more)


async def throughput(found: Installation, load: Load, rate: float, seconds: float, runs: int) -> None:
    done = await several(found, load, rate, seconds, runs)
    run = max(done, key=lambda run: float(run["facts_per_s"]))
    spread = [{name: r[name] for name in ("facts_per_s", "cpu_s_per_1000", "lag_at_end_s", "calibration")} for r in done]
    more = {"calibration": run.pop("calibration"), "run": run, "runs": spread}
    record("pipeline.facts_per_s", run["facts_per_s"], "facts/s", run["facts"], **more)
    record("pipeline.cpu_s_per_1000", run["cpu_s_per_1000"], "CPU-s per 1000 facts", run["facts"], **more)
    record("pipeline.lag_at_end_s", run["lag_at_end_s"], "s", run["facts"], **more)
    for name, cost in run["cpu_us_by_program"].items():
        record(f"pipeline.cpu_us_per_fact.{name}", cost, "CPU-us per fact", run["facts"])


async def whole_way(seconds: float, runs: int = 3, people: int = 100_000, rate: float = 5100) -> None:
    """Latency at 1,000 and at 3,000 facts a second, then what goes through; one installation, so the JVM has compiled what it needs."""
    async with installation() as found:
        load = Load(people, seed=1)
        await introduce(found, load)
        await rest(found)
        await latency(found, load, 1000, min(60, seconds), runs)
        await latency(found, load, 3000, min(60, seconds), runs)
        await throughput(found, load, rate, seconds, runs)


def _short(people: int) -> str:
    return f"{people // 1_000_000}m" if people >= 1_000_000 else f"{people // 1000}k"


async def growth(facts: int = 100_000, sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)) -> None:
    """CPU a fact with facts uniform over 1 million people against 10 thousand, after a checkpoint; best of three each.

    What the introduction of so many left behind (merges of the lake, autovacuum) is waited for, as it is no cost of these facts.
    """
    runs: dict[int, list[dict[str, Any]]] = {}
    for people in sizes:
        async with installation() as found:
            load = Load(people, "even", seed=people)
            await introduce(found, load)
            await rest(found)
            runs[people] = []
            for _ in range(3):
                runs[people].append(await steady(found, load, 2500, facts / 2500))
                print(json.dumps({"people": people, "run": runs[people][-1]}), flush=True)
    cost = {people: [run["cpu_s_per_1000"] for run in of_size] for people, of_size in runs.items()}
    few, *_, many = sizes
    for people in sizes:
        record(f"pipeline.cpu_s_per_1000_of_{_short(people)}", min(cost[people]), "CPU-s per 1000 facts", facts)
    record(
        f"pipeline.cost_growth_{_short(many)}_over_{_short(few)}",
        round(min(cost[many]) / min(cost[few]), 3),
        "ratio of CPU-s per 1000",
        facts,
        cost={str(people): values for people, values in cost.items()},
        cpu_us_by_program={
            str(people): min(of_size, key=lambda run: float(run["cpu_s_per_1000"]))["cpu_us_by_program"]
            for people, of_size in runs.items()
        },
        calibration={str(people): [run["calibration"] for run in of_size] for people, of_size in runs.items()},
    )


async def ingest(seconds: float = 10) -> None:
    """What ingest acknowledges: alone with Kafka, and beside all other services at work on what it took."""
    async with installation(only=("ingest", "gateway")) as found:
        await _acknowledged(found, "ingest.facts_per_s", seconds, 100, 8, alone=True)
    async with installation() as found:
        await _acknowledged(found, "ingest.facts_per_s_beside_all", seconds, 100, 8)
        await _acknowledged(found, "ingest.single_requests_per_s", seconds, 1, 32)


async def _acknowledged(found: Installation, what: str, seconds: float, size: int, workers: int, alone: bool = False) -> None:
    """Facts a second, as fast as answers come; best of three. alone: nobody handles them, so nobody is waited for in between."""
    runs: list[dict[str, Any]] = []
    for seed in range(10, 13):
        load = Load(100_000, seed=seed)
        before, calibration = cpu_seconds(found.home), score()
        took = await at_rate(load, found.poster(), 0, seconds, size, workers=workers)
        used = spent(before, cpu_seconds(found.home))
        cost = round(used.get("ingest", 0) * 1e6 / load.sent, 1)
        runs.append({"rate": round(load.sent / took), "ingest_cpu_us": cost, "n": load.sent, "calibration": calibration})
        if not alone:
            async with watching(found) as watch:
                await watch.caught_up(900)
    best = max(runs, key=lambda run: run["rate"])
    record(what, best["rate"], "requests/s" if size == 1 else "facts/s", best["n"], runs=runs)
