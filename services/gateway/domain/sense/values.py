"""Tests of one value that exclude each other: "more than 5" and "less than 3", "is a" and "is b", a number and a text."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from schemas.attributes import date_ms
from schemas.audience import Anniversary, Attribute, Comparing, DateAttribute
from services.gateway.domain.sense.literals import Literal

_KNOWN = Comparing(op="exists")
_MISSING = Comparing(op="missing")
_GIVEN = frozenset({"eq", "in"})
_BOUNDS = frozenset({"gt", "ge", "lt", "le"})


def clash(literals: Sequence[Literal]) -> list[str]:
    """The paths of tests of one attribute that cannot all be true; [] if there are none."""
    found: dict[tuple[str, str], list[tuple[str, Comparing]]] = defaultdict(list)
    for one in literals:
        for name, test in _test_of(one):
            found[name].append((one.path, test))
    for tests in found.values():
        if excluded([test for _, test in tests]):
            return [path for path, _ in tests]
    return []


def excluded(tests: Sequence[Comparing]) -> bool:
    """Whether no value passes all of these tests."""
    if any(test.op == "missing" for test in tests):
        return any(test.op != "missing" for test in tests)
    typed = [test for test in tests if test.value_type is not None]
    kinds = {test.value_type for test in typed}
    if len(kinds) > 1:  # a text or a number may be a date as well; nothing is of two other types
        return "bool" in kinds or "date" not in kinds or len(kinds) > 2
    given = [{_comparable(value, test) for value in test.listed} for test in typed if test.op in _GIVEN]
    if given:
        rest = [test for test in typed if test.op not in _GIVEN]
        return not any(all(_passes(value, test) for test in rest) for value in set.intersection(*given))
    starts = [str(test.value) for test in typed if test.op == "starts_with"]
    if any(not one.startswith(other) and not other.startswith(one) for one, other in combinations(starts, 2)):
        return True
    return _empty([test for test in typed if test.op in _BOUNDS])


def _test_of(one: Literal) -> Iterator[tuple[tuple[str, str], Comparing]]:
    """What a part says of an attribute. The opposite of a comparison is true of what is missing too, so it says nothing that is certain."""
    node = one.node
    if isinstance(node, Attribute) and (one.positive or node.op in {"exists", "missing"}):
        known = {"exists": _KNOWN, "missing": _MISSING} if one.positive else {"exists": _MISSING, "missing": _KNOWN}
        yield (node.name, node.path), known.get(node.op, node)
    elif isinstance(node, DateAttribute | Anniversary) and one.positive:
        yield (node.name, node.path), _KNOWN


def _comparable(value: Any, test: Comparing) -> Any:
    return date_ms(value) if test.value_type == "date" else value


def _passes(value: Any, test: Comparing) -> bool:
    """Whether a comparable value of the test's own type passes a test of one value."""
    wanted: Any = _comparable(test.value, test)
    match test.op:
        case "ne":
            return bool(value != wanted)
        case "gt":
            return bool(value > wanted)
        case "ge":
            return bool(value >= wanted)
        case "lt":
            return bool(value < wanted)
        case "le":
            return bool(value <= wanted)
        case "contains":
            return wanted in value
        case "starts_with":
            return bool(value.startswith(wanted))
    return True


def _empty(tests: Sequence[Comparing]) -> bool:
    """Whether the bounds leave nothing between them."""
    lower = [(_comparable(t.value, t), t.op == "gt") for t in tests if t.op in {"gt", "ge"}]
    upper = [(_comparable(t.value, t), t.op == "lt") for t in tests if t.op in {"lt", "le"}]
    return any(low > high or (low == high and (open_low or open_high)) for low, open_low in lower for high, open_high in upper)
