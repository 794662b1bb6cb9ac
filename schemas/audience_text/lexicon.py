"""What a language has to bring so that conditions can be said in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from schemas.audience_text.amounts import Unit

Case = Literal["plain", "of"]


class Forms(NamedTuple):
    """A counted noun. plain: after 1, 2 and 5 ("1 minute ago"); of: the same after "less than", where a language tells them apart."""

    plain: tuple[str, str, str]
    of: tuple[str, str, str]


class Deed(NamedTuple):
    """An event in words. did: "bought"; done: after "has not"; over: "purchases", what a sum is made over."""

    did: str
    done: str
    over: str


@dataclass(frozen=True)
class Lexicon:
    """texts: templates by what they say, the same names in each language (speech.py fills them). form: which of a noun's three forms goes
    with a number. last, next: "in the last day", for a single unit. deed: of an event that has no words of its own, `{name}` in it.
    marks: for digits, what parts thousands and what stands before the fraction. money: digits and currency -> an amount.
    """

    texts: Mapping[str, str]
    form: Callable[[int], int]
    units: Mapping[Unit, Forms]
    last: Mapping[Unit, str]
    next: Mapping[Unit, str]
    months: tuple[str, ...]
    quotes: tuple[str, str]
    marks: tuple[str, str]
    money: Callable[[str, str], str]
    deeds: Mapping[str, Deed]
    deed: Deed
    names: Mapping[str, str]
