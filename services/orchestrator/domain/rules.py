"""The rules over everything that is sent, out of all published rule documents: every one of them holds."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.documents import duration_ms
from schemas.journeys import Cap, Rule
from services.orchestrator.domain.zones import DAY, Window

KEEP_MS = 35 * DAY


class Limit(NamedTuple):
    """A cap. brand None: counted over all brands. per: "day" or "week"; or within: ms of a rolling window."""

    name: str
    rule: str
    message_class: str
    most: int
    brand: str | None
    per: str | None
    within: int


class Rules(NamedTuple):
    """quiet: windows, joined; exclusive: sets of classes that share no local day; controls: (share of 10,000, salt).

    keep: for how long (ms) a reservation counts in any of them.
    """

    limits: tuple[Limit, ...] = ()
    exclusive: tuple[frozenset[str], ...] = ()
    quiet: tuple[Window, ...] = ()
    controls: tuple[tuple[int, str], ...] = ()
    keep: int = KEEP_MS


def joined(rules: Iterable[Rule]) -> Rules:
    """What all these documents ask for together."""
    rules = list(rules)
    limits = tuple(_limit(cap) for rule in rules for cap in rule.caps)
    return Rules(
        limits=limits,
        exclusive=tuple(frozenset(rule.exclusive_day) for rule in rules if len(set(rule.exclusive_day)) > 1),
        quiet=tuple((_clock(r.quiet_hours.start), _clock(r.quiet_hours.end)) for r in rules if r.quiet_hours),
        controls=tuple((r.global_control.share, r.global_control.salt) for r in rules if r.global_control),
        keep=max([KEEP_MS, *(limit.within for limit in limits)]),
    )


def _limit(cap: Cap) -> Limit:
    window = cap.per or cap.within or ""
    within = duration_ms(cap.within) if cap.within else 0
    return Limit(cap.name, f"cap:{cap.message_class}:{window}", cap.message_class, cap.most, cap.brand, cap.per, within)


def _clock(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 3_600_000 + int(minutes) * 60_000
