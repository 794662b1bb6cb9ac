"""Which attempts are held in memory and which wait in the ledger, `taken`: an endpoint that is slow, or away for a day, fills no memory."""

from typing import Protocol

from schemas.messages import Intent

HELD = 500  # of a shelf that are in memory at one time
NEAR_MS = 60_000  # what is due later than that waits in the ledger


class Shelved(Protocol):
    """A job, as far as it is held. shelf: "" for what is always in memory."""

    intent: Intent
    shelf: str


class Shelves:
    """The jobs of each shelf that are in memory, from when they are queued until they have ended, and from when on (ms) each shelf has
    more in the ledger. Half of what a shelf may hold is for what is due now: what is tried again soon keeps nothing new waiting.
    """

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Shelved]] = {}
        self._behind: dict[str, int] = {}

    def hold(self, job: Shelved, at: int, now: int) -> bool:
        """Is this one to be in memory until `at`? Else it waits in the ledger, unless it is here already."""
        if not job.shelf:
            return True
        held, id_ = self._held.setdefault(job.shelf, {}), job.intent.id
        here = held.get(id_)
        if here is not None and here is not job and here.intent.attempt >= job.intent.attempt:
            return False
        others = len(held) - (here is not None)
        full = at > now + NEAR_MS or (at > now and others >= HELD // 2)
        if here is None:
            full = full or others >= HELD or self._behind.get(job.shelf, now + 1) <= now
        if full:
            held.pop(id_, None)
            self.behind(job.shelf, max(at, now))
            return False
        held[id_] = job
        return True

    def drop(self, job: Shelved) -> None:
        """It has ended, or is not ours any more."""
        held = self._held.get(job.shelf, {})
        if held.get(job.intent.id) is job:
            del held[job.intent.id]

    def behind(self, shelf: str, at: int) -> None:
        """Something of a shelf waits in the ledger, due at an instant (ms)."""
        self._behind[shelf] = min(at, self._behind.get(shelf, at))

    def due(self, now: int) -> list[str]:
        """The shelves of which something in the ledger is due."""
        return [shelf for shelf, at in self._behind.items() if at <= now]

    def asked(self, shelf: str) -> tuple[list[str], int]:
        """(ids that are in memory, how many more may come); nothing is taken to be behind until it is said again."""
        held = self._held.setdefault(shelf, {})
        room = HELD - len(held) if len(held) <= HELD // 2 else 0
        if room:
            self._behind.pop(shelf, None)
        return list(held), room

    def clear(self) -> None:
        self._held.clear()
        self._behind.clear()
