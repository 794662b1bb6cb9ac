"""Journeys with parameters, and the journeys that are made of them: what is wrong, and where that is to be mended."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.journeys import Journey
from schemas.parameters import MENDS, OF, PARAMETERS, WITH, Instance, Pattern, filled, fits, holes, plain
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.reading import faults_of

Made = TypeVar("Made", Pattern, Instance)
ReadWhole = Callable[[dict[str, Any]], BaseModel]  # raises Problem `invalid`


def is_pattern(body: Mapping[str, Any]) -> bool:
    return PARAMETERS in body


def is_instance(body: Mapping[str, Any]) -> bool:
    return OF in body


def read_pattern(body: dict[str, Any], read_whole: ReadWhole) -> Pattern:
    """Raises Problem `invalid`. What it comes to is looked at with a value in each hole: the default, else one of the parameter's type."""
    pattern = _read(Pattern, body)
    names = {one.name for one in pattern.parameters}
    faults = [
        Fault(dotted(place), "unknown_parameter", params={"name": name, "names": ", ".join(sorted(names))})
        for place, name in holes(pattern.body())
        if not isinstance(name, str) or name not in names
    ]
    if faults:
        raise Problem("invalid", faults)
    read_whole(filled(pattern.body(), pattern.samples()))
    return pattern


def read_instance(body: dict[str, Any]) -> Instance:
    """Raises Problem `invalid`. Its values are looked at when it is published: the other journey says what they are to be."""
    return _read(Instance, body)


def _read(model: type[Made], body: dict[str, Any]) -> Made:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise Problem("invalid", faults_of(body, error)) from error


def sampled(pattern: Pattern) -> tuple[Journey, frozenset[str]]:
    """What it comes to with a value in each hole, and where these are only samples."""
    own = pattern.defaults()
    places = frozenset(dotted(place) for place, name in holes(pattern.body()) if name not in own)
    return Journey.model_validate(filled(pattern.body(), pattern.samples())), places


def made_of(instance: Instance, pattern: Pattern) -> dict[str, Any]:
    """The whole journey. Raises Problem `invalid`: values that are missing, unknown or of another type."""
    faults = list(_value_faults(instance.values, pattern))
    if faults:
        raise Problem("invalid", faults)
    values = pattern.defaults() | {name: plain(value) for name, value in instance.values.items()}
    whole = filled(pattern.body(), values)
    return {**whole, "key": instance.key, "brand": instance.brand, OF: instance.of, WITH: instance.values, "param": values}


def _value_faults(values: Mapping[str, Any], pattern: Pattern) -> Iterator[Fault]:
    known = {one.name: one for one in pattern.parameters}
    for name in sorted(values.keys() - known.keys()):
        yield Fault(f"{WITH}.{name}", "unknown_parameter", params={"name": name, "names": ", ".join(sorted(known))})
    for name, one in known.items():
        place = f"journeys.{pattern.key}.{PARAMETERS}.{pattern.parameters.index(one)}"
        if name not in values and one.default is None:
            yield Fault(f"{WITH}.{name}", "missing", place=place)
        elif name in values and not fits(one.type, values[name]):
            yield Fault(f"{WITH}.{name}", "parameter_type", params={"wanted": MENDS[one.type]}, place=place)


def placed(faults: Sequence[Fault], instance: Instance, pattern: Pattern) -> list[Fault]:
    """Faults of the whole journey where its author can mend them: at the value that stands there, else at the journey that it is made of. Each
    says its place there too.
    """
    values = {dotted(place): str(name) for place, name in holes(pattern.body())}
    found = []
    for fault in faults:
        name = next((name for hole, name in values.items() if fault.path == hole or fault.path.startswith(f"{hole}.")), None)
        if name is None:  # a condition as a whole is blamed for a segment that it asks about
            asked = [name for hole, name in values.items() if hole.startswith(f"{fault.path}.")]
            name = next((one for one in asked if instance.values.get(one) == fault.params.get("key", ...)), None)
        found.append(
            replace(fault, path=f"{WITH}.{name}" if name else OF, place=f"journeys.{pattern.key}.{fault.path}".rstrip("."))
        )
    return found


def dotted(place: Sequence[str | int]) -> str:
    return ".".join(map(str, place))
