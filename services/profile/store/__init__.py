"""The tables of profile: people and their identifiers, facts seen today and yesterday, the ledger of consents."""

from .consents import add, chains, entries, heads, walk
from .people import (
    DAY_MS,
    Claimed,
    Known,
    Seen,
    claim,
    contradictions,
    judge,
    known,
    lock,
    owner_of,
    people,
    person,
    resolve,
    save,
    tell,
)

__all__ = [
    "DAY_MS",
    "Claimed",
    "Known",
    "Seen",
    "add",
    "chains",
    "claim",
    "contradictions",
    "entries",
    "heads",
    "judge",
    "known",
    "lock",
    "owner_of",
    "people",
    "person",
    "resolve",
    "save",
    "tell",
    "walk",
]
