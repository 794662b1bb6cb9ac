"""The documents of what is done during a chaos run beside the main stream: a campaign, two cascades, journeys that are paused, published
anew while people stand in them, and gone through by people who are parted.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.campaigns import LAUNCHES, Campaign, Launch
from schemas.controls import Gate, Migration, gate_of
from schemas.definitions import Published
from schemas.facts import encode
from schemas.ids import derive
from schemas.journeys import Journey
from schemas.rules import Rule
from schemas.segments import Segment
from schemas.unnamed import conditions

MOST_A_MINUTE = 300
CAMPAIGN: dict[str, Any] = {
    "key": "spring",
    "brand": "shop",
    "audience": {"kind": "attribute", "name": "circle", "op": "eq", "value": "spring"},
    "exclude": {"kind": "attribute", "name": "shy", "op": "eq", "value": True},
    "variants": [
        {"name": "plain", "template": "offer-plain", "share": 50},
        {"name": "rich", "template": "offer-rich", "share": 50},
    ],
    "control": 10,
    "throttle": {"most": MOST_A_MINUTE, "per": "minute"},
}

# The oracles have these waits on their own (seconds): a test says that they agree.
CHAT, MAIL = {"channel": "telegram", "template": "lesson-chat"}, {"channel": "email", "template": "lesson-mail"}
JOURNEYS: tuple[dict[str, Any], ...] = (
    {
        "key": "lesson",
        "brand": "shop",
        "trigger": {"event": "Lesson Asked"},
        "steps": [{"id": "lesson", "cascade": [CHAT, MAIL], "topic": "lesson"}],
    },
    {
        "key": "reminder",
        "brand": "shop",
        "trigger": {"event": "Reminder Asked"},
        "steps": [{"id": "reminder", "cascade": [{**CHAT, "read_within": "15s"}, MAIL], "topic": "lesson"}],
    },
    {
        "key": "trail",
        "brand": "shop",
        "trigger": {"event": "Trail Begun"},
        "steps": [
            {"id": "rest1", "wait": "10s"},
            {"id": "trail1", "template": "trail1"},
            {"id": "rest2", "wait": "15s"},
            {"id": "trail2", "template": "trail2"},
        ],
    },
    {
        "key": "union",
        "brand": "shop",
        "trigger": {"event": "Union Begun"},
        "steps": [
            {"id": "wait1", "wait": "5s"},
            {"id": "union1", "template": "union1"},
            {"id": "wait2", "wait": "60s"},
            {"id": "union2", "template": "union2"},
        ],
    },
)
PATH: tuple[dict[str, Any], ...] = tuple(
    {
        "key": "path",
        "brand": "shop",
        "trigger": {"event": "Path Begun"},
        "steps": [{"id": f"stand{version}", "wait": "20s"}, {"id": f"path{version}", "template": f"path{version}"}],
    }
    for version in (1, 2)
)
MOVES = {1: {"stand1": "stand2"}}
# A cascade is one message: were each of its channels counted, no second one would go.
RULE: dict[str, Any] = {
    "key": "lessons",
    "caps": [{"name": "one lesson", "class": "triggered", "most": 1, "within": "1d", "topic": "lesson"}],
}
LETTERS = ("lesson-mail", "trail1", "trail2", "path1", "path2", "union1", "union2")
OFFERS = ("offer-plain", "offer-rich")
CHATS = ("lesson-chat",)
STEPS = frozenset((*LETTERS, *OFFERS, *CHATS))  # as the witnesses' logs call them


def documents() -> list[Published]:
    """All that is in force from the beginning, each checked as the gateway would."""
    campaign = Campaign.model_validate(CAMPAIGN)
    asked = [{"key": key, "condition": condition} for key, condition in conditions(campaign, 1).items()]
    segments = [Segment.model_validate(body).model_dump(mode="json", by_alias=True) for body in asked]
    for journey in (*JOURNEYS, *PATH):
        assert not conditions(Journey.model_validate(journey), 1)
    Rule.model_validate(RULE)
    found = [published("segment", str(body["key"]), body) for body in segments]
    found += [published("template", key, _letter(key, "{{ event.message }}")) for key in LETTERS]
    found += [published("template", key, _letter(key, "{{ campaign.launch }}")) for key in OFFERS]
    found += [published("template", key, _chat(key)) for key in CHATS]
    found += [published("journey", body["key"], body) for body in (*JOURNEYS, PATH[0])]
    return [*found, published("rule", RULE["key"], RULE), published("campaign", CAMPAIGN["key"], CAMPAIGN)]


def launch_id(number: int) -> str:
    return derive("launch", CAMPAIGN["key"], number)


def launch(number: int, revision: int, state: str, start_at: int, now: int) -> Published:
    """How a launch stands from now on. start_at: when it was launched (ms)."""
    told = {"key": launch_id(number), "campaign": CAMPAIGN["key"], "brand": "shop", "version": 1, "number": number}
    body = Launch.model_validate({**told, "state": state, "start_at": start_at, "changed_at": now})
    return published(LAUNCHES, body.key, body.model_dump(mode="json"), revision)


def gate(journey: str, number: int, state: str, now: int) -> Published:
    """Whoever would enter meanwhile waits."""
    body = Gate.model_validate({"key": gate_of(journey), "state": state, "entrants": "wait", "at": now})
    return published("gate", body.key, body.model_dump(mode="json"), number)


def led_on(now: int) -> list[Published]:
    """The second version of the path, and the order that leads people to it."""
    order = Migration(key="path", to=2, moves=MOVES, at=now)
    return [published("journey", "path", PATH[1], 2), published("migration", "path", order.model_dump(mode="json"))]


def published(kind: str, key: str, body: Mapping[str, Any], version: int = 1) -> Published:
    return Published(kind=kind, key=key, version=version, pointer=True, body=msgspec.Raw(encode(body)))


def _letter(key: str, about: str) -> dict[str, Any]:
    return {"key": key, "subject": f"{key} {about}", "text": f"It is {key}.\n"}


def _chat(key: str) -> dict[str, Any]:
    return {"key": key, "channel": "telegram", "text": key + " {{ event.message }}"}
