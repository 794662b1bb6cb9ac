"""The customers of a chaos run: each has a short story that a journey must get right whatever breaks meanwhile.

A story says what somebody tells of a customer and how many seconds later. What must hold for certain does not rest on those seconds:
it is said under one source key, whose order is promised; the oracle looks at when things were posted and acknowledged.
Pure: two with one random state are equal.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

BASE = 1_700_000_000_000
SOURCES = ("site", "crm", "bot", "till")
REGISTERED, PAID, YES, NO = "Registered", "Balance Topped Up", "Consent Granted", "Consent Withdrawn"
# Every whole hour is midnight in one of these, where the slot of a letter ends with the day.
ZONES = (None, "Europe/Moscow", *(f"Etc/GMT{n:+d}" for n in range(-14, 13) if n))


@dataclass(frozen=True)
class Told:
    """What a source says: without its place in the stream, which it gets when it is said."""

    source: str
    identifiers: tuple[str, ...]
    event: str = "Seen"
    occurred_at: int = BASE
    attributes: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    lane: str = "live"


Story = list[tuple[float, Told]]  # seconds after the one before, what


class Cast:
    """One customer: names, source, and the sentences that stories are made of. at: when he registered (occurred_at)."""

    def __init__(self, number: int, rng: random.Random, letter: str = "c", mail: str = "") -> None:
        self.rng, self.at = rng, BASE + number * 1000
        self.user = f"user_id:{letter}{number}"
        self.mail = f"email:{mail}{letter}{number}@example.org"
        self.phone, self.bot = f"phone:+7926{number:07}", f"telegram_id:{9_000_000 + number}"
        self.source = rng.choice(SOURCES)
        self.legal = rng.choice((True, False, None))

    def tell(self, event: str, after: int, *identifiers: str, **more: Any) -> Told:
        """Said by his source, about `identifiers` (his user id if none), `after` ms after he registered."""
        given = {"source": self.source, "identifiers": identifiers or (self.user,), **more}
        return Told(event=event, occurred_at=self.at + after, **given)

    def known(self, *names: str) -> Told:
        """Who he is and of what kind."""
        zone = self.rng.choice(ZONES)
        attributes = {"legal_entity": self.legal, "time_zone": zone, "city": self.rng.choice(("Омск", "York"))}
        said = {name: value for name, value in attributes.items() if value is not None}
        return self.tell("", -300, *(names or (self.user, self.mail)), attributes=said)

    def yes(self) -> Told:
        return self.tell(YES, -200, properties={"channel": "email"})

    def no(self, after: int) -> Told:
        return self.tell(NO, after, properties={"channel": "email"})

    def registers(self, after: int = 0, **more: Any) -> Told:
        return self.tell(REGISTERED, after, **more)

    def pays(self, after: int, *identifiers: str, minor: int = 50_000, **more: Any) -> Told:
        return self.tell(PAID, after, *identifiers, properties={"amount": {"minor": minor, "currency": "RUB"}}, **more)

    def arrives(self) -> Story:
        """Known, willing, registered: what most stories begin with."""
        return [(0, self.known()), (0, self.yes()), (self.rng.uniform(0, 2), self.registers())]


def plain(he: Cast) -> Story:
    return he.arrives()


def again(he: Cast) -> Story:
    """Registers a second and a third time: once in a life."""
    return [*he.arrives(), (1, he.registers(50)), (he.rng.uniform(20, 90), he.registers(60))]


def paid_before(he: Cast) -> Story:
    """He had topped up before he registered: no reason to end anything."""
    return [(0, he.known()), (0, he.yes()), (0, he.pays(-100)), (0, he.registers())]


def paid_first(he: Cast) -> Story:
    """The top-up that followed the registration is told first: he never enters."""
    return [(0, he.known()), (0, he.yes()), (0, he.pays(100)), (he.rng.uniform(0, 2), he.registers())]


def paid_nothing(he: Cast) -> Story:
    return [*he.arrives(), (1, he.pays(100, minor=0))]


def paid_soon(he: Cast) -> Story:
    """Ends it long before the first letter; told by another source under another name, so in any order."""
    name = he.rng.choice((he.user, he.mail))
    return [*he.arrives(), (he.rng.uniform(0, 2), he.pays(100, name, source=he.rng.choice(SOURCES)))]


def paid_later(he: Cast) -> Story:
    return [*he.arrives(), (he.rng.uniform(50, 130), he.pays(100))]


def was_known(he: Cast) -> Story:
    """An older profile of his turns up while he waits: the older one survives, and the run moves to it."""
    seen = he.tell("Seen", 0, he.phone, source="till")
    return [(0, seen), (he.rng.uniform(3, 15), he.known()), *he.arrives()[1:], (he.rng.uniform(0, 110), _link(he, he.phone))]


def was_known_at_once(he: Cast) -> Story:
    """The same, while the run still waits for the answer to its first question."""
    seen = he.tell("Seen", 0, he.phone, source="till")
    return [(0, seen), (he.rng.uniform(3, 15), he.known()), *he.arrives()[1:], (0, _link(he, he.phone))]


def becomes_known(he: Cast) -> Story:
    """A younger profile joins him while he waits."""
    return [*he.arrives(), (he.rng.uniform(0, 20), he.tell("Seen", 0, he.bot, source="bot")), (2, _link(he, he.bot))]


def twins(he: Cast) -> Story:
    """He registered twice, under two names; it comes out while both wait for their first letter."""
    other = Cast(int(he.user[9:]), he.rng, "d")
    other.legal, other.source = he.legal, he.rng.choice(SOURCES)
    return [*he.arrives(), *other.arrives(), (he.rng.uniform(0, 3), _link(he, he.mail, other.mail))]


def late_twins(he: Cast) -> Story:
    """It comes out when letters have gone to both."""
    story = twins(he)
    return [*story[:-1], (he.rng.uniform(50, 110), story[-1][1])]


def twin_paid(he: Cast) -> Story:
    """The top-up happened under his other name; then both are one."""
    other = Cast(int(he.user[9:]), he.rng, "d")
    other.legal = he.legal
    told = [(1.0, other.known()), (0.0, other.pays(100))]
    return [*he.arrives(), *told, (he.rng.uniform(0, 3), _link(he, he.mail, other.mail))]


def silent(he: Cast) -> Story:
    return [(0, he.known()), (1, he.registers())]


def refused(he: Cast) -> Story:
    """He had said yes, and then no."""
    return [(0, he.known()), (0, he.yes()), (0, he.no(-50)), (1, he.registers())]


def leaves(he: Cast) -> Story:
    """He says no while the letters come."""
    return [*he.arrives(), (he.rng.uniform(50, 130), he.no(200))]


def unreachable(he: Cast) -> Story:
    return [(0, he.known(he.user, he.phone)), (0, he.yes()), (1, he.registers())]


def bounces(he: Cast) -> Story:
    other = Cast(int(he.user[9:]), he.rng, "b", mail="bounce-")
    return other.arrives()


def imported(he: Cast) -> Story:
    """An import of old registrations welcomes nobody."""
    return [(0, he.known()), (0, he.yes()), (1, he.registers(lane="bulk"))]


def _link(he: Cast, *names: str) -> Told:
    return he.tell("Seen", 10, *((he.user, *names) if len(names) == 1 else names))


PLOTS: Sequence[tuple[Callable[[Cast], Story], int]] = (
    (plain, 26), (again, 5), (paid_before, 5), (paid_first, 6), (paid_nothing, 4), (paid_soon, 9), (paid_later, 8), (was_known, 9),
    (was_known_at_once, 9), (becomes_known, 4), (twins, 7), (late_twins, 3), (twin_paid, 4), (silent, 3), (refused, 3), (leaves, 3),
    (unreachable, 2), (bounces, 2), (imported, 2),
)  # fmt: skip


def story(number: int, rng: random.Random) -> Story:
    """The story of the customer of this number."""
    plots, weights = zip(*PLOTS, strict=True)
    return rng.choices(plots, weights)[0](Cast(number, rng))
