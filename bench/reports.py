"""Reports of outcomes at 20 million facts: `python -m bench.reports`.

An index alone, as bench/index_alone.py makes it, with messages beside: 30 campaigns and five journeys, what became of their letters, and
control groups. A mix of reports is asked one after another, parameters drawn anew each time; gateway and HTTP are not in it.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.calibration import score
from bench.index_alone import NOW, seed
from bench.results import record
from bench.seeded.history import DAY
from bench.segments import percentile
from schemas import audience as a
from services.audience.domain.world import World
from services.audience.handler import reporting
from services.audience.settings import AudienceSettings
from services.audience.store.answers import Answers
from services.audience.store.index import Index
from services.audience.store.verdicts import CLICKED, OPENED, SENT, STATES, UNSUBSCRIBED

CAMPAIGNS, JOURNEYS, STEPS = 30, 5, 4
VARIANTS = ("A", "B", "C")
# Of each letter every person has at most one message; a tenth of people stand in the control group of each document.
LETTER = """
INSERT INTO verdict SELECT i::INTEGER, {at} + hash(i, {k}) % {span}, if(hash(i, {control}) % 10 = 0, {would}, {accepted})::UTINYINT,
    if(hash(i, {control}) % 10 = 0, {k} + 1, {k}), md5({k} || '.' || i)::UUID
