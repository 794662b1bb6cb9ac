"""What a person has said of consent, and what a condition about it makes of that now. schemas/permission.py has the rules."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from schemas import consents, permission
from schemas.audience import Consent
from schemas.facts import Fact
from schemas.permission import Said, Tree, Words
from services.segmenter.domain.horizons import NEVER


def is_word(fact: Fact) -> bool:
    return fact.event in consents.EVENTS


def heard(words: Words, fact: Fact) -> Words:
    """With one fact more; `words` itself where it says nothing new, or nothing of consent."""
    return permission.heard(words, *permission.word(fact)) if is_word(fact) else words


def both(one: Words, other: Words) -> Words:
    """Of two people who are one."""
    words = one
    for about, said in other.items():
        words = permission.heard(words, about, said)
    return words


def told(words: Mapping[str, Sequence[int | None]]) -> Words:
    """Words as profile tells them of somebody who was parted from another."""
    return msgspec.convert(words, dict[str, Said])


def consent(leaf: Consent, words: Words, topics: Tree, now: int) -> int:
    """Whether he stands so (see horizons). It may turn when a yes ends."""
    brands = {about.split("|", 1)[0] for about in words} if leaf.brand is None else {leaf.brand}
    truth = _state(leaf, brands, words, topics, now) == leaf.state
    until = min((said.until for said in words.values() if said.until is not None and said.until > now), default=NEVER)
    return until if truth else -until


def _state(leaf: Consent, brands: Iterable[str], words: Words, topics: Tree, now: int) -> str:
    """The strongest of what is true of a brand."""
    found = {_of_brand(leaf, brand, words, topics, now) for brand in brands}
    return next((state for state in ("granted", "unproven", "denied") if state in found), "none")


def _of_brand(leaf: Consent, brand: str, words: Words, topics: Tree, now: int) -> str:
    found = permission.standing(words, topics, brand, leaf.channel, leaf.topic, now)
    asked = permission.requests(words, topics, brand, leaf.channel) if found != "granted" else ()
    return "unproven" if any(request.topic == leaf.topic for request in asked) else found
