"""Attribution by five models over a whole year: `python -m bench.attribution` (389,000 people, 20 million facts; small: `--facts 200000`).

The index of `bench.index_alone`, in which letters and pages also say by which campaign somebody came: 4 % of the facts are clicks on letters
of 20 journeys, each a message's own, 5 % visits by a tagged link of five channels, 2 % orders. No server runs and nothing else comes in.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.calibration import score
from bench.index_alone import NOW, seed
from bench.results import record
from bench.seeded.history import DAY
from services.audience.domain.world import World
from services.audience.handler import analysing
from services.audience.store.answers import Answers
from services.audience.store.happenings import TAGS
from services.audience.store.index import Index

ASKED = {"since": NOW - 365 * DAY, "until": NOW, "target": {"event": "Order Completed", "value": "total", "window": "30d"}}
TEXTS = {"intent": "p_s_intent", "document": "p_s_document", "channel": "p_s_channel"}
SENT = "SELECT *, md5(rowid::VARCHAR) AS p_s_intent FROM {table}"
CLICKED = """
SELECT *, md5(greatest(0, rowid * {sent} // {clicks} - 1000 - (hash(rowid, 7) % 1000)::BIGINT)::VARCHAR) AS p_s_intent, 'journey:' || (hash(rowid, 8) % 20) AS p_s_document, 'email' AS p_s_channel
FROM {table}
"""
VISITED = """
SELECT * EXCLUDE (came), CASE WHEN came THEN ['google', 'yandex', 'vk', 'blog', 'partner'][(1 + hash(rowid, 9) % 5)::INTEGER] END AS {source},
    CASE WHEN came THEN ['cpc', 'cpc', 'social', 'referral', 'affiliate'][(1 + hash(rowid, 9) % 5)::INTEGER] END AS {medium},
    CASE WHEN came THEN 'c' || (hash(rowid, 10) % 30) END AS {name}
FROM (SELECT *, rowid, hash(rowid, 6) % 4 = 0 AS came FROM {table})
"""


def campaigns(index: Index) -> None:
    """Say in the facts that are there by which way people came."""
    duck, numbers = index._duck, index.events.numbers
    sent, clicks = (
        duck.execute(f"SELECT count(*) FROM e_{numbers[name]}").fetchall()[0][0] for name in ("Email Sent", "Email Link Clicked")
    )
    for event, query in (("Email Sent", SENT), ("Email Link Clicked", CLICKED), ("page", VISITED)):
        table = f"e_{numbers[event]}"
        duck.execute(
            f"CREATE OR REPLACE TABLE sorting AS {query.format(table=table, sent=sent, clicks=clicks, **TAGS)} ORDER BY moment"
        )
        duck.execute(f"DROP TABLE {table}")
        duck.execute(f"ALTER TABLE sorting RENAME TO {table}")
    for event, paths in (("Email Sent", ("intent",)), ("Email Link Clicked", tuple(TEXTS))):
        duck.executemany("INSERT INTO property VALUES (?, ?, 'string', ?)", [(event, path, TEXTS[path]) for path in paths])
        duck.executemany("INSERT INTO property VALUES (?, 'total.minor', 'int', ?)", [(event, "p_i_total__minor")])
    duck.executemany("INSERT INTO property VALUES (?, 'total.minor', 'int', 'p_i_total__minor')", [("Order Completed",)])
    duck.execute("CHECKPOINT")
    index._load()


def measure(index: Index, times: int) -> tuple[list[float], dict[str, Any]]:
    """Seconds of each, and the last answer. Each asks about another period, so that nothing is kept of the one before."""
    answers, found, told = Answers(index), list[float](), dict[str, Any]()
    for place in range(times + 1):
        body = {**ASKED, "since": ASKED["since"] + place * 3_600_000}  # type: ignore[operator]
        started = time.perf_counter()
        told = analysing.report(answers, World({}), "attribution", analysing.read("attribution", body), {}, NOW)
        found.append(time.perf_counter() - started)
    return found[1:], told  # the first of a process finds nothing in memory


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.attribution")
    parser.add_argument("--people", type=int, default=389_000)
    parser.add_argument("--facts", type=int, default=20_000_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of one question, as the service has it")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="otklik-bench-") as home:
        index = Index(Path(home) / "index.duckdb", threads=2)
        seed(index, chosen.people, chosen.facts)
        campaigns(index)
        index.use_threads(chosen.threads)
        seconds, told = measure(index, chosen.times)
        index.close()
    name = "attribution.five_models_s_20m" if chosen.facts == 20_000_000 else f"attribution.five_models_s_{chosen.facts}"
    touches = sum(row["touches"] for row in told["rows"])
    record(name, round(statistics.median(seconds), 2), "s", len(seconds), worst=round(max(seconds), 2), conversions=told["conversions"], touches=touches,
           paths=told["paths"], labels=len(told["rows"]), people=chosen.people, facts=chosen.facts, threads=chosen.threads, calibration=score())  # fmt: skip


if __name__ == "__main__":
    main()
