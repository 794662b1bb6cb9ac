"""Intervals in words: "between 0.0 and 3.2 points more", and the same of parts and of money."""

from typing import NamedTuple

from schemas.experiments import Interval, Metric, Proportion, Reading
from services.experiments.domain.words import SPACE, Language, Money, number, percent, places_of

DASH = "–"


class Spoken(NamedTuple):
    """How a metric is spoken of. people: of a proportion, what they do; money: of sums in minor units."""

    title: str
    rate: bool
    people: str | None = None
    money: Money | None = None

    def value(self, lang: Language, value: float) -> str:
        if self.money is not None:
            return self.money.say(lang, value)
        return number(lang, value, places_of(value, 3))


def spoken(lang: Language, metric: Metric) -> Spoken:
    title = metric.key if metric.title is None else getattr(metric.title, lang)
    if isinstance(metric, Proportion):
        return Spoken(title, rate=True, people=None if metric.says is None else getattr(metric.says, lang))
    currency = next((one.currency for one in metric.of.values() if one.currency), None)
    return Spoken(title, rate=False, money=Money(currency) if currency else None)


def size(lang: Language, says: Spoken, interval: Interval, *, bare: bool = False) -> str:
    """Between what and what the difference lies. bare: as a part of another sentence."""
    low, high = (0.0 if end is None else end for end in (interval.low, interval.high))
    words = _russian(says, low, high) if lang == "ru" else _english(says, low, high)
    if bare:
        return words
    if says.people is None:
        return f"{says.title}: {words}"
    if lang == "ru":
        return f"Доля тех, кто {says.people}: {words}" if low < 0 < high else f"Доля тех, кто {says.people}, {words}"
    return f"{words[0].upper()}{words[1:]} {says.people}"


def _english(says: Spoken, low: float, high: float) -> str:
    less = "fewer" if says.people else "less"
    one, other, unit = _figures("en", says, low, high)
    if low < 0 < high:
        return f"from {one}{unit} {less} to {other}{unit} more"
    if high <= 0 and low < 0:
        return f"between {other} and {one}{unit} {less}"
    return f"between {one} and {other}{unit} more"


def _russian(says: Spoken, low: float, high: float) -> str:
    one, other, unit = _figures("ru", says, low, high)
    if low < 0 < high:
        return f"разница от −{one} до +{other}{unit}"
    if high <= 0 and low < 0:
        return f"меньше на {other}{DASH}{one}{unit}"
    return f"больше на {one}{DASH}{other}{unit}"


def _figures(lang: Language, says: Spoken, low: float, high: float) -> tuple[str, str, str]:
    """Both ends without their signs, as precise as their distance is, and the unit."""
    low, high = abs(low), abs(high)
    if says.rate:
        places = max(1, places_of(max(low, high) * 100, 2))
        return (
            number(lang, low * 100, places),
            number(lang, high * 100, places),
            " процентного пункта" if lang == "ru" else " points",
        )
    if says.money is not None:
        (one, unit), (other, _) = (says.money.say(lang, end).rsplit(SPACE, 1) for end in (low, high))
        return one, other, f"{SPACE}{unit}"
    places = places_of(max(low, high), 3)
    return number(lang, low, places), number(lang, high, places), ""


def lifts(lang: Language, reading: Reading) -> str:
    """The same relatively."""
    told = "относительно" if lang == "ru" else "relative"
    if reading.lift_interval is None and not reading.control:
        return f"{told}: нельзя сказать, в контроле ничего" if lang == "ru" else f"{told}: cannot be said, the control has nothing"
    if reading.lift_interval is None:
        return (
            f"{told}: нельзя сказать, не обе величины больше нуля"
            if lang == "ru"
            else f"{told}: cannot be said, not both are above 0"
        )
    about = (", примерно" if lang == "ru" else ", approximately") if reading.lift_approximate else ""
    ends = [_signed(lang, end) for end in (reading.lift_interval.low, reading.lift_interval.high)]
    if lang == "ru":
        return f"{told}{about}: от {ends[0]} до {ends[1]}"
    return f"{told}{about}: from {ends[0]} to {ends[1]}"


def _signed(lang: Language, share: float | None) -> str:
    if share is None:
        return "бесконечности" if lang == "ru" else "no bound"
    text = percent(lang, share, 1 if abs(share) < 0.1 else 0)
    return f"+{text}" if share > 0 and any(digit in "123456789" for digit in text) else text


def chance(lang: Language, p: float) -> str:
    """A p-value: = 0.0004, or < 0.0001."""
    return f"< {number(lang, 0.0001, 4)}" if p < 0.0001 else f"= {number(lang, p, 4)}"
