"""What is kept of a person in one row."""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas import attributes
from schemas.facts import Fact
from schemas.ids import derive
from services.profile.domain.rules import CONTACT, HOUR_MS, kind_of

Attributes = dict[str, tuple[int, Any]]
Cuts = dict[str, int]  # act of an unmerge -> on which side of it


class Profile(msgspec.Struct, array_like=True):
    """One person. first_at: received_at of the first fact (ms); attributes: name -> (occurred_at of the value, value).

    bucketing_id is given with bucketed_at when the person first becomes contactable, and never changes save that a merge keeps the
    smallest pair: assignment to variants and control groups hashes it. names: his identifiers -> the sources that told each, parted by
    commas (of kinds that never merge all of them, of others the first); None in a row of before they were kept here. merged: how many
    people with names of their own he has taken in; merged_at: when, in the last hour (ms).

    teller: home of the identifier by whose facts all attributes came; parts: home -> what came by its facts, where several have told
    any: an unmerge gives each side its own. cuts: two people on different sides of one are never made one by a fact again.
    """

    first_at: int
    attributes: Attributes = msgspec.field(default_factory=dict)
    bucketing_id: str | None = None
    bucketed_at: int | None = None
    strong: bool = False
    names: dict[str, str] | None = None
    merged: int = 0
    merged_at: list[int] = msgspec.field(default_factory=list)
    teller: str = ""
    parts: dict[str, Attributes] = msgspec.field(default_factory=dict)
    cuts: Cuts = msgspec.field(default_factory=dict)

    def known_as(self) -> dict[str, str]:
        """His names; those of an old row are read before he is decided about."""
        if self.names is None:
            self.names = {}
        return self.names


def settle(profile: Profile, news: Attributes, home: str) -> Attributes:
    """Take attributes in that came by an identifier's facts, last write wins. Answers those whose value changed."""
    if news:
        _note(profile, {home: news})
    return _take(profile, news)


def told_parts(profile: Profile) -> dict[str, Attributes]:
    """Home -> the attributes that came by its facts."""
    return profile.parts or ({profile.teller: profile.attributes} if profile.attributes else {})


def _note(profile: Profile, news: dict[str, Attributes]) -> None:
    """Whose facts have told what. While there is one teller, his part is all there is and is not kept twice."""
    parts = told_parts(profile)
    if not profile.parts and len(parts.keys() | news.keys()) == 1:
        profile.teller = next(iter(news))
        return
    profile.parts = {**parts, **{home: dict(attributes.merge(parts.get(home, {}), said)[0]) for home, said in news.items()}}
    profile.teller = ""


def _take(profile: Profile, news: Attributes) -> Attributes:
    after, changed_names = attributes.merge(profile.attributes, news)
    profile.attributes = dict(after)
    return {name: profile.attributes[name] for name in changed_names}


def unsay(profile: Profile, names: Iterable[str], at: int) -> Attributes:
    """Take attributes away, whoever told them, and what is told late of an instant before. Answers those that were there."""
    names = list(names)
    there = [name for name in names if name in profile.attributes]
    for part in (profile.attributes, *profile.parts.values()):
        part.update((name, (max(at, part.get(name, (0,))[0] + 1), None)) for name in names)
    return {name: profile.attributes[name] for name in there}


def bucketed(profile: Profile, identifiers: Iterable[str], fact: Fact, *of: str) -> bool:
    """Give the bucketing pair when the first contact arrives. True if it was given now. of: tells people apart whom one fact makes."""
    if profile.bucketing_id is None and any(kind_of(i) in CONTACT for i in identifiers):
        profile.bucketing_id, profile.bucketed_at = derive("bucket", fact.id, *of), fact.received_at
        return True
    return False


def fold(winner: Profile, loser: Profile, at: int) -> Attributes:
    """Merge the loser into the winner, at an instant (ms). Answers the attributes that changed for the winner."""
    people = winner.strong and loser.strong
    winner.first_at = min(winner.first_at, loser.first_at)
    winner.strong = winner.strong or loser.strong
    pairs = [(p.bucketed_at, p.bucketing_id) for p in (winner, loser) if p.bucketing_id is not None]
    if pairs:
        winner.bucketed_at, winner.bucketing_id = min(pairs)
    winner.names = {**loser.known_as(), **winner.known_as()}
    winner.merged += loser.merged + people
    moments = [*winner.merged_at, *loser.merged_at, *([at] if people else ())]
    winner.merged_at = [moment for moment in sorted(moments) if moment > at - HOUR_MS]
    winner.cuts = {**loser.cuts, **winner.cuts}
    if told := told_parts(loser):
        _note(winner, told)
    return _take(winner, loser.attributes)
