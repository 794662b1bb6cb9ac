"""Leaves about calendars, attribute dates and several accumulators at once, each as a function of (series, attributes, now).

They return what `horizons` describes. What is asked of every fact is written out as source text instead (source.py).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas import audience as a
from schemas.attributes import Entry, date_ms
from schemas.zones import Unit, Zone, names, zone
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.normal import needs
from services.segmenter.domain.recurring import anniversary
from services.segmenter.domain.series import NOTHING, Series
from services.segmenter.domain.values import COMPARE, dig, steps

AllSeries = Mapping[int, Series]
Attributes = Mapping[str, Entry]
Closure = Callable[[AllSeries, Attributes, int], int]
Holds = Callable[[list[Series], int, int], bool]  # of what happened from one instant on and before another

ZONES = ("time_zone", "timezone")  # attributes that name a person's zone
ABSENT = (0, None)


def closure(leaf: a.Leaf) -> Closure:
    """The evaluation of a leaf that is not written out."""
    match leaf:
        case a.Did() | a.Total() | a.Average() | a.Distinct():
            return _windowed(leaf)
        case a.Sequence():
            return _sequence(leaf)
        case a.Since():
            return _since(leaf)
        case a.Anniversary():
            return _anniversary(leaf)
        case _:
            raise TypeError(f"{leaf.kind}: written out in source.py")


def asked_by(window: a.Window | None) -> tuple[str, ...]:
    """The attributes that say where a window lies."""
    if isinstance(window, a.Around):
        return (window.name,)
    return ZONES if isinstance(window, a.Calendar) else ()


def zone_of(attributes: Attributes, otherwise: str) -> Zone:
    """The person's time zone: the greater text where two attributes name one."""
    named = [entry[1] for name in ZONES if (entry := attributes.get(name)) and type(entry[1]) is str and entry[1] in names()]
    return zone(max(named, default=otherwise))


def _windowed(leaf: a.Did | a.Total | a.Average | a.Distinct) -> Closure:
    ids, holds = [need.id for need in needs(leaf)], _holds(leaf)
    match leaf.window:
        case a.Calendar(unit=unit, back=back, zone=otherwise):
            periods = Periods(unit, back)
            return lambda every, said, now: by_period(holds, _of(every, ids), periods.at(zone_of(said, otherwise), now), back)
        case a.Around(name=name, path=path, after=after, until=until):
            place = steps(path)
            return lambda every, said, _now: around(holds, _of(every, ids), dig(said.get(name, ABSENT)[1], place), after, until)
        case _:
            assert isinstance(leaf, a.Average)
            return _average(leaf, ids)


def _of(every: AllSeries, ids: Sequence[int]) -> list[Series]:
    return [every.get(id_, NOTHING) for id_ in ids]


class Periods:
    """Where the days, weeks ... around an instant begin, by time zone: worked out once for each, as facts come one after the other."""

    def __init__(self, unit: Unit, back: int) -> None:
        self._unit, self._back = unit, back
        self._last: dict[str, list[int]] = {}

    def at(self, where: Zone, now: int) -> list[int]:
        """The instants (ms) at which they begin, from the one that lies `back` before that of `now` on; as many follow it, two at least."""
        back, unit = self._back, self._unit
        begins = self._last.get(where.name)
        if begins is None or not begins[back] <= now < begins[back + 1]:
            current = where.period(unit, now)
            begins = [where.start(unit, period) for period in range(current - back, current + max(2, back + 1) + 1)]
            self._last[where.name] = begins
        return begins


def by_period(holds: Holds, series: list[Series], begins: list[int], back: int) -> int:
    """The truth over one calendar period, and the first midnight at which it is another: nothing happens in a period that is to come.

    begins: see Periods.
    """
    times = series[0].times
    if not times or times[-1] < begins[0]:
        return NEVER if holds(series, 0, 0) else -NEVER
    value = holds(series, begins[0], begins[1])
    for place in range(1, back + 2):
        if holds(series, begins[place], begins[place + 1]) != value:
            turns = begins[place + back]
            return turns if value else -turns
        if begins[place] > times[-1]:
            break  # the later ones are as empty as this one
    return NEVER if value else -NEVER


def around(holds: Holds, series: list[Series], value: Any, after: int | None, until: int | None) -> int:
    """The truth over (value + after, value + until]; time alone changes nothing, as nothing happens later than now."""
    instant = date_ms(value)
    if instant is None:
        return -NEVER
    begins = -NEVER if after is None else instant + after + 1
    ends = NEVER if until is None else instant + until + 1
    return NEVER if holds(series, begins, ends) else -NEVER


