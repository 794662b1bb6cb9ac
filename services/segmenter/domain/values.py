"""Typed comparisons of attributes and event properties.

An absent value arrives here as None and is false everywhere.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.attributes import date_ms
from schemas.audience import Comparing

Test = Callable[[Any], bool]

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def dig(value: Any, path: tuple[str, ...]) -> Any:
    """The value under nested keys; None where a step is missing or leads into something that is no object."""
    for step in path:
        if type(value) is not dict:
            return None
        value = value.get(step)
    return value


def steps(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")) if path else ()


def passes(tests: Iterable[tuple[tuple[str, ...], Test]]) -> Test:
    """All of these tests, each of what lies under its path."""
    each = list(tests)
    return lambda value: all(test(dig(value, path)) for path, test in each)


def value_test(comparing: Comparing) -> Test:
    """The comparison as a function of the value found (after `path`). True, 1, 1.0 and "1" are never mixed up."""
    if comparing.op == "exists":
        return lambda value: value is not None
    if comparing.op == "missing":
        return lambda value: value is None
    kind = comparing.value_type
    if kind == "date":
        return _date_test(comparing)
    if kind == "string":
        return _text_test(comparing.op, [str(text) for text in comparing.listed])
    if kind == "bool":
        return _flag_test(comparing.op, comparing.listed)
    return _number_test(comparing.op, comparing.listed)


def _date_test(comparing: Comparing) -> Test:
    literals = [date_ms(literal) for literal in comparing.listed]
    if comparing.op == "in":
        instants = frozenset(literals)
        return lambda value: (instant := date_ms(value)) is not None and instant in instants
    compare, bound = COMPARE[comparing.op], literals[0]
    return lambda value: (instant := date_ms(value)) is not None and compare(instant, bound)


def _text_test(op: str, texts: list[str]) -> Test:
    text = texts[0]
    if op == "in":
        allowed = frozenset(texts)
        return lambda value: type(value) is str and value in allowed
    if op == "ne":
        return lambda value: type(value) is str and value != text
    if op == "starts_with":
        return lambda value: type(value) is str and value.startswith(text)
    if op == "contains":
        return lambda value: type(value) in _HOLDERS and text in value
    return lambda value: type(value) is str and value == text


_HOLDERS = (str, list)


def _flag_test(op: str, literals: tuple[Any, ...]) -> Test:
    if op == "ne":
        return lambda value: type(value) is bool and value is not literals[0]
    return lambda value: type(value) is bool and value in literals


def _number_test(op: str, numbers: tuple[Any, ...]) -> Test:
    if op == "in":
        allowed = frozenset(numbers)
        return lambda value: type(value) in _NUMBERS and value in allowed
    compare, number = COMPARE[op], numbers[0]
    return lambda value: type(value) in _NUMBERS and compare(value, number)


_NUMBERS = (int, float)
