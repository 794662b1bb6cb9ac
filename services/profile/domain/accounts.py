"""Companies, pure: what is said of one, who belongs to it in which role, and what its members know of it.

All of it is last-write-wins by the time at which it was said (schemas/attributes.py), so the order of facts does not matter.
"""

from bisect import insort
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from schemas import attributes
from schemas.accounts import ACCOUNT_KINDS
from schemas.facts import PERSONAL, Fact
from schemas.ids import derive

MOST_ATTRIBUTES = 200
MOST_HISTORY = 500
LONGEST = 2_000  # bytes of an attribute as JSON
# Addresses and names of people stay with the company; its own name and place go to the members.
_KEPT_BACK = PERSONAL - {"name", "address"}
_OURS = frozenset(("id", "kind", "role", "deals", "group_id"))

Said = dict[str, tuple[int, Any]]


class Happened(msgspec.Struct, array_like=True, order=True):
    """A line of a company's history. name: of the attribute, or `member` and `role`, of the person `who`."""

    at: int
    fact: str
    source: str
    name: str
    who: str
    value: Any


class Account(msgspec.Struct, array_like=True):
    """A company. first_at: of the first fact (received_at, ms); attributes: name -> (at, value); deals: id -> what it is now, in short;
    history: sorted by time, repeats of what was known left out; brands: that it was heard of in.
    """

    key: str
    first_at: int
    attributes: Said = msgspec.field(default_factory=dict)
    deals: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    history: list[Happened] = msgspec.field(default_factory=list)
    brands: list[str] = msgspec.field(default_factory=list)


def account_id(key: str) -> str:
    """Over sources and brands: the same group id names the same company."""
    return derive("account", key)


def hear(account: Account, fact: Fact) -> None:
    """Take in what a `group` fact says of the company. A kind that there is not, and what is beyond the bound, is left out."""
    said = {
        name: value
        for name, value in fact.properties.items()
        if name not in _OURS and len(name) <= 200 and len(attributes.canonical(value)) <= LONGEST
    }
    kind = fact.properties.get("kind")
    if kind in ACCOUNT_KINDS:
        said["kind"] = kind
    room = MOST_ATTRIBUTES - len(account.attributes)
    fresh = sorted(said.keys() - account.attributes.keys())[max(0, room) :]
    news = attributes.stamp({name: value for name, value in said.items() if name not in fresh}, fact.occurred_at)
    _note(account, fact, account.attributes, news)
    account.attributes = dict(attributes.merge(account.attributes, news)[0])


def noticed(account: Account, fact: Fact) -> None:
    """Keep when it was first heard of, and in which brands."""
    account.first_at = min(account.first_at, fact.received_at)
    if fact.brand not in account.brands:
        insort(account.brands, fact.brand)


def belong(account: Account, member: Mapping[str, tuple[int, Any]], fact: Fact, who: str, *, stays: bool) -> Said:
    """His membership after a fact that names the company, or says that he left it. `who`: the person."""
    said: dict[str, Any] = {"member": stays}
    role = fact.properties.get("role") if stays else None
    if isinstance(role, str) and role.strip():
        said["role"] = role.strip()[:200]
    news = attributes.stamp(said, fact.occurred_at)
    _note(account, fact, member, news, who)
    return dict(attributes.merge(member, news)[0])


def _note(account: Account, fact: Fact, known: Mapping[str, tuple[int, Any]], news: Said, who: str = "") -> None:
    for name, (at, value) in news.items():
        held = known.get(name)
        if held is None or attributes.canonical(held[1]) != attributes.canonical(value):
            account.history.append(Happened(at, fact.id, fact.source, name, who, value))
    account.history.sort(key=lambda line: (line.at, line.fact, line.name, line.who))
    del account.history[:-MOST_HISTORY]


def is_member(member: Mapping[str, tuple[int, Any]]) -> bool:
    return bool(member.get("member", (0, False))[1])


def role_of(member: Mapping[str, tuple[int, Any]]) -> str | None:
    said: str | None = member.get("role", (0, None))[1]
    return said


def kind_of_account(account: Account) -> str:
    kind: str = account.attributes.get("kind", (0, "unknown"))[1] or "unknown"
    return kind


def current(
    memberships: Iterable[tuple[Account, Mapping[str, tuple[int, Any]]]],
) -> tuple[Account, Mapping[str, tuple[int, Any]]] | None:
    """Of several companies the one that a fact of his named last."""
    mine = [one for one in memberships if is_member(one[1])]
    return max(mine, key=lambda one: (one[1]["member"][0], one[0].key), default=None)


def seen_by_member(account: Account, member: Mapping[str, tuple[int, Any]], deals: Mapping[str, Any]) -> dict[str, Any]:
    """The attribute `account` of a member: what the company is, and his role in it. deals: summary of the company's."""
    said = {name: value for name, (_, value) in account.attributes.items() if value is not None and name not in _KEPT_BACK}
    known = {**said, "id": account.key, "kind": kind_of_account(account), "role": role_of(member), "deals": dict(deals) or None}
    return {name: value for name, value in sorted(known.items()) if value is not None}


def moved_at(account: Account, member: Mapping[str, tuple[int, Any]]) -> int:
    """When (ms) the last of all that a member sees of the company was said."""
    return max((at for at, _ in (*account.attributes.values(), *member.values())), default=0)
