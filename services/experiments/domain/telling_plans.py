"""Plans in words: how many people, how long, and "years" where it is years."""

from collections.abc import Sequence

from schemas.experiments import Needed, Planning, Seen
from services.experiments.domain.words import Language, counted, length, number, percent, places_of

Effect = tuple[float, float]  # in points (or the mean's unit), and relative


def say(lang: Language, asked: Planning, effect: Effect | None, needed: Needed | None, seen: Seen | None) -> str:
    parts: list[str] = []
    if effect is not None and needed is not None:
        parts += _needed(lang, asked, effect, needed)
    if seen is not None:
        parts.append(_seen(lang, asked, seen))
    return " ".join(parts) or _TABLE[lang]


_TABLE = {
    "en": "The smallest relative uplift that a global control group shows, by its share and the base rate.",
    "ru": "Наименьший относительный прирост, который покажет глобальная контрольная группа, по её доле и базовой конверсии.",
}

_TOO_LONG = {
    "en": "More than eight weeks: do not start it. Take a larger effect, or a metric that is more frequent.",
    "ru": "Больше восьми недель: такой тест не стоит начинать. Возьмите эффект крупнее или событие чаще.",
}


def _needed(lang: Language, asked: Planning, effect: Effect, needed: Needed) -> Sequence[str]:
    people, each = counted(lang, needed.people, "person"), " + ".join(number(lang, one) for one in needed.arms)
    size = effect_said(lang, asked, effect)
    sure = percent(lang, asked.power, 0)
    if lang == "ru":
        parts = [f"Чтобы с вероятностью {sure} увидеть {size}, нужно {people} ({each})."]
    else:
        parts = [f"To see {size} with a chance of {sure} it takes {people} ({each})."]
    if needed.days is not None and asked.per_day is not None:
        parts.append(_time(lang, asked.per_day, needed))
    return parts


def _time(lang: Language, per_day: float, needed: Needed) -> str:
    assert needed.days is not None
    flow, long = counted(lang, per_day, "person", places_of(per_day) if per_day < 10 else 0), length(lang, needed.days)
    if lang == "ru":
        told, long_one = f"Если в день приходит {flow}, это {long}.", _TOO_LONG["ru"]
    else:
        told, long_one = f"At {flow} a day that is {long}.", _TOO_LONG["en"]
    return f"{told} {long_one}" if needed.too_long else told


def effect_said(lang: Language, asked: Planning, effect: Effect) -> str:
    """Points and relative, both: 1.6 points (36 %), from 4.5 % to 6.1 %."""
    points, relative = effect
    part = percent(lang, relative, places_of(relative * 100, 2))
    if asked.kind == "mean":
        return f"разницу в {part} от среднего" if lang == "ru" else f"a difference of {part} of the mean"
    places = max(1, places_of(min(asked.base, abs(points)) * 100, 2, 1))
    size = number(lang, points * 100, places)
    ends = percent(lang, asked.base, places), percent(lang, asked.base + points, places)
    if lang == "ru":
        return f"разницу в {size} процентного пункта (относительно: {part}; с {ends[0]} до {ends[1]})"
    return f"a difference of {size} points (relative: {part}; from {ends[0]} to {ends[1]})"


def _seen(lang: Language, asked: Planning, seen: Seen) -> str:
    people = counted(lang, seen.people, "person")
    if seen.points is None or seen.relative is None:
        if lang == "ru":
            return f"Столько людей ({people}) не покажут никакой разницы."
        return f"With {people} no difference at all can be seen."
    size = effect_said(lang, asked, (seen.points, seen.relative))
    if lang == "ru":
        return f"Если людей столько ({people}), наименьшее, что можно увидеть: {size.removeprefix('разницу в ')}."
    return f"With {people} the smallest that can be seen is {size.removeprefix('a difference of ')}."
