"""Numbers, people, days and money as each language says them."""

import math
from typing import Literal, NamedTuple

from schemas.currencies import digits

Language = Literal["en", "ru"]
SPACE = "\N{NO-BREAK SPACE}"


class Forms(NamedTuple):
    """Of one, of two to four, of many; a fraction takes the second (3,2 года)."""

    one: str
    few: str
    many: str


_RUSSIAN = {
    "person": Forms("человек", "человека", "человек"),
    "day": Forms("день", "дня", "дней"),
    "week": Forms("неделя", "недели", "недель"),
    "year": Forms("год", "года", "лет"),
    "value": Forms("значение", "значения", "значений"),
    "look": Forms("просмотр", "просмотра", "просмотров"),
}
_ENGLISH = {"person": ("person", "people"), "value": ("value", "values")}


def number(lang: Language, value: float, places: int = 0) -> str:
    """With its thousands and decimals parted as the language does; a minus is a minus."""
    text = f"{abs(value):,.{places}f}"
    if lang == "ru":
        text = text.replace(",", SPACE).replace(".", ",")
    zero = not any(digit in "123456789" for digit in text)
    return text if value >= 0 or zero else f"−{text}"


def plural(value: float, forms: Forms) -> str:
    """Russian: 1 человек, 2 человека, 5 человек, 11 человек, 21 человек, 3,2 года."""
    if value != int(value):
        return forms.few
    last, two = int(abs(value)) % 10, int(abs(value)) % 100
    if last == 1 and two != 11:
        return forms.one
    return forms.few if 2 <= last <= 4 and not 12 <= two <= 14 else forms.many


def counted(lang: Language, value: float, of: str, places: int = 0) -> str:
    """40,000 people; 40 000 человек; 3.2 years."""
    shown = round(value, places)
    if lang == "ru":
        word = plural(shown if places and shown != int(shown) else int(shown), _RUSSIAN[of])
    else:
        one, many = _ENGLISH.get(of, (of, f"{of}s"))
        word = one if shown == 1 else many
    return f"{number(lang, shown, places if shown != int(shown) else 0)}{SPACE}{word}"


def places_of(value: float, significant: int = 2, least: int = 0) -> int:
    """How many decimals show so many digits that matter; never fewer than `least`, at most 6."""
    if not value or not math.isfinite(value):
        return least
    return min(6, max(least, significant - 1 - math.floor(math.log10(abs(value)))))


def percent(lang: Language, share: float, places: int = 1) -> str:
    """0.061 -> 6.1 %."""
    return f"{number(lang, share * 100, places)}{SPACE}%"


def length(lang: Language, days: float) -> str:
    """As one would say it: days to three weeks, weeks to a year, then years."""
    if days <= 21:
        return counted(lang, math.ceil(days), "day")
    if days <= 365:
        return counted(lang, math.ceil(days / 7), "week")
    years = days / 365.25
    return counted(lang, round(years, 1) if years < 10 else round(years), "year", 1)


class Money(NamedTuple):
    """Amounts of minor units, as whole ones: 1250 of RUB is 12.50 RUB."""

    currency: str

    def say(self, lang: Language, minor: float, places: int | None = None) -> str:
        whole = minor / 10 ** digits(self.currency)
        return f"{number(lang, whole, digits(self.currency) if places is None else places)}{SPACE}{self.currency}"
