"""The seeded stream of a chaos run: who says what about whom, in what order. Pure; knows nothing of the services.

The end state must not depend on the order in which facts arrive, so every device belongs to one account and is only ever seen alone
or together with that account's own identifier. Strong identifiers may meet in any facts: they are one person from then on.
Among them walk the customers of a journey, each with a story (customers.py) that takes its time.
"""

import heapq
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.chaos.customers import BASE, SOURCES, Told, story  # BASE: long past on any machine, so that no clamp plays a part

CITIES = ("Омск", "Kazan", "York", "Leeds", None)
NEW_ACCOUNT_EVERY = 30  # facts
NEW_CUSTOMER_EVERY = 40  # facts


@dataclass(frozen=True)
class Call:
    """One call of one source. number: its place in the stream, equal for repeats; message: unique by fact, equal for repeats.

    occurred_at: ms; 0: the call does not say, and it is when it is received.
    """

    number: int
    message: str
    source: str
    lane: str
    kind: str
    identifiers: tuple[str, ...]
    occurred_at: int
    attributes: dict[str, Any]
    event: str = "Seen"
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Source and strongest identifier: the order of such a key is promised."""
        return f"{self.source}|{self.identifiers[0]}"

    def line(self) -> dict[str, Any]:
        return {**asdict(self), "key": self.key}


class Stream:
    """Endless batches of calls; two with one seed are equal. pace: facts a second, as stories count their seconds."""

    def __init__(self, seed: int, pace: float = 35.0) -> None:
        self._random, self._pace = random.Random(seed), pace
        self._recent: deque[Call] = deque(maxlen=3000)
        self.made = 0
        self._files = 0
        self._customers = 0
        self._told: list[tuple[float, int, int, Told]] = []  # due at that number of facts, customer, sentence

    def batches(self) -> Iterator[list[Call]]:
        while True:
            yield self._batch(self._random.randint(10, 250))

    def file(self, size: int) -> list[Call]:
        """Rows of a file: facts of its own source, of the accounts that are known by now."""
        self._files += 1
        made = []
        for row in range(1, size + 1):
            user = names(self._random.randrange(max(1, self.made // NEW_ACCOUNT_EVERY)))[0]
            at, name = BASE - self._random.randrange(2000) * 43_200, f"f{self._files}"
            made.append(Call(row, f"{name}-{row}", name, "bulk", "track", (user,), at, {}))
        return made

    def _batch(self, size: int) -> list[Call]:
        calls: list[Call] = []
        for _ in range(size):
            roll = self._random.random()
            if roll < 0.05 and self._recent:
                calls.append(self._random.choice(self._recent))  # a client that sends again, much later
                continue
            call = self._call()
            self._recent.append(call)
            calls.extend([call, call] if roll > 0.96 else [call])
        return calls

    def _call(self) -> Call:
        self.made += 1
        if self.made % NEW_CUSTOMER_EVERY == 0:
            self._arrive()
        if self._told and self._told[0][0] <= self.made:
            return self._sentence(heapq.heappop(self._told)[3])
        if self._random.random() < 0.04:
            return self._visit()
        account = self._random.randrange(max(1, self.made // NEW_ACCOUNT_EVERY))
        attributes = self._attributes() if self._random.random() < 0.25 else {}
        return Call(
            number=self.made,
            message=f"m{self.made}",
            source=self._random.choice(SOURCES),
            lane="bulk" if self._random.random() < 0.15 else "live",
            kind="identify" if attributes else "track",
            identifiers=self._identifiers(account),
            occurred_at=BASE - self._random.randrange(2000) * 43_200,
            attributes=attributes,
        )

    def _arrive(self) -> None:
        self._customers += 1
        due = float(self.made)
        for place, (seconds, told) in enumerate(story(self._customers, self._random)):
            due += seconds * self._pace
            heapq.heappush(self._told, (due, self._customers, place, told))

    def _sentence(self, told: Told) -> Call:
        return Call(
            self.made, f"m{self.made}", told.source, told.lane, "track" if told.event else "identify", told.identifiers,
            told.occurred_at, told.attributes, told.event, told.properties,
        )  # fmt: skip

    def _visit(self) -> Call:
        """Something of this very moment: what time alone makes untrue again."""
        name = names(self._random.randrange(max(1, self.made // NEW_ACCOUNT_EVERY)))[0]
        return Call(self.made, f"m{self.made}", self._random.choice(SOURCES), "live", "track", (name,), 0, {}, "Visited")

    def _attributes(self) -> dict[str, Any]:
        """Few names and few instants: values meet, tie and are taken back."""
        made = {"city": self._random.choice(CITIES), "tier": self._random.randrange(5), "vip": self._random.random() < 0.5}
        return {name: made[name] for name in self._random.sample(sorted(made), self._random.randint(1, 3))}

    def _identifiers(self, account: int) -> tuple[str, ...]:
        """Mostly one name alone, so that one person begins as several; now and then a fact that links two."""
        user, email, phone, bot = strong = names(account)
        roll = self._random.random()
        if roll < 0.66:
            return (self._random.choice(strong),)
        if roll < 0.78:
            return (f"anonymous_id:device-{account}",)
        if roll < 0.86:
            return (user, f"anonymous_id:device-{account}")
        if roll < 0.90:
            return (user, "email:unknown")  # junk never links
        if roll < 0.97:
            return self._random.choice(((user, email), (email, phone), (phone, bot), (user, phone, bot)))
        if account % 4:  # two accounts are one customer: chains of up to four
            return (email, names(account - 1)[self._random.choice((1, 2, 3))])
        return (email,)


def names(account: int) -> tuple[str, str, str, str]:
    """The strong identifiers of an account, strongest first."""
    mail = f"email:p{account}@example.org"
    return (f"user_id:u{account}", mail, f"phone:+7916{account:07}", f"telegram_id:{1000 + account}")
