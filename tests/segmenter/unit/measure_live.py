"""Cost of live evaluation per fact: `python -m tests.segmenter.unit.measure_live [language]`. Not a test; prints microseconds.

50 segments, 20 with time windows; people with about 22 events behind them; 60 % of the facts are page views. `language`: and 20 segments
more, about calendars, attribute dates, averages, values, lines, sequences, what was left alone, birthdays and consent.
"""

import random
import statistics
import sys
import time
from typing import Any

from schemas import audience as a
from schemas.facts import Fact
from services.segmenter.domain.live import decide, idle
from services.segmenter.domain.plan import compile_plan, touches
from services.segmenter.domain.state import State, decode, encode, glance

DAY = 86_400_000
EVENTS = ["Order Completed", "Product Viewed", "Cart Updated", "Email Opened", "Email Clicked", "Login", "Trial Started", "Call"]
NOW = 1_790_000_000_000


def definitions(dice: random.Random) -> dict[str, a.Condition]:
    found: dict[str, a.Condition] = {}
    for number in range(20):
        event, days = dice.choice(EVENTS), dice.choice([1, 7, 14, 30, 90, 180]) * DAY
        parts: list[a.Condition] = [a.Did(event=event, within=days, value=dice.choice([1, 1, 2, 3]))]
        parts.append(a.Not(of=a.Did(event=dice.choice(EVENTS), within=dice.choice([14, 30]) * DAY)))
        if number % 3 == 0:
            parts.append(a.Total(event="Order Completed", sum="total.minor", op="gt", value=500_000, within=90 * DAY))
        if number % 4 == 0:
            cheap = a.Filter(path="category", op="eq", value=f"cat_{dice.randrange(5)}")
            parts.append(a.Did(event="Product Viewed", where=(cheap,), within=30 * DAY))
        found[f"window-{number}"] = a.All(of=tuple(parts))
    for number in range(30):
        parts = [
            a.Attribute(name=f"trait_{dice.randrange(12)}", op="eq", value=f"v{dice.randrange(3)}"),
            a.Attribute(name="operators", op="ge", value=dice.randrange(10)),
            a.Did(event=dice.choice(EVENTS), value=dice.choice([1, 5])),
            a.Reachable(channel=dice.choice(["email", "sms", "telegram"])),
        ]
        dice.shuffle(parts)
        group = a.All if number % 2 else a.AnyOf
        found[f"plain-{number}"] = group(of=tuple(parts[: dice.randint(1, 4)]))
    return found


def language(dice: random.Random) -> dict[str, a.Condition]:
    found: dict[str, a.Condition] = {}
    for number in range(20):
        event, other = dice.choice(EVENTS), a.Happening(event=dice.choice(EVENTS))
        days = dice.choice([7, 14, 30]) * DAY
        ask: dict[str, Any] = {"event": event, "op": "ge", "value": 2}
        leaves: list[a.Condition] = [
            a.Did(window=a.Calendar(unit=dice.choice(["day", "week", "month"]), back=number % 2, zone="Europe/Moscow"), **ask),
            a.Total(sum="total.minor", window=a.Between(since="2026-09-01"), **ask),
            a.Did(window=a.Around(name="paid_from", after=0, until=days), **ask),
            a.Average(of="total.minor", within=90 * DAY, **ask),
            a.Distinct(of="category", within=days, **ask),
            a.Total(sum="minor", lines=a.Lines(path="lines", where=(a.Filter(path="n", op="ge", value=2),)), **ask),
            a.Sequence(first=a.Happening(event=event), then=other, within=days, last=30 * DAY),
            a.Since(event="Cart Updated", without=other, after=3_600_000, within=days),
            a.Anniversary(name="birth"),
            a.Consent(channel="email"),
        ]
        found[f"language-{number}"] = leaves[number % len(leaves)]
    return found


