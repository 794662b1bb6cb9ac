"""What an operator may say of the index, as OTKLIK_AUDIENCE_... in the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DAY_MS = 86_400_000


class AudienceSettings(BaseSettings):
    """folder: where the index lies, under OTKLIK_HOME where nothing is said. threads: of one question, for what scans and sorts; memory: what all may take together.
    follow_s, rest_s: from one look at the lake to the next, while people ask and while nobody has for ten minutes: what comes together is
    taken in more cheaply. at_once: how many questions are answered side by side; others wait.
    personal_s: how long personal attributes that a question named are held; personal_memory: how much each may take.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_AUDIENCE_", frozen=True, extra="ignore")

    folder: Path | None = None
    threads: int = Field(default=1, ge=1, le=256)
    memory: str = Field(default="1GB", pattern=r"^\d+(\.\d+)?[KMGT]B$")
    follow_s: float = Field(default=1.0, ge=0.05, le=60)
    rest_s: float = Field(default=60.0, ge=0.05, le=600)
    at_once: int = Field(default=2, ge=1, le=64)
    personal_s: float = Field(default=60.0, ge=0.0, le=300)
    personal_memory: str = Field(default="256MB", pattern=r"^\d+(\.\d+)?[KMGT]B$")


class KeptSettings(BaseSettings):
    """For how many days the lake keeps facts, which the index follows; None: for ever (docs/law.md)."""

    model_config = SettingsConfigDict(env_prefix="OTKLIK_LAKE_", frozen=True, extra="ignore")

    facts_days: int | None = Field(default=None, ge=1)

    def since(self, now: int) -> int | None:
        """The instant (ms) from which on facts are kept."""
        return None if self.facts_days is None else now - now % DAY_MS - self.facts_days * DAY_MS
