"""What happened, from a seed: drawn once in SQL, and said as the calls of the tracking API that tell it.

Everything else in this package must come to what services would make of these calls (tests/bench/test_seeded.py).
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import duckdb

DAY = 86_400_000
YEAR = 365 * DAY
BRAND, SOURCE, CURRENCY = "shop", "site", "GBP"
PLANS = ("free", "basic", "pro", "team")
CITIES = ("London", "Leeds", "York", "Bath", "Ely", "Truro", "Wells", "Ripon")
CATEGORIES = 40
# Of a hundred facts. "page" is a call of its own kind; all others are tracked.
SHARES = {
    "Product Viewed": 40, "page": 20, "Email Sent": 14, "Email Opened": 8, "Product Added": 6, "Email Link Clicked": 4, "Signed In": 4,
    "Order Completed": 2, "Checkout Started": 1, "Product Reviewed": 1,
}  # fmt: skip
EVENTS = [name for name, share in SHARES.items() for _ in range(share)]
AROUND = 7919  # a prime: who is most active has any number

# The facts come in the order of their numbers and no two at one instant. Who does something is drawn with a long tail: of 389,000 the most
# active has done 42 thousand things of 20 million, the median 35.
DRAWN = """
SELECT i, ((pow(hash(i, {seed}, 1) % 1000000007 / 1000000007.0, 2.2) * {people})::BIGINT * {around} % {people})::INTEGER AS person,
    {events}[(1 + hash(i, {seed}, 2) % 100)::INTEGER] AS event,
    {since} + i * {span} // {facts} + (hash(i, {seed}, 3) % {slot})::BIGINT AS moment,
    1 + (hash(i, {seed}, 4) % 500000)::BIGINT AS minor, (hash(i, {seed}, 5) % {categories})::INTEGER AS category,
    (hash(i, {seed}, 6) % 500)::INTEGER AS product, 1 + (hash(i, {seed}, 7) % 5)::INTEGER AS quantity
FROM range({low}, {high}) r (i)
"""


class Drawn(NamedTuple):
    """Fact `number`, in the order of DRAWN. at: ms; minor: an amount of money in pence."""

    number: int
    person: int
    event: str
    at: int
    minor: int
    category: int
    product: int
    quantity: int


@dataclass(frozen=True)
class History:
    """people and facts: how many; until: ms, where the year of the facts ends. People were introduced in the month before it."""

    people: int
    facts: int
    until: int
    seed: int = 1

    @property
    def since(self) -> int:
        return self.until - YEAR

    def drawn(self, low: int = 0, high: int | None = None) -> str:
        """SQL of the facts low <= number < high."""
        slot = max(1, YEAR // self.facts)
        return DRAWN.format(seed=self.seed, people=self.people, around=AROUND, events=EVENTS, since=self.since, span=YEAR, slot=slot,
                            facts=self.facts, categories=CATEGORIES, low=low, high=self.facts if high is None else high)  # fmt: skip

    def introduced_at(self, person: int) -> int:
        return self.since - 30 * DAY + person * 30 * DAY // self.people

    def introduction(self, person: int) -> dict[str, Any]:
        """The call that makes a person known."""
        drawn = zlib.crc32(f"{self.seed}/{person}".encode())
        traits: dict[str, Any] = {"plan": PLANS[drawn % 4], "score": drawn // 4 % 1000, "city": CITIES[drawn // 4000 % 8]}
        if drawn // 32_000 % 10 < 7:
            traits["email"] = f"customer{person}@customers.example"
        return {
            "type": "identify", "messageId": f"i{person}", "userId": f"u{person}", "timestamp": _iso(self.introduced_at(person)), "traits": traits,
        }  # fmt: skip

    def calls(self, every: int = 1) -> Iterator[dict[str, Any]]:
        """In order, all that tells the history of every so-manieth person."""
        for person in range(0, self.people, every):
            yield self.introduction(person)
        duck = duckdb.connect()
        try:
            found = duck.execute(f"SELECT * FROM ({self.drawn()}) WHERE person % {every} = 0 ORDER BY i")
            while rows := found.fetchmany(10_000):
                yield from (call(Drawn(*row)) for row in rows)
        finally:
            duck.close()


def call(fact: Drawn, *, message: str | None = None) -> dict[str, Any]:
    """The call that tells a fact. message: its id, where it is not the fact's own number."""
    told = {
        "messageId": message or f"f{fact.number}",
        "userId": f"u{fact.person}",
        "timestamp": _iso(fact.at),
        "properties": said(fact),
    }
    return {"type": "page", **told} if fact.event == "page" else {"type": "track", "event": fact.event, **told}


def said(fact: Drawn) -> dict[str, Any]:
    """The properties as they are sent."""
    product = {"product_id": f"p{fact.product}", "category": f"cat_{fact.category}"}
    match fact.event:
        case "Product Viewed":
            return {**product, "price": fact.minor / 100, "currency": CURRENCY}
        case "page":
            return {"path": f"/p/{fact.product}"}
        case "Email Sent" | "Email Opened" | "Email Link Clicked":
            return {"campaign": f"c{fact.category}"}
        case "Product Added":
            return {**product, "quantity": fact.quantity}
        case "Order Completed":
            line = {**product, "quantity": fact.quantity, "price": fact.minor // fact.quantity / 100}
            total = {"order_id": f"o{fact.number}", "total": fact.minor / 100, "currency": CURRENCY}
            return {**total, "category": f"cat_{fact.category}", "products": [line]}
        case "Checkout Started":
            return {"total": fact.minor / 100, "currency": CURRENCY}
        case "Product Reviewed":
            return {**product, "rating": fact.quantity}
    return {}


def body(calls: list[dict[str, Any]]) -> bytes:
    """Of a request to /v1/batch."""
    return json.dumps({"batch": calls}, separators=(",", ":")).encode()


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
