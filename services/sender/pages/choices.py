"""What the preference centre offers, and which words a person says by what he changes there. Pure."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.permission import ALL, Words, permitted
from schemas.subscriptions import Topic
from services.sender.pages.texts import TEXTS
from services.sender.subjects import Subjects


class Row(NamedTuple):
    """A topic as it is offered. depth: 0 is everything; on: channel -> may it go there now?"""

    topic: str
    label: str
    depth: int
    on: Mapping[str, bool]


class Change(NamedTuple):
    """A word that the person says."""

    channel: str
    topic: str
    granted: bool


def label(topic: Topic, language: str) -> str:
    return topic.name.get(language) or topic.name.get("en") or next(iter(topic.name.values()))


def whole_label(of: Subjects, topic: str, language: str) -> str:
    """With all that it is a part of, as it stands where the tree does not: "Digest: Every week"."""
    known = {one.key: one for one in of.topics}
    line = [label(known[part], language) for part in reversed(of.tree.get(topic, ())) if part in known]
    return ": ".join(line) or TEXTS[language].everything


def rows(of: Subjects, brand: str, words: Words, channels: Sequence[str], language: str, now: int) -> list[Row]:
    """Everything, then the topics of the brand as a tree, each below what it is a part of, in the order of their names."""
    offered = {topic.key: topic for topic in of.topics if topic.brand in (None, brand)}
    below: dict[str, list[Topic]] = {}
    for topic in offered.values():
        parent = next((part for part in of.tree.get(topic.key, ())[1:] if part in offered), ALL)
        below.setdefault(parent, []).append(topic)

    def on(topic: str) -> dict[str, bool]:
        return {channel: permitted(words, of.tree, brand, channel, topic, now) for channel in channels}

    def walk(parent: str, depth: int) -> Iterator[Row]:
        for topic in sorted(below.get(parent, ()), key=lambda one: (label(one, language).casefold(), one.key)):
            yield Row(topic.key, label(topic, language), depth, on(topic.key))
            yield from walk(topic.key, depth + 1)

    return [Row(ALL, TEXTS[language].everything, 0, on(ALL)), *walk(ALL, 1)]


def box(channel: str, topic: str) -> str:
    """What a checkbox of the form is called."""
    return f"{channel}|{topic}"


def changes(offered: Iterable[Row], was: Collection[str], ticked: Collection[str]) -> list[Change]:
    """What he changed of what he was shown: nothing that he did not touch becomes a word, whatever happened to it meanwhile.

    The noes come first, so that one topic can be switched on in the same go in which what it is a part of is switched off.
    """
    found = []
    for row in offered:
        for channel in row.on:
            name = box(channel, row.topic)
            if (name in was) != (name in ticked):
                found.append(Change(channel, row.topic, name in ticked))
    return sorted(found, key=lambda change: change.granted)


def sha256(wording: str) -> str:
    """Of the text that was shown, for the ledger."""
    return hashlib.sha256(wording.encode()).hexdigest()
