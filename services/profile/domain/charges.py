"""Charges of a person, added up by product and day until the day is told. Pure.

What is open is the sum of the charges that no fact has told yet, so the sums of all that is told are exact whatever the order: a charge
that comes when its day was told opens it anew, and that is told by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from schemas import charges
from schemas.definitions import Published
from schemas.facts import Fact, Lane
from schemas.ids import derive

BRAND = "brand"
GRACE_MS = 3_600_000  # after the day's end, or after a late charge came: the last hour's are told when that is over
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_UTC = ZoneInfo("UTC")

Zones = Mapping[str, ZoneInfo]


class Day(NamedTuple):
    """What is added up together. day: days since 1970-01-01 in the brand's time zone; lane: of the charges, and of the fact that tells."""

    profile: str
    brand: str
    product: str
    currency: str
    day: int
    lane: Lane


class Open(NamedTuple):
    """Charges of a day that are not told yet. first: the smallest of their ids, which no other sum has; minor: their sum; counted: how many
    they are.

    first_at, last_at: of the charges (ms); due_at: when they are told (ms).
    """

    first: str
    minor: int
    counted: int
    first_at: int
    last_at: int
    due_at: int


def join(one: Open, other: Open) -> Open:
    """Both together, in whatever order."""
    return Open(
        first=min(one.first, other.first),
        minor=one.minor + other.minor,
        counted=one.counted + other.counted,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        due_at=min(one.due_at, other.due_at),
    )


def place(fact: Fact, profile: str, zones: Zones) -> tuple[Day, Open]:
    """Where a charge belongs, and its own part of it. Raises charges.Unfit."""
    charge = charges.read(fact.properties)
    at, zone = charges.charged_at(charge, fact), zones.get(fact.brand, _UTC)
    day = (_EPOCH + at * _MS).astimezone(zone).date()
    over = datetime.combine(day + timedelta(days=1), time.min, zone)
    due_at = max((over - _EPOCH) // _MS, fact.received_at) + GRACE_MS
    key = Day(profile, fact.brand, charge.product, charge.amount.currency, (day - _EPOCH.date()).days, fact.lane)
    return key, Open(fact.id, charge.amount.minor, 1, at, at, due_at)


def together(rows: Iterable[tuple[Day, Open]], became: Mapping[str, str]) -> dict[Day, Open]:
    """Days of people some of whom are one now. became: who was merged away -> whom he became."""
    found: dict[Day, Open] = {}
    for key, part in rows:
        _add(found, key._replace(profile=became.get(key.profile, key.profile)), part)
    return found


def _add(days: dict[Day, Open], key: Day, part: Open) -> None:
    days[key] = join(days[key], part) if key in days else part


def take(days: dict[Day, Open], key: Day, part: Open, received_at: int) -> Fact | None:
    """One charge more, received at an instant. What was due by then is told first, as if its timer had come in time (law 5)."""
    held = days.get(key)
    told = rolled_up(key, days.pop(key)) if held is not None and held.due_at <= received_at else None
    _add(days, key, part)
    return told


def rolled_up(key: Day, told: Open) -> Fact:
    """The fact that tells a day's charges. Its id derives from one of them, which no other has told, and the instant."""
    said = charges.RolledUp(
        product=key.product,
        day=date_of(key.day),
        amount=charges.Money(told.minor, key.currency),
        count=told.counted,
        first_at=told.first_at,
        last_at=told.last_at,
    )
    return Fact(
        id=derive(told.first, charges.ROLLED_UP, told.due_at),
        type="track",
        event=charges.ROLLED_UP,
        brand=key.brand,
        source=charges.SOURCE,
        lane=key.lane,
        occurred_at=told.last_at,
        received_at=told.due_at,
        properties=msgspec.to_builtins(said),
        cause=told.first,
        profile=key.profile,
    )


def date_of(day: int) -> str:
    """The ISO date of so many days since 1970-01-01."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def zones(documents: Sequence[Published], _revision: int = 0) -> Zones:
    """Brand -> its time zone, of the brands in force; UTC where there is no such zone."""
    names = {d.key: msgspec.json.decode(d.body).get("time_zone") for d in documents if d.pointer}
    return {key: ZoneInfo(name) for key, name in names.items() if name in available_timezones()}
