"""Whose fact is it, and what becomes of the person by it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas import attributes
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, Fact
from schemas.ids import derive

# These identifiers prove who somebody is; an anonymous id only names a device, which several people may use.
STRONG = frozenset(("user_id", "email", "phone", "telegram_id", "vk_id"))
CONTACT = frozenset(("email", "phone", "telegram_id", "vk_id"))

Attributes = dict[str, tuple[int, Any]]


class Profile(msgspec.Struct, array_like=True):
    """One person. first_at: received_at of the first fact (ms); attributes: name -> (occurred_at of the value, value).

    bucketing_id is given with bucketed_at when the person first becomes contactable, and never changes save that a merge keeps the
    smallest pair: assignment to variants and control groups hashes it.
    """

    first_at: int
    attributes: Attributes = msgspec.field(default_factory=dict)
    bucketing_id: str | None = None
    bucketed_at: int | None = None
    strong: bool = False


@dataclass(slots=True)
class Verdict:
    """Whose the fact is: `owner`, into whom `losers` are merged; `attached` identifiers are new to him; `created`: nobody had any."""

    owner: str
    losers: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    created: bool = False


def kind_of(identifier: str) -> str:
    return identifier.partition(":")[0]


def link(fact: Fact, owners: Mapping[str, str], profiles: Mapping[str, Profile]) -> Verdict:
    """Decide whose fact this is. owners: identifier -> canonical profile id, for those known; profiles: the locked rows.

    Strong identifiers of one fact belong to one person: their profiles merge. An anonymous id joins them only while its profile has
    no strong identifier of its own: a second login on one device is a second person. The survivor is the smallest (first_at, id).
    """
    strong = _found(fact, owners, strong=True)
    weak = _found(fact, owners, strong=False)
    if strong or fact.type == "alias":
        joined = [*strong, *(p for p in weak if p not in strong and (fact.type == "alias" or not profiles[p].strong))]
    elif any(kind_of(i) in STRONG for i in fact.identifiers):
        # A name nobody had yet, on a known device: the device's person if he has no name, somebody new otherwise.
        joined = [p for p in weak if not profiles[p].strong]
    else:
        joined = weak[:1]
    attached = [i for i in fact.identifiers if i not in owners]
    if not joined:
        return Verdict(derive("profile", fact.id), [], attached, created=True)
    owner = min(joined, key=lambda p: (profiles[p].first_at, p))
    return Verdict(owner, sorted(set(joined) - {owner}), attached)


def _found(fact: Fact, owners: Mapping[str, str], *, strong: bool) -> list[str]:
    found = (owners[i] for i in fact.identifiers if i in owners and (kind_of(i) in STRONG) is strong)
    return list(dict.fromkeys(found))


def settle(profile: Profile, news: Attributes) -> Attributes:
    """Take attributes in, last write wins. Answers those whose value changed."""
    after, changed_names = attributes.merge(profile.attributes, news)
    profile.attributes = dict(after)
    return {name: profile.attributes[name] for name in changed_names}


def bucketed(profile: Profile, identifiers: Iterable[str], fact: Fact) -> bool:
    """Give the bucketing pair when the first contact arrives. True if it was given now."""
    if profile.bucketing_id is None and any(kind_of(i) in CONTACT for i in identifiers):
        profile.bucketing_id, profile.bucketed_at = derive("bucket", fact.id), fact.received_at
        return True
    return False


def fold(winner: Profile, loser: Profile) -> Attributes:
    """Merge the loser into the winner. Answers the attributes that changed for the winner."""
    winner.first_at = min(winner.first_at, loser.first_at)
    winner.strong = winner.strong or loser.strong
    pairs = [(p.bucketed_at, p.bucketing_id) for p in (winner, loser) if p.bucketing_id is not None]
    if pairs:
        winner.bucketed_at, winner.bucketing_id = min(pairs)
    return settle(winner, loser.attributes)


def changed(fact: Fact, owner: str, profile: Profile, identifiers: Sequence[str], news: Attributes) -> Fact:
    """The fact that tells the others what became of the person: new identifiers, attributes as name -> [at, value]."""
    return Fact(
        id=derive(fact.id, PROFILE_CHANGED),
        type=PROFILE_CHANGED,
        brand=fact.brand,
        source=fact.source,
        lane=fact.lane,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        identifiers=tuple(identifiers),
        attributes=dict(news),
        cause=fact.id,
        profile=owner,
        bucketing_id=profile.bucketing_id,
        bucketed_at=profile.bucketed_at,
    )


def merged(fact: Fact, winner: str, loser: str, profile: Profile) -> Fact:
    """The fact that two people are one. `profile` is the winner after the merge; its attributes travel whole."""
    return Fact(
        id=derive(fact.id, PROFILE_MERGED, loser),
        type=PROFILE_MERGED,
        brand=fact.brand,
        source=fact.source,
        lane=fact.lane,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        attributes=dict(profile.attributes),
        properties={"winner": winner, "loser": loser},
        cause=fact.id,
        profile=winner,
        bucketing_id=profile.bucketing_id,
        bucketed_at=profile.bucketed_at,
    )
