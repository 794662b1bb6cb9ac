"""When a marketing message may go: quiet hours, days that classes do not share, and caps counted over reservations.

Pure, and exact because the reservations are read and made under one lock.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from services.orchestrator.domain.rules import Limit, Rules
from services.orchestrator.domain.state import Reservation
from services.orchestrator.domain.zones import Window, Zone, week


class Message(NamedTuple):
    """What the rules ask of a message."""

    message_class: str
    brand: str
    channel: str = ""
    topic: str = ""


class Slot(NamedTuple):
    """at: the first instant at which the message may go; rule: what held it back until then, "" if nothing did."""

    at: int
    rule: str = ""
    detail: str = ""


def search(rules: Rules, zone: Zone, taken: Sequence[Reservation], message: Message, now: int, limit: int) -> Slot:
    """The first instant from `now` on at which every rule holds, as things stand; an instant after `limit` if there is none."""
    found = Slot(now)
    while found.at <= limit:
        blocks = [block for block in _blocks(rules, zone, taken, message, found.at, now, limit) if block.at > found.at]
        if not blocks:
            break
        rule, detail = (found.rule, found.detail) if found.rule else (blocks[0].rule, blocks[0].detail)
        found = Slot(max(block.at for block in blocks), rule, detail)
    return found


def end_of(rules: Rules, zone: Zone, at: int) -> int:
    """The last instant of a slot that begins at `at`: it ends with his local day, or earlier with the next quiet hours.

    The last one inside, because the sender may still call a provider at `not_after` itself.
    """
    return _end_of(rules.quiet, zone, at)


@lru_cache(maxsize=1024)
def _end_of(quiet: tuple[Window, ...], zone: Zone, at: int) -> int:
    """Kept, for thousands of a mailing are decided at one instant in few zones."""
    return zone.quiet(at, quiet, zone.next_day(at)) - 1


def _blocks(
    rules: Rules, zone: Zone, taken: Sequence[Reservation], message: Message, at: int, now: int, limit: int
) -> Iterator[Slot]:
    """Each rule's word on `at`: from when on it would let the message go."""
    if rules.quiet:
        yield Slot(zone.loud(at, rules.quiet, limit), "quiet_hours")
    day = zone.day(at)
    for classes in rules.exclusive:
        others = classes - {message.message_class}
        if message.message_class in classes and any(r.message_class in others and zone.day(r.at) == day for r in taken):
            yield Slot(zone.next_day(at), "same_day")
    for cap in rules.limits:
        if _counts(cap, message):
            counted = [r for r in taken if _counts(cap, r)]
            yield Slot(_free(cap, zone, counted, at, now), cap.rule, cap.name)


def _counts(cap: Limit, one: Message | Reservation) -> bool:
    return (
        one.message_class == cap.message_class
        and cap.brand in (None, one.brand)
        and cap.channel in (None, one.channel)
        and cap.topic in (None, one.topic)
    )


def _free(cap: Limit, zone: Zone, counted: Sequence[Reservation], at: int, now: int) -> int:
    day = zone.day(at)
    if cap.per == "day":
        return at if sum(zone.day(r.at) == day for r in counted) < cap.most else zone.next_day(at)
    if cap.per == "week":
        return at if sum(week(zone.day(r.at)) == week(day) for r in counted) < cap.most else zone.next_week(at)
    if cap.per == "month":
        month = zone.period("month", at)
        used = sum(zone.period("month", r.at) == month for r in counted)
        return at if used < cap.most else zone.start("month", month + 1)
    # What is under way may still go at the end of its slot, so it counts from there; for a later instant it is taken as gone at once.
    ends = sorted(_over(r, cap.within, at) for r in counted if (r.until if at == now else r.at) > at - cap.within)
    return ends[len(ends) - cap.most] if len(ends) >= cap.most else at


def _over(reservation: Reservation, within: int, at: int) -> int:
    """When a reservation falls out of the rolling window."""
    return reservation.at + within if reservation.at + within > at else reservation.until + within
