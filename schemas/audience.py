"""The language of "who": one tree of conditions for segments, branches, entry filters, campaign audiences, blocks and
reports.

A document is JSON or YAML; every node has a `kind`. All times and durations are integer milliseconds, instants are
UTC, windows are `(now - within, now]`. What each condition means to the last millisecond is written in
docs/audience-semantics.md: live and bulk evaluation both follow it. The language only grows: a new kind or a new optional field,
never another meaning of an old one.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from schemas.audience_nodes import MAX_WITHIN_MS, Comparing, Filter, Name, Node, Path, Problem, Whole, Within, span_problems
from schemas.audience_windows import Around, Between, Calendar, Lines, Shift, Window, ZoneName

__all__ = [
    "ADAPTER",
    "Around",
    "Between",
    "Calendar",
    "Comparing",
    "Condition",
    "Filter",
    "Leaf",
    "Lines",
    "Node",
    "Problem",
    "Window",
]

Comparison = Literal["eq", "ne", "gt", "ge", "lt", "le"]
MAX_VALUES = 1000  # of a property that `distinct` tells apart
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class All(Node):
    """True when every part is; an empty list means everybody."""

    kind: Literal["all"] = "all"
    of: tuple["Condition", ...]


class AnyOf(Node):
    """True when at least one part is."""

    kind: Literal["any"] = "any"
    of: Annotated[tuple["Condition", ...], Field(min_length=1)]


class Not(Node):
    """True when `of` is false, so it is true of a person about whom nothing is known."""

    kind: Literal["not"] = "not"
    of: "Condition"


class Attribute(Comparing):
    """An attribute of the person, last write wins. `contains` also finds a text in a list of texts."""

    kind: Literal["attribute"] = "attribute"
    name: Name


class DateAttribute(Node):
    """A date attribute, seen from now: true while it lies in `(now + after, now + until]` (ms, negative: in the past).

    "Ends within 7 days": after 0, until 7 d. "Ended in the last day": after -1 d, until 0. One of the bounds may be
    left out.
    """

    kind: Literal["date"] = "date"
    name: Name
    path: Path = ""
    after: Shift | None = None
    until: Shift | None = None

    def problems(self) -> Iterator[Problem]:
        yield from span_problems(self.after, self.until)


class Identifier(Node):
    """The person is known by an identifier of this kind (`user_id`, `email`, `phone`, ...)."""

    kind: Literal["identifier"] = "identifier"
    has: Name


class Reachable(Node):
    """The person has an address for this channel. It says nothing of consent."""

    kind: Literal["reachable"] = "reachable"
    channel: Literal["email", "sms", "telegram", "vk"]


class Happening(Node):
    """Facts of one event name, all `where` filters true, and of `lines` at least one line's.

    Pages and screens without an event name are `page` and `screen`.
    """

    event: Name
    where: Annotated[tuple[Filter, ...], Field(max_length=20)] = ()
    lines: Lines | None = None


class Windowed(Happening):
    """The facts ever, within a rolling window of ms, or in a `window` of another kind."""

    within: Within | None = None
    window: Window | None = None

    def problems(self) -> Iterator[Problem]:
        if self.within is not None and self.window is not None:
            yield "window", "unexpected", "give `within` or `window`, not both"


class Did(Windowed):
    """How often it happened. "Did not within w" is `not` around it, or `eq 0`."""

    kind: Literal["did"] = "did"
    op: Comparison = "ge"
    value: Count = 1


class Total(Windowed):
    """The sum of an integer property over the facts, or over their matching lines. Money: `sum: total.minor`.

    Nothing summed is 0.
    """

    kind: Literal["total"] = "total"
    sum: Annotated[Path, Field(min_length=1)]
    op: Comparison
    value: Whole


class Average(Windowed):
    """The mean of an integer property over the facts (or matching lines) that have one there, compared exactly. None has: false."""

    kind: Literal["average"] = "average"
    of: Annotated[Path, Field(min_length=1)]
    op: Comparison
    value: Whole


class Distinct(Windowed):
    """How many different texts, numbers and truths a property had over the facts, or over their matching lines. None is 0."""

    kind: Literal["distinct"] = "distinct"
    of: Annotated[Path, Field(min_length=1)]
    op: Comparison = "ge"
    value: Annotated[int, Field(strict=True, ge=0, le=MAX_VALUES)]


class Age(Happening):
    """How long ago it happened first or last: `older` from `age` ms on (inclusive), `newer` before.

    It never happened: false.
    """

    kind: Literal["age"] = "age"
    which: Literal["first", "last"] = "last"
    op: Literal["older", "newer"]
    age: Within


class Sequence(Node):
    """`first`, and `then` later, by no more than `within` ms, and `without` nowhere between the two.

    last: `then` lies in the last so many ms; left out: ever.
    """

    kind: Literal["sequence"] = "sequence"
    first: Happening
    then: Happening
    within: Within
    without: Happening | None = None
    last: Within | None = None


class Since(Happening):
    """It happened at least `after` ms ago (and less than `within` ms), and `without` has not happened later: left in the basket."""

    kind: Literal["since"] = "since"
    without: Happening
    after: Annotated[int, Field(strict=True, ge=0, le=MAX_WITHIN_MS)] = 0
    within: Within | None = None

    def problems(self) -> Iterator[Problem]:
        if self.within is not None and self.within <= self.after:
            yield "within", "order", "`within` must be greater than `after`"


class Anniversary(Node):
    """The day of a date attribute as it recurs each year: true from the midnight `before` days ahead of it (negative: behind), for `days` days.

    year own: only in the year of the date itself. zone: of people whose own is unknown. A birthday of 29 February is 28 February in
    other years.
    """

    kind: Literal["anniversary"] = "anniversary"
    name: Name
    path: Path = ""
    before: Annotated[int, Field(strict=True, ge=-366, le=366)] = 0
    days: Annotated[int, Field(strict=True, ge=1, le=366)] = 1
    year: Literal["each", "own"] | None = None
    zone: ZoneName = "UTC"


class Consent(Node):
    """What he has said of messages on a topic over a channel, and whether marketing may rely on it now (schemas/permission.py).

    granted: it may. unproven: else, he asked for it and has not confirmed. denied: else, he said no. none: none of these.
    brand: whose messages; left out: of any brand.
    """

    kind: Literal["consent"] = "consent"
    channel: Annotated[str, Field(min_length=1, max_length=60)]
    topic: Annotated[str, Field(min_length=1, max_length=200)] = "*"
    purpose: Literal["marketing"] = "marketing"
    state: Literal["granted", "denied", "unproven", "none"] = "granted"
    brand: Name | None = None


class InSegment(Node):
    """The person stands in another segment."""

    kind: Literal["segment"] = "segment"
    key: Name


class RandomBucket(Node):
    """A stable random share: `start` <= bucket(salt, bucketing_id) < `end` of 10,000. No bucketing id yet: false."""

    kind: Literal["bucket"] = "bucket"
    salt: Name
    start: Annotated[int, Field(strict=True, ge=0, le=9_999)] = 0
    end: Annotated[int, Field(strict=True, ge=1, le=10_000)]

    def problems(self) -> Iterator[Problem]:
        if self.start >= self.end:
            yield "end", "order", "`end` must be greater than `start`"


Counted = Did | Total | Average | Distinct | Age | Sequence | Since
Leaf = Attribute | DateAttribute | Anniversary | Identifier | Reachable | Consent | Counted | InSegment | RandomBucket
Condition = Annotated[All | AnyOf | Not | Leaf, Field(discriminator="kind")]
for _model in (All, AnyOf, Not):
    _model.model_rebuild()
ADAPTER: TypeAdapter[Condition] = TypeAdapter(Condition)


def dump(condition: Condition) -> dict[str, Any]:
    """The document of a condition: `parse(dump(condition)) == condition`."""
    document: dict[str, Any] = ADAPTER.dump_python(condition, mode="json", exclude_none=True)
    return document


def json_schema() -> dict[str, Any]:
    """JSON Schema of a condition, for editors and the console."""
    return ADAPTER.json_schema()


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf, from left to right."""
    if isinstance(condition, All | AnyOf):
        for part in condition.of:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.of)
    else:
        yield condition


def references(condition: Condition) -> frozenset[str]:
    """The keys of the segments that a condition asks about directly."""
    return frozenset(leaf.key for leaf in leaves(condition) if isinstance(leaf, InSegment))


def topics(condition: Condition) -> frozenset[str]:
    """The keys of the topics whose consent a condition asks about."""
    return frozenset(leaf.topic for leaf in leaves(condition) if isinstance(leaf, Consent) and leaf.topic != "*")
