"""What simulated readers do with a letter: a pure function of the seed and the letter's Message-ID. Nobody real opened anything."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from deploy.demo.people import draw
from deploy.demo.story import HOUR, MINUTE

OPENS = 0.25  # of all letters
CLICKS = 0.2  # of those opened: 5 % of all
LEAVES = 0.02  # of those opened: 0.5 % of all
_LINK = "/{}/[A-Za-z0-9_-]{{42}}"

Kind = Literal["open", "click", "unsubscribe"]


class Reaction(NamedTuple):
    """at: UTC ms, simulated; mail: its number at the catcher; order: who does what first of things at the same instant."""

    at: int
    mail: int
    order: int
    kind: Kind


def reactions(seed: int, message_id: str, mail: int, sent_at: int) -> list[Reaction]:
    """In the order in which they happen. sent_at: simulated ms."""
    if draw(seed, "open", message_id) >= OPENS:
        return []
    opened = _awake(sent_at + 3 * MINUTE + int(draw(seed, "when", message_id) ** 3 * 20 * HOUR))
    found = [Reaction(opened, mail, 0, "open")]
    if draw(seed, "click", message_id) < CLICKS:
        found.append(Reaction(opened + MINUTE, mail, 1, "click"))
    if draw(seed, "leave", message_id) < LEAVES:
        found.append(Reaction(opened + 2 * MINUTE, mail, 2, "unsubscribe"))
    return found


def _awake(at: int) -> int:
    """Nobody reads from eight in the evening to eight in the morning (UTC): twelve hours later then."""
    return at if 8 <= at // HOUR % 24 < 20 else at + 12 * HOUR


def path(kind: Kind, letter: Mapping[str, Any]) -> str:
    """The link in a letter (as the catcher shows it) that this is done with, without host. Raises ValueError: there is none."""
    if kind == "unsubscribe":
        text = next((value for name, value in letter["headers"] if name.lower() == "list-unsubscribe"), "")
    else:
        text = letter["html"] or ""
    found = re.search(_LINK.format({"open": "o", "click": "c", "unsubscribe": "u"}[kind]), text)
    if found is None:
        raise ValueError(f"mail {letter['id']} has no link to {kind}")
    return found[0]
