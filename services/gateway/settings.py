"""Where the gateway listens, and where it finds the others."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Environment variables are these names in capitals behind `OTKLIK_`.

    services: "profile=http://127.0.0.1:18101,ingest=...,ingest.public=..." - the admin address of each service (several processes:
    the name again), and with `.public` the address where it serves customers. first_brand: of the installation's first write key.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_", frozen=True, extra="ignore")

    port: int = Field(default=8080, ge=0, le=65535)
    services: Annotated[Mapping[str, tuple[str, ...]], NoDecode] = Field(default_factory=dict)
    first_brand: str = "shop"
    first_source: str = "default"
    first_currency: str = ""
    first_region: str = ""

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