def fact(dice: random.Random, number: int, at: int) -> Fact:
    share = dice.random()
    known = {"identifiers": ("user_id:u", "anonymous_id:a"), "bucketing_id": "b", "bucketed_at": 1}
    base = {"id": f"fact-{number}", "brand": "b", "source": "s", "occurred_at": at, "received_at": at}
    if share < 0.6:
        properties = {"url": "https://example.org/x", "title": "X", "path": "/x"}
        return Fact(
            type="page", properties=properties, **base, **(known if dice.random() < 0.5 else {"identifiers": ("anonymous_id:a",)})
        )
    if share < 0.65:
        said = {f"trait_{dice.randrange(12)}": f"v{dice.randrange(3)}", "operators": dice.randrange(12)}
        return Fact(type="identify", attributes=said, **base, **known)
    properties = {"category": f"cat_{dice.randrange(5)}", "total": {"minor": dice.randrange(500_000), "currency": "RUB"}}
    if "language" in sys.argv:
        properties["lines"] = [{"n": n, "minor": 100 * n} for n in range(3)]
    return Fact(type="track", event=dice.choice(EVENTS), properties=properties, **base, **known)


def main() -> None:
    dice = random.Random(7)
    asked = definitions(dice)
    if "language" in sys.argv:
        asked |= language(dice)
    plan = compile_plan(asked, 1)
    rows: list[bytes] = []
    for _ in range(300):
        state, at = State(), NOW - 200 * DAY
        said: dict[str, Any] = {f"trait_{n}": f"v{dice.randrange(3)}" for n in range(12)}
        if "language" in sys.argv:
            said |= {"birth": "1990-10-01", "paid_from": at + 20 * DAY, "time_zone": "Europe/Moscow"}
        first = Fact(id="i", type="identify", brand="b", source="s", occurred_at=at, received_at=at, attributes=said)
        state = decide(state, first, at, plan).state
        for step in range(55):
            at += dice.randrange(7 * DAY)
            at = min(at, NOW)
            state = decide(state, fact(dice, step, at), at, plan).state
        rows.append(encode(state))
    facts = [fact(dice, number, NOW + number) for number in range(30_000)]
    for _ in range(2):
        measure(plan, list(rows), facts)


def measure(plan: object, rows: list[bytes], facts: list[Fact]) -> None:
    clock = time.perf_counter_ns
    kinds: dict[str, list[int]] = {
        "all": [],
        "page, touches nothing": [],
        "page, glance is enough": [],
        "track": [],
        "identify": [],
    }
    decoding, deciding, encoding, skipping, flips = [], [], [], [], 0
    for number, each in enumerate(facts):
        place = number % len(rows)
        t0 = clock()
        reads = touches(each, plan)
        t1 = clock()
        if not reads:
            kinds["all"].append(t1 - t0)
            kinds["page, touches nothing"].append(t1 - t0)
            # What the same fact costs when the row is there already:
            state = decode(rows[place])
            t1 = clock()
            decide(state, each, each.received_at, plan)
            skipping.append(clock() - t1)
            continue
        if idle(glance(rows[place]), each, plan):
            t2 = clock()
            kinds["all"].append(t2 - t0)
            kinds["page, glance is enough"].append(t2 - t0)
            continue
        state = decode(rows[place])
        t2 = clock()
        decision = decide(state, each, each.received_at, plan)
        t3 = clock()
        if decision.changed:
            rows[place] = encode(decision.state)
            encoding.append(clock() - t3)
        t4 = clock()
        flips += len(decision.changes)
        decoding.append(t2 - t1)
        (deciding if decision.changed else skipping).append(t3 - t2)
        kinds["all"].append(t4 - t0)
        kinds.setdefault(each.type, []).append(t4 - t0)
    report = {**kinds, "decode": decoding, "decide": deciding, "decide, unchanged": skipping, "encode": encoding}
    for name, values in report.items():
        values.sort()
        print(
            f"{name:24} n {len(values):6}  mean {statistics.mean(values) / 1e3:6.1f}  p50 {values[len(values) // 2] / 1e3:6.1f}  p99 {values[len(values) * 99 // 100] / 1e3:6.1f}"
        )
    sizes = sorted(map(len, rows))
    print(f"state bytes p50 {sizes[len(sizes) // 2]}, p99 {sizes[len(sizes) * 99 // 100]}, flips {flips}")


if __name__ == "__main__":
    main()
