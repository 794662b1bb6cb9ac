"""Somebody who was taken for another is parted from him: what is left to the one, and what the other begins with. Pure."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from schemas.facts import Fact, Split, SplitPart
from schemas.permission import Said, left
from services.sender import domain
from services.sender.domain import Contact


def words_of(told: Mapping[str, Sequence[int | None]]) -> dict[str, Said]:
    """Words as profile tells them."""
    return {about: msgspec.convert(said, Said) for about, said in told.items()}


def stay(contact: Contact, fact: Fact, split: Split, *, now: int = 0, blind: Callable[[str], str]) -> None:
    """Leave a person what is his own. What was heard of him and stands in nobody's ledger yet was said since, and stays.

    now: when it is heard here (ms). Until then he may have been taken for the one whom the two were.
    """
    contact.attributes = {name: (pair[0], pair[1]) for name, pair in fact.attributes.items()}
    contact.lost = sorted({*contact.lost, *map(blind, fact.lost)})
    domain.forget_lost(contact, blind)
    domain.reach(contact, fact, blind)
    own, others = words_of(split.words), [words_of(part.words) for part in split.parts]
    contact.words = dict(left(contact.words, own, others))
    contact.parted = sorted({*contact.parted, *(home for part in split.parts for home in part.homes)})
    contact.parted_at = max(contact.parted_at, fact.received_at, now)


def go(contact: Contact, part: SplitPart, was: Contact) -> None:
    """What the other one said himself, and what providers refuse, whoever has the address."""
    for about, said in words_of(part.words).items():
        domain.hear(contact, about, said)
    contact.suppressed = {**was.suppressed, **contact.suppressed}
