"""The documents of a chaos run: J1 with its waits in seconds, a letter at once, and a segment that time alone flips."""

from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from runtime.kafka import Out, Producer, SendFailed
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import encode
from schemas.identity import Identity
from schemas.ids import partition_of
from schemas.journeys import Journey
from schemas.segments import Segment
from schemas.unnamed import condition_key, conditions

STEPS = ("hello", "migration", "price", "letter2", "letter3", "letter4", "letter5", "letter6")
GOAL = {"event": "Balance Topped Up", "where": [{"path": "amount.minor", "op": "gt", "value": 0}]}
LEGAL = {"kind": "attribute", "name": "legal_entity", "op": "eq", "value": True}
RECENT = {"kind": "did", "event": "Visited", "op": "ge", "value": 1, "within": 20_000}

# The oracle has these waits on its own (letters.py): a test says that they agree.
WELCOME: dict[str, Any] = {
    "key": "welcome",
    "brand": "shop",
    "trigger": {"event": "Registered"},
    "goal": GOAL,
    "steps": [
        {"id": "legal", "if": LEGAL, "then": "free_days", "else": "free_hours"},
        {"id": "free_days", "wait": "60s"},
        {"id": "migration", "template": "migration", "next": "pause2"},
        {"id": "free_hours", "wait": "45s"},
        {"id": "price", "template": "price"},
        {"id": "pause2", "wait": "10s"},
        {"id": "letter2", "template": "letter2"},
        {"id": "pause3", "wait": "20s"},
        {"id": "letter3", "template": "letter3"},
        {"id": "pause4", "wait": "10s"},
        {"id": "letter4", "template": "letter4"},
        {"id": "pause5", "wait": "20s"},
        {"id": "letter5", "template": "letter5"},
        {"id": "pause6", "wait": "10s"},
        {"id": "letter6", "template": "letter6"},
    ],
}

# Beside it one letter at once: its intent overtakes what the sender still has to hear of the person.
HELLO: dict[str, Any] = {
    "key": "hello",
    "brand": "shop",
    "trigger": {"event": "Registered"},
    "steps": [{"id": "hello", "template": "hello"}],
}

# The end state must not depend on the order of arrival, so no rule may keep people apart: each account has a user id of every source.
KINDS = ("user_id", "email", "phone", "telegram_id")
IDENTITY: dict[str, Any] = {
    "key": "rules",
    "kinds": [{"kind": kind, "limit": 1000} for kind in KINDS],
    "merges": 10_000,
    "merges_per_hour": 10_000,
}


def template(step: str) -> dict[str, Any]:
    """A letter that says itself which step it is and which fact started the run, so that the SMTP server's log tells."""
    subject = step + " {{ event.message }}"
    return {"key": step, "subject": subject, "text": "Hello {{ profile.city }}, " + step + " it is.\n"}


def documents() -> list[Published]:
    """All of them, each with the pointer to it, checked as the gateway would."""
    journey = Journey.model_validate(WELCOME)
    Journey.model_validate(HELLO)
    asked = {key: {"key": key, "condition": LEGAL} for key in conditions(journey, 1)}
    assert list(asked) == [condition_key("journey", "welcome", 1, "legal")]
    segments = [*asked.values(), {"key": "recent", "condition": RECENT}]
    for segment in segments:
        Segment.model_validate(segment)
    found = [("segment", segment) for segment in segments]
    found += [("template", template(step)) for step in STEPS]
    Identity.model_validate(IDENTITY)
    found += [
        ("identity", IDENTITY),
        ("brand", {"key": "shop", "name": "Shop", "time_zone": "UTC"}),
        ("journey", WELCOME),
        ("journey", HELLO),
    ]
    return [Published(kind=kind, key=body["key"], version=1, pointer=True, body=msgspec.Raw(encode(body))) for kind, body in found]


async def publish(settings: Settings, published: list[Published]) -> bool:
    """Write documents into their topic, as the gateway does. False when the broker is away: some may be missing."""
    places: dict[int, list[Out]] = {}
    for document in published:
        name = f"{document.kind}:{document.key}@{document.version}"
        kind = "journey" if document.kind == "migration" else document.kind  # behind the version to which it leads
        home = partition_of(f"{kind}:{document.key}", settings.partitions)  # all of one document: no pointer overtakes the next
        places.setdefault(home, []).append((name.encode(), encode(document), []))
    producer = Producer(settings, "gateway")
    try:
        await producer.start()
        for partition, records in places.items():
            await producer.send("definitions", partition, records)
    except (SendFailed, KafkaError):
        return False
    finally:
        await producer.stop()
    return True
