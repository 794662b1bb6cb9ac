"""A cascade of three channels, somebody who comes to it, and what is seen of it."""

from typing import Any

from schemas.messages import Intent
from tests.orchestrator.world import T0, World, journey, wait

KINDS = "email phone telegram_id"
TELEGRAM = {"channel": "telegram", "template": "tg", "read_within": "2h"}
SMS = {"channel": "sms", "template": "text", "delivered_within": "10m"}
EMAIL = {"channel": "email", "template": "mail"}
THREE = (TELEGRAM, SMS, EMAIL)
EVENTS = {"telegram": "Telegram", "sms": "SMS", "email": "Email", "vk": "VK"}


def cascade(step: str = "c", *attempts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": step, "cascade": list(attempts or THREE), **more}


def started(*documents: Any, kinds: str = KINDS, steps: Any = None, **more: Any) -> World:
    """Somebody has come to the cascade."""
    world = World(journey("j", *(steps or [cascade(**more)]), wait("after", "30d")), *documents)
    world.person("p", kinds=kinds)
    world.fact("p", "Registered")
    return world


def tells(world: World, intent: Intent, word: str, **more: Any) -> None:
    """A reader or a provider says something of a message."""
    event = f"{EVENTS[intent.channel]} {word}"
    world.fact(intent.profile, event, lane="bulk", properties={"intent": intent.id, **more})


def channels(world: World) -> list[tuple[str, int]]:
    """(channel, when)"""
    return [(i.channel, i.received_at - T0) for i in world.intents]


def fell(world: World) -> list[tuple[str, str, str, list[int]]]:
    """(left channel, rule, the next one, position)"""
    told = [d for d in world.decisions if d.verdict == "fallback"]
    return [(d.channel, d.rule, d.detail["to"], d.detail["cascade"]) for d in told]


def stands(world: World, who: str = "p") -> str:
    (run,) = world.people[who].runs
    return run.step
