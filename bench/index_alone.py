"""The questions of `bench.segments` to an index alone, for work on its speed: `python -m bench.index_alone --people 389000 --facts 20000000`.

No server runs, and people and facts are written into the index past the log and the lake, with fewer properties than there. It measures no
way through gateway and HTTP and no facts that come in meanwhile.
"""

import argparse
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path

from bench.calibration import score
from bench.results import record
from bench.seeded.history import DAY, SHARES
from bench.segments import percentile, shapes
from services.audience.domain.world import World
from services.audience.handler import answering
from services.audience.settings import AudienceSettings
from services.audience.store.answers import Answers
from services.audience.store.index import Index

NOW = 1_798_761_600_000  # 2027-01-01
COLUMNS = {"total.minor": ("int", "p_i_total__minor"), "category": ("string", "p_s_category")}

# People by hash and with a long tail: the most active of 389,000 has 42 thousand facts, the median 35.
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.index_alone")
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
    record(f"segment.index_preview_p95_ms_{chosen.facts}", percentile(every, 0.95), "ms", len(every), shapes=of_shapes, people=chosen.people, facts=chosen.facts,
           typing=chosen.typing, pause_s=chosen.pause, load_s=round(loaded, 1), index_bytes=size, calibration=score())  # fmt: skip


if __name__ == "__main__":
    main()
