"""What an operator may say of it, as OTKLIK_EXPERIMENTS_... in the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ExperimentsSettings(BaseSettings):
    """at_once: how many questions are worked out side by side; others wait."""

    model_config = SettingsConfigDict(env_prefix="OTKLIK_EXPERIMENTS_", frozen=True, extra="ignore")

    at_once: int = Field(default=1, ge=1, le=64)
