"""A condition as the source text of one Python function, which is compiled once and called for every fact that
touches it.

The function takes what is known of a person and an instant, and returns the signed integer of `horizons`. No text of
the user's enters the source: names, literals and tests are constants `c0`, `c1`, ... beside it; only validated
integers are written out.
"""

from typing import Any

from schemas.audience import (
    Age,
    All,
    AnyOf,
    Around,
    Attribute,
    Between,
    Calendar,
    Condition,
    Consent,
    DateAttribute,
    Did,
    Distinct,
    Identifier,
    InSegment,
    Leaf,
    Not,
    RandomBucket,
    Reachable,
    Total,
    Windowed,
)
from schemas.ids import bucket
from schemas.permission import FLAT, Tree
from services.segmenter.domain.closures import closure
from services.segmenter.domain.consenting import consent
from services.segmenter.domain.horizons import NEVER, date_window, window_sum
from services.segmenter.domain.normal import identifier_kind, needs
from services.segmenter.domain.series import NOTHING
from services.segmenter.domain.values import COMPARE, dig, steps, value_test

# Arguments: series, attributes, identifier kinds, bucketing id, segments he stands in, words of consent, the instant.
ARGUMENTS = "S, A, K, B, M, W, now"
ABSENT = (0, None)

# Cheap parts first: a part that time cannot change often settles the whole without the dear ones.
_COST = {Identifier: 0, Reachable: 0, InSegment: 0, Attribute: 1, Did: 2, Age: 2, DateAttribute: 3, Total: 4, RandomBucket: 5}


