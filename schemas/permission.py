"""What a person's words of consent permit: one answer for everybody who sends by it or shows it. Pure.

Topics are a tree whose root is "*", everything. A no forbids all below it until a later yes to one of them by itself; a yes permits those
below that have no word of their own. A no to a topic that there is not, where there are any, is one to everything: messages are of topics
that there are, so else it would forbid nothing. Of each subject the newest yes and the newest no are kept, which is all that this asks for: so the
answer is that of a replay of all words in the order in which they were said, in whatever order they are heard.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from schemas import consents
from schemas.facts import Fact
from schemas.subscriptions import Topic

ALL = "*"
SUBJECTS = 500  # on which a person may have words: whoever makes up topics fills nobody's row
Tree = Mapping[str, tuple[str, ...]]  # topic -> it and all that it is a part of, from the inside out, without the root
FLAT: Tree = {}


class Said(msgspec.Struct, array_like=True, frozen=True):
    """The newest words on one subject: when (ms, -1: never) a yes, a no and a request were said. until, asked_until: when the yes ends, and
    when the one that is asked for would.
    """

    yes: int = -1
    no: int = -1
    until: int | None = None
    asked: int = -1
    asked_until: int | None = None

    def ended(self, now: int) -> bool:
        return self.until is not None and self.until <= now


NOTHING = Said()
Words = Mapping[str, Said]  # by subject


class Request(NamedTuple):
    """A subscription that waits to be confirmed, asked for at an instant (ms). until: when it would end."""

    topic: str
    asked: int
    until: int | None = None


def subject(brand: str, channel: str, topic: str) -> str:
    """What a word is about, as the key of `Words`."""
    return f"{brand}|{channel}|{topic}"


def word(fact: Fact) -> tuple[str, Said]:
    """The subject of a word, and what it says. A yes that marketing may not rely on, or by a channel that there is not, says nothing."""
    channel, topic = consents.about(fact)
    key, at = subject(fact.brand, channel, topic), consents.said_at(fact)
    if channel not in consents.CHANNELS and channel != ALL:
        return key, Said()
    if consents.is_request(fact):
        return key, Said(asked=at, asked_until=consents.ends_at(fact))
    if fact.event in consents.WITHDRAWS:
        return key, Said(no=at)
    return key, Said(yes=at, until=consents.ends_at(fact)) if consents.is_proven(fact) else Said()


def joined(one: Said, other: Said) -> Said:
    """Both: of each kind the newest; of two yeses of one millisecond that which ends first."""
    yes, until = _newest((one.yes, one.until), (other.yes, other.until))
    asked, asked_until = _newest((one.asked, one.asked_until), (other.asked, other.asked_until))
    return Said(yes, max(one.no, other.no), until, asked, asked_until)


def _newest(*said: tuple[int, int | None]) -> tuple[int, int | None]:
    at = max(when for when, _ in said)
    return at, min((end for when, end in said if when == at and end is not None), default=None)


def heard(words: Words, about: str, said: Said) -> Words:
    """The words with one more on a subject, or as they are where it says nothing new. Of those that do not fit a yes permits nothing, and a
    no is one to everything by its channel.
    """
    brand, channel, topic = about.split("|", 2)
    if topic != ALL and about not in words and len(words) >= SUBJECTS:
        about, said = subject(brand, channel, ALL), Said(no=said.no)
    held = words.get(about, NOTHING)
    now = joined(held, said)
    return words if now == held else {**words, about: now}


def left(held: Words, own: Words, others: Sequence[Words]) -> Words:
    """What is left to somebody when others are parted from him: his own words, and of what was heard of him what was said since."""
    found = {about: _left(held, own, others, about) for about in sorted(held.keys() | own.keys())}
    return {about: said for about, said in found.items() if said != NOTHING}


def _left(held: Words, own: Words, others: Sequence[Words], about: str) -> Said:
    """A yes only where it is newer than any of the others', a no unless it is the newest of one."""
    said, theirs = held.get(about, NOTHING), [words.get(about, NOTHING) for words in others]
    yes = said.yes > max((word.yes for word in theirs), default=-1)
    no = said.no not in {word.no for word in theirs}
    asked = said.asked > max((word.asked for word in theirs), default=-1)
    since = Said(
        said.yes if yes else -1,
        said.no if no else -1,
        said.until if yes else None,
        said.asked if asked else -1,
        said.asked_until if asked else None,
    )
    return joined(own.get(about, NOTHING), since)


def tree(topics: Iterable[Topic]) -> Tree:
    """The tree of these topics. One whose parent is not among them stands below the root."""
    parents = {topic.key: topic.parent for topic in topics}
    return {key: tuple(_outwards(key, parents)) for key in parents}


def _outwards(key: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    seen: set[str] = set()
    at: str | None = key
    while at is not None and at not in seen:  # a circle cannot be published; should one be, it ends here
        seen.add(at)
        yield at
        at = parents.get(at)


def permitted(words: Words, of: Tree, brand: str, channel: str, topic: str, now: int) -> bool:
    """May marketing on this topic go over this channel at this instant (ms)? Silence is a no, and so is a tie."""
    return standing(words, of, brand, channel, topic, now) == "granted"


def standing(words: Words, of: Tree, brand: str, channel: str, topic: str, now: int) -> Literal["granted", "denied", "none"]:
    """What the words come to: a yes in force, a no in force, or neither (silence, or a yes that has ended)."""
    found: Literal["granted", "denied", "none"] = "none"
    refused = -1
    for said in _line(words, of, brand, channel, topic):
        refused = max(refused, said.no)
        if said.yes > refused:
            found = "none" if said.ended(now) else "granted"
        elif said.no >= max(said.yes, 0):
            found = "denied"
    return found


def requests(words: Words, of: Tree, brand: str, channel: str) -> list[Request]:
    """What waits to be confirmed over a channel: asked for after every no to it, and not confirmed since."""
    topics = {
        key.split("|", 2)[2]
        for key, said in words.items()
        if said.asked >= 0 and key.split("|", 2)[:2] in ([brand, channel], [brand, ALL])
    }
    found = []
    for topic in sorted(topics):
        line = _line(words, of, brand, channel, topic)
        own = line[-1]
        if own.asked > max(own.yes, *(said.no for said in line)):
            found.append(Request(topic, own.asked, own.asked_until))
    return found


def _line(words: Words, of: Tree, brand: str, channel: str, topic: str) -> list[Said]:
    """What was said on everything, and on each part from there to the topic."""
    everything, *parts = (_on(words, brand, channel, part) for part in _inwards(of, topic))
    return [joined(everything, Said(no=_astray(words, of, brand, channel))), *parts]


def _astray(words: Words, of: Tree, brand: str, channel: str) -> int:
    """When the newest no was said to a topic that there is not, -1: none was. Where there are no topics, names are taken as they are."""
    noes = ((key.split("|", 2), said.no) for key, said in words.items() if said.no >= 0) if of else ()
    return max(
        (no for about, no in noes if about[:2] in ([brand, channel], [brand, ALL]) and about[2] not in (ALL, *of)), default=-1
    )


def _inwards(of: Tree, topic: str) -> Iterator[str]:
    yield ALL
    if topic != ALL:
        yield from reversed(of.get(topic, (topic,)))


def _on(words: Words, brand: str, channel: str, topic: str) -> Said:
    """What was said on a topic of this channel and of all channels."""
    own, general = words.get(subject(brand, channel, topic)), words.get(subject(brand, ALL, topic))
    if own is None or general is None:
        return own or general or Said()
    return joined(own, general)
