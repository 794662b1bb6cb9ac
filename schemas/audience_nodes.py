"""What conditions are made of (schemas/audience.py): literals, paths, durations, and the typed comparison of one value."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator
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
    raise PydanticCustomError("literal", "must be a text, true or false, a number up to 2^53 - 1, or a list of such")


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


def span_problems(after: int | None, until: int | None) -> Iterator[Problem]:
    """Of `(after, until]`, of which one bound may be left out."""
    if after is None and until is None:
        yield "after", "missing", "give `after`, `until` or both"
    elif after is not None and until is not None and after >= until:
        yield "until", "order", "`until` must be greater than `after`"


def _type_of(value: Scalar) -> ValueType:
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "number"


class Filter(Comparing):
    """A test of one property of an event, `path` dotted into nested objects: `total.minor`."""

    path: Annotated[Path, Field(min_length=1)]
