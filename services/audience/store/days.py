"""Days that come back each year: which of the dates that people have are near, and whose they are."""
# ruff: noqa: S608 - names of ours and quoted texts

from datetime import date
from typing import Any

from runtime.lake import text
from schemas.audience import Anniversary
from schemas.zones import DAY, zone
from services.audience.store import said
from services.audience.store.leaves import NOBODY, PEOPLE, Asked, Leaves, steps
from services.audience.store.windows import ZONES, zoned

_EPOCH_DAY = date(1970, 1, 1).toordinal()


def anniversary(duck: Any, leaves: Leaves, leaf: Anniversary, now: int) -> Asked:
    """Dates are looked at one by one, but each once, whoever has it."""
    parts = (PEOPLE, ("attribute", leaf.name), *ZONES)
    return Asked((dated_today(duck, leaves.words(leaf.name), zoned(leaves), leaf, now),), parts)


def dated_today(duck: Any, words: str, zones: str, leaf: Anniversary, now: int) -> str:
    """A query for whose day it is. words: the attribute of each person, as WORDS; zones: n and zone of each who has one."""
    value = said.value(steps(leaf.path))
    dated = (
        f"(SELECT v.n, ({value.date}) AS date, coalesce(length({value.text}) = 10, false) AS plain, coalesce(z.zone, {text(leaf.zone)}) AS zone "
        f"FROM {words} v LEFT JOIN {zones} z ON z.n = v.n WHERE ({value.date}) IS NOT NULL)"
    )
    there = duck.execute(f"SELECT DISTINCT date, plain, zone FROM {dated}").fetchall()
    near = ", ".join(f"({at}, {plain}, {text(name)})" for at, plain, name in there if is_near(leaf, at, name, now, plain=plain))
    if not near:
        return NOBODY
    return f"SELECT n FROM {dated} JOIN (VALUES {near}) near (date, plain, zone) USING (date, plain, zone)"


def is_near(leaf: Anniversary, at: int, name: str, now: int, *, plain: bool) -> bool:
    """Whether it is now the time of a date. plain: the date has no time of day, and is the same everywhere."""
    clock = zone(name)
    born, today = _date(at // DAY) if plain else clock.date(at), clock.begun(now)
    if born is None:
        return False
    year = date.fromordinal(today + _EPOCH_DAY).year
    years = (born.year,) if leaf.year == "own" else range(max(1, year - 2), min(9999, year + 2) + 1)
    starts = (_day(born, each) - leaf.before for each in years)
    return any(start <= today < start + leaf.days for start in starts)


def _date(day: int) -> date | None:
    ordinal = day + _EPOCH_DAY
    return date.fromordinal(ordinal) if 1 <= ordinal <= date.max.toordinal() else None


def _day(born: date, year: int) -> int:
    try:
        return born.replace(year=year).toordinal() - _EPOCH_DAY
    except ValueError:  # 29 February
        return date(year, 2, 28).toordinal() - _EPOCH_DAY
