"""Conditions that nobody can meet, or that everybody meets: what was written is likely not what was meant. Pure.

Only what is certain is told, whatever happens to a person: parts that exclude each other by their own words. Such a warning stands in no way.
"""

from collections.abc import Iterator, Sequence

from schemas.attributes import canonical
from schemas.audience import All, AnyOf, Condition, Filter, Leaf, Not, dump
from schemas.audience_walk import happenings, under
from services.gateway.domain.problems import Fault
from services.gateway.domain.sense import bounds, values
from services.gateway.domain.sense.literals import Literal

NEVER, ALWAYS, NO_FACT = "never_true", "always_true", "no_fact"


def senseless(condition: Condition) -> list[Fault]:
    """A warning for each group or leaf that can never, or can only, be true, and for each list of tests that no fact passes."""
    return list(_walk(Literal("", condition, positive=True), above=None))


def _walk(one: Literal, above: bool | None) -> Iterator[Fault]:
    """above: whether it is a part of a conjunction (True) or of the opposite (False); a group is judged with all of its own kind within it."""
    node, positive = one.node, one.positive
    if isinstance(node, Not):
        yield from _walk(Literal(under(one.path, "of"), node.of, not positive), above)
    elif isinstance(node, All | AnyOf):
        conjunction = isinstance(node, All) == positive
        if conjunction != above:
            parts = [part if conjunction else part.negated for part in _parts(one, conjunction)]
            if not any(map(_impossible, ([part] for part in parts))):  # else it is told of the part itself
                yield from _told(_impossible(parts), one.path, NEVER if conjunction == positive else ALWAYS)
        for place, part in enumerate(node.of):
            yield from _walk(Literal(under(one.path, f"of.{place}"), part, positive), conjunction)
    else:
        yield from _of_leaf(one.path, node)


def _parts(one: Literal, conjunction: bool) -> Iterator[Literal]:
    """What a group joins, groups of its own kind within it opened, however they are written."""
    node = one.node
    if isinstance(node, Not):
        yield from _parts(Literal(under(one.path, "of"), node.of, not one.positive), conjunction)
    elif isinstance(node, All | AnyOf) and (isinstance(node, All) == one.positive) == conjunction:
        for place, part in enumerate(node.of):
            yield from _parts(Literal(under(one.path, f"of.{place}"), part, one.positive), conjunction)
    else:
        yield one


def _impossible(parts: Sequence[Literal]) -> list[str]:
    """The paths of parts that cannot all be as they must; [] if nothing is certain."""
    return _opposites(parts) or values.clash(parts) or bounds.clash(parts)


def _opposites(parts: Sequence[Literal]) -> list[str]:
    """Something, and its opposite; or a choice of which each way is excluded."""
    places = {_said(part): part.path for part in parts}
    for part in parts:
        ways = part.node.of if isinstance(part.node, All | AnyOf) else (part.node,)
        against = [_said(Literal(part.path, way, not part.positive)) for way in ways]
        if against and all(one in places for one in against):
            return sorted({part.path, *(places[one] for one in against)})
    return []


def _said(part: Literal) -> tuple[bytes, bool]:
    """Equal for parts that say the same."""
    node, positive = part.node, part.positive
    while isinstance(node, Not):
        node, positive = node.of, not positive
    return canonical(dump(node)), positive


def _of_leaf(path: str, leaf: Leaf) -> Iterator[Fault]:
    alone = Literal(path, leaf, positive=True)
    yield from _told(_impossible([alone]), path, NEVER)
    yield from _told(_impossible([alone.negated]), path, ALWAYS)
    for field, what in happenings(leaf):
        for place, tests in (("where", what.where), ("lines.where", what.lines.where if what.lines else ())):
            if _none_passes(tests):
                yield Fault(under(under(path, field), place), NO_FACT)


def _none_passes(tests: Sequence[Filter]) -> bool:
    by_path: dict[str, list[Filter]] = {}
    for test in tests:
        by_path.setdefault(test.path, []).append(test)
    return any(map(values.excluded, by_path.values()))


def _told(paths: Sequence[str], path: str, code: str) -> Iterator[Fault]:
    if paths:
        listed = ", ".join(f"`{one}`" for one in paths if one != path)
        yield Fault(path, code, params={"parts": f" ({listed})" if listed else ""})
