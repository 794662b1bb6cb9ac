"""One journey for many: a document with parameters, and the journeys that are made of it by giving them values.

`{"param": "name"}` may stand in place of any value of a journey that has `parameters`. By itself it starts nobody. A journey `of` it gives the
values; what is put in force is the whole journey with the values in their places, and templates have them as `param.name`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from schemas.attributes import date_ms
from schemas.audience_nodes import MAX_LISTED, Literals
from schemas.documents import Document, offset_ms

PARAMETERS, OF, WITH = "parameters", "of", "with"
Type = Literal["text", "number", "boolean", "duration", "time", "date", "list"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Values = Mapping[str, Any]
Place = tuple[str | int, ...]  # in a document
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
# Stands in for the value of a parameter without a default while the document itself is looked at.
SAMPLES: Mapping[str, Any] = {
    "text": "text", "number": 1, "boolean": True, "duration": "1d", "time": "10:00", "date": "2026-03-31", "list": ["text"],
}  # fmt: skip
MENDS: Mapping[str, str] = {
    "text": "a text of at most 1000 characters",
    "number": "a number",
    "boolean": "true or false",
    "duration": "a length of time such as 2d, 6h or -1d",
    "time": "a time of day such as 10:00",
    "date": "a date such as 2026-03-31",
    "list": f"a list of 1 to {MAX_LISTED} texts, numbers or truths",
}


class Parameter(Document):
    """type: what may be given for it; default: if nothing is; text: what it is, for whoever gives a value."""

    name: Name
    type: Type
    default: Literals = None
    text: str | None = Field(default=None, max_length=1000)

    @model_validator(mode="after")
    def _fits(self) -> "Parameter":
        if self.default is not None and not fits(self.type, self.default):
            raise ValueError(f"default: {MENDS[self.type]} is wanted")
        return self


class Pattern(Document):
    """A journey with parameters. All else of it stands as it is written, holes and all: what it comes to is seen once they are filled."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    key: str
    brand: str
    parameters: tuple[Parameter, ...] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _own_names(self) -> "Pattern":
        if len({one.name for one in self.parameters}) != len(self.parameters):
            raise ValueError("parameters: every parameter needs a name of its own")
        return self

    def body(self) -> dict[str, Any]:
        """The journey, with holes."""
        return {**(self.model_extra or {}), "key": self.key, "brand": self.brand}

    def defaults(self) -> dict[str, Any]:
        return {one.name: plain(one.default) for one in self.parameters if one.default is not None}

    def samples(self) -> dict[str, Any]:
        """A value for each: its default where it has one."""
        return {one.name: SAMPLES[one.type] for one in self.parameters} | self.defaults()


class Instance(Document):
    """A journey that is another one with these values."""

    key: str
    brand: str
    of: str = Field(min_length=1, max_length=63)
    values: dict[str, Any] = Field(default_factory=dict, alias="with", max_length=50)


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def fits(kind: Type, value: Any) -> bool:
    """Whether it is a value of the type; texts are not read as numbers."""
    match kind:
        case "text":
            return isinstance(value, str) and 0 < len(value) <= 1000
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "duration":
            return isinstance(value, str) and _is_offset(value)
        case "time":
            return isinstance(value, str) and _CLOCK.fullmatch(value) is not None
        case "date":
            return isinstance(value, str) and date_ms(value) is not None
    return (
        isinstance(value, list | tuple)
        and 0 < len(value) <= MAX_LISTED
        and all(isinstance(one, bool | int | float | str) for one in value)
    )


def holes(body: Any) -> Iterator[tuple[Place, Any]]:
    """Where the value of a parameter is to stand, and what is said to be its name."""
    stack: list[tuple[Place, Any]] = [((), body)]
    while stack:
        place, node = stack.pop()
        if isinstance(node, dict) and node.keys() == {"param"}:
            yield place, node["param"]
        elif isinstance(node, dict):
            stack.extend(((*place, name), value) for name, value in node.items())
        elif isinstance(node, list | tuple):
            stack.extend(((*place, number), value) for number, value in enumerate(node))


def filled(body: Any, values: Values) -> Any:
    """A copy with the values in the places of those holes that have one."""
    if isinstance(body, dict):
        if body.keys() == {"param"} and isinstance(body["param"], str) and body["param"] in values:
            return plain(values[body["param"]])
        return {name: filled(value, values) for name, value in body.items()}
    if isinstance(body, list | tuple):
        return [filled(value, values) for value in body]
    return body


def _is_offset(text: str) -> bool:
    try:
        offset_ms(text)
    except ValueError:
        return False
    return True
