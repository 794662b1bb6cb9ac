"""Ready-made mechanics: documents that are shipped to begin from, and what they are for a brand, with values and keys of its own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.contact import DAY
from schemas.documents import Document, offset_ms
from schemas.parameters import MENDS, Name, Type, fits
from services.gateway.domain.problems import Fault, Problem

SHIPPED = "shop"  # the brand that the documents are written for
KEYED = frozenset(
    ("key", "template", "segment", "exit_segment", "parent", "topic", "give", "jump", "of", "webhook")
)  # fields that may name a document
Body = dict[str, Any]
Texts = dict[Literal["en", "ru"], str]


class Knob(Document):
    """A value that may be chosen when a mechanic is installed. at: where it stands, e.g. `journey/welcome/steps/first/wait`: of a list the
    entry is named by its `id` or `name`. Its default is what stands there.
    """

    name: Name
    type: Type
    text: Texts
    at: tuple[str, ...] = Field(min_length=1)


class About(Document):
    """What is told of a mechanic. rows: the needs it meets; events: that must come; needs: what is to be filled or replaced first."""

    name: str
    rows: tuple[str, ...] = Field(min_length=1)
    title: Texts
    events: tuple[str, ...] = ()
    parameters: tuple[Knob, ...] = ()


class Mechanic(Document):
    """documents: `{"kind", "body"}`, each after what it mentions."""

    about: About
    documents: tuple[Body, ...]

    def told(self) -> Body:
        """As the API tells it."""
        knobs = [
            {"name": one.name, "type": one.type, "text": one.text, "default": _written(one, value_at(self.documents, one.at[0]))}
            for one in self.about.parameters
        ]
        named = [{"kind": one["kind"], "key": one["body"]["key"]} for one in self.documents]
        return {**self.about.model_dump(mode="json"), "parameters": knobs, "documents": named}


class Install(BaseModel):
    """What the install call takes. prefix: in front of every key, for a second brand of the company; publish: put it in force, else they are
    drafts; keep: documents that are there already stay as they are, else another body is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    brand: str = Field(min_length=1, max_length=63)
    parameters: dict[str, Any] = {}
    prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,30}$|^$")] = ""
    publish: bool = False
    keep: bool = False


def made(mechanic: Mechanic, asked: Install) -> list[Body]:
    """The documents for the brand. Raises Problem `invalid`, at the parameters that are wrong."""
    knobs = {one.name: one for one in mechanic.about.parameters}
    faults = [
        Fault(f"parameters.{name}", "unknown_parameter", params={"name": name, "names": ", ".join(sorted(knobs))})
        for name in sorted(asked.parameters.keys() - knobs.keys())
    ]
    given = {name: value for name, value in asked.parameters.items() if name in knobs}
    faults += [
        Fault(f"parameters.{name}", "parameter_type", params={"wanted": MENDS[knobs[name].type]})
        for name, value in given.items()
        if not fits(knobs[name].type, value)
    ]
    if faults:
        raise Problem("invalid", faults)
    documents: list[Body] = list(mechanic.documents)
    for name, value in given.items():
        for place in knobs[name].at:
            in_ms = knobs[name].type == "duration" and isinstance(value_at(documents, place), int)
            documents = with_value(documents, place, offset_ms(value) if in_ms else value)
    keys = {one["body"]["key"] for one in documents} if asked.prefix else set()
    return [{"kind": one["kind"], "body": fitted(one["body"], asked.brand, asked.prefix, keys)} for one in documents]


def _written(knob: Knob, value: Any) -> Any:
    """A length of time as people write it: conditions have ms."""
    return f"{value // DAY}d" if knob.type == "duration" and isinstance(value, int) else value


def fitted(body: Any, brand: str, prefix: str = "", keys: frozenset[str] | set[str] = frozenset()) -> Any:
    """A body for a brand. prefix: of each of these keys, wherever it is mentioned."""
    own = (
        re.compile(rf"\b(survey(?:_url)?\.)({'|'.join(map(re.escape, sorted(keys, key=len, reverse=True)))})(?![\w-])")
        if keys
        else None
    )

    def renamed(node: Any, field: str) -> Any:
        if isinstance(node, dict):
            keyed = {"value"} if node.get("path") == "survey" else set()  # of facts that tell its answers
            return {name: renamed(value, "key" if field == "with" or name in keyed else name) for name, value in node.items()}
        if isinstance(node, list):
            return [renamed(value, field) for value in node]
        if field == "brand" and node == SHIPPED:
            return brand
        if field in KEYED and node in keys:
            return f"{prefix}{node}"
        return own.sub(rf"\g<1>{prefix}\g<2>", node) if own and isinstance(node, str) else node

    return renamed(body, "")


def value_at(documents: Sequence[Body], place: str) -> Any:
    """What stands at a place. Raises KeyError."""
    kind, key, *way = place.split("/")
    node = next((one["body"] for one in documents if (one["kind"], one["body"]["key"]) == (kind, key)), None)
    for step in way:
        node = _entry(node, step)
    if node is None:
        raise KeyError(place)
    return node


def with_value(documents: Sequence[Body], place: str, value: Any) -> list[Body]:
    """Copies with another value at a place."""
    kind, key, *way = place.split("/")
    return [
        {**one, "body": _replaced(one["body"], way, value)} if (one["kind"], one["body"]["key"]) == (kind, key) else one
        for one in documents
    ]


def _replaced(node: Any, way: Sequence[str], value: Any) -> Any:
    if not way:
        return value
    if isinstance(node, list):
        return [_replaced(one, way[1:], value) if one is _entry(node, way[0]) else one for one in node]
    return {**node, way[0]: _replaced(node[way[0]], way[1:], value)}


def _entry(node: Any, step: str) -> Any:
    if isinstance(node, list):
        return next(one for number, one in enumerate(node) if step in (_named(one), str(number)))
    return node[step]


def _named(one: Any) -> Any:
    return one.get("id", one.get("name")) if isinstance(one, dict) else None


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where two bodies differ, dotted; entries of lists by their place."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted(before.keys() | after.keys()):
            yield from differences(before.get(name), after.get(name), f"{path}.{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}.{number}")
    else:
        yield path
