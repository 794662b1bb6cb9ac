"""One shape for conditions that mean the same, and what the live state must gather for a leaf.

An accumulator is what one person did of one event under one set of property tests, plus the summed property of a total. Windows and
thresholds are parameters read at evaluation, so "bought in 30 days" and "bought 3 times in 90 days" share one.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from schemas.attributes import canonical
from schemas.audience import Age, All, AnyOf, Comparing, Condition, Did, Filter, Identifier, Not, Reachable, Total, dump

KIND_OF_CHANNEL = {"email": "email", "sms": "phone", "telegram": "telegram_id", "vk": "vk_id"}
EXACT_RANK = 256  # a windowed count up to this keeps that many latest instants and stays exact; above, it is a sum of ones


class Need(NamedTuple):
    """One accumulator and what a leaf asks of it.

    summed: the property path of a total, "" for plain counts, "#" for counts that are gathered as a sum of ones.
    rank: how many of the latest instants a windowed count must know. window: ms for which the parts of a sum must be known.
    """

    event: str
    where: tuple[Filter, ...]
    summed: str
    rank: int
    window: int


def normal(condition: Condition) -> Condition:
    """The same condition: nested alls and anys flattened, parts sorted and unique, double nots gone, tests sorted."""
    if isinstance(condition, Not):
        inner = normal(condition.of)
        return inner.of if isinstance(inner, Not) else Not(of=inner)
    if isinstance(condition, All | AnyOf):
        kind = type(condition)
        parts: dict[bytes, Condition] = {}
        for part in map(normal, condition.of):
            for piece in part.of if isinstance(part, kind) else (part,):
                parts[canonical(dump(piece))] = piece
        unique = tuple(parts[text] for text in sorted(parts))
        return unique[0] if len(unique) == 1 else kind(of=unique)
    if isinstance(condition, Did | Total | Age):
        return condition.model_copy(update={"where": _sorted_tests(condition.where)})
    return condition


def fingerprint(condition: Condition) -> str:
    """Equal for conditions of one normal form: a changed text that changes nothing needs no backfill. 32 hex digits."""
    return hashlib.sha256(canonical(dump(normal(condition)))).hexdigest()[:32]


def need(leaf: Did | Total | Age) -> Need:
    """What the accumulator of this leaf must hold."""
    where = _sorted_tests(leaf.where)
    if isinstance(leaf, Total):
        return Need(leaf.event, where, leaf.sum, 0, leaf.within or 0)
    if isinstance(leaf, Age) or leaf.within is None:
        return Need(leaf.event, where, "", 0, 0)
    rank = leaf.value + (leaf.op in {"eq", "ne", "gt", "le"})
    if rank > EXACT_RANK:
        return Need(leaf.event, where, "#", 0, leaf.within)
    return Need(leaf.event, where, "", rank, 0)


def identifier_kind(leaf: Identifier | Reachable) -> str:
    """The kind of identifier that makes this leaf true."""
    return leaf.has if isinstance(leaf, Identifier) else KIND_OF_CHANNEL[leaf.channel]


def accumulator_id(event: str, where: Iterable[Filter], summed: str) -> int:
    """A stable name of an accumulator, 63 bits: states of every revision find their series under it."""
    tests = [_test_key(test) for test in _sorted_tests(where)]
    digest = hashlib.sha256(canonical(["accumulator", event, tests, summed])).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _test_key(test: Comparing) -> list[Any]:
    return [test.path, test.op, test.value_type, test.value]


def _sorted_tests(where: Iterable[Filter]) -> tuple[Filter, ...]:
    by_key = {canonical(_test_key(test)): test for test in where}
    return tuple(by_key[key] for key in sorted(by_key))
