"""Which fact matches a trigger or a goal: its event name, and tests of its own properties. Pure and local, no segment is asked.

What each test means is written in docs/audience-semantics.md; the segmenter follows the same page.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.attributes import date_ms
from schemas.audience import Filter
from schemas.steps import FactTrigger

Test = Callable[[Any], bool]

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "in": lambda value, listed: value in listed,
    "contains": lambda value, text: text in value,
    "starts_with": lambda value, text: value.startswith(text),
}
_TYPES: Mapping[str, tuple[type, ...]] = {"number": (int, float), "string": (str,), "bool": (bool,)}


def dig(value: Any, path: str) -> Any:
    """The value under dotted keys; None where a step is missing or leads into something that is no object."""
    for step in path.split("."):
        if type(value) is not dict:
            return None
        value = value.get(step)
    return value


def matcher(trigger: FactTrigger) -> Test:
    """A function of a fact's properties. The event name is looked up by the caller."""
    return tests(trigger.where)


def tests(filters: Iterable[Filter]) -> Test:
    """All of them, as a function of an object."""
    found = [(wanted.path, _test(wanted)) for wanted in filters]
    return lambda properties: all(test(dig(properties, path)) for path, test in found)


def _test(wanted: Filter) -> Test:
    """True, 1 and "1" are never mixed up; an absent value is false everywhere but for `missing`."""
    if wanted.op == "exists":
        return lambda value: value is not None
    if wanted.op == "missing":
        return lambda value: value is None
    compare, listed = _COMPARE[wanted.op], tuple(wanted.listed)
    if wanted.value_type == "date":
        dates = tuple(map(date_ms, listed))
        bound: Any = dates if wanted.op == "in" else dates[0]
        return lambda value: (at := date_ms(value)) is not None and compare(at, bound)
    expected: Any = listed if wanted.op == "in" else listed[0]
    types = _TYPES[wanted.value_type or "string"]
    if wanted.op == "contains":
        types = (str, list)
    return lambda value: type(value) in types and compare(value, expected)
