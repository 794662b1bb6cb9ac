"""Filters of our own: money, dates in the customer's time zone, plural forms; Russian and English."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from liquid import Environment, RenderContext
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context
from liquid.undefined import Undefined

_NBSP = "\u00a0"
_EXPONENTS = dict.fromkeys(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"], 0
) | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)
_SYMBOLS = {"RUB": "₽", "USD": "$", "EUR": "€", "GBP": "£", "KZT": "₸", "BYN": "Br"}
_MONTHS_RU = ["января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"]
_MONTHS_EN = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS_RU = ["понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"]
_DAYS_EN = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_DIRECTIVE = re.compile(r"%([a-zA-Z%])")


@with_context
def money(value: Any, language: Any = None, *, context: RenderContext) -> str:
    """`{"minor": 123450, "currency": "RUB"}` -> "1 234,50 ₽" (ru) or "₽1,234.50" (en). Kopecks that are zero are left out in Russian."""
    if isinstance(value, Undefined) or value is None:
        return str(value or "")
    if not isinstance(value, Mapping) or not isinstance(value.get("minor"), int) or isinstance(value.get("minor"), bool):
        raise FilterArgumentError('money needs {"minor": 123450, "currency": "RUB"}', token=None)
    currency = str(value.get("currency", ""))
    exponent = _EXPONENTS.get(currency, 2)
    sign = "-" if value["minor"] < 0 else ""
    whole, part = divmod(abs(value["minor"]), 10**exponent)
    fraction = f"{part:0{exponent}d}" if exponent else ""
    symbol = _SYMBOLS.get(currency)
    if _language(language, context) == "ru":
        tail = f",{fraction}" if part else ""
        return f"{sign}{whole:,}".replace(",", _NBSP) + f"{tail}{_NBSP}{symbol or currency}"
    tail = f".{fraction}" if exponent else ""
    return f"{sign}{symbol}{whole:,}{tail}" if symbol else f"{sign}{whole:,}{tail}{_NBSP}{currency}"


@with_context
def localdate(value: Any, form: Any = "%d.%m.%Y", zone: Any = None, *, context: RenderContext) -> str:
    """An instant (integer ms UTC, or ISO text; "now" is the variable `now`) in a time zone (argument, else the variable `timezone`, else
    UTC). A date without a time, such as a birthday, is the same everywhere. Directives: %d %e %m %B %b %Y %y %H %M %S %A %a %j %%.
    """
    if isinstance(value, Undefined) or value is None or value == "":
        return str(value or "")
    moment = _moment(context.resolve("now", default=None) if value == "now" else value)
    if isinstance(moment, datetime):
        moment = moment.astimezone(_zone(str(zone or context.resolve("timezone", default=None) or "UTC")))
    language = _language(None, context)
    return _DIRECTIVE.sub(lambda found: _directive(found[1], moment, language), str(form))


def plural(value: Any, *forms: Any) -> str:
    """The word's form: two for English (`plural: "day", "days"`), three for Russian (`plural: "день", "дня", "дней"`)."""
    if isinstance(value, Undefined) or value is None:
        return str(value or "")
    try:
        number = abs(int(value))
    except (TypeError, ValueError) as error:
        raise FilterArgumentError("plural needs a number", token=None) from error
    if len(forms) == 2:
        return str(forms[0] if number == 1 else forms[1])
    if len(forms) != 3:
        raise FilterArgumentError("plural needs two forms (English) or three (Russian)", token=None)
    if number % 10 == 1 and number % 100 != 11:
        return str(forms[0])
    return str(forms[1] if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14 else forms[2])


def as_json(value: Any) -> str:
    """A value as JSON, with its quotes: what is not there is null."""
    return json.dumps(None if isinstance(value, Undefined) else value, ensure_ascii=False, default=str)


def register(environment: Environment) -> None:
    environment.add_filter("money", money)
    environment.add_filter("date", localdate)
    environment.add_filter("plural", plural)
    environment.add_filter("json", as_json)


def _language(given: Any, context: RenderContext) -> str:
    chosen = given or context.resolve("language", default=None) or "ru"
    return "en" if str(chosen).lower().startswith("en") else "ru"


@lru_cache(maxsize=600)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise FilterArgumentError("date: there is no such time zone; write it as Europe/Moscow", token=None) from error


def _moment(value: Any) -> datetime | date:
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        text = str(value)
        if len(text) == 10:
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise FilterArgumentError("date needs an instant in ms or an ISO date such as 2026-11-30", token=None) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _directive(letter: str, moment: datetime | date, language: str) -> str:
    if letter == "%":
        return "%"
    if letter == "e":
        return str(moment.day)
    if letter in "Bb":
        name = (_MONTHS_RU if language == "ru" else _MONTHS_EN)[moment.month - 1]
        return name if letter == "B" else name[:3]
    if letter in "Aa":
        name = (_DAYS_RU if language == "ru" else _DAYS_EN)[moment.weekday()]
        return name if letter == "A" else name[: 2 if language == "ru" else 3]
    if letter == "Y":
        return f"{moment.year:04d}"
    if letter in "dmyHMSj":
        return moment.strftime(f"%{letter}")
    raise FilterArgumentError(f"date: %{letter} is not known here", token=None)
