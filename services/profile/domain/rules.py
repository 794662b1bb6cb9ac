"""The published rules of identity, compiled for deciding."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.definitions import Published
from schemas.identifiers import normalise
from schemas.identity import LIMITS, Identity

# These identifiers prove who somebody is; an anonymous id only names a device, which several people may use.
STRONG = frozenset(("user_id", "email", "phone", "telegram_id", "vk_id"))
CONTACT = frozenset(("email", "phone", "telegram_id", "vk_id"))
KIND = "identity"
HOUR_MS = 3_600_000


def kind_of(identifier: str) -> str:
    return identifier.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Rules:
    """version: of the document, 0 where none is published. rank: kind -> place, strongest first. refused: identifiers."""

    version: int
    rank: Mapping[str, int]
    limits: Mapping[str, int]
    never_merge: frozenset[str]
    refused: frozenset[str] = field(default_factory=frozenset)
    junk_after: int = 10
    merges: int = 100
    merges_per_hour: int = 20

    def ordered(self, identifiers: Iterable[str]) -> list[str]:
        """Strongest first; of one kind in their own order."""
        return sorted(identifiers, key=lambda i: self.rank[kind_of(i)])


def compiled(document: Identity, version: int) -> Rules:
    kinds = list(document.every_kind())
    named = ((rule.kind, value) for rule in kinds for value in rule.refused)
    return Rules(
        version=version,
        rank={rule.kind: place for place, rule in enumerate(kinds)},
        limits={rule.kind: rule.limit or LIMITS[rule.kind] for rule in kinds},
        never_merge=frozenset(rule.kind for rule in kinds if rule.never_merge),
        refused=frozenset(f"{kind}:{clean}" for kind, value in named if (clean := normalise(kind, value)) is not None),
        junk_after=document.junk_after,
        merges=document.merges,
        merges_per_hour=document.merges_per_hour,
    )


def build(documents: Sequence[Published], _revision: int = 0) -> Rules:
    """The rules in force; the ones of before any was published, if none is."""
    for document in documents:
        if document.kind == KIND and document.pointer:
            return compiled(Identity.model_validate_json(bytes(document.body)), document.version)
    return DEFAULT


DEFAULT = compiled(Identity(), 0)
