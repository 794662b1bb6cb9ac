"""A JSON value in SQL, kind by kind, and the typed tests of it: nothing is coerced, as in live evaluation."""

from collections.abc import Sequence
from typing import NamedTuple

from runtime.lake import text
from schemas.attributes import date_ms
from schemas.audience import Comparing

COMPARE = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
NONE = "NULL"
_PLAIN = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?"


class Value(NamedTuple):
    """Expressions that are NULL where the value is of another kind. whole: BIGINT; big: the digits of a greater one; broken: DOUBLE;
    text: VARCHAR; truth: BOOLEAN; listed: JSON[]; date: BIGINT, ms. there: BOOLEAN, anything but null.
    """

    whole: str = NONE
    big: str = NONE
    broken: str = NONE
    text: str = NONE
    truth: str = NONE
    listed: str = NONE
    date: str = NONE
    there: str = "false"


def of_json(json: str) -> Value:
    """The value that an expression of type JSON has."""
    kind = f"json_type({json})"
    whole = f"CASE WHEN {kind} IN ('BIGINT', 'UBIGINT') THEN try_cast({json} AS BIGINT) END"
    words = f"CASE WHEN {kind} = 'VARCHAR' THEN {json} ->> '$' END"
    return Value(
        whole=whole,
        big=f"CASE WHEN {kind} = 'UBIGINT' AND try_cast({json} AS BIGINT) IS NULL THEN {json}::VARCHAR END",
        broken=f"CASE WHEN {kind} = 'DOUBLE' THEN {json}::DOUBLE END",
        text=words,
        truth=f"CASE WHEN {kind} = 'BOOLEAN' THEN {json}::BOOLEAN END",
        listed=f"CASE WHEN {kind} = 'ARRAY' THEN {json}::JSON[] END",
        date=f"coalesce({whole}, {date_of(words)})",
        there=f"coalesce({kind} <> 'NULL', false)",
    )


def extract(json: str, steps: Sequence[str]) -> str:
    """What stands under nested keys of a JSON expression; NULL where a step is missing or leads into something that is no object."""
    for step in steps:
        # As a pointer a number would also lead into a list.
        path = f'$."{step}"' if step.isdigit() or step == "-" else "/" + step.replace("~", "~0").replace("/", "~1")
        json = f"json_extract({json}, {text(path)})"
    return json


def date_of(words: str) -> str:
    """UTC ms of a text as `schemas.attributes.date_ms` reads it, NULL where it is no date."""
    fraction = f"rpad(regexp_extract({words}, '\\.(\\d+)', 1), 3, '0')[1:3]"
    clock = f"substr({words}, 12, 2)::BIGINT * 60 + substr({words}, 15, 2)::BIGINT"
    seconds = f"CASE WHEN substr({words}, 17, 1) = ':' THEN substr({words}, 18, 2)::BIGINT ELSE 0 END"
    zone = f"regexp_extract({words}, '[+-]\\d\\d:\\d\\d$')"
    shift = f"CASE WHEN length({words}) > 10 AND {zone} <> '' THEN substr({zone}, 2, 2)::BIGINT * 60 + substr({zone}, 5, 2)::BIGINT ELSE 0 END"
    sign = f"CASE WHEN substr({zone}, 1, 1) = '-' THEN -1 ELSE 1 END"
    time = (
        f"CASE WHEN length({words}) = 10 THEN 0 WHEN substr({words}, 12, 2) < '24' AND substr({words}, 15, 2) < '60' "
        f"AND {seconds} < 60 AND {shift} < 1440 THEN (({clock} - {sign} * ({shift})) * 60 + {seconds}) * 1000 "
        f"+ CASE WHEN {fraction} = '000' THEN 0 ELSE {fraction}::BIGINT END END"
    )
    return (
        f"CASE WHEN regexp_full_match({words}, '{_PLAIN}') AND substr({words}, 1, 4) <> '0000' "
        f"THEN epoch_ms(try_cast(substr({words}, 1, 10) AS DATE)) + {time} END"
    )


def passes(test: Comparing, value: Value) -> str:
    """The test as a condition of SQL that is never NULL."""
    if test.op == "exists":
        return value.there
    if test.op == "missing":
        return f"NOT {value.there}"
    tests = [one for one in _tests(test, value) if one != NONE]
    return f"coalesce({', '.join([*tests, 'false'])})" if tests else "false"


def _tests(test: Comparing, value: Value) -> list[str]:
    """One for each kind of value that fits; at most one of them is not NULL."""
    match test.value_type:
        case "date":
            instants = [str(date_ms(literal)) for literal in test.listed]
            return [_compared(value.date, test.op, instants), _compared(_near(value.big), test.op, instants)]
        case "string":
            return _texts(test, value)
        case "bool":
            return [_compared(value.truth, test.op, [str(literal).lower() for literal in test.listed])]
        case _:
            return _numbers(test, value)


def _texts(test: Comparing, value: Value) -> list[str]:
    words = [text(str(literal)) for literal in test.listed]
    if test.op == "starts_with":
        return [_unless_none(value.text, f"starts_with({value.text}, {words[0]})")]
    if test.op == "contains":
        held = f"list_contains(list_transform({value.listed}, lambda e: CASE WHEN json_type(e) = 'VARCHAR' THEN e ->> '$' END), {words[0]})"
        return [_unless_none(value.text, f"contains({value.text}, {words[0]})"), _unless_none(value.listed, held)]
    return [_compared(value.text, test.op, words)]


def _numbers(test: Comparing, value: Value) -> list[str]:
    """Whole numbers are compared as such: as DOUBLE, two of them beyond 2^53 may be one."""
    numbers = [int(n) if isinstance(n, float) and n.is_integer() else n for n in test.listed]
    near = [f"'{n!r}'::DOUBLE" for n in numbers]
    if all(isinstance(n, int) for n in numbers):
        exact = _compared(value.whole, test.op, [str(n) for n in numbers])
    else:
        exact = _compared(_near(value.whole), test.op, near)
    return [exact, _compared(value.broken, test.op, near), _compared(_near(value.big), test.op, near)]


def _compared(left: str, op: str, right: Sequence[str]) -> str:
    if left == NONE:
        return NONE
    return f"({left}) IN ({', '.join(right)})" if op == "in" else f"({left}) {COMPARE[op]} {right[0]}"


def _near(digits: str) -> str:
    """Beyond 64 bits a number is far from every literal (2^53 at most), so its nearest DOUBLE compares as it does."""
    return NONE if digits == NONE else f"({digits})::DOUBLE"


def _unless_none(value: str, test: str) -> str:
    return NONE if value == NONE else test
