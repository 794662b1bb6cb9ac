"""A sender under test: what profile, the orchestrator and the gateway tell it, and how it is started."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from runtime.kafka import Producer, create_topics
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import PROFILE_CHANGED, Fact, Seq, encode
from schemas.ids import derive, partition_of
from schemas.messages import Intent, intent_id
from schemas.topics import CLASSES, DEFINITIONS, FACTS, messages
from services.sender.__main__ import service
from services.sender.settings import SenderSettings
from tests.conftest import free_ports
from tests.support.live import T0, rows

TEMPLATE = {
    "key": "hello",
    "subject": "Hi {{ profile.name }}",
    "html": '<p>Hello <a href="https://shop.example/x?a=1&amp;b=2">go</a></p>',
}


def person(n: int) -> str:
    return derive("person", n)


def contact(n: int, address: str | None = None, at: int = T0, **more) -> list[Fact]:
    """What profile tells of somebody who consented."""
    address = address or f"p{n}@example.org"
    common = {"brand": "shop", "source": "site", "occurred_at": at, "received_at": at, "profile": person(n), **more}
    told = Fact(
        id=derive("c", n), type=PROFILE_CHANGED, identifiers=(f"email:{address}",), attributes={"name": (at, f"P{n}")}, **common
    )
    yes = Fact(id=derive("y", n), type="track", event="Consent Granted", properties={"channel": "email"}, **common)
    return [told, yes]


def intent(n: int, step: str = "s1", cls: str = "triggered", at: int = T0 + 1000, **more) -> Intent:
    given = {"not_after": at + 86_400_000, "received_at": at, "occurrence": derive("start", n), "template": "hello", **more}
    id_ = intent_id("journey:welcome", 1, step, person(n), given["occurrence"])
    return Intent(
        id=id_, brand="shop", profile=person(n), channel="email", message_class=cls, template_version=1,
        document="journey:welcome", version=1, step=step, **given,
    )  # fmt: skip


async def put(config: Settings, facts=(), intents=(), documents=True) -> None:
    """Straight to the topics, with the headers and seqs that our services write."""
    channels = {"email", *(one.channel for one in intents)}
    await create_topics(config, [FACTS, DEFINITIONS, *(messages(channel, cls) for channel in channels for cls in CLASSES)])
    producer = await Producer(config, "test").start()
    for number, fact in enumerate(facts):
        header = [("t", (fact.event or fact.type).encode())]
        value = encode(msgspec.structs.replace(fact, src="test", seq=Seq(0, put.n, number)))
        await producer.send("facts", partition_of(fact.profile, config.partitions), [(fact.profile.encode(), value, header)])
    for number, one in enumerate(intents):
        topic = f"messages.{one.channel}.{one.message_class}"
        value = msgspec.json.encode(msgspec.structs.replace(one, src="orch", seq=Seq(0, put.n, number)))
        await producer.send(topic, partition_of(one.profile, config.partitions), [(one.profile.encode(), value, [])])
    put.n += 1
    await producer.stop()
    if documents:
        await publish(config, ("template", TEMPLATE))


put.n = 0


async def publish(config: Settings, *documents: tuple[str, dict[str, Any]]) -> None:
    """Documents (kind, body) in force, each as its first version."""
    await create_topics(config, [DEFINITIONS])
    producer = await Producer(config, "test").start()
    for kind, given in documents:
        body = msgspec.Raw(msgspec.json.encode(given))
        document = Published(kind=kind, key=given["key"], version=1, body=body, pointer=True, received_at=T0)
        await producer.send("definitions", 0, [(f"{kind}:{given['key']}@1".encode(), msgspec.json.encode(document), [])])
    await producer.stop()


def sender(config: Settings, smtp, **more):
    settings = SenderSettings(smtp_port=smtp.port, public_port=free_ports(1)[0], smtp_connections=8, **more)
    return service(settings, config), settings


def environment(config: Settings, smtp, **more: Any) -> dict[str, str]:
    """Of a sender in a process of its own."""
    given = {
        "KAFKA": config.kafka, "TOPIC_PREFIX": config.topic_prefix, "PARTITIONS": config.partitions, "SESSION_TIMEOUT_MS": 6000,
        "SMTP_PORT": smtp.port, **more,
    }  # fmt: skip
    return {"DATABASE_URL": config.database_url, **{f"OTKLIK_{name}": str(value) for name, value in given.items()}}


def arm(home: Path, point: str) -> None:
    """Kill the sender with this home at its failpoint, once."""
    draft = home / "failpoints" / "draft"
    draft.parent.mkdir(exist_ok=True)
    draft.write_text("kill")
    draft.rename(draft.with_name(f"sender.{point}"))


async def states(context) -> Counter:
    return Counter({r["state"]: r["n"] for r in await rows(context, "SELECT state, count(*)::int AS n FROM attempt GROUP BY 1")})
