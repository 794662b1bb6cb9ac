"""How far a mailing may run ahead of the sender."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OrchestratorSettings(BaseSettings):
    """Environment variables are these names in capitals behind `OTKLIK_`.

    campaign_ahead: so many messages of a launch, over all partitions, may be with the sender and not settled; no more are decided before
    it has told of some. What waits there past its slot comes back late and is decided again.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_", frozen=True, extra="ignore")

    campaign_ahead: int = Field(default=500_000, ge=1)
