"""The rules over everything that is sent, in words: English and Russian."""

from collections.abc import Iterator, Mapping, Sequence

from schemas.audience_text import LEXICONS, Language, Titles, sentence
from schemas.audience_text.amounts import span
from schemas.contact import WEEKDAYS, SendWindow, priority_of
from schemas.documents import duration_ms
from schemas.journeys import Journey
from schemas.rules import Cap, Rule
from schemas.steps import Cascade, Send

Line = tuple[str, str]  # where it stands in the document, and what it says
CHANNELS = {
    "email": ("e-mail", "по почте"),
    "sms": ("SMS", "по SMS"),
    "telegram": ("Telegram", "в Telegram"),
    "vk": ("VK", "во ВКонтакте"),
}
DAYS: Mapping[Language, Sequence[str]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "ru": ("пн", "вт", "ср", "чт", "пт", "сб", "вс"),
}
WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "cap": "At most {most} {what} to a person in {window}{scope}{who}.",
        "mass": "mass", "triggered": "triggered", "message": "message", "messages": "messages", "marketing": "Marketing",
        "day": "a day of his", "week": "a week of his", "month": "a month of his", "within": "any {length}",
        "brand": ", of the brand {x}", "channel": ", by {x}", "topic": ", on the topic {x}",
        "who": "; only for people of whom this is true: {x}",
        "exclusive_day": "A triggered and a mass message never reach a person on one day of his.",
        "quiet_hours": "From {start} to {end} of a person's own clock nothing but service messages is sent.",
        "windows": "{what}{scope}: only {when}, by a person's own clock.",
        "global_control": "{share} of all people get no marketing at all: the control group {salt}.",
        "manager_only": "Nobody gets marketing of whom this is true, a manager speaks to them: {x}.",
        "compete": "Of marketing messages that come within {length} the most important goes first; the others go later, one in {length}.",
        "control": "{share} of its people get no marketing of it: the control group {salt}.",
        "priority": "Importance of its marketing, 0 to 100: {x}.",
        "daily": "daily", "kinds": "{x} messages",
    },
    "ru": {
        "cap": "Не больше {most} {what} человеку за {window}{scope}{who}.",
        "mass": "массов", "triggered": "триггерн", "message": "ого сообщения", "messages": "ых сообщений", "marketing": "Маркетинг",
        "day": "его календарный день", "week": "его календарную неделю", "month": "его календарный месяц",
        "within": "любой отрезок длиной в {length}",
        "brand": ", бренда {x}", "channel": ", {x}", "topic": ", на тему {x}",
        "who": "; только для тех, о ком верно: {x}",
        "exclusive_day": "Триггерное и массовое сообщения никогда не приходят человеку в один его день.",
        "quiet_hours": "С {start} до {end} по часам человека отправляются только сервисные сообщения.",
        "windows": "{what}{scope}: только {when}, по часам человека.",
        "global_control": "{share} людей не получают маркетинга совсем: контрольная группа {salt}.",
        "manager_only": "Не получает маркетинга, с ним говорит менеджер, тот, о ком верно: {x}.",
        "compete": "Из маркетинговых сообщений, сошедшихся за {length}, первым идёт важнейшее; остальные позже, по одному за {length}.",
        "control": "{share} её людей не получают её маркетинга: контрольная группа {salt}.",
        "priority": "Важность её маркетинга, от 0 до 100: {x}.",
        "daily": "ежедневно", "kinds": "{x}ые сообщения",
    },
}  # fmt: skip


def of_rule(rule: Rule, language: Language, titles: Titles, brand: str | None = None) -> Iterator[Line]:
    """Each part in a sentence. brand: without what is of others."""
    words = WORDS[language]
    for place, cap in enumerate(rule.caps):
        if brand is None or cap.brand in (None, brand):
            yield f"caps.{place}", _cap(cap, language, titles)
    if len(set(rule.exclusive_day)) > 1:
        yield "exclusive_day", words["exclusive_day"]
    if rule.quiet_hours is not None:
        yield "quiet_hours", words["quiet_hours"].format(start=rule.quiet_hours.start, end=rule.quiet_hours.end)
    for place, window in enumerate(rule.windows):
        if brand is None or window.brand in (None, brand):
            kind = window.message_class
            what = words["kinds"].format(x=words[kind]).capitalize() if kind else words["marketing"]
            scope = _scope(window.brand, window.channel, window.topic, language)
            yield f"windows.{place}", words["windows"].format(what=what, scope=scope, when=_when([window], language))
    if rule.global_control is not None:
        control = rule.global_control
        yield "global_control", words["global_control"].format(share=_share(control.share, language), salt=control.salt)
    if rule.manager_only is not None:
        yield "manager_only", words["manager_only"].format(x=sentence(rule.manager_only, language, titles))
    if rule.compete is not None:
        yield "compete.within", words["compete"].format(length=_length(rule.compete.within, language))


def of_journey(journey: Journey, language: Language) -> Iterator[Line]:
    """What it says of its own beside them."""
    words = WORDS[language]
    steps: list[tuple[str, Journey | Send | Cascade]] = [("", journey)]
    steps += [(f"steps.{place}.", step) for place, step in enumerate(journey.steps) if isinstance(step, Send | Cascade)]
    for path, one in steps:
        priority, windows = one.priority, one.windows
        if priority is not None:
            yield f"{path}priority", words["priority"].format(x=priority_of(priority))
        if windows:
            when = _when(windows, language)
            yield f"{path}windows", words["windows"].format(what=words["marketing"], scope="", when=when)
    if journey.control is not None:
        salt = journey.control.salt or journey.key
        yield "control", words["control"].format(share=_share(journey.control.share, language), salt=salt)


def _cap(cap: Cap, language: Language, titles: Titles) -> str:
    words = WORDS[language]
    number = "message" if LEXICONS[language].form(cap.most) == 0 else "messages"  # in Russian the genitive: 21 is as 1
    kind, noun = words[cap.message_class], words[number]
    window = words[cap.per] if cap.per else words["within"].format(length=_length(cap.within or "", language))
    who = words["who"].format(x=sentence(cap.who, language, titles)) if cap.who is not None else ""
    scope = _scope(cap.brand, cap.channel, cap.topic, language)
    what = f"{kind} {noun}" if language == "en" else f"{kind}{noun}"
    return words["cap"].format(most=cap.most, what=what, window=window, scope=scope, who=who)


def _scope(brand: str | None, channel: str | None, topic: str | None, language: Language) -> str:
    named = {"brand": brand, "channel": _channel(channel, language) if channel else None, "topic": topic}
    return "".join(WORDS[language][name].format(x=value) for name, value in named.items() if value is not None)


def _channel(channel: str, language: Language) -> str:
    return CHANNELS.get(channel, (channel, channel))[language == "ru"]


def _when(windows: Sequence[SendWindow], language: Language) -> str:
    said = []
    for window in windows:
        days = ", ".join(DAYS[language][WEEKDAYS.index(day)] for day in window.days) or WORDS[language]["daily"]
        said.append(f"{days} {window.start}-{window.end}")
    return "; ".join(said)


def _length(duration: str, language: Language) -> str:
    lexicon = LEXICONS[language]
    joint = " and " if language == "en" else " и "
    return joint.join(f"{count} {lexicon.units[unit].plain[lexicon.form(count)]}" for count, unit in span(duration_ms(duration)))


def _share(share: int, language: Language) -> str:
    percent = f"{share / 100:g}"
    return f"{percent}%" if language == "en" else f"{percent.replace('.', ',')} %"
