"""The published rules of identity, compiled for deciding."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas import attributes
from schemas.definitions import Published
from schemas.facts import Fact
from schemas.identifiers import in_own_spelling, is_own, normalise
from schemas.identity import LIMITS, Identity, Normaliser

CONTACT = frozenset(("email", "phone", "telegram_id", "vk_id"))
KIND = "identity"
HOUR_MS = 3_600_000


def kind_of(identifier: str) -> str:
    return identifier.partition(":")[0]


def proves(identifier: str) -> bool:
    """Does it prove who somebody is? An anonymous id only names a device, which several people may use."""
    return kind_of(identifier) != "anonymous_id"


class Trust(NamedTuple):
    """Whose word on an attribute counts more. since: the version that last changed it; ranks: source -> 1 to 9, greater is more."""

    since: int
    ranks: Mapping[str, int]

    def at(self, at: int, source: str) -> int:
        return attributes.ranked(at, self.ranks.get(source, 0), self.since)


@dataclass(frozen=True, slots=True)
class Rules:
    """version: of the document, 0 where none is published. rank: kind -> place, strongest first. refused: identifiers. own: kinds of the
    company's own -> how their values are spelled; those that are not named here name nobody. trusted: attribute -> whose word counts more,
    and since which version; also of those whose rule was taken out, for their values must go on from there.
    """

    version: int
    rank: Mapping[str, int]
    limits: Mapping[str, int]
    never_merge: frozenset[str]
    refused: frozenset[str] = field(default_factory=frozenset)
    junk_after: int = 10
    merges: int = 100
    merges_per_hour: int = 20
    own: Mapping[str, Normaliser] = field(default_factory=dict)
    trusted: Mapping[str, "Trust"] = field(default_factory=dict)

    def said(self, fact: Fact) -> dict[str, tuple[int, Any]]:
        """What a fact says of a person, as it counts."""
        at, trusted = fact.occurred_at, self.trusted
        if not trusted:
            return {name: (at, value) for name, value in fact.attributes.items()}
        return {
            name: (trusted[name].at(at, fact.source) if name in trusted else at, value) for name, value in fact.attributes.items()
        }

    def ordered(self, identifiers: Iterable[str]) -> list[str]:
        """Strongest first; of one kind in their own order."""
        rank, last = self.rank, len(self.rank)
        return sorted(identifiers, key=lambda name: rank.get(name.partition(":")[0], last))

    def limit(self, kind: str) -> int:
        """How many of a kind one person may have; of one that the rules have forgotten, as many as he has."""
        return self.limits.get(kind, 1000)

    def spelled(self, identifier: str) -> str | None:
        """A normalised identifier as these rules spell it; None where it names nobody under them."""
        kind, _, value = identifier.partition(":")
        if not is_own(kind):
            return identifier if identifier not in self.refused else None
        clean = in_own_spelling(value, self.own[kind]) if kind in self.own else None
        return named if clean is not None and (named := f"{kind}:{clean}") not in self.refused else None


def compiled(document: Identity, version: int, trusted: Mapping[str, Trust] | None = None) -> Rules:
    kinds = list(document.every_kind())
    own = {rule.kind: rule.normaliser for rule in kinds if is_own(rule.kind)}
    named = ((rule.kind, value, own.get(rule.kind)) for rule in kinds for value in rule.refused)
    refused = ((kind, in_own_spelling(value, spelling) if spelling else normalise(kind, value)) for kind, value, spelling in named)
    return Rules(
        version=version,
        rank={rule.kind: place for place, rule in enumerate(kinds)},
        limits={rule.kind: rule.limit or LIMITS.get(rule.kind, LIMITS["email"]) for rule in kinds},
        never_merge=frozenset(rule.kind for rule in kinds if rule.never_merge),
        refused=frozenset(f"{kind}:{clean}" for kind, clean in refused if clean is not None),
        junk_after=document.junk_after,
        merges=document.merges,
        merges_per_hour=document.merges_per_hour,
        own=own,
        trusted=trusted or {},
    )


def build(documents: Sequence[Published], _revision: int = 0) -> Rules:
    """The rules in force; the ones of before any was published, if none is."""
    versions = sorted((one for one in documents if one.kind == KIND), key=lambda one: one.version)
    read = [(one, Identity.model_validate_json(bytes(one.body))) for one in versions]
    for one, document in read:
        if one.pointer:
            return compiled(document, one.version, _trusted((d, o.version) for o, d in read if o.version <= one.version))
    return DEFAULT


def _trusted(versions: Iterable[tuple[Identity, int]]) -> dict[str, Trust]:
    """By the newest of these versions, oldest first."""
    found: dict[str, Trust] = {}
    for document, version in versions:
        said = {rule.name: {s: len(rule.sources) - place for place, s in enumerate(rule.sources)} for rule in document.attributes}
        for name in found.keys() | said.keys():
            ranks = said.get(name, {})
            if name not in found or found[name].ranks != ranks:
                found[name] = Trust(version, ranks)
    return found


DEFAULT = compiled(Identity(), 0)
