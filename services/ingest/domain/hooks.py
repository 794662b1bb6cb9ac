"""A connector at work: the calls that a payload makes. Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.connectors import Connector, HookCall
from schemas.expressions import Absent, Failed, Program, Scope, compiled, names_item

from .values import Fault

MAX_CALLS = 500  # by one entry of a connector, of one payload
MAX_ALL = 1_000  # by all of them
MAX_FAULTS = 20


class Made(NamedTuple):
    """What a payload made. calls: of the tracking API, with the place of each in the connector; faults: by the place of the expression."""

    calls: list[tuple[int, dict[str, Any]]]
    faults: list[Fault]


class _Stop(Exception):  # noqa: N818
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def make(connector: Connector, body: Any, query: Mapping[str, str], digest: str) -> Made:
    """The calls of a payload, in their order. digest: of all of it, and of when it was first told. What is faulty stops nothing else."""
    made = Made([], [])
    known = {"body": body, "query": dict(query)}
    for place, (call, name) in enumerate(zip(connector.calls, _names(connector), strict=True)):
        if call.operations and query.get("operation") not in call.operations:
            continue
        try:
            items = _items(call, place, known)
        except _Stop as stop:
            _note(made, stop.fault)
            continue
        for number, scope in enumerate(items):
            if number >= MAX_CALLS or len(made.calls) >= MAX_ALL:
                _note(made, Fault(f"calls.{place}", "too_many_calls", f"It makes more than {MAX_CALLS} calls.", "narrow `each`"))
                break
            try:
                one = _call(call, place, f"{connector.key}\x1f{name}", number, scope, digest)
            except _Stop as stop:
                _note(made, stop.fault)
                continue
            if one is not None:
                made.calls.append((place, one))
    return made


def _note(made: Made, fault: Fault) -> None:
    if fault not in made.faults and len(made.faults) < MAX_FAULTS:
        made.faults.append(fault)


def _names(connector: Connector) -> list[str]:
    """Of the calls: by what they say, and not by their place, so that a call which is added before makes no other facts of the old ones."""
    seen: Counter[str] = Counter()
    names = []
    for call in connector.calls:
        word = f"{call.call}:{call.event}"
        names.append(f"{word}:{seen[word]}")
        seen[word] += 1
    return names


def _items(call: HookCall, place: int, known: dict[str, Any]) -> Iterator[Scope]:
    if call.each is None:
        return iter((Scope(known),))
    found = _value(call.each, Scope(known), f"calls.{place}.each")
    if found is None:
        return iter(())
    if not isinstance(found, list):
        raise _Stop(Fault(f"calls.{place}.each", "wrong_type", "It is not a list.", "name a list of the payload"))
    return (Scope({**known, "item": item}) for item in found)


def _call(call: HookCall, place: int, name: str, number: int, scope: Scope, digest: str) -> dict[str, Any] | None:
    """The JSON of one call; None where `when` says no."""
    where = f"calls.{place}"
    if call.when is not None:
        wanted = _value(call.when, scope, f"{where}.when")
        if wanted is not None and not isinstance(wanted, bool):
            raise _Stop(Fault(f"{where}.when", "wrong_type", "It is neither true nor false.", "compare something: body.x == 'y'"))
        if not wanted:
            return None
    own = _value(call.id, scope, f"{where}.id") if call.id is not None else None
    if own in (None, ""):
        thing = f"{digest}\x1f{number}"
    else:  # an id of the entry names it wherever it stands in a list
        thing = f"id\x1f{own}" if _names_item(str(call.id)) else f"id\x1f{own}\x1f{number}"
    traits = _fields(call.traits, scope, f"{where}.traits")
    properties = _fields(call.properties, scope, f"{where}.properties")
    group = _value(call.group_id, scope, f"{where}.groupId") if call.group_id is not None else None
    made: dict[str, Any] = {
        "type": call.call,
        "messageId": hashlib.sha256(f"{name}\x1f{thing}".encode("utf-8", "replace")).hexdigest()[:40],
        **_payload(call, traits, properties, group),
    }
    for field, text, said in (
        ("userId", call.user_id, "userId"),
        ("anonymousId", call.anonymous_id, "anonymousId"),
        ("timestamp", call.at, "at"),
    ):
        value = _value(text, scope, f"{where}.{said}") if text is not None else None
        if value not in (None, ""):
            made[field] = value
    return made


def _payload(call: HookCall, traits: dict[str, Any], said: dict[str, Any], group: Any) -> dict[str, Any]:
    """Where the tracking API has what a call says of the person, of the event and of the company."""
    if call.call == "identify":
        return {"traits": traits, "properties": said}
    if call.call == "group":
        return {"groupId": group, "traits": said, "context": {"traits": traits}}
    company = {} if group in (None, "") else {"groupId": group}
    return {"event": call.event, "properties": said, "context": {"traits": traits, **company}}


def _fields(fields: Mapping[str, str], scope: Scope, where: str) -> dict[str, Any]:
    found = {name: _value(text, scope, f"{where}.{name}") for name, text in fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value(text: str, scope: Scope, where: str) -> Any:
    """None: there is nothing there. Raises _Stop."""
    try:
        return _program(text).value(scope)
    except Absent:
        return None
    except Failed as failed:
        raise _Stop(Fault(where, "expression_failed", str(failed), "try it with POST /api/connectors/{key}/test")) from failed


_names_item = lru_cache(4096)(names_item)


@lru_cache(4096)
def _program(text: str) -> Program:
    return compiled(text)
