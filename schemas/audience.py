"""The language of "who": one tree of conditions for segments, branches, entry filters, campaign audiences, blocks and
reports.

A document is JSON or YAML; every node has a `kind`. All times and durations are integer milliseconds, instants are
UTC, windows are `(now - within, now]`. What each condition means to the last millisecond is written in
docs/audience-semantics.md: live and bulk evaluation both follow it. The language only grows: a new kind or a new optional field,
never another meaning of an old one.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.attributes import date_ms

MAX_LISTED = 1000
MAX_WITHIN_MS = 10 * 366 * 86_400_000
MAX_NUMBER = 2**53 - 1

Scalar = bool | int | float | str
Op = Literal["exists", "missing", "eq", "ne", "in", "gt", "ge", "lt", "le", "contains", "starts_with"]
Comparison = Literal["eq", "ne", "gt", "ge", "lt", "le"]
ValueType = Literal["number", "string", "bool", "date"]
Problem = tuple[str, str, str]

_OPS: Mapping[str, frozenset[str]] = {
    "number": frozenset({"eq", "ne", "in", "gt", "ge", "lt", "le"}),
    "date": frozenset({"eq", "ne", "in", "gt", "ge", "lt", "le"}),
    "string": frozenset({"eq", "ne", "in", "contains", "starts_with"}),
    "bool": frozenset({"eq", "ne", "in"}),
}


def _literal(value: Any) -> Any:
    """A value to compare with: a scalar of JSON, or a list of them (frozen to a tuple)."""
    if isinstance(value, list | tuple):
        return tuple(_literal(item) if not isinstance(item, list | tuple) else _refuse() for item in value)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and abs(value) <= MAX_NUMBER:
        return value
    return _refuse()


def _refuse() -> Any:
    raise PydanticCustomError("value", "must be a text, true or false, a number up to 2^53 - 1, or a list of such")


Literals = Annotated[
    Scalar | tuple[Scalar, ...] | None,
    PlainValidator(_literal),
    PlainSerializer(lambda value: list(value) if isinstance(value, tuple) else value, return_type=Any),
    WithJsonSchema({"type": ["string", "number", "boolean", "array", "null"], "items": {"type": ["string", "number", "boolean"]}}),
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Path = Annotated[str, Field(max_length=200, pattern=r"^([^.]+(\.[^.]+)*)?$")]
Within = Annotated[int, Field(strict=True, ge=1, le=MAX_WITHIN_MS)]
Whole = Annotated[int, Field(strict=True, ge=-MAX_NUMBER, le=MAX_NUMBER)]


class Node(BaseModel):
    """What all conditions share: frozen, no unknown fields, and `problems`: what the types of the fields cannot say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def problems(self) -> Iterator[Problem]:
        """(field, code, message) of each contradiction between the fields."""
        yield from ()

    @model_validator(mode="after")
    def _refuse_problems(self) -> Self:
        problems = list(self.problems())
        if problems:
            text = "; ".join(f"{field}: {message}" for field, _, message in problems)
            raise PydanticCustomError("problems", "{text}", {"text": text, "problems": problems})
        return self


class Comparing(Node):
    """A typed comparison of one value. A value that is absent, null or of another type makes it false (`missing`
    alone: true).

    type: taken from `value` when not given; dates must say `date`, their value is ms or an ISO text.
    path: where the value lies inside an object, dotted.
    """

    path: Path = ""
    op: Op
    value: Literals = None
    type: ValueType | None = None

    @property
    def listed(self) -> tuple[Scalar, ...]:
        """The values compared with: several for `in`, none for `exists` and `missing`, else one."""
        if self.value is None:
            return ()
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @property
    def value_type(self) -> ValueType | None:
        """The declared type, else that of the first value."""
        return self.type or (_type_of(self.listed[0]) if self.listed else None)

    def problems(self) -> Iterator[Problem]:
        if self.op in {"exists", "missing"}:
            if self.value is not None:
                yield "value", "unexpected", f"`{self.op}` takes no value"
            return
        if (self.op == "in") != isinstance(self.value, tuple):
            yield "value", "shape", "`in` takes a list of values" if self.op == "in" else f"`{self.op}` takes one value"
            return
        if not 0 < len(self.listed) <= MAX_LISTED:
            yield (
                "value",
                "length",
                f"`{self.op}` needs a value" if self.op != "in" else f"give 1 to {MAX_LISTED} values",
            )
            return
        kind = self.value_type
        if kind is not None and self.op not in _OPS[kind]:
            yield "op", "type", f"`{self.op}` does not fit a {kind}; a {kind} knows {', '.join(sorted(_OPS[kind]))}"
        for value in self.listed:
            if kind == "date" and date_ms(value) is None:
                yield "value", "date", f"{value!r} is no date: give UTC milliseconds or an ISO date such as 2026-03-31"
            elif kind != "date" and _type_of(value) != kind:
                yield "value", "type", f"{value!r} is no {kind}"


def _type_of(value: Scalar) -> ValueType:
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "number"


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
    after: Annotated[int, Field(strict=True, ge=-MAX_WITHIN_MS, le=MAX_WITHIN_MS)] | None = None
    until: Annotated[int, Field(strict=True, ge=-MAX_WITHIN_MS, le=MAX_WITHIN_MS)] | None = None

    def problems(self) -> Iterator[Problem]:
        if self.after is None and self.until is None:
            yield "after", "missing", "give `after`, `until` or both"
        elif self.after is not None and self.until is not None and self.after >= self.until:
            yield "until", "order", "`until` must be greater than `after`"


class Identifier(Node):
    """The person is known by an identifier of this kind (`user_id`, `email`, `phone`, ...)."""

    kind: Literal["identifier"] = "identifier"
    has: Name


class Reachable(Node):
    """The person has an address for this channel. It says nothing of consent."""

    kind: Literal["reachable"] = "reachable"
    channel: Literal["email", "sms", "telegram", "vk"]


class Filter(Comparing):
    """A test of one property of an event, `path` dotted into nested objects: `total.minor`."""

    path: Annotated[Path, Field(min_length=1)]


class Happening(Node):
    """Facts of one event name, all `where` filters true.

    Pages and screens without an event name are `page` and `screen`.
    """

    event: Name
    where: Annotated[tuple[Filter, ...], Field(max_length=20)] = ()


class Did(Happening):
    """How often it happened, ever or within a rolling window. "Did not within w" is `not` around it, or `eq 0`."""

    kind: Literal["did"] = "did"
    op: Comparison = "ge"
    value: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 1
    within: Within | None = None


class Total(Happening):
    """The sum of an integer property over the events, ever or within a window. Money: `sum: total.minor`.

    Nothing summed is 0.
    """

    kind: Literal["total"] = "total"
    sum: Annotated[Path, Field(min_length=1)]
    op: Comparison
    value: Whole
    within: Within | None = None


class Age(Happening):
    """How long ago it happened first or last: `older` from `age` ms on (inclusive), `newer` before.

    It never happened: false.
    """

    kind: Literal["age"] = "age"
    which: Literal["first", "last"] = "last"
    op: Literal["older", "newer"]
    age: Within


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


Leaf = Attribute | DateAttribute | Identifier | Reachable | Did | Total | Age | InSegment | RandomBucket
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
