"""API keys: what they are and what they may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.domain.problems import Problem

SCOPES = ("read", "write", "publish", "admin", "clock")
Scope = Literal["read", "write", "publish", "admin", "clock"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was shown and is good. brands: () means all."""

    id: str
    name: str
    scopes: frozenset[str]
    brands: tuple[str, ...] = ()

    def needs(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Problem("scope_missing", scope=scope)

    def needs_brand(self, brand: str | None) -> None:
        """What belongs to all brands (None) may only be changed with a key of all brands."""
        if self.brands and brand not in self.brands:
            raise Problem("brand_forbidden", brands=", ".join(self.brands))

    def sees(self, brand: str | None) -> bool:
        return not self.brands or brand is None or brand in self.brands


class NewKey(BaseModel):
    """What `POST /api/keys` takes. brands: none means all; expires_at: UTC ms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    scopes: tuple[Scope, ...] = Field(min_length=1)
    brands: tuple[Annotated[str, Field(min_length=1, max_length=63)], ...] = ()
    expires_at: int | None = Field(default=None, ge=0, le=2**53, strict=True)


def grantable(by: Key, scopes: Sequence[str], brands: Sequence[str]) -> None:
    """A key gives at most what it has itself."""
    beyond = sorted(set(scopes) - by.scopes)
    if by.brands:
        beyond += sorted(set(brands) - set(by.brands)) if brands else ["brands"]
    if beyond:
        raise Problem("rights_exceeded", what=", ".join(beyond))
