"""Preview of conditions while somebody types: a seeded base in the index, six shapes of questions, parameters drawn anew each time.

`python -m bench.segments --people 389000 --facts 20000000`: no server runs, the base is written into the index past the log and the lake.
What it does not measure: the way through gateway and HTTP, and facts that come in meanwhile.
"""

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.calibration import score
from bench.results import record
from schemas import audience as a
from services.audience.domain.world import World
from services.audience.handler import answering
from services.audience.settings import AudienceSettings
from services.audience.store.answers import Answers
from services.audience.store.index import Index

NOW = 1_798_761_600_000  # 2027-01-01
DAY = 86_400_000
SHARES = {
    "Product Viewed": 40, "page": 20, "Email Sent": 14, "Email Opened": 8, "Product Added": 6, "Email Link Clicked": 4, "Signed In": 4,
    "Order Completed": 2, "Checkout Started": 1, "Product Reviewed": 1,
}  # fmt: skip
COLUMNS = {"total.minor": ("int", "p_i_total__minor"), "category": ("string", "p_s_category")}
PLANS = ("free", "basic", "pro", "team")

# People by hash and with a long tail: the most active of 389,000 has about ten thousand facts, the median 22.
FACTS = """
INSERT INTO {table} BY NAME SELECT
    ((pow(hash(i, {k}, 1) % 1000000007 / 1000000007.0, 2.2) * {people})::BIGINT * 7919 % {people})::INTEGER AS person,
    {now} - (hash(i, {k}, 2) % {span})::BIGINT AS moment,
    (hash(i, {k}, 3) % 500000)::BIGINT AS p_i_total__minor, 'cat_' || (hash(i, {k}, 4) % 40) AS p_s_category
FROM range({count}) r (i) ORDER BY moment
"""


def seed(index: Index, people: int, facts: int) -> None:
    """The same base for the same numbers."""
    duck = index._duck
    duck.execute("BEGIN")
    duck.execute(
        f"INSERT INTO piece SELECT i::INTEGER, md5(i::VARCHAR)::UUID, md5(i::VARCHAR)::UUID, i::INTEGER FROM range({people}) r (i)"
    )
    for k, (name, share) in enumerate(SHARES.items()):
        table = index.events._ready(duck, name, list(COLUMNS.values()))
        count = facts * share // 100
        duck.execute(FACTS.format(table=table, k=k, people=people, now=NOW, span=365 * DAY, count=count))
        index.properties[name] = {path: dict([column]) for path, column in COLUMNS.items()}
    for name, values, drawn in (
        ("plan", "text", "['free', 'basic', 'pro', 'team'][(1 + hash(i, 1) % 4)::INTEGER]"),
        ("score", "whole", "(hash(i, 2) % 1000)::BIGINT"),
    ):
        table = index.said._ready(duck, name)
        json = "to_json(v)::VARCHAR"
        duck.execute(f"INSERT INTO {table} BY NAME SELECT i::INTEGER AS person, 0 AS moment, {json} AS json, v AS {values} FROM "
                     f"(SELECT i, {drawn} AS v FROM range({people}) r (i))")  # fmt: skip
    duck.execute("INSERT INTO kind SELECT i::INTEGER, 'email' FROM range($1) r (i) WHERE hash(i, 3) % 10 < 7", [people])
    duck.execute("COMMIT")
    duck.execute("CHECKPOINT")
    index._catalog = index._read_catalog()


