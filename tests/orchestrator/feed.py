"""Writes to the topics what the other services would, and reads what the orchestrator said."""

import asyncio

import msgspec

from runtime.drive import set_clock
from runtime.kafka import Producer, create_topics
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import PROFILE_CHANGED, Fact, encode, extend
from schemas.ids import derive, partition_of
from schemas.memberships import Membership
from schemas.messages import Decision
from schemas.topics import BY_NAME
from schemas.unnamed import condition_key
from services.orchestrator.domain import state
from tests.support.live import T0, fact, read, rows

ANN, BOB, CAT = (derive("profile", name) for name in ("ann", "bob", "cat"))
MESSAGES = ("email.triggered", "sms.triggered", "email.mass", "email.service")


class Feed:
    """Writes to the topics what the other services would."""

    def __init__(self, config: Settings) -> None:
        self.config, self.offsets = config, {}
        self._seq = 0

    async def put(self, topic: str, *values, partition: int | None = None) -> None:
        await create_topics(self.config, [BY_NAME[topic]])
        places: dict[int, list] = {}
        for value in values:
            self._seq += 1
            key = getattr(value, "profile", None) or getattr(value, "key", "")
            place = partition_of(key, self.config.partitions) if partition is None else partition
            by = getattr(value, "by", "")
            headers = [("t", by.encode())] if by else []
            raw = value if isinstance(value, bytes) else extend(encode(value), b'"src":"test","seq":[0,%d,0]' % self._seq)
            places.setdefault(place, []).append((key.encode(), raw, headers))
        producer = await Producer(self.config, "test").start()
        for place, records in places.items():
            await producer.send(topic, place, records)
            self.offsets[(topic, place)] = self.offsets.get((topic, place), 0) + len(records)
        await producer.stop()

    async def documents(self, *documents: Published, answered: bool = True) -> None:
        """answered: the segmenter knows the conditions of the journeys already."""
        await self.put("definitions", *documents)
        self._conditions = [key for d in documents if d.kind == "journey" for key in conditions(d)]
        if answered:
            await self.answered(T0)

    async def answered(self, at: int) -> None:
        """The segmenter has asked everybody about the conditions of the journeys."""
        for place in range(self.config.partitions):
            told = [Membership(type="mark", received_at=at, topic=key, partition=place, offset=1) for key in self._conditions]
            await self.put("memberships", *told, partition=place)

    async def marks(self, at: int, topic: str = "facts") -> None:
        """The segmenter has come to the end of every partition."""
        for (name, place), end in sorted(self.offsets.items()):
            if name == topic:
                mark = Membership(type="mark", received_at=at, topic=name, partition=place, offset=end)
                await self.put("memberships", mark, partition=place)


def conditions(document: Published) -> list[str]:
    body = msgspec.json.decode(bytes(document.body))
    steps = [step["id"] for step in body["steps"] if "if" in step] + ["audience"] * ("audience" in body)
    return [condition_key("journey", document.key, document.version, step) for step in steps]


def person(profile: str, at: int, *identifiers: str, **attributes) -> Fact:
    told = {name: [at, value] for name, value in attributes.items()}
    more = {"bucketing_id": profile, "bucketed_at": at, "attributes": told, "profile": profile}
    return fact(f"changed {profile} {at}", *identifiers, at=at, type=PROFILE_CHANGED, event="", **more)


def did(profile: str, event: str, at: int, **more) -> Fact:
    return fact(f"{profile} {event} {at}", at=at, event=event, profile=profile, **more)


def entered(profile: str, segment: str, at: int, kind: str = "entered", **more) -> Membership:
    return Membership(type=kind, received_at=at, at=at, id=derive(profile, segment, at), profile=profile, segment=segment, **more)


def verdict(intent: dict, state: str, at: int) -> Decision:
    return Decision(
        id=derive(intent["id"], state), brand="shop", profile=intent["profile"], verdict=state, by="sender", received_at=at,
        intent=intent["id"], attempt=intent.get("attempt", 0),
    )  # fmt: skip


async def sent(config: Settings) -> list[dict]:
    topics = await asyncio.gather(*(read(config, f"messages.{kind}") for kind in MESSAGES))
    found = [intent for topic in topics for intent in topic]
    return sorted(found, key=lambda i: (i["received_at"], i["id"], i.get("attempt", 0)))


async def accept(context, feed: Feed, at: int) -> None:
    """Everything that is under way was taken by its provider."""
    people = await rows(context, "SELECT id::text AS id, state FROM person WHERE merged_into IS NULL ORDER BY id")
    letters = [
        ({"id": key, "profile": row["id"]}, p) for row in people for key, p in sorted(state.decode(row["state"]).pending.items())
    ]
    for letter, _ in [pair for pair in letters if pair[1].due_at is None]:
        await feed.put("decisions", verdict(letter, "accepted", at))


async def drive(context, conductor, to: int, feed: Feed | None = None) -> None:
    """The clock goes on in steps of at most an hour; hours in which nothing is due are skipped. feed: for a prompt sender's words."""
    while True:
        due = await rows(context, "SELECT min(due_at) AS due FROM person")
        following = min(to, max(due[0]["due"] or to, (await context.clock.read()).at))
        await set_clock(context.db, following)
        await conductor.settle()
        if feed is not None:
            await accept(context, feed, following)
            await conductor.settle()
        again = await rows(context, "SELECT min(due_at) AS due FROM person")
        if following == to and (again[0]["due"] or to + 1) > to:
            return
