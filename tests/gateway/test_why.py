"""Every rule that the code can name has a text in both languages, and a verdict is told with the numbers of its rule."""

import ast
from functools import lru_cache
from pathlib import Path
from typing import get_args

import pytest

from schemas.controls import GateState, Migration
from schemas.messages import Verdict
from schemas.rules import Rule
from services.gateway.domain import why
from services.gateway.domain.why.rules import RULES, VERDICTS, text_of
from services.sender.domain import Outcome

ROOT = Path(__file__).parents[2] / "services"
# Where a rule stands among the arguments of what takes one.
TAKES = {
    "tell": (3, 4), "end": (4,), "forget": (3,), "cancel": (3,), "_leave": (3,), "Answer": (1,), "Slot": (1,), "Go": (2,), "Limit": (1,),
    "Record": (3,), "verdict_emit": (2,), "Next": (1,), "Shut": (1,), "_tell": (4,), "_none": (4,), "_say": (3,),
}  # fmt: skip
NAMED = {"Fate"}  # takes it by its name
ANSWERS = {  # functions that answer one
    "forbids", "forbids_telling", "_unconsented", "prepare", "_refusal", "_tie", "gate", "call", "_headers", "_to_others",
}  # fmt: skip
NAMES = {"rule", "refusal", "rules"}  # variables that hold one, or several by what they follow from
BY_RULE = {"waits"}  # variables that hold something by it
LEAVES = "orchestrator/domain/steps/cascading.py"  # names as rules what are verdicts elsewhere
NO_RULES = {*get_args(Verdict), "retry"}  # verdicts; what only puts off is told nobody


