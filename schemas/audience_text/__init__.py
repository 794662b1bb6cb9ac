"""Conditions as sentences in English and Russian.

`sentence(condition, "en")`: "bought for 5,000 ₽ or more at least 2 times in the last 90 days". The parts of a group are joined by "and" or "or";
a group within another one, and a sentence that has parts itself, stands in brackets. Conditions that mean something else read otherwise.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from schemas.audience import Condition
from schemas.audience_text.english import ENGLISH
from schemas.audience_text.lexicon import Lexicon
from schemas.audience_text.russian import RUSSIAN
from schemas.audience_text.speech import Speech
from schemas.audience_text.titles import Titles
from schemas.audience_walk import nodes

__all__ = ["LEXICONS", "Language", "Said", "Titles", "sentence", "sentences"]

Language = Literal["en", "ru"]
LEXICONS: Mapping[Language, Lexicon] = {"en": ENGLISH, "ru": RUSSIAN}
UNTITLED = Titles()


class Said(NamedTuple):
    """A node and its sentence. path: dotted, list places as numbers, "" the condition itself: as faults have it."""

    path: str
    text: str


def sentence(condition: Condition, language: Language, titles: Titles = UNTITLED) -> str:
    """The whole condition. titles: in that language; what has none is named as in the condition, in straight quotes."""
    return Speech(LEXICONS[language], titles).say(condition)


def sentences(condition: Condition, language: Language, titles: Titles = UNTITLED) -> list[Said]:
    """Every node, each before its parts."""
    speech = Speech(LEXICONS[language], titles)
    return [Said(path, speech.say(node)) for path, node in nodes(condition)]
