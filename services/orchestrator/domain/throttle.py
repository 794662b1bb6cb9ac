"""So many messages a minute, over all partitions together and without asking one another: each has every so many-th place in the row."""

from typing import NamedTuple

AT_ONCE_MS = 60_000  # after a standstill no more go at once than in so long


class Allowance(NamedTuple):
    """most: how many may go now; next_at: since when (ms); step: ms from one to the next of this partition."""

    most: int
    next_at: int
    step: float

    def after(self, went: int) -> int:
        """When the next one may go (ms)."""
        return round(self.next_at + went * self.step)


def turn_of(share: float, audience: int, every_ms: float) -> int:
    """How long after the start (ms) somebody's turn comes of whom only that is known: how large a share of the audience stands before him."""
    return int(int(share * audience) * every_ms)


def allowance(next_at: int, now: int, every_ms: float, partitions: int) -> Allowance:
    """next_at: when this partition's next one may go (ms); every_ms: from one message to the next of all. Places that nobody took while it
    stood still are lost, but for the last ones.
    """
    step = every_ms * partitions
    next_at = max(next_at, round(now - max(step, AT_ONCE_MS)))
    return Allowance(0 if now < next_at else int((now - next_at) // step) + 1, next_at, step)
