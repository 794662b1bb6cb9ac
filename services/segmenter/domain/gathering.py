"""What one fact adds to an accumulator: the tests of its properties, and what the summed path says."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from schemas.audience import Lines
from schemas.facts import IDENTIFIER_KINDS, PERSONAL
from schemas.machines import MARK, asks_for_people
from services.segmenter.domain.normal import Need
from services.segmenter.domain.values import dig, passes, steps, value_test

Added = int | tuple[int, ...]
Amount = Callable[[dict[str, Any], int | None], Added | None]
Properties = dict[str, Any]

MAX_AMOUNT = 2**53 - 1  # of one fact: larger numbers are not exact in JSON readers, so they are nobody's money
NOT_IN_THE_LAKE = PERSONAL | frozenset(IDENTIFIER_KINDS) | {"userId", "anonymousId"}  # names of properties, at any depth


def amount(wanted: Need) -> Amount:
    """A function of a fact's properties and its instant (ms; None: not known yet, so it decides nothing): what the fact adds, None when
    it does not match. 1 for counts, the whole number at the summed path for totals, the numbers of the values there for distinct ones.
    """
    found = _of_lines(wanted, wanted.lines) if wanted.lines or wanted.gathers else _of_properties(wanted)
    since, until = wanted.bounds
    if since is None and until is None:
        return found

    def bounded(properties: Properties, at: int | None) -> Added | None:
        if at is not None and ((since is not None and at < since) or (until is not None and at >= until)):
            return None
        return found(properties, at)

    return bounded


def _of_properties(wanted: Need) -> Amount:
    tests = _tests(wanted)
    summed = steps(wanted.summed) if wanted.summed not in {"", "#"} else ()

    def found(properties: Properties, _at: int | None) -> int | None:
        for path, test in tests:  # not `passes`: this is done for every fact
            if not test(dig(properties, path)):
                return None
        return (_whole(dig(properties, summed)) or None) if summed else 1

    return found


def _of_lines(wanted: Need, lines: Lines | None) -> Amount:
    """Of the matching lines of a fact, or of its properties as the only one."""
    matches = passes(_tests(wanted))
    line_matches = passes((steps(test.path), value_test(test)) for test in lines.where) if lines else None
    path = steps(lines.path) if lines else ()
    said = _SAYS[wanted.gathers] if wanted.summed not in {"", "#"} else (lambda _values: 1)
    summed = steps(wanted.summed)

    def found(properties: Properties, _at: int | None) -> Added | None:
        if not matches(properties):
            return None
        places: Sequence[Any] = (properties,)
        if line_matches is not None:
            held = dig(properties, path)
            places = [line for line in held if line_matches(line)] if type(held) is list else ()
        return said([dig(place, summed) for place in places]) if places else None

    return found


def _tests(wanted: Need) -> list[tuple[tuple[str, ...], Callable[[Any], bool]]]:
    """What the properties of a fact must pass: those that are asked, and that no machine did it."""
    tests = [(steps(test.path), value_test(test)) for test in wanted.where]
    return [*tests, ((MARK,), lambda value: value is not True)] if asks_for_people(wanted.event, wanted.where) else tests


def _whole(value: Any) -> int | None:
    return value if type(value) is int and -MAX_AMOUNT <= value <= MAX_AMOUNT else None


def _sum(values: Sequence[Any]) -> int | None:
    return sum(_whole(value) or 0 for value in values) or None


def _mean(values: Sequence[Any]) -> int | None:
    whole = [number for value in values if (number := _whole(value)) is not None]
    return sum(whole) if whole else None


def _means(values: Sequence[Any]) -> int | None:
    return sum(_whole(value) is not None for value in values) or None


def _different(values: Sequence[Any]) -> tuple[int, ...] | None:
    return tuple(sorted({number_of(value) for value in values if type(value) in _SCALARS})) or None


_SCALARS = (bool, int, float, str)
_SAYS: dict[str, Callable[[Sequence[Any]], Added | None]] = {
    "": _sum,
    "mean": _mean,
    "means": _means,
    "newest": _different,
    "each": _different,
}


def number_of(value: bool | float | str) -> int:
    """What a value is kept as, 63 bits of a hash: a text may be long. 1 and 1.0 are one value; 1, "1" and true are three."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = f"{'number' if type(value) in {int, float} else type(value).__name__}:{value}"
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big") >> 1


def paths(wanted: Need) -> tuple[str, ...]:
    """Of the properties of a fact that decide what it adds."""
    said = [wanted.lines.path] if wanted.lines else [wanted.summed] if wanted.summed not in {"", "#"} else []
    mark = [MARK] if asks_for_people(wanted.event, wanted.where) else []
    return tuple(sorted({*(test.path for test in wanted.where), *mark, *said}))


def personal(wanted: Need) -> bool:
    """Whether it asks for what the lake does not have."""
    paths = [test.path for test in wanted.where] + [wanted.summed]
    if wanted.lines is not None:
        paths += [wanted.lines.path, *(test.path for test in wanted.lines.where)]
    return any(step in NOT_IN_THE_LAKE for path in paths for step in steps(path))
