"""What conditions cost whoever evaluates them, in units of one comparison of an attribute: a bound for each document, and for all in force.

An estimate from the text alone. The weights follow what live evaluation keeps and does: a count keeps instants, a sum their parts too, a sequence
looks at pairs.
"""

from collections.abc import Mapping
from typing import Any

WEIGHTS: Mapping[str, int] = {"did": 2, "age": 2, "total": 3, "average": 3, "since": 4, "distinct": 5, "sequence": 10}
TESTS = 5  # so many tests of facts cost one more
MOST_OF_ONE = 1_500
MOST_OF_ALL = 20_000


def cost(document: Any) -> int:
    """Of the document of a condition that can be read."""
    total, stack = 0, [document]
    while stack:
        node = stack.pop()
        parts = node.get("of") if isinstance(node, dict) else None
        if isinstance(parts, list):
            stack.extend(parts)
        elif isinstance(parts, dict):
            stack.append(parts)
        elif isinstance(node, dict):
            total += WEIGHTS.get(str(node.get("kind")), 1) + _tests(node) // TESTS
    return total


def _tests(what: Mapping[str, Any]) -> int:
    """How many tests of facts a leaf has."""
    inner = (what[name] for name in ("first", "then", "without", "lines") if isinstance(what.get(name), dict))
    return len(what.get("where", ())) + sum(map(_tests, inner))
