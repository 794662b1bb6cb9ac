"""The rules of identity as a document: which identifiers prove who somebody is, and what never makes one person of two."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from schemas.documents import Document
from schemas.facts import IDENTIFIER_KINDS
from schemas.identifiers import is_kind, is_own

_KINDS = "|".join(IDENTIFIER_KINDS)


def _kind(name: str) -> str:
    if not is_kind(name):
        raise ValueError(f"one of {', '.join(IDENTIFIER_KINDS)}, or your own, id.<name> in small letters")
    return name


KindName = Annotated[str, AfterValidator(_kind), Field(json_schema_extra={"pattern": rf"^({_KINDS}|id\.[a-z][a-z0-9_]{{0,29}})$"})]
Normaliser = Literal["text", "lower", "digits", "alphanumeric"]
Value = Annotated[str, Field(min_length=1, max_length=254)]


class KindRule(Document):
    """limit: how many of the kind one person may have, LIMITS if nothing is said. never_merge: two people whom one source gave different
    identifiers of this kind stay two, whatever else they share. refused: values that name nobody, e.g. the address of the till.

    A kind of the company's own is named `id.card`, say, and stands here to be one; normaliser: its one spelling, such as only the digits.
    """

    kind: KindName
    limit: int | None = Field(default=None, ge=1, le=1000, strict=True)
    never_merge: bool = False
    refused: tuple[Value, ...] = Field(default=(), max_length=1000)
    normaliser: Normaliser = "text"

    @model_validator(mode="after")
    def _spelled(self) -> "KindRule":
        if self.normaliser != "text" and not is_own(self.kind):
            raise ValueError("normaliser: the spelling of this kind is known; give one to kinds of your own")
        return self


OWN_KINDS = 20  # so many of its own a company may have
LIMITS: Mapping[str, int] = {"user_id": 20, "email": 5, "phone": 5, "telegram_id": 5, "vk_id": 5, "anonymous_id": 200}
DEFAULT_KINDS = tuple(KindRule(kind=kind, never_merge=kind == "user_id") for kind in LIMITS)


class AttributeRule(Document):
    """Whose word on an attribute counts more. sources: the most trusted first; what one that is not named says counts least of all, and of
    two words of one source the later one.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    sources: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(min_length=1, max_length=9)


class Identity(Document):
    """kinds: strongest first: where identifiers of one fact contradict each other, the fact is the person's whom the strongest names.
    Those that are not mentioned follow as they are by default.

    junk_after: an identifier that was refused to so many people is junk: it names nobody from then on, and is nobody's address.
    merges, merges_per_hour: how many people may become one, for ever and within an hour; what would be more stays apart.
    attributes: whose word counts more; of all others the last one does.
    """

    key: Literal["rules"] = "rules"
    kinds: tuple[KindRule, ...] = Field(default=DEFAULT_KINDS, max_length=len(IDENTIFIER_KINDS) + OWN_KINDS)
    junk_after: int = Field(default=10, ge=2, le=1000, strict=True)
    merges: int = Field(default=100, ge=1, le=10_000, strict=True)
    merges_per_hour: int = Field(default=20, ge=1, le=10_000, strict=True)
    attributes: tuple[AttributeRule, ...] = Field(default=(), max_length=200)

    @model_validator(mode="after")
    def _once_each(self) -> "Identity":
        named = [rule.kind for rule in self.kinds]
        if len(set(named)) < len(named):
            raise ValueError("kinds: each kind stands there once")
        if len({rule.name for rule in self.attributes}) < len(self.attributes):
            raise ValueError("attributes: each attribute stands there once")
        return self

    def every_kind(self) -> Iterator[KindRule]:
        """Of all kinds, strongest first."""
        yield from self.kinds
        named = {rule.kind for rule in self.kinds}
        yield from (rule for rule in DEFAULT_KINDS if rule.kind not in named)
