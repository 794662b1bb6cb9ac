"""How an installation calls its events, attributes, segments and topics, in one language."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

Name = TypeVar("Name")


class Titles(NamedTuple):
    """Name -> title. attributes: by name and, where it is a value within one, dotted path ("" else)."""

    events: Mapping[str, str] = {}
    attributes: Mapping[tuple[str, str], str] = {}
    segments: Mapping[str, str] = {}
    topics: Mapping[str, str] = {}


def telling(titles: Titles) -> Titles:
    """Without titles that two names share: what differs in meaning must differ in words."""
    return Titles(_unique(titles.events), _unique(titles.attributes), _unique(titles.segments), _unique(titles.topics))


def _unique(titles: Mapping[Name, str]) -> Mapping[Name, str]:
    count = Counter(map(str.casefold, titles.values()))
    return {name: title for name, title in titles.items() if title and count[title.casefold()] == 1}
