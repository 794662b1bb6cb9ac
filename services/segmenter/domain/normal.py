"""One shape for conditions that mean the same, and what the live state must gather for a leaf.

An accumulator is what one person did of one event under one set of tests: when, and of sums, averages and distinct values what of it.
Windows and thresholds are parameters read at evaluation, so "bought in 30 days" and "bought 3 times in 90 days" share one; a leaf about
several events reads several.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from schemas.attributes import canonical
from schemas.audience import (
    Age,
    All,
    AnyOf,
    Around,
    Average,
    Between,
    Calendar,
    Comparing,
    Condition,
    Counted,
    Did,
    Distinct,
    Filter,
    Happening,
    Identifier,
    Lines,
    Not,
    Reachable,
    Sequence,
    Since,
    Total,
    Windowed,
    dump,
)
from schemas.zones import DAY
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.series import Gathers

KIND_OF_CHANNEL = {"email": "email", "sms": "phone", "telegram": "telegram_id", "vk": "vk_id"}
EXACT_RANK = 256  # a windowed count up to this keeps that many latest instants and stays exact; above, it is a sum of ones
EVER = NEVER
LONGEST = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}  # days


class Need(NamedTuple):
    """One accumulator and what a leaf asks of it.

    summed: the property path of a total, average or of distinct values, "" for plain counts, "#" for counts that are gathered as a sum of
    ones. rank: how many of the latest instants a windowed count must know. window: ms for which the parts of a sum must be known.
    bounds: from, before: only facts that happened between the two (ms) are gathered.
    """

    event: str
    where: tuple[Filter, ...]
    summed: str
    rank: int
    window: int
    lines: Lines | None = None
    gathers: Gathers = ""
    bounds: tuple[int | None, int | None] = (None, None)

    @property
    def id(self) -> int:
        """The name of the accumulator, see `accumulator_id`."""
        return accumulator_id(self.event, self.where, self.summed, lines=self.lines, gathers=self.gathers, bounds=self.bounds)


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
    if isinstance(condition, Sequence):
        without = condition.without and _sorted(condition.without)
        return condition.model_copy(update={"first": _sorted(condition.first), "then": _sorted(condition.then), "without": without})
    return _sorted(condition) if isinstance(condition, Happening) else condition


_H = TypeVar("_H", bound=Happening)


def _sorted(happening: _H) -> _H:
    """With its tests in one order, and dates as instants."""
    update: dict[str, Any] = {"where": _sorted_tests(happening.where)}
    if happening.lines is not None:
        update["lines"] = _sorted_lines(happening.lines)
    if isinstance(happening, Windowed) and isinstance(happening.window, Between):
        since, until = happening.window.bounds
        update["window"] = Between(since=since, until=until)
    if isinstance(happening, Since):
        update["without"] = _sorted(happening.without)
    return happening.model_copy(update=update)


def fingerprint(condition: Condition) -> str:
    """Equal for conditions of one normal form: a changed text that changes nothing needs no backfill. 32 hex digits."""
    return hashlib.sha256(canonical(dump(normal(condition)))).hexdigest()[:32]


def needs(leaf: Counted) -> tuple[Need, ...]:
    """What the accumulators of this leaf must hold, in the order in which its evaluation takes them."""
    match leaf:
        case Age():
            return (_counts(leaf),)
        case Did():
            return (_of_did(leaf),)
        case Total():
            return (_of(leaf, leaf.sum, ""),)
        case Average():
            return _of(leaf, leaf.of, "mean"), _of(leaf, leaf.of, "means")
        case Distinct():
            return (_of_distinct(leaf),)
        case Sequence():
            then = EVER if leaf.last is None else leaf.last
            window = EVER if leaf.last is None else leaf.last + leaf.within
            between = () if leaf.without is None else (_instants(leaf.without, window),)
            return _instants(leaf.first, window), _instants(leaf.then, then), *between
        case Since():
            return _instants(leaf, leaf.within or EVER), _counts(leaf.without)


def _of_did(leaf: Did) -> Need:
    reach, bounds = _reach(leaf)
    if not reach:
        return _counts(leaf, bounds)
    rank = leaf.value + (leaf.op in {"eq", "ne", "gt", "le"})
    latest = leaf.within is not None or (isinstance(leaf.window, Calendar) and not leaf.window.back)
    if rank > EXACT_RANK or not latest:
        return _instants(leaf, reach)
    return _counts(leaf)._replace(rank=rank)


def _of_distinct(leaf: Distinct) -> Need:
    past = isinstance(leaf.window, Around) or (isinstance(leaf.window, Calendar) and leaf.window.back > 0)
    need = _of(leaf, leaf.of, "each" if past else "newest")
    return need if need.window else need._replace(window=EVER)


def _of(leaf: Windowed, path: str, gathers: Gathers) -> Need:
    reach, bounds = _reach(leaf)
    return Need(leaf.event, _sorted_tests(leaf.where), path, 0, reach, _lines(leaf), gathers, bounds)


def _counts(happening: Happening, bounds: tuple[int | None, int | None] = (None, None)) -> Need:
    return Need(happening.event, _sorted_tests(happening.where), "", 0, 0, _lines(happening), bounds=bounds)


def _instants(happening: Happening, window: int) -> Need:
    return Need(happening.event, _sorted_tests(happening.where), "#", 0, window, _lines(happening))


def _lines(happening: Happening) -> Lines | None:
    return happening.lines and _sorted_lines(happening.lines)


def _reach(leaf: Windowed) -> tuple[int, tuple[int | None, int | None]]:
    """How far back the window of a leaf can reach (ms, 0: it asks for no instants), and the bounds of one that never moves."""
    match leaf.window:
        case None:
            return leaf.within or 0, (None, None)
        case Between():
            return 0, leaf.window.bounds
        case Around():
            return EVER, (None, None)
        case Calendar(unit=unit, back=back):
            return ((back + 1) * LONGEST[unit] + 1) * DAY, (None, None)


def identifier_kind(leaf: Identifier | Reachable) -> str:
    """The kind of identifier that makes this leaf true."""
    return leaf.has if isinstance(leaf, Identifier) else KIND_OF_CHANNEL[leaf.channel]


def accumulator_id(
    event: str,
    where: Iterable[Filter],
    summed: str,
    *,
    lines: Lines | None = None,
    gathers: Gathers = "",
    bounds: tuple[int | None, int | None] = (None, None),
) -> int:
    """A stable name of an accumulator, 63 bits: states of every revision find their series under it."""
    tests = [_test_key(test) for test in _sorted_tests(where)]
    named: list[Any] = ["accumulator", event, tests, summed]
    if lines is not None or gathers or bounds != (None, None):
        within = lines and [lines.path, [_test_key(test) for test in _sorted_tests(lines.where)]]
        named += [within, gathers, bounds]
    digest = hashlib.sha256(canonical(named)).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _test_key(test: Comparing) -> list[Any]:
    return [test.path, test.op, test.value_type, test.value]


def _sorted_lines(lines: Lines) -> Lines:
    return lines.model_copy(update={"where": _sorted_tests(lines.where)})


def _sorted_tests(where: Iterable[Filter]) -> tuple[Filter, ...]:
    by_key = {canonical(_test_key(test)): test for test in where}
    return tuple(by_key[key] for key in sorted(by_key))
