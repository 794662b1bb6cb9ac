"""A channel that nobody has set up: its messages fail with that reason, and no address leaves the house."""

from .contract import Outcome, Rendered, Result, Started


class MissingChannel:
    """In place of a provider without credentials."""

    connections = 4

    def __init__(self, name: str) -> None:
        self._name = name

    async def send(self, _message: Rendered, _started: Started | None = None) -> Result:
        return Result(Outcome.NOT_CONFIGURED, code=f"{self._name}:not configured")

    async def close(self) -> None:
        """Nothing is open."""
