"""What the sender tells the others of an intent: a verdict on `decisions`, and for what went out a fact on `facts.bulk`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.batch import At, Emit
from schemas import topics
from schemas.facts import Fact, encode
from schemas.ids import derive
from schemas.messages import Decision, Intent
from services.sender.domain import BOUNCED

SENT_EVENT: Mapping[str, str] = {
    "email": "Email Sent", "sms": "SMS Sent", "telegram": "Telegram Sent", "vk": "VK Sent", "webhook": "Webhook Sent",
}  # fmt: skip
HANDED = "Handed to Manager"


def verdict(intent: Intent, state: str, rule: str, now: int, gate: int = 0) -> Decision:
    """What the sender tells of an intent; its id is the same however often it is told."""
    return Decision(
        id=derive("verdict", intent.id, intent.attempt, state, rule),
        brand=intent.brand,
        profile=intent.profile,
        verdict=state,  # type: ignore[arg-type]
        by="sender",
        received_at=now,
        document=intent.document,
        version=intent.version,
        step=intent.step,
        occurrence=intent.occurrence,
        intent=intent.id,
        attempt=intent.attempt,
        channel=intent.channel,
        message_class=intent.message_class,
        rule=rule,
        cause=intent.cause,
        gate=gate,
    )


def verdict_emit(intent: Intent, state: str, rule: str, now: int, at: At, gate: int = 0) -> Emit:
    """gate: of a held one, the number of the gate."""
    value = msgspec.json.encode(verdict(intent, state, rule, now, gate))
    return Emit(topics.DECISIONS.name, intent.profile, value, at, "sender")


def sent_emit(intent: Intent, person: str, now: int, at: At) -> Emit:
    """The fact that a message went out, or that a manager was told of him: for segments, reports and the timeline."""
    return _fact("sent", HANDED if intent.to else SENT_EVENT[intent.channel], intent, person, now, at)


def bounced_emit(intent: Intent, person: str, now: int, at: At) -> Emit:
    """The fact that the letter's address does not exist, as its server said at once. The address does not stand in it."""
    return _fact("bounced", BOUNCED, intent, person, now, at, type="hard")


def _fact(word: str, event: str, intent: Intent, person: str, now: int, at: At, **more: Any) -> Emit:
    fact = Fact(
        id=derive(word, intent.id, intent.attempt),
        type="track",
        event=event,
        brand=intent.brand,
        source="sender",
        lane="bulk",
        occurred_at=now,
        received_at=now,
        properties={
            "intent": intent.id,
            "document": intent.document,
            "step": intent.step,
            "template": intent.template,
            "channel": intent.channel,
            "class": intent.message_class,
            **({"cascade": intent.cascade} if intent.cascade else {}),
            **more,
        },
        cause=intent.cause,
        profile=person,
    )
    return Emit(topics.FACTS_BULK.name, person, encode(fact), at, fact.event)
