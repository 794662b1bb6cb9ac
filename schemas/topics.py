"""Every topic: its name, key, who writes it, and how long it is kept. `make check` fails on a topic that is not here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

PARTITIONS = 12  # equal for all topics; fixed at install (docs/operations.md says how to change it)
DAY_MS = 86_400_000
MAX_RECORD_BYTES = 900_000  # a record larger than this is refused when it is emitted, not when it is sent


@dataclass(frozen=True)
class Topic:
    """open: others than our services may write it, so an unreadable record is buried and never stops the service."""

    name: str
    key: str
    written_by: str
    what: str
    retention_ms: int = 7 * DAY_MS
    compacted: bool = False
    open: bool = False


FACTS_RAW = Topic(
    "facts.raw",
    "source + strongest identifier",
    "ingest, gateway, orchestrator, profile, sender, backends",
    "normalised facts",
    open=True,
)
FACTS_RAW_BULK = Topic(
    "facts.raw.bulk", FACTS_RAW.key, "ingest, profile, sender, warehouse, backends", "facts nobody waits for", open=True
)
FACTS = Topic("facts", "profile id", "profile", "facts with their profile, and what happened to the profile itself")
FACTS_BULK = Topic("facts.bulk", "profile id", "profile, sender", "the second lane of facts")
MEMBERSHIPS = Topic("memberships", "profile id", "segmenter", "entered and left with the cause, and marks")
DECISIONS = Topic("decisions", "profile id", "orchestrator, sender", "every verdict and the rule that gave it")
DEFINITIONS = Topic("definitions", "document id @ version", "gateway", "published documents and pointers", compacted=True)

Channel = Literal["email", "sms", "telegram", "vk"]
CHANNELS: tuple[str, ...] = get_args(Channel)
ADDRESS_KIND: Mapping[str, str] = {"email": "email", "sms": "phone", "telegram": "telegram_id", "vk": "vk_id"}  # kind of identifier
# What an intent may go by: to the person over a channel, or about him to a customer's system.
Carrier = Literal["email", "sms", "telegram", "vk", "webhook"]
CARRIERS: tuple[str, ...] = get_args(Carrier)
CLASSES = ("service", "triggered", "mass")


def messages(channel: str, message_class: str) -> Topic:
    """The topic of intents of one carrier and class: a mass mailing never delays a password mail."""
    return Topic(f"messages.{channel}.{message_class}", "profile id", "orchestrator", "intents to send")


MESSAGES = tuple(messages(channel, cls) for channel in CARRIERS for cls in CLASSES)
ALL = (FACTS_RAW, FACTS_RAW_BULK, FACTS, FACTS_BULK, MEMBERSHIPS, DECISIONS, DEFINITIONS, *MESSAGES)
BY_NAME = {topic.name: topic for topic in ALL}