def said(node: ast.expr | None, constants: dict[str, str]) -> list[str]:
    """The rules that an expression may be; of an f-string what it begins with."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return [text]
        case ast.Name(id=name) if name in constants:
            return [constants[name]]
        case ast.IfExp(body=one, orelse=other):
            return said(one, constants) + said(other, constants)
        case ast.Dict(values=values):
            return [rule for value in values for rule in said(value, constants)]
        case ast.Call(func=ast.Name(id="next"), args=[_, default]):
            return said(default, constants)
        case ast.BoolOp(values=values):
            return [rule for value in values for rule in said(value, constants)]
    return []


@lru_cache
def constants_of(path: Path) -> dict[str, str]:
    """Of a module: its own, one by one or several at once, and those that it takes from another one."""
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text()).body if path.exists() else ():
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("services."):
                theirs = constants_of(ROOT.parent / (module.replace(".", "/") + ".py"))
                found.update({one.asname or one.name: theirs[one.name] for one in names if one.name in theirs})
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                found[name] = text
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                found.update({n.id: v.value for n, v in zip(names, values, strict=True) if isinstance(v, ast.Constant)})
    return found


def rules_of(path: Path) -> set[str]:
    constants = constants_of(path)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in TAKES:
                found.update(rule for n in TAKES[name] if n < len(args) for rule in said(args[n], constants))
            case ast.Call(func=ast.Name(id=name), keywords=given) if name in NAMED:
                found.update(rule for one in given if one.arg == "rule" for rule in said(one.value, constants))
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in NAMES:
                found.update(said(value, constants))
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys)) if name in BY_RULE:
                found.update(rule for key in keys for rule in said(key, constants))
            case ast.FunctionDef(name=name) if name in ANSWERS:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return):
                        found.update(said(inner.value, constants))
            case ast.Tuple(elts=[ast.Name(id="item"), rule]):
                found.update(said(rule, constants))
    return {rule for rule in found if isinstance(rule, str)} - {""}


@lru_cache
def named() -> dict[str, str]:
    """Rule -> the file that names it."""
    # Gates and migrations are told by what their documents say.
    found = dict.fromkeys({*get_args(GateState), *get_args(Migration.model_fields["reason"].annotation)} - {"open"}, "controls")
    for path in [*sorted(ROOT.glob("orchestrator/**/*.py")), *sorted(ROOT.glob("sender/*.py"))]:
        name = str(path.relative_to(ROOT))
        told = rules_of(path) - (set() if name == LEAVES else NO_RULES)
        found.update(dict.fromkeys(told, name))
    return found


def test_every_rule_that_the_code_names_has_a_text():
    rules = named()
    assert {"not_delivered", "in_doubt", "skipped", "excluded", "stopped", "promo_pool_empty", "webhook:gone", "no_manager"} <= set(
        rules
    )
    assert {"reentry", "same_day", "cap:", "order", "paused", "template:", "same_address", "jump:", "keep", "bought"} <= set(rules)
    assert {rule: path for rule, path in rules.items() if text_of(rule) is None} == {}


def test_every_text_is_of_a_rule_that_is_named():
    rules = named()
    dead = {name for name in RULES if not any(rule == name or (name.endswith(":") and rule.startswith(name)) for rule in rules)}
    assert dead - NO_RULES == set()


def test_every_verdict_has_a_text():
    assert set(VERDICTS) == set(get_args(Verdict))
    assert all(text_of(f"provider:{outcome}") for outcome in Outcome)


@pytest.mark.parametrize("texts", [RULES, VERDICTS])
def test_both_languages_say_something_with_the_same_numbers(texts):
    for name, text in texts.items():
        fields = [{part.split("}")[0] for part in words.split("{")[1:]} for words in text]
        assert text.en and text.ru and fields[0] == fields[1], name


HOUSE = Rule.model_validate(
    {
        "key": "house",
        "quiet_hours": {"from": "21:00", "to": "09:00"},
        "caps": [
            {"name": "a few", "class": "mass", "most": 3, "per": "week"},
            {"name": "rare", "class": "mass", "most": 1, "within": "30d"},
        ],
    }
)
MONDAY = 1_290_416_400_000  # 2010-11-22 09:00 UTC
NUMBERS = why.Numbers([HOUSE])


def text(language: str, zone: str = "UTC", **verdict) -> str:
    return why.tell(verdict, NUMBERS, why.Person(language, zone))["text"]


def test_a_cap_is_told_with_its_numbers_its_document_and_when_by_his_own_clock():
    held = {"verdict": "deferred", "step": "news", "rule": "cap:mass:week", "until": MONDAY, "detail": {"of": "a few"}}
    assert text("en", "Europe/Moscow", **held) == (
        "Step `news`: the message was put off until Monday 22 November 12:00: "
        "the cap “a few” (rule `house`): at most 3 of this class a week."
    )
    assert text("ru", "Europe/Moscow", **held) == (
        "Шаг `news`: сообщение отложено до понедельник 22 ноября 12:00: ограничение «a few» (правило `house`): "
        "не больше 3 этого класса в неделю."
    )
    assert why.tell(held, NUMBERS, why.Person("en"))["rule_document"] == "rule:house"


def test_a_rolling_window_and_quiet_hours_are_told():
    assert "at most 1 of this class within 30d" in text("en", verdict="skipped", rule="cap:mass:30d", detail={"of": "rare"})
    assert "from 21:00 to 09:00" in text("en", verdict="deferred", rule="quiet_hours", until=MONDAY)


def test_a_rule_whose_document_nobody_knows_any_more_is_told_without_its_numbers():
    assert "at most ? of this class a week" in text("en", verdict="deferred", rule="cap:mass:week", until=1, detail={"of": "gone"})
    told = [{"rule": "cap:mass:week", "detail": {"of": name}} for name in ("gone", "a few")] + [{"rule": "excluded"}, {}]
    assert [NUMBERS.lack(one) for one in told] == [True, False, False, False], "only then rules of before are read"


def test_a_channel_that_is_left_a_code_and_a_window_are_told_with_what_they_are_of():
    left = {"verdict": "fallback", "step": "lesson", "rule": "not_read", "channel": "telegram", "detail": {"to": "sms"}}
    assert text("en", **left) == "Step `lesson`: the channel `telegram` was left: it was not read in its time."
    empty = {"verdict": "skipped", "rule": "promo_pool_empty", "detail": {"pool": "spring"}}
    assert text("ru", **empty) == "Ничего не отправлено: в пуле `spring` не осталось кодов."
    assert "hours of `house`" in text("en", verdict="deferred", rule="send_window", until=MONDAY, detail={"of": "house"})


def test_what_has_no_text_is_told_by_its_name_and_nothing_as_nothing():
    assert text("en", verdict="skipped", rule="brand_new") == "Nothing was sent: brand_new."
    assert why.answer([], why.Person("en")).startswith("Nothing was ever decided")


def test_the_zone_is_his_own_else_his_brands():
    assert why.own_zone({"timezone": "Asia/Tokyo"}, "Europe/Moscow") == "Asia/Tokyo"
    assert why.own_zone({"timezone": "nowhere"}, "Europe/Moscow") == "Europe/Moscow"
    assert why.own_zone({}, "") == "UTC"
