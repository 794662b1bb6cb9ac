"""The facts that tell the others what became of a person."""

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.facts import (
    PROFILE_CHANGED,
    PROFILE_ERASED,
    PROFILE_MERGED,
    PROFILE_REFUSED,
    PROFILE_SPLIT,
    Fact,
    Parted,
    Split,
    SplitPart,
)
from schemas.ids import derive
from services.profile.domain.rules import kind_of, proves
from services.profile.domain.state import Attributes, Profile


def changed(fact: Fact, owner: str, profile: Profile, identifiers: Sequence[str], news: Attributes) -> Fact:
    """The fact that tells the others what became of the person: new identifiers, attributes as name -> [at, value]."""
    return _news(fact, PROFILE_CHANGED, owner, profile, identifiers=tuple(identifiers), attributes=dict(news))


def apart(fact: Fact, person: str, profile: Profile, identifiers: Sequence[str]) -> Fact:
    """The fact that an identifier which may not be the fact's person's is another one's, whom nobody knew yet."""
    return _news(fact, PROFILE_CHANGED, person, profile, person, identifiers=tuple(identifiers))


def lost(fact: Fact, owner: str, profile: Profile, identifier: str) -> Fact:
    """The fact that an identifier is nobody's any more: it was shared by too many."""
    return _news(fact, PROFILE_CHANGED, owner, profile, "lost", identifier, lost=(identifier,))


def forgotten(fact: Fact, person: str, profile: Profile, identifiers: Sequence[str], news: Attributes) -> Fact:
    """The fact that some identifiers of a person were erased, and attributes with them."""
    return _news(fact, PROFILE_CHANGED, person, profile, "forgotten", lost=tuple(identifiers), attributes=dict(news))


def erased(fact: Fact, person: str, reason: str, others: Sequence[str]) -> Fact:
    """The fact that a person is gone, with all who had become one with him."""
    return _news(fact, PROFILE_ERASED, person, None, properties={"act": fact.id, "reason": reason, "others": list(others)})


def split(fact: Fact, stays: SplitPart, profile: Profile, parts: Sequence[SplitPart], lost: Sequence[str]) -> Fact:
    """The fact that a person was parted. stays, profile: what is left to him; parts: what went to whom; lost: the identifiers that left."""
    reason = str(fact.properties.get("reason", ""))
    said = Split(act=fact.id, reason=reason, parts=tuple(parts), stay=stays.others, words=stays.words)
    names = tuple(name for name in profile.known_as() if proves(name))
    more = {
        "identifiers": names,
        "attributes": dict(profile.attributes),
        "properties": msgspec.to_builtins(said),
        "lost": tuple(lost),
    }
    return _news(fact, PROFILE_SPLIT, stays.profile, profile, **more)


def parted(fact: Fact, person: str, profile: Profile, of: str) -> Fact:
    """The fact that somebody who was taken for another is a person of his own: all that is known of him."""
    names = tuple(name for name in profile.known_as() if proves(name))
    more = {"attributes": dict(profile.attributes), "properties": msgspec.to_builtins(Parted(act=fact.id, of=of))}
    return _news(fact, PROFILE_CHANGED, person, profile, person, identifiers=names, **more)


def refused(fact: Fact, person: str, other: str, identifier: str, rule: str) -> Fact:
    """The fact that a person was not made one with another: by which rule, and by what kind of identifier he would have been."""
    said = {"other": other, "by": kind_of(identifier), "rule": rule}
    return _news(fact, PROFILE_REFUSED, person, None, person, other, identifier, properties=said)


def merged(fact: Fact, winner: str, loser: str, profile: Profile, by: str) -> Fact:
    """The fact that two people are one. `profile` is the winner after the merge; its attributes travel whole.

    by: the kinds of identifiers through which the two were found, the loser's first.
    """
    said = {"winner": winner, "loser": loser, "by": by}
    return _news(fact, PROFILE_MERGED, winner, profile, loser, attributes=dict(profile.attributes), properties=said)


def _news(fact: Fact, kind: str, person: str, profile: Profile | None, *of: str, **more: Any) -> Fact:
    """A fact of profile's own, caused by another one. profile: of the person, where his bucketing pair is told; of: for its id, what
    tells it from others of its kind that the same fact causes.
    """
    return Fact(
        id=derive(fact.id, kind, *of),
        type=kind,
        brand=fact.brand,
        source=fact.source,
        lane=fact.lane,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        cause=fact.id,
        profile=person,
        bucketing_id=profile.bucketing_id if profile else None,
        bucketed_at=profile.bucketed_at if profile else None,
        **more,
    )