class Source:
    """Collects the functions of one plan and the constants that they share."""

    def __init__(self, topics: Tree = FLAT) -> None:
        """topics: the tree that conditions about consent go by."""
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {
            "N": NEVER,
            "E": NOTHING,
            "X": ABSENT,
            "dig": dig,
            "bucket": bucket,
            "consent": consent,
            "T": topics,
            "date_window": date_window,
            "window_sum": window_sum,
        }
        self._variables = 0

    def function(self, name: str, condition: Condition) -> None:
        """Add `def name(S, A, K, B, M, W, now)` for a condition in normal form."""
        self.lines.append(f"def {name}({ARGUMENTS}):")
        result = self._write(condition, 1)
        self.lines.append(f"    return {result}")

    def build(self) -> dict[str, Any]:
        """The functions by name."""
        namespace = dict(self.constants)
        code = compile("\n".join(self.lines), "<segments>", "exec")
        exec(code, namespace)  # noqa: S102 - the head of this module says why it is safe
        return namespace

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def _write(self, condition: Condition, indent: int) -> str:
        """The expression of a condition; an all or any first writes the statements that fill the variable it names."""
        if isinstance(condition, Not):
            return f"-({self._write(condition.of, indent)})"
        if isinstance(condition, All):
            return self._chain(condition.of, indent, settled="-N", better="<") if condition.of else "N"
        if isinstance(condition, AnyOf):
            return self._chain(condition.of, indent, settled="N", better=">")
        return f"({self._leaf(condition)})"

    def _chain(self, parts: tuple[Condition, ...], indent: int, settled: str, better: str) -> str:
        """Min (all) or max (any) of the parts, leaving off when the result can neither change nor last longer."""
        self._variables += 1
        variable, part = f"r{self._variables}", f"p{self._variables}"
        first, *others = sorted(parts, key=_cost)
        self._line(indent, f"{variable} = {self._write(first, indent)}")
        for other in others:
            self._line(indent, f"if {variable} != {settled}:")
            self._line(indent + 1, f"{part} = {self._write(other, indent + 1)}")
            self._line(indent + 1, f"if {part} {better} {variable}: {variable} = {part}")
        return variable

    def _line(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    def _leaf(self, leaf: Leaf) -> str:
        match leaf:
            case Attribute():
                return f"N if {self.constant(value_test(leaf))}({self._attribute(leaf.name, leaf.path)}) else -N"
            case DateAttribute():
                value = self._attribute(leaf.name, leaf.path)
                return f"date_window({value}, now, {_whole(leaf.after)}, {_whole(leaf.until)})"
            case Identifier() | Reachable():
                return f"N if {self.constant(identifier_kind(leaf))} in K else -N"
            case InSegment():
                return f"N if {self.constant(leaf.key)} in M else -N"
            case RandomBucket():
                share = f"{_whole(leaf.start)} <= bucket({self.constant(leaf.salt)}, B) < {_whole(leaf.end)}"
                return f"N if B is not None and {share} else -N"
            case Did() | Total() | Age() if not _in_window(leaf):
                return self._happening(leaf)
            case Distinct(window=None | Between()):
                return self._distinct(leaf)
            case Consent():
                return f"consent({self.constant(leaf)}, W, T, now)"
            case _:
                return f"{self.constant(closure(leaf))}(S, A, now)"

    def _attribute(self, name: str, path: str) -> str:
        value = f"A.get({self.constant(name)}, X)[1]"
        return f"dig({value}, {self.constant(steps(path))})" if path else value

    def _happening(self, leaf: Did | Total | Age) -> str:
        (wanted,) = needs(leaf)
        series = f"S.get({wanted.id}, E)"
        if isinstance(leaf, Age):
            turns = f"(u := a.{leaf.which} + {_whole(leaf.age)})"
            held = f"(N if {turns} <= now else -u)" if leaf.op == "older" else f"(u if {turns} > now else -N)"
            return f"{held} if (a := {series}).count else -N"
        if leaf.within is None:
            field = "total" if isinstance(leaf, Total) else "count"
            return f"N if {self._compare(leaf.op)}({series}.{field}, {_whole(leaf.value)}) else -N"
        if isinstance(leaf, Total) or wanted.summed:
            return f"window_sum({series}, {_whole(leaf.within)}, now, {self._compare(leaf.op)}, {_whole(leaf.value)})"
        return _count(series, leaf.op, leaf.value, leaf.within)

    def _distinct(self, leaf: Distinct) -> str:
        """Each value stands once, with its latest instant: so it is counted as facts are."""
        series = f"S.get({needs(leaf)[0].id}, E)"
        if leaf.within is None:
            return f"N if {self._compare(leaf.op)}(len({series}.times), {_whole(leaf.value)}) else -N"
        return _count(series, leaf.op, leaf.value, leaf.within)

    def _compare(self, op: str) -> str:
        return self.constant(COMPARE[op])


def _in_window(leaf: Did | Total | Age) -> bool:
    """Whether it has a window that is neither rolling nor kept apart by its bounds."""
    return isinstance(leaf, Windowed) and isinstance(leaf.window, Calendar | Around)


def _count(series: str, op: str, value: int, within: int) -> str:
    """A windowed count. All comparisons come from one:

    At least k, true until the k-th latest instant leaves the window.
    """
    at_least, more = _at_least(series, value, within), _at_least(series, value + 1, within)
    return {
        "ge": at_least,
        "gt": more,
        "lt": f"-({at_least})",
        "le": f"-({more})",
        "eq": f"min({at_least}, -({more}))",
        "ne": f"max(-({at_least}), {more})",
    }[op]


def _at_least(series: str, k: int, within: int) -> str:
    if k == 0:
        return "N"
    return f"u if len(t := {series}.times) >= {_whole(k)} and (u := t[-{_whole(k)}] + {_whole(within)}) > now else -N"


def _whole(number: int | None) -> str:
    """An integer as it may stand in source text; anything else would be a hole in the wall, so it raises TypeError."""
    if number is not None and type(number) is not int:
        raise TypeError(f"{number!r} is no integer")
    return repr(number)


def _cost(condition: Condition) -> int:
    return _COST.get(type(condition), 6) if not isinstance(condition, Not) else _cost(condition.of)
