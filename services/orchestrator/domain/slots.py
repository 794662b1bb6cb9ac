"""When a marketing message may go: quiet hours, days that classes do not share, and caps counted over reservations.

Pure, and exact because the reservations are read and made under one lock.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from services.orchestrator.domain.rules import Hours, Limit, Rules
from services.orchestrator.domain.state import Reservation, replace
from services.orchestrator.domain.windows import closes, opens
from services.orchestrator.domain.zones import Window, Zone, week


class Message(NamedTuple):
    """What the rules ask of a message. cascade: the first intent of it, where it was tried over another channel before."""

    message_class: str
    brand: str
    channel: str = ""
    topic: str = ""
    cascade: str = ""


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


def hoped(rules: Rules, zone: Zone, taken: Sequence[Reservation], message: Message, now: int, limit: int) -> int | None:
    """When to ask again, up to `limit`, about a message for which there is no slot before: it may get one if what is under way has gone
    long ago, of which nothing was heard yet. None: it gets none.
    """
    gone = [replace(r, until=r.at) for r in taken]
    found = search(rules, zone, gone, message, now, limit).at
    return None if found > limit or now >= limit else (found if found > now else limit)


def end_of(rules: Rules, zone: Zone, message: Message, at: int) -> int:
    """The last instant of a slot that begins at `at`: it ends with his local day, or earlier with the next quiet hours or its window.

    The last one inside, because the sender may still call a provider at `not_after` itself.
    """
    end = _day_ends(rules.quiet, zone, at)
    for hours in rules.hours:
        if _is_of(hours, message):
            end = closes(zone, at, hours.spans, end)
    return end - 1


@lru_cache(maxsize=1024)
def _day_ends(quiet: tuple[Window, ...], zone: Zone, at: int) -> int:
    """Kept, for thousands of a mailing are decided at one instant in few zones."""
    return zone.quiet(at, quiet, zone.next_day(at))


def _blocks(
    rules: Rules, zone: Zone, taken: Sequence[Reservation], message: Message, at: int, now: int, limit: int
) -> Iterator[Slot]:
    """Each rule's word on `at`: from when on it would let the message go."""
    if rules.quiet:
        yield Slot(zone.loud(at, rules.quiet, limit), "quiet_hours")
    for hours in rules.hours:
        if _is_of(hours, message):
            yield Slot(opens(zone, at, hours.spans, limit), "send_window", hours.name)
    for classes in rules.exclusive:
        others = [r for r in taken if r.message_class in classes - {message.message_class}]
        if message.message_class in classes and _used(others, zone.day, at, now):
            yield Slot(zone.next_day(at), "same_day")
    for cap in rules.limits:
        if _counts(cap, message):
            counted = [r for r in taken if _counts(cap, r)]
            if not any(message.cascade and message.cascade in (r.intent, r.cascade) for r in counted):
                yield Slot(_free(cap, zone, _once(counted), at, now), cap.rule, cap.name)


def _is_of(hours: Hours, message: Message) -> bool:
    return hours.message_class in (None, message.message_class) and _is_within(hours, message)


def _counts(cap: Limit, one: Message | Reservation) -> bool:
    return cap.message_class in ("", one.message_class) and _is_within(cap, one)


def _is_within(scope: Limit | Hours, one: Message | Reservation) -> bool:
    return scope.brand in (None, one.brand) and scope.channel in (None, one.channel) and scope.topic in (None, one.topic)


def _used(taken: Iterable[Reservation], period_of: Callable[[int], int], at: int, now: int) -> int:
    """How many of these may go, or have gone, in the day, week or month of his in which `at` lies.

    The slot of one that is under way was one day when it was given, and may be two since his zone has changed. For a later instant it is
    taken as gone at once, as in a rolling window.
    """
    period = period_of(at)

    def counts(one: Reservation) -> bool:
        first = period_of(one.at)
        return first == period or (first < period and one.until > one.at and at == now and period_of(one.until) >= period)

    return sum(map(counts, taken))


def _once(counted: Sequence[Reservation]) -> Sequence[Reservation]:
    """A cascade is one message: it counts where it first went."""
    if not any(r.cascade for r in counted):
        return counted
    found: dict[str, Reservation] = {}
    for r in sorted(counted, key=lambda r: r.at):
        found.setdefault(r.cascade or r.intent, r)
    return list(found.values())


def _free(cap: Limit, zone: Zone, counted: Sequence[Reservation], at: int, now: int) -> int:
    if cap.per == "day":
        return at if _used(counted, zone.day, at, now) < cap.most else zone.next_day(at)
    if cap.per == "week":
        return at if _used(counted, lambda instant: week(zone.day(instant)), at, now) < cap.most else zone.next_week(at)
    if cap.per == "month":
        used = _used(counted, lambda instant: zone.period("month", instant), at, now)
        return at if used < cap.most else zone.start("month", zone.period("month", at) + 1)
    # What is under way may still go at the end of its slot, so it counts from there; for a later instant it is taken as gone at once.
    ends = sorted(_over(r, cap.within, at) for r in counted if (r.until if at == now else r.at) > at - cap.within)
    return ends[len(ends) - cap.most] if len(ends) >= cap.most else at


def _over(reservation: Reservation, within: int, at: int) -> int:
    """When a reservation falls out of the rolling window."""
    return reservation.at + within if reservation.at + within > at else reservation.until + within
