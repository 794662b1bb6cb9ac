"""Whom an event is about: collects and normalises its identifiers, strongest first."""

from typing import Any

from schemas.facts import IDENTIFIER_KINDS
from schemas.identifiers import is_own, normalise

from .values import Fault, Refusal

MAX_IDENTIFIERS = 20  # one event that names more links people wholesale

_ADDRESSES = frozenset({"email", "phone", "telegram_id", "vk_id"})
_RANK = {kind: rank for rank, kind in enumerate(IDENTIFIER_KINDS)}
_OWN_RANK = 0.5  # a company's own numbers stand behind its user ids; its rules may say otherwise
_MEND = "send a real value or leave the field out"

Values = tuple[tuple[str, Any], ...]  # (path, value as it came)
Places = tuple[tuple[str, dict[str, Any]], ...]


class People:
    """What was found: `identifiers` ("kind:value", strongest first, once each), and what was left out and why.

    refused: the call's own ids that name nobody, by field; they go along with the fact but link nobody. (Refused addresses
    need no such place: they stay where they stood.)
    """

    __slots__ = ("identifiers", "refused", "warnings")

    def __init__(self) -> None:
        self.identifiers: list[str] = []
        self.refused: dict[str, Any] = {}
        self.warnings: list[Fault] = []

    def add(self, kind: str, value: Any, path: str, region: str) -> bool:
        """Takes the value if it is an identifier; False when it is none."""
        clean = normalise(kind, value, region)
        if clean is None:
            self.warnings.append(Fault(path, "identifier_refused", f"It is no usable {kind}.", _MEND))
            return False
        if (named := f"{kind}:{clean}") not in self.identifiers:
            self.identifiers.append(named)
        return True


def find(users: Values, devices: Values, places: Places, external: Any, region: str) -> People:
    """Everybody the event names. Refuses the event that names nobody (`identifiers_missing`) or too many.

    users, devices: what the call's own fields (userId ...) give as user_id and anonymous_id, by path; places: objects
    that may hold addresses, by path; external: `context.externalIds`, a list of {id, type}.
    """
    people = People()
    for path, value in users:
        if value is not None and not people.add("user_id", value, path, region):
            people.refused[path] = value
    for path, place in places:
        if not _ADDRESSES.isdisjoint(place):
            for kind in IDENTIFIER_KINDS:
                if kind in _ADDRESSES and place.get(kind) is not None:
                    people.add(kind, place[kind], f"{path}.{kind}", region)
    for path, value in devices:
        if value is not None and not people.add("anonymous_id", value, path, region):
            people.refused[path] = value
    if external is not None:
        _add_external(people, external, region)
    if len(people.identifiers) > 1 and (external is not None or len(places) > 1):
        people.identifiers.sort(key=lambda named: _RANK.get(named.partition(":")[0], _OWN_RANK))
    return _checked(people)


def _checked(people: People) -> People:
    if not people.identifiers:
        message = "The event names nobody: no usable userId, anonymousId, email, phone or messenger id."
        raise Refusal("", "identifiers_missing", message, "send userId or anonymousId")
    if len(people.identifiers) > MAX_IDENTIFIERS:
        message = "The event names more than 20 identifiers."
        raise Refusal("context.externalIds", "identifiers_too_many", message, "send the identifiers of one person")
    return people


def _add_external(people: People, entries: Any, region: str) -> None:
    """Types that are not ours are left alone: nobody has said that, say, an advertising id names one person."""
    if type(entries) is not list:
        people.warnings.append(Fault("context.externalIds", "wrong_type", "It is not a list.", "send [{id, type}]"))
        return
    for number, entry in enumerate(entries):
        path = f"context.externalIds[{number}]"
        kind = entry.get("type") if type(entry) is dict else None
        if type(kind) is str and (kind in _RANK or is_own(kind)):
            people.add(kind, entry.get("id"), path, region)
        else:
            known = ", ".join((*IDENTIFIER_KINDS, "id.<your own>"))
            people.warnings.append(Fault(path, "identifier_kind_unknown", "It names no kind we know.", f"types: {known}"))
