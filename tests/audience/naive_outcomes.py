"""Reports of outcomes as one would count them by hand, over lists: what tests/audience/test_outcomes.py holds the index to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Response(NamedTuple):
    """What became of a message. machine: it was told as one's; link: which was followed."""

    event: str
    at: int
    machine: bool = False
    link: int | None = None


@dataclass(frozen=True)
class Message:
    """A message, or one that a control group would have got. state: of its last word."""

    id: str
    profile: str
    at: int
    state: str
    document: str
    step: str
    rule: str = ""
    responses: tuple[Response, ...] = ()


@dataclass
class World:
    """owner: whose a profile is after all merges, and None of those who are gone. bought: (profile, at, amount)."""

    messages: list[Message]
    bought: list[tuple[str, int, int]]
    owner: Callable[[str], str | None]
    window: int
    figures: dict[str, Any] = field(default_factory=dict)

    def whose(self, one: Message) -> str | None:
        return self.owner(one.profile)


def figures(world: World, inside: Callable[[Message], bool], of: Sequence[Message] | None = None) -> dict[str, Any]:
    """All that a row says of the messages for which `inside` is true. Deeds are credited among all of `of`."""
    every = [one for one in (of if of is not None else world.messages) if world.whose(one) is not None]
    told: dict[str, Any] = {}
    accepted = [one for one in every if one.state == "accepted"]
    mine = [one for one in accepted if inside(one)]
    told["sent"] = _pair(world, mine)
    for name, holds in FLAGS.items():
        chosen = [*mine, *(one for one in every if one.state == "failed" and inside(one))] if name == "bounced" else mine
        told[name] = _pair(world, [one for one in chosen if holds(one)])
    told["failed"] = _pair(world, [one for one in every if one.state == "failed" and inside(one)])
    told["in_doubt"] = _pair(world, [one for one in every if one.state == "in_doubt" and inside(one)])
    told |= _deeds(world, mine, accepted)
    told["control"] = {}
    for group in ("local", "global"):
        would = [one for one in every if one.state == "would_have_sent" and one.rule == f"{group}_control"]
        mine = [one for one in would if inside(one)]
        told["control"][group] = {"would_have_sent": _pair(world, mine), **_deeds(world, mine, would)}
    return told


def _pair(world: World, some: Sequence[Message]) -> dict[str, int]:
    return {"messages": len(some), "people": len({world.whose(one) for one in some})}


def _deeds(world: World, mine: Sequence[Message], every: Sequence[Message]) -> dict[str, Any]:
    converted = {world.whose(one) for one in mine if any(_follows(world, one, deed) for deed in world.bought)}
    actions, amount, people, negative = 0, 0, set(), 0
    for deed in world.bought:
        before = [one for one in every if world.whose(one) == world.owner(deed[0]) and one.at < deed[1]]
        last = max(before, key=lambda one: (one.at, -int(one.id.replace("-", ""), 16)), default=None)
        if last is not None and deed[1] <= last.at + world.window and last in mine:
            actions, amount, negative = actions + 1, amount + deed[2], negative + (deed[2] < 0)
            people.add(world.whose(last))
    return {
        "converted": {"people": len(converted)},
        "credited": {"actions": actions, "people": len(people)},
        "revenue": {"minor": amount, "negative": negative},
    }


def _follows(world: World, one: Message, deed: tuple[str, int, int]) -> bool:
    return world.owner(deed[0]) == world.whose(one) and one.at < deed[1] <= one.at + world.window


def _heard(one: Message, word: str, *, clean: bool) -> bool:
    return any(word in told.event and (not clean or not _by_machine(one, told)) for told in one.responses)


def _by_machine(one: Message, told: Response) -> bool:
    """Marked, or sooner than 2 s after the message, or one of the clicks that follow three links within 2 s."""
    clicks = [other for other in one.responses if "Clicked" in other.event]
    starts = [other.at for other in clicks if other.at <= told.at < other.at + 2_000]
    many = any(len({other.link for other in clicks if start <= other.at < start + 2_000}) >= 3 for start in starts)
    return told.machine or told.at < one.at + 2_000 or ("Clicked" in told.event and many)


FLAGS: dict[str, Callable[[Message], bool]] = {
    "bounced": lambda one: _heard(one, "Bounced", clean=False),
    "delivered": lambda one: not _heard(one, "Bounced", clean=False),
    "opened_raw": lambda one: _heard(one, "Opened", clean=False),
    "opened": lambda one: _heard(one, "Opened", clean=True),
    "clicked_raw": lambda one: _heard(one, "Clicked", clean=False),
    "clicked": lambda one: _heard(one, "Clicked", clean=True),
    "click_to_open": lambda one: _heard(one, "Clicked", clean=True) and _heard(one, "Opened", clean=True),
    "unsubscribed": lambda one: _heard(one, "Unsubscribed", clean=False),
    "complained": lambda one: _heard(one, "Spam", clean=False),
}