FROM range({people}) r (i) WHERE hash(i, {k}, 1) % 100 < {share}
"""
EXPOSED = """
INSERT INTO verdict SELECT person, moment - 1, {exposed}::UTINYINT, {k} + 2 + hash(person, 5) % {arms}, md5('e' || key)::UUID
FROM verdict WHERE letter IN ({k}, {k} + 1)
"""
RESPONSE = """
INSERT INTO response SELECT person, moment + {after} + hash(key, {kind}) % {span}, {kind}::UTINYINT, key, {link}, false, {template}
FROM verdict WHERE state = {accepted} AND hash(key, {kind}, 1) % 1000 < {share} ORDER BY moment
"""
TARGET: Mapping[str, Any] = {"event": "Order Completed", "value": "total.minor"}


def seed_messages(index: Index, people: int) -> int:
    """Messages past the log and the lake: how many verdicts."""
    duck = index._duck
    duck.execute("BEGIN")
    k = 0
    for number in range(CAMPAIGNS):
        k = _document(
            duck, k, f"campaign:c{number}", "letter", people, share=20, at=NOW - (360 - 12 * number) * DAY, span=DAY, number=number
        )
    for number in range(JOURNEYS):
        for step in range(STEPS):
            k = _document(
                duck, k, f"journey:j{number}", f"s{step}", people, share=15, at=NOW - 360 * DAY, span=350 * DAY, number=100 + number
            )
    duck.execute("INSERT INTO template SELECT i::INTEGER, 't' || i FROM range(10) r (i)")
    for kind, share, after, span, link, template in (
        (SENT, 1000, 0, 1, "NULL", "(hash(letter) % 10)::INTEGER"), (OPENED, 300, 60_000, 2 * DAY, "NULL", "NULL"),
        (CLICKED, 60, 90_000, 2 * DAY, "0", "NULL"), (UNSUBSCRIBED, 3, 90_000, DAY, "NULL", "NULL"),
    ):  # fmt: skip
        duck.execute(
            RESPONSE.format(
                kind=kind, share=share, after=after, span=span, link=link, template=template, accepted=STATES["accepted"]
            )
        )
    duck.execute("COMMIT")
    duck.execute("CHECKPOINT")
    index._catalog = index._read_catalog()
    count: int = duck.execute("SELECT count(*) FROM verdict").fetchall()[0][0]
    return count


def _document(duck: Any, k: int, document: str, step: str, people: int, *, share: int, at: int, span: int, number: int) -> int:
    """Letters k (accepted), k + 1 (of the control group) and one for each arm. The next free number."""
    launch = "L" if document.startswith("campaign") else ""
    rules = ["", "local_control", *(f"arm:{arm}" for arm in VARIANTS)]
    rows = [(k + n, "shop", document, 1, step, "email", "mass", rule, launch, "") for n, rule in enumerate(rules)]
    duck.executemany("INSERT INTO letter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    duck.execute(LETTER.format(k=k, at=at, span=span, people=people, share=share, control=1000 + number, would=STATES["would_have_sent"],
                               accepted=STATES["accepted"]))  # fmt: skip
    duck.execute(EXPOSED.format(k=k, exposed=STATES["exposed"], arms=len(VARIANTS)))
    return k + len(rules)


def questions(dice: random.Random) -> dict[str, Callable[[], tuple[dict[str, Any], a.Condition | None]]]:
    """By name: what is asked, drawn anew at each call, and of whom."""

    def target() -> dict[str, Any]:
        return {**TARGET, "window": f"{dice.randrange(1, 31)}d"}

    def campaign() -> list[str]:
        return [f"campaign:c{dice.randrange(CAMPAIGNS)}"]

    def period(days: int) -> dict[str, int]:
        since = NOW - dice.randrange(days + 30, 330) * DAY
        return {"since": since, "until": since + days * DAY}

    def plan() -> a.Condition:
        return a.Attribute(name="plan", op="eq", value=dice.choice(["free", "basic", "pro"]))

    return {
        "campaign by variant": lambda: ({"documents": campaign(), "by": ["variant"], "target": target()}, None),
        "campaign by day": lambda: ({"documents": campaign(), "by": ["day"], "target": target()}, None),
        "campaign of a segment": lambda: ({"documents": campaign(), "by": ["template"], "target": target()}, plan()),
        "journey by step": lambda: ({"documents": [f"journey:j{dice.randrange(JOURNEYS)}"], "by": ["step"], "target": target()}, None),
        "a month by document": lambda: ({**period(30), "by": ["document"], "target": target()}, None),
        "a quarter by week": lambda: ({**period(90), "by": ["week"]}, None),
        "a month and the one before": lambda: ({**(of := period(30)), "compared": [of["since"] - 30 * DAY, of["since"]], "by": ["channel"],
                                                "target": target()}, None),
    }  # fmt: skip


def measure(answers: Answers, each: int) -> dict[str, list[float]]:
    """Times in ms by name of the question."""
    dice = random.Random(7)
    drawn = questions(dice)
    asked = [name for name in drawn for _ in range(each)]
    dice.shuffle(asked)
    found: dict[str, list[float]] = {name: [] for name in drawn}
    for place, name in enumerate(asked):
        what, who = drawn[name]()
        started = time.perf_counter()
        reporting.counted(answers, World({}), {"asked": what}, who, NOW + place)
        found[name].append((time.perf_counter() - started) * 1000)
        sys.stderr.write(f"\r{place + 1} of {len(asked)} reports, the last took {found[name][-1]:.0f} ms ")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.reports")
    parser.add_argument("--people", type=int, default=389_000)
    parser.add_argument("--facts", type=int, default=20_000_000)
    parser.add_argument("--each", type=int, default=30, help="questions of each kind")
    chosen = parser.parse_args()
    limits = AudienceSettings()
    with tempfile.TemporaryDirectory(prefix="otklik-bench-") as home:
        index = Index(Path(home) / "index.duckdb", limits.threads, limits.memory)
        started = time.perf_counter()
        seed(index, chosen.people, chosen.facts)
        verdicts = seed_messages(index, chosen.people)
        loaded = time.perf_counter() - started
        answers = Answers(index)
        measure(answers, 1)  # the first question of a process finds nothing in memory
        times = measure(answers, chosen.each)
        index.close()
    every = [one for of in times.values() for one in of]
    kinds = {name: {"median": round(statistics.median(of), 1), "p95": percentile(of, 0.95)} for name, of in times.items()}
    size = "20m" if chosen.facts == 20_000_000 else str(chosen.facts)
    record(f"report.p95_ms_{size}", percentile(every, 0.95), "ms", len(every), kinds=kinds, people=chosen.people, facts=chosen.facts,
           verdicts=verdicts, load_s=round(loaded, 1), calibration=score())  # fmt: skip


if __name__ == "__main__":
    main()
