"""A verdict as a sentence, with the numbers of the rule that gave it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from schemas.rules import Rule
from schemas.zones import names
from services.gateway.domain.problems import Language
from services.gateway.domain.why.rules import DAYS, MONTHS, NOTHING, OF_DOCUMENT, STEP, VERDICTS, WINDOWS, WITHIN, text_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OF_RULES = ("cap", "same_day", "quiet_hours", "manager_only", "global_control")
# Of these the rule says nothing that the verdict does not.
PLAIN = frozenset(("goal",))


class Person(NamedTuple):
    """In which language, and by whose clock (an IANA name)."""

    language: Language
    zone: str = "UTC"


class Numbers:
    """What the rule documents say, each found by what a verdict names. rules: those in force first."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = list(rules)

    def lack(self, verdict: Mapping[str, Any]) -> bool:
        """Is a rule meant that is not among them?"""
        rule = verdict.get("rule", "")
        return rule.partition(":")[0] in OF_RULES and not self.of(rule, verdict.get("detail") or {})

    def of(self, rule: str, detail: Mapping[str, Any]) -> dict[str, Any]:
        """{key, most, window, from, to} as far as they apply."""
        kind, _, arg = rule.partition(":")
        if kind not in OF_RULES:
            return {}
        for one in self._rules:
            if kind == "cap":
                cap = next((cap for cap in one.caps if cap.name == detail.get("of")), None)
                if cap is not None and arg == f"{cap.message_class}:{cap.per or cap.within}":
                    return {"key": one.key, "most": cap.most}
            elif kind == "quiet_hours" and one.quiet_hours is not None:
                return {"key": one.key, "from": one.quiet_hours.start, "to": one.quiet_hours.end}
            elif (
                (kind == "same_day" and len(set(one.exclusive_day)) > 1)
                or (kind == "manager_only" and one.manager_only is not None)
                or (kind == "global_control" and one.global_control)
            ):
                return {"key": one.key}
        return {}


class _Unsaid(dict[str, Any]):
    """A number that nobody knows any more."""

    def __missing__(self, _key: str) -> str:
        return "?"


def tell(verdict: Mapping[str, Any], numbers: Numbers, person: Person) -> dict[str, Any]:
    """A verdict as the API of decisions gives it, with `text`, and with the rule's own document where one gave it."""
    rule, detail = verdict.get("rule", ""), verdict.get("detail") or {}
    found = numbers.of(rule, detail)
    said = {**verdict, "text": _sentence(verdict, rule, {**detail, **found}, person)}
    return {**said, "rule_document": f"rule:{found['key']}"} if "key" in found else said


def answer(told: Sequence[Mapping[str, Any]], person: Person) -> str:
    """How it stands: the last verdict, or that there was none."""
    return str(told[-1]["text"]) if told else getattr(NOTHING, person.language)


def _sentence(verdict: Mapping[str, Any], rule: str, params: Mapping[str, Any], person: Person) -> str:
    language = person.language
    until = verdict.get("until")
    given = _Unsaid(
        params,
        version=verdict.get("version", "?"),
        step=verdict.get("step", ""),
        channel=verdict.get("channel") or "?",
        arm=rule.removeprefix("arm:"),
        until=clock(until, person) if until is not None else "?",
        document=getattr(OF_DOCUMENT, language).format(key=params["key"]) if "key" in params else "",
    )
    step = getattr(STEP, language).format_map(given) if verdict.get("step") else ""
    name = verdict["verdict"]
    what = getattr(VERDICTS[name], language).format_map(given) if name in VERDICTS else name
    why = "" if rule in PLAIN and name == rule else _reason(rule, given, language)
    whole = f"{step}{what}: {why}" if why else f"{step}{what}"
    return f"{whole[:1].upper()}{whole[1:]}."


def _reason(rule: str, given: Mapping[str, Any], language: Language) -> str:
    found = text_of(rule)
    if found is None:
        return rule
    text, arg = found
    return str(getattr(text, language).format_map(_Unsaid(given, arg=arg, window=_window(arg, language))))


def _window(arg: str, language: Language) -> str:
    """Of a cap: "mass:week"."""
    window = arg.rpartition(":")[2]
    known = WINDOWS.get(window)
    return str(getattr(known, language)) if known else str(getattr(WITHIN, language).format(window=window))


def clock(at: int, person: Person) -> str:
    """An instant (ms) by his own clock: "Monday 23 November 10:00"."""
    local = (EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(person.zone))
    day, month = (getattr(words, person.language).split() for words in (DAYS, MONTHS))
    return f"{day[local.weekday()]} {local.day} {month[local.month - 1]} {local:%H:%M}"


def own_zone(attributes: Mapping[str, Any], brand: str) -> str:
    """The zone that he names, else his brand's, else UTC."""
    return named_zone(attributes) or (brand if brand in names() else "UTC")


def named_zone(attributes: Mapping[str, Any]) -> str | None:
    """The zone that he names."""
    named = (attributes.get("time_zone"), attributes.get("timezone"))
    return next((name for name in named if isinstance(name, str) and name in names()), None)
