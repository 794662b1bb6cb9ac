"""Which instants and which lines of a fact a condition looks at (schemas/audience.py). docs/audience-semantics.md has the edges."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.attributes import date_ms
from schemas.audience_nodes import MAX_NUMBER, MAX_WITHIN_MS, Filter, Name, Node, Path, Problem, span_problems
from schemas.zones import Unit, names


def _zone(name: str) -> str:
    if name not in names():
        raise PydanticCustomError("time_zone", "no such time zone: give an IANA name such as Europe/Moscow")
    return name


ZoneName = Annotated[str, Field(max_length=60), AfterValidator(_zone)]
Shift = Annotated[int, Field(strict=True, ge=-MAX_WITHIN_MS, le=MAX_WITHIN_MS)]


def _instant(value: Any) -> int | str:
    if isinstance(value, bool) or date_ms(value) is None or (isinstance(value, int) and abs(value) > MAX_NUMBER):
        raise PydanticCustomError("date", "no date: give UTC milliseconds or an ISO date such as 2026-03-31")
    return value  # type: ignore[no-any-return]


Instant = Annotated[int | str, PlainValidator(_instant), WithJsonSchema({"type": ["integer", "string"]})]


class Calendar(Node):
    """One day, week (from Monday), month, quarter or year of the person's time zone: the current one so far, or the one that lies `back`
    before it.

    zone: of people whose own is unknown (attributes `time_zone`, `timezone`).
    """

    kind: Literal["calendar"] = "calendar"
    unit: Unit
    back: Annotated[int, Field(strict=True, ge=0, le=60)] = 0
    zone: ZoneName = "UTC"


class Between(Node):
    """From `since` on and before `until`: UTC ms, an ISO date (its midnight in UTC) or an ISO instant. One of them may be left out."""

    kind: Literal["between"] = "between"
    since: Instant | None = None
    until: Instant | None = None

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """The two instants in UTC ms."""
        return date_ms(self.since), date_ms(self.until)

    def problems(self) -> Iterator[Problem]:
        if self.since is None and self.until is None:
            yield "since", "missing", "give `since`, `until` or both"
        since, until = self.bounds
        if since is not None and until is not None and since >= until:
            yield "until", "order", "`until` must be later than `since`"


class Around(Node):
    """Near a date attribute of the person: in `(value + after, value + until]` (ms, negative: before it). No such attribute: the
    condition is false. One of the bounds may be left out.
    """

    kind: Literal["around"] = "around"
    name: Name
    path: Path = ""
    after: Shift | None = None
    until: Shift | None = None

    def problems(self) -> Iterator[Problem]:
        yield from span_problems(self.after, self.until)


Window = Annotated[Calendar | Between | Around, Field(discriminator="kind")]


class Lines(Node):
    """At least one element of the list at `path` passes all the tests of `where`, whose paths begin in the element."""

    path: Annotated[Path, Field(min_length=1)]
    where: Annotated[tuple[Filter, ...], Field(max_length=20)] = ()
