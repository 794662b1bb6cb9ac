"""What is known of many people as a piece of an export: columns of a table, or lines of JSON. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from schemas.exports import AGREED, LINE, NAMED, OTHER, PROFILE
from schemas.facts import IDENTIFIER_KINDS
from services.profile.domain.cells import KINDS, unfolded

_LARGEST = 2**63
_json = msgspec.json.Encoder().encode


class Word(msgspec.Struct, gc=False):
    """The last word on a subject of consent. at: ms."""

    brand: str
    channel: str
    topic: str
    state: str
    action: str
    at: int


class Person(NamedTuple):
    """One person: msgpack of his `Profile`, identifiers ("kind:value"), brands in which he was seen, and his last words."""

    id: str
    state: bytes
    identifiers: Sequence[str]
    brands: Sequence[str]
    consents: Sequence[Word]


# The collector of garbage must not look at what is let go at once: that took more time than all the decoding.
class _Said(msgspec.Struct, array_like=True, gc=False):
    at: int
    value: Any


class _Kept(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a `Profile`: what comes behind is not even decoded."""

    first_at: int
    attributes: dict[str, _Said]


class _Line(msgspec.Struct, gc=False):
    """A person as `GET /profiles/{id}` tells him, as far as that goes for many."""

    id: str
    identifiers: Sequence[str]
    attributes: dict[str, Any]
    first_received_at: int
    brands: Sequence[str]
    consents: Sequence[Word]


_decode = msgspec.msgpack.Decoder(_Kept).decode


def lines(people: Sequence[Person], hidden: Collection[str]) -> Any:
    """An Arrow batch (profile, line): each his JSON object, but for its last brace, as more is known of him elsewhere. hidden: names of
    attributes that are not told.
    """
    import pyarrow as pa  # large, and only exports need it

    told = []
    for one in people:
        kept = _decode(one.state)
        said = {n: kept.attributes[n].value for n in sorted(kept.attributes) if n not in hidden}
        attributes = {name: value for name, value in said.items() if value is not None}
        told.append(_json(_Line(one.id, one.identifiers, attributes, kept.first_at, one.brands, one.consents))[:-1])
    ids = [one.id for one in people]
    return pa.record_batch({PROFILE.name: pa.array(ids, pa.string()), LINE: pa.array(told, pa.string())})


def columns(people: Sequence[Person], attributes: Mapping[str, str], *, loose: bool) -> Any:
    """An Arrow batch: profile, `schemas.exports.NAMED` and AGREED, and these attributes (name -> kind) under their flat names. A value of
    another kind than its column's is left out, or where it is loose makes text of the column in this batch.
    """
    import pyarrow as pa

    types = _types()
    kept = [_decode(one.state) for one in people]
    found: dict[str, Any] = {PROFILE.name: pa.array([one.id for one in people], types["string"])}
    fixed = _named(people) | {"first_received_at": [one.first_at for one in kept]}
    for column in (*NAMED, *AGREED):
        found[column.name] = pa.array(fixed[column.name], types[column.kind])
    cells = _cells([one.attributes for one in kept], attributes)
    # An attribute may have the name of another column.
    arrays = [_array(cells[name], kind, loose=loose) for name, kind in attributes.items()]
    return pa.record_batch([*found.values(), *arrays], names=[*found, *(f"attributes.{name}" for name in attributes)])


@cache
def _types() -> Mapping[str, Any]:
    import pyarrow as pa

    return {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "at": pa.int64()}


def _named(people: Sequence[Person]) -> dict[str, list[Any]]:
    """Several identifiers of a kind, and several brands, are joined by `;`."""
    ids: dict[str, list[Any]] = {kind: [None] * len(people) for kind in (*IDENTIFIER_KINDS, OTHER)}
    for place, one in enumerate(people):
        for identifier in one.identifiers:
            kind, _, value = identifier.partition(":")
            if kind not in ids or kind == OTHER:
                kind, value = OTHER, identifier
            column = ids[kind]
            column[place] = value if column[place] is None else f"{column[place]};{value}"
    words = [_json(one.consents).decode() if one.consents else None for one in people]
    return {**ids, "brands": [";".join(one.brands) for one in people], "consents": words}


def _cells(people: Sequence[Mapping[str, _Said]], names: Iterable[str]) -> dict[str, list[Any]]:
    cells: dict[str, list[Any]] = {name: [None] * len(people) for name in names}
    for place, said in enumerate(people):
        for name, one in said.items():
            value = one.value
            if type(value) in KINDS:
                if (column := cells.get(name)) is not None:
                    column[place] = value
            elif value is not None:
                for inner, held in unfolded(name, value):
                    if inner in cells:
                        cells[inner][place] = held
    return cells


def _array(values: list[Any], kind: str, *, loose: bool) -> Any:
    """Kinds were looked at before these values: something else may have been said since."""
    import pyarrow as pa

    wanted = _types()[kind]
    there = {KINDS[one] for one in set(map(type, values)) if one in KINDS}
    if there <= ({"int", "float"} if kind == "float" else {kind}):
        try:
            return pa.array(values, wanted)
        except (OverflowError, pa.ArrowInvalid):  # a number that is too large for its type
            pass
    if loose or kind == "string":
        return pa.array([value if value is None or type(value) is str else _json(value).decode() for value in values], pa.string())
    return pa.array([_fit(value, kind) for value in values], wanted)


def _fit(value: Any, kind: str) -> Any:
    told = KINDS.get(type(value))
    if kind == "float":
        return float(value) if told in ("int", "float") else None
    return value if told == kind and (kind != "int" or -_LARGEST <= value < _LARGEST) else None
