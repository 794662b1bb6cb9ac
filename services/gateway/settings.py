"""Where the gateway listens, and where it finds the others."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.attribution import Label
from schemas.reports import Target


class NamedTarget(Target):
    """A target action as views for BI tools call it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")

    def asked(self) -> dict[str, Any]:
        """Without its name, as reports take it."""
        return self.model_dump(mode="json", exclude={"name"}, exclude_none=True)


class GatewaySettings(BaseSettings):
    """Environment variables are these names in capitals behind `OTKLIK_`. An empty one is as none: compose passes what nobody set as empty.

    services: "profile=http://127.0.0.1:18101,ingest=...,ingest.public=..." - the admin address of each service (several processes:
    the name again), and with `.public` the address where it serves customers. first_brand: of the installation's first write key.

    bi_targets: JSON, `[{"name": "order", "event": "Order Completed", "value": "total", "window": "7d"}]`: what views for BI tools count beside
    messages; the first one stands behind revenue by channel. bi_teams: JSON, `{"journey:welcome": "retention", "campaign": "promo"}`: whose documents are,
    as the report of channels takes it. bi_every_s: after how long the last bi_days days are counted again (0: never by
    itself); bi_nightly_days: of which once a day.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_", env_ignore_empty=True, frozen=True, extra="ignore")

    port: int = Field(default=8080, ge=0, le=65535)
    services: Annotated[Mapping[str, tuple[str, ...]], NoDecode] = Field(default_factory=dict)
    first_brand: str = "shop"
    first_source: str = "default"
    first_currency: str = ""
    first_region: str = ""
    bi_targets: tuple[NamedTarget, ...] = (NamedTarget(name="order", event="Order Completed", value="total"),)
    bi_teams: Mapping[str, Label] = Field(default_factory=dict)
    bi_every_s: float = Field(default=900, ge=0)
    bi_days: int = Field(default=14, ge=1, le=366)
    bi_nightly_days: int = Field(default=400, ge=1, le=3660)

    @model_validator(mode="after")
    def _names(self) -> "GatewaySettings":
        names = [one.name for one in self.bi_targets]
        if not names or len(set(names)) < len(names):
            raise ValueError("bi_targets: one at least, each with a name of its own")
        return self

    @field_validator("services", mode="before")
    @classmethod
    def _addresses(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        found: dict[str, tuple[str, ...]] = {}
        for part in filter(None, (part.strip() for part in given.split(","))):
            name, _, url = part.partition("=")
            if not name or not url.startswith(("http://", "https://")):
                raise ValueError(f"{part!r} is not `name=http://address`")
            found[name] = (*found.get(name, ()), url.rstrip("/"))
        return found
