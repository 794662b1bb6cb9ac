"""So many messages a minute, over all partitions together and without asking one another: each has every so many-th place in the row."""

from typing import NamedTuple


class Allowance(NamedTuple):
    """most: how many may go now; step: ms from one to the next of this partition."""

    most: int
    step: float

    def after(self, next_at: int, went: int) -> int:
        """When the next one may go (ms)."""
        return round(next_at + went * self.step)


def allowance(next_at: int, now: int, every_ms: float, partitions: int) -> Allowance:
    """next_at: when this partition's next one may go (ms); every_ms: from one message to the next of all."""
    step = every_ms * partitions
    return Allowance(0 if now < next_at else int((now - next_at) // step) + 1, step)