def _holds(leaf: a.Did | a.Total | a.Average | a.Distinct) -> Holds:
    compare, bound = COMPARE[leaf.op], leaf.value
    match leaf:
        case a.Did() if needs(leaf)[0].rank:
            return lambda series, begins, ends: compare(len(_within(series[0].times, begins, ends)), bound)
        case a.Distinct():
            return lambda series, begins, ends: compare(_different(series[0], begins, ends), bound)
        case a.Average():

            def holds(series: list[Series], begins: int, ends: int) -> bool:
                total, number = (_sum(each, begins, ends) for each in series)
                return number > 0 and compare(total, bound * number)

            return holds
        case _:
            return lambda series, begins, ends: compare(_sum(series[0], begins, ends), bound)


def _within(times: list[int], begins: int, ends: int) -> range:
    return range(bisect_left(times, begins), bisect_left(times, ends))


def _sum(series: Series, begins: int, ends: int) -> int:
    places = _within(series.times, begins, ends)
    return sum(series.amounts[places.start : places.stop])


def _different(series: Series, begins: int, ends: int) -> int:
    places = _within(series.times, begins, ends)
    return len(set(series.amounts[places.start : places.stop]))


def _average(leaf: a.Average, ids: list[int]) -> Closure:
    compare, bound = COMPARE[leaf.op], leaf.value
    if leaf.within is None:

        def ever(every: AllSeries, _said: Attributes, _now: int) -> int:
            total, number = (each.total for each in _of(every, ids))
            return NEVER if number and compare(total, bound * number) else -NEVER

        return ever
    within = leaf.within
    return lambda every, _said, now: window_average(_of(every, ids), within, now, compare, bound)


def window_average(series: list[Series], window: int, now: int, compare: Callable[[int, int], bool], bound: int) -> int:
    """The mean over (now - window, now], as window_sum: it is walked until the comparison turns, or nothing is left."""
    (times, amounts), (_, numbers) = ((each.times, each.amounts) for each in series)
    start = bisect_right(times, now - window)
    total, number = sum(amounts[start:]), sum(numbers[start:])
    value = number > 0 and compare(total, bound * number)
    last = len(times) - 1
    for place in range(start, last + 1):
        total -= amounts[place]
        number -= numbers[place]
        if place < last and times[place + 1] == times[place]:
            continue
        if (number > 0 and compare(total, bound * number)) != value:
            return times[place] + window if value else -times[place] - window
    return NEVER if value else -NEVER


def _sequence(leaf: a.Sequence) -> Closure:
    ids, within, last = [need.id for need in needs(leaf)], leaf.within, leaf.last

    def sequence(every: AllSeries, _said: Attributes, now: int) -> int:
        first, then, *between = (each.times for each in _of(every, ids))
        return followed(first, then, between[0] if between else [], within, last, now)

    return sequence


def followed(first: list[int], then: list[int], without: list[int], within: int, last: int | None, now: int) -> int:
    """One of `then` that follows one of `first`: the nearest before it is looked at, as what lies between can only be less so."""
    for at in reversed(then):
        if last is not None and at <= now - last:
            break
        place = bisect_left(first, at) - 1
        if place < 0 or at - first[place] > within:
            continue
        if bisect_left(without, at) > bisect_right(without, first[place]):
            continue
        return NEVER if last is None else at + last
    return -NEVER


def _since(leaf: a.Since) -> Closure:
    ids, after, within = [need.id for need in needs(leaf)], leaf.after, leaf.within

    def since(every: AllSeries, _said: Attributes, now: int) -> int:
        it, without = _of(every, ids)
        return left_alone(it.times, without.last if without.count else 0, after, within or NEVER, now)

    return since


def left_alone(times: list[int], undone: int, after: int, within: int, now: int) -> int:
    """One of `times` that is not before `undone`, and that is at least `after` and less than `within` ago. Each comes true once, so the
    newest that is true says how long it holds at the least, and the next one when it will be.
    """
    oldest = bisect_left(times, max(undone, now - within + 1))
    coming = bisect_right(times, now - after)
    if oldest < coming:
        return min(times[coming - 1] + within, NEVER)
    return -(times[oldest] + after) if oldest < len(times) else -NEVER


def _anniversary(leaf: a.Anniversary) -> Closure:
    name, place, before, days, otherwise = leaf.name, steps(leaf.path), leaf.before, leaf.days, leaf.zone
    own = leaf.year == "own"
    return lambda _every, said, now: anniversary(
        dig(said.get(name, ABSENT)[1], place), zone_of(said, otherwise), before, days, now, own=own
    )
