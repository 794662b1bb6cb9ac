"""What ingest alone needs to know of the outside."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class IngestSettings(BaseSettings):
    """Environment variables are these names in capitals behind `OTKLIK_`.

    first_*: what the installation's first write key (OTKLIK_KEYS_FILE) stands for; first_currency: ISO 4217, empty for none;
    first_region: two letters of the country of phones without "+". max_connections: open at once; above it 503.
    import_rows: rows of a file between two notes of how far its import has come. import_max_bytes: of one file.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_", frozen=True, extra="ignore")

    ingest_port: int = Field(default=8081, ge=0, le=65535)
    first_brand: str = "shop"
    first_source: str = "default"
    first_currency: str = ""
    first_region: str = ""
    max_connections: int = Field(default=5_000, ge=1)
    import_rows: int = Field(default=2_000, ge=1)
    import_max_bytes: int = Field(default=500_000_000, ge=1)
