"""What people of a shop did over a year, as facts with their profile: seeded, person by person."""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from bench.documents import DAY
from bench.live_segments import ADD, LOGIN, OPEN, ORDER, VIEW
from schemas.facts import Fact
from schemas.ids import derive

NOW = 1_798_761_600_000  # 2027-01-01
YEAR = 365 * DAY
CITIES = ("London", "Leeds", "York", "Bath", "Ely", "Truro", "Wells", "Ripon")
VISIT = {VIEW: 40, "page": 20, ADD: 6, LOGIN: 4, ORDER: 2, "identify": 2}  # of a visit to the site, shares of 100 with
MAIL = {"Email Sent": 14, OPEN: 8, "Email Link Clicked": 4}  # what mails bring, each by itself
A_VISIT = 8  # facts at most, so 4.5 on average
MAILS = sum(MAIL.values()) / (sum(MAIL.values()) + sum(VISIT.values()) * 2 / (1 + A_VISIT))  # so many of the visits and mails


class Person(NamedTuple):
    """facts: how many he has in the year. number: names him, and all that he does."""

    number: int
    facts: int

    @property
    def profile(self) -> str:
        return derive("bench-person", self.number)


def crowd(people: int, least: int = 50, most: int = 300) -> Iterator[Person]:
    """People with so many facts each, few of them with many (log-uniform)."""
    dice = random.Random(5)
    for number in range(people):
        yield Person(number, round(least * (most / least) ** dice.random()))


def history(person: Person, until: int = NOW) -> Iterator[Fact]:
    """Who he is, a year before `until` (ms), and then his facts in order: visits of some minutes, and mails between them."""
    dice = random.Random(person.number)
    yield introduction(person, until - YEAR)
    for number, (at, what) in enumerate(_instants(dice, person.facts, until)):
        yield fact(person, f"{number}", at, what, dice)


def _instants(dice: random.Random, facts: int, until: int) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    while len(found) < facts:
        at = until - dice.randrange(YEAR)
        if dice.random() < MAILS:
            found.append((at, _drawn(dice, MAIL)))
            continue
        for _ in range(min(dice.randint(1, A_VISIT), facts - len(found))):
            found.append((min(at, until), _drawn(dice, VISIT)))
            at += dice.randint(2_000, 180_000)
    return sorted(found)


def _drawn(dice: random.Random, shares: dict[str, int]) -> str:
    return dice.choices(list(shares), list(shares.values()))[0]


def introduction(person: Person, at: int) -> Fact:
    """The fact that says who he is: attributes of every type that the segments ask for, e-mail, a pair for random shares."""
    n = person.number
    said: dict[str, Any] = {
        "plan": "free" if n % 3 else "paid", "score": n * 37 % 100, "city": CITIES[n % 8], "time_zone": "Europe/Moscow",
        "birthday": f"{1950 + n % 55}-{1 + n % 12:02d}-{1 + n % 28:02d}", "paid_from": at + n % 300 * DAY, "paid_until": at + n % 400 * DAY,
    }  # fmt: skip
    return _of(person, "intro", at, type="identify", attributes=said)


def fact(person: Person, name: str, at: int, what: str, dice: random.Random) -> Fact:
    """One thing that he did, at an instant (ms). name: tells it from his others."""
    if what == "identify":
        return _of(person, name, at, type="identify", attributes={"score": dice.randrange(100)})
    if what == "page":
        return _of(person, name, at, type="page", properties={"path": f"/p/{dice.randrange(997)}", "title": "Gifts and more"})
    properties: dict[str, Any] = {}
    if what in (VIEW, ADD):
        properties = {"product_id": str(dice.randrange(5000)), "category": f"cat_{min(39, int(dice.expovariate(0.15)))}"}
    elif what == ORDER:
        lines = [{"sku": f"SKU-{dice.randrange(10)}", "quantity": 1 + k} for k in range(dice.randint(1, 3))]
        properties = {"revenue": {"minor": dice.randrange(500, 20_000), "currency": "GBP"}, "products": lines}
    return _of(person, name, at, type="track", event=what, properties=properties)


def _of(person: Person, name: str, at: int, **more: Any) -> Fact:
    given = {"brand": "shop", "source": "site", "occurred_at": at, "received_at": at, **more}
    return Fact(
        id=derive("bench-fact", person.number, name), profile=person.profile, bucketing_id=f"b{person.number}", bucketed_at=1,
        identifiers=(f"user_id:u{person.number}", f"email:u{person.number}@customers.example", f"anonymous_id:a{person.number}"), **given,
    )  # fmt: skip