def shapes(dice: random.Random) -> dict[str, Callable[[], a.Condition]]:
    """By the letters of the reference: what is asked, drawn anew at each call."""

    def did(event: str, days: int, **more: Any) -> a.Did:
        return a.Did(event=event, within=days * DAY + dice.randrange(DAY), **more)

    def plan() -> a.Attribute:
        return a.Attribute(name="plan", op="eq", value=dice.choice(PLANS))

    def average() -> a.Average:
        return a.Average(event="Order Completed", of="total.minor", op="ge", value=dice.randrange(300_000, 450_000))

    def six() -> a.Condition:
        viewed = a.Filter(path="category", op="eq", value=f"cat_{dice.randrange(40)}")
        score_ = a.Attribute(name="score", op="ge", value=dice.randrange(1000))
        parts = (plan(), score_, did("Product Viewed", 30, where=(viewed,)), a.Not(of=did("Order Completed", dice.randrange(30, 60))),
                 did("Email Opened", 90, value=dice.randrange(2, 5)), a.Reachable(channel="email"))  # fmt: skip
        return a.All(of=parts)

    def ten() -> a.Condition:
        return a.All(of=(six(), a.AnyOf(of=(did("Signed In", dice.randrange(5, 90)), average(), did("Checkout Started", 60))), a.Not(
            of=did("Email Link Clicked", dice.randrange(3, 30)))))  # fmt: skip

    return {
        "a": lambda: a.All(of=(plan(), a.Attribute(name="score", op="lt", value=dice.randrange(1000)))),
        "b": lambda: did("Order Completed", dice.randrange(60, 120), value=2),
        "c": lambda: a.Since(
            event="Product Added", without=a.Happening(event="Order Completed"), within=dice.randrange(10, 20) * DAY
        ),
        "d": lambda: a.All(of=(a.Not(of=did("Signed In", dice.randrange(20, 60))), plan())),
        "e": average,
        "f": six,
        "ten": ten,
    }


def measure(answers: Answers, questions: int, typing: int, pause_s: float) -> dict[str, list[float]]:
    """Times in ms by shape, waiting for one's turn included: so many questions of each, by `typing` people who pause between two."""
    room = threading.Semaphore(AudienceSettings().at_once)
    found: dict[str, list[float]] = {name: [] for name in shapes(random.Random())}

    def types(number: int) -> None:
        dice = random.Random(number)
        asked = [name for name in found for _ in range(questions // typing)]
        dice.shuffle(asked)
        draw = shapes(dice)
        for place, name in enumerate(asked):
            condition = draw[name]()
            time.sleep(dice.uniform(0.5, 1.5) * pause_s)
            started = time.perf_counter()
            with room:
                answering.preview(answers, World({}), condition, (), NOW + 1000 * place)
            found[name].append((time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=types, args=(number,)) for number in range(typing)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def percentile(times: Sequence[float], share: float) -> float:
    return round(sorted(times)[min(len(times) - 1, int(len(times) * share))], 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.segments")
    parser.add_argument("--people", type=int, default=389_000)
    parser.add_argument("--facts", type=int, default=20_000_000)
    parser.add_argument("--questions", type=int, default=100, help="of each shape")
    parser.add_argument("--typing", type=int, default=5, help="people side by side")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds from an answer to a person's next question, on average")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="otklik-bench-") as home:
        index = Index(Path(home) / "index.duckdb")
        started = time.perf_counter()
        seed(index, chosen.people, chosen.facts)
        loaded = time.perf_counter() - started
        size = (Path(home) / "index.duckdb").stat().st_size
        answers = Answers(index)
        measure(answers, chosen.typing, chosen.typing, 0)  # the first question of a process finds nothing in memory
        times = measure(answers, chosen.questions, chosen.typing, chosen.pause)
        index.close()
    every = [one for of in times.values() for one in of]
    of_shapes = {name: {"median": round(statistics.median(of), 1), "p95": percentile(of, 0.95)} for name, of in times.items()}
    name = {20_000_000: "segment.preview_p95_ms_20m", 100_000_000: "segment.preview_p95_ms_100m"}.get(
        chosen.facts, f"segment.preview_p95_ms_{chosen.facts}"
    )
    record(name, percentile(every, 0.95), "ms", len(every), shapes=of_shapes, people=chosen.people, facts=chosen.facts,
           typing=chosen.typing, pause_s=chosen.pause, load_s=round(loaded, 1), index_bytes=size, calibration=score())  # fmt: skip


if __name__ == "__main__":
    main()
