"""The facts that tell the others what became of a person."""

from collections.abc import Sequence

import msgspec

from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, PROFILE_REFUSED, Fact
from schemas.ids import derive
from services.profile.domain.rules import kind_of
from services.profile.domain.state import Attributes, Profile


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


def apart(fact: Fact, person: str, profile: Profile, identifiers: Sequence[str]) -> Fact:
    """The fact that an identifier which may not be the fact's person's is another one's, whom nobody knew yet."""
    return msgspec.structs.replace(changed(fact, person, profile, identifiers, {}), id=derive(fact.id, PROFILE_CHANGED, person))


def lost(fact: Fact, owner: str, profile: Profile, identifier: str) -> Fact:
    """The fact that an identifier is nobody's any more: it was shared by too many."""
    told = changed(fact, owner, profile, (), {})
    return msgspec.structs.replace(told, id=derive(fact.id, PROFILE_CHANGED, "lost", identifier), lost=(identifier,))


def refused(fact: Fact, person: str, other: str, identifier: str, rule: str) -> Fact:
    """The fact that a person was not made one with another: by which rule, and by what kind of identifier he would have been."""
    return Fact(
        id=derive(fact.id, PROFILE_REFUSED, person, other, identifier),
        type=PROFILE_REFUSED,
        brand=fact.brand,
        source=fact.source,
        lane=fact.lane,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        properties={"other": other, "by": kind_of(identifier), "rule": rule},
        cause=fact.id,
        profile=person,
    )


def merged(fact: Fact, winner: str, loser: str, profile: Profile, by: str) -> Fact:
    """The fact that two people are one. `profile` is the winner after the merge; its attributes travel whole.

    by: the kinds of identifiers through which the two were found, the loser's first.
    """
    return Fact(
        id=derive(fact.id, PROFILE_MERGED, loser),
        type=PROFILE_MERGED,
        brand=fact.brand,
        source=fact.source,
        lane=fact.lane,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        attributes=dict(profile.attributes),
        properties={"winner": winner, "loser": loser, "by": by},
        cause=fact.id,
        profile=winner,
        bucketing_id=profile.bucketing_id,
        bucketed_at=profile.bucketed_at,
    )
