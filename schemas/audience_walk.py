"""Ways through a condition: its nodes with their paths, and the facts that a leaf asks about."""

from collections.abc import Iterator

from schemas.audience import All, AnyOf, Condition, Happening, Not, Sequence, Since


def nodes(condition: Condition, path: str = "") -> Iterator[tuple[str, Condition]]:
    """(path, node), each before its parts. Paths are those of faults: dotted, list places as numbers, "" the condition itself."""
    yield path, condition
    if isinstance(condition, Not):
        yield from nodes(condition.of, under(path, "of"))
    elif isinstance(condition, All | AnyOf):
        for place, part in enumerate(condition.of):
            yield from nodes(part, under(path, f"of.{place}"))


def happenings(node: Condition) -> Iterator[tuple[str, Happening]]:
    """The facts that a leaf asks about, by the field that names them: "" for the leaf itself."""
    if isinstance(node, Happening):
        yield "", node
    if isinstance(node, Sequence):
        yield "first", node.first
        yield "then", node.then
    if isinstance(node, Sequence | Since) and node.without is not None:
        yield "without", node.without


def under(path: str, field: str) -> str:
    """The path of a field of what stands at `path`; either may be ""."""
    return ".".join(part for part in (path, field) if part)
