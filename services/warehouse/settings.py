"""What an operator may say of the lake, as OTKLIK_LAKE_... in the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DAY_MS = 86_400_000


class LakeSettings(BaseSettings):
    """rewrite_s: how long after an erasure the files are written anew without the person: the erasures of an hour are one rewriting, and
    the law's day has room for it. grace_s: how long a replaced file stays for readers of the old manifest. *_days: for so long facts,
    entries into segments and verdicts are kept, by their UTC day; for ever where nothing is said.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_LAKE_", frozen=True, extra="ignore")

    rewrite_s: float = Field(default=3600.0, ge=0, le=72_000)
    grace_s: float = Field(default=900.0, ge=0, le=7200)
    facts_days: int | None = Field(default=None, ge=1)
    memberships_days: int | None = Field(default=None, ge=1)
    decisions_days: int | None = Field(default=None, ge=1)

    def kept_since(self, now: int) -> dict[str, int]:
        """Dataset -> the instant (ms) from which on its rows are kept, where not all are."""
        today = now - now % DAY_MS
        kept = {"facts": self.facts_days, "memberships": self.memberships_days, "decisions": self.decisions_days}
        return {dataset: today - days * DAY_MS for dataset, days in kept.items() if days is not None}
