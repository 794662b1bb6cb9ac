"""What an operator may say of the lake, as OTKLIK_LAKE_... in the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LakeSettings(BaseSettings):
    """rewrite_s: how long after an erasure the files are written anew without the person: the erasures of an hour are one rewriting, and
    the law's day has room for it. grace_s: how long a replaced file stays for readers of the old manifest.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_LAKE_", frozen=True, extra="ignore")

    rewrite_s: float = Field(default=3600.0, ge=0, le=72_000)
    grace_s: float = Field(default=900.0, ge=0, le=7200)
