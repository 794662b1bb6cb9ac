"""What a long run of the law has compared: each operator of the language by what its people went through."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from schemas.audience import All, AnyOf, Condition, Consent, DateAttribute, Identifier, InSegment, Not, RandomBucket, Reachable
from schemas.audience_walk import happenings, nodes
from schemas.facts import Fact

SITUATIONS = ("tie", "late", "duplicate", "merge", "daylight")
LEAST = 50  # comparisons of each


def operators(condition: Condition) -> Iterator[str]:
    """What a condition is made of, by the names of its parts: a leaf also with its comparison and its window."""
    for _, node in nodes(condition):
        yield node.kind
        if isinstance(node, All | AnyOf | Not | InSegment):
            continue
        for field in ("op", "which", "within", "window", "lines", "without", "where"):
            if (held := getattr(node, field, None)) is not None and held != ():
                yield f"{node.kind} {field} {getattr(held, 'kind', held) if field in ('op', 'which', 'window') else ''}".strip()


def matters(condition: Condition, fact: Fact) -> bool:
    """Whether a condition could be about a fact."""
    name = fact.event or fact.type
    for _, node in nodes(condition):
        if isinstance(node, InSegment):
            return True
        if any(what.event == name for _, what in happenings(node)):
            return True
        if (attribute := getattr(node, "name", None)) is not None and attribute in fact.attributes:
            return True
        if isinstance(node, Identifier | Reachable) and fact.identifiers:
            return True
        if isinstance(node, RandomBucket) and fact.bucketing_id:
            return True
        if isinstance(node, Consent | DateAttribute):
            return True
    return False


class Seen:
    """Comparisons by operator and situation."""

    def __init__(self) -> None:
        self.found: Counter[tuple[str, str]] = Counter()
        self.operators: set[str] = set()

    def note(
        self, condition: Condition, facts: Sequence[Fact], twice: Iterable[str], midnights: Sequence[int], *, merged: bool
    ) -> None:
        """One comparison. facts: of the people; twice: ids of those that were offered twice; midnights: of days of odd lengths."""
        about = [fact for fact in facts if matters(condition, fact)]
        moments = [fact.occurred_at for fact in about]
        there = {
            "tie": len(set(moments)) < len(moments),
            "late": any(fact.occurred_at < before.occurred_at for before, fact in itertools.pairwise(about)),
            "duplicate": not {fact.id for fact in about}.isdisjoint(twice),
            "merge": merged and len({fact.profile for fact in about}) > 1,
            "daylight": any(min(moments) < at <= max(moments) for at in midnights) if moments else False,
        }
        for operator in set(operators(condition)):
            self.operators.add(operator)
            self.found.update((operator, situation) for situation, holds in there.items() if holds)

    def rare(self) -> list[tuple[str, str, int]]:
        """(operator, situation, comparisons) of what was compared less than LEAST times."""
        every = (
            (operator, situation, self.found[operator, situation])
            for operator in sorted(self.operators)
            for situation in SITUATIONS
        )
        return [one for one in every if one[2] < LEAST]
