"""How old what a service knows may be: the age that permission is checked against (law 10), and that profile tells the others of."""

from typing import NamedTuple

from runtime.clock import wall_ms
from runtime.kafka import Place
from runtime.lane import Lane


class Target(NamedTuple):
    """Where the logs ended at an instant (ms)."""

    at: int
    ends: dict[Place, int]


class Freshness:
    """at: everything that was in the first lane at this instant (ms) has been handled; 0 until that is known for the first time.

    An empty fetch proves nothing, as the broker may not have answered yet. So the log's ends are asked for, and once they are reached
    it is as of the asking that the service knows all.
    """

    def __init__(self) -> None:
        self.at = 0
        self._target: Target | None = None

    async def look(self, lane: Lane) -> None:
        """Ask, or see whether what was asked for is reached. Raises what the reader raises when the broker is away."""
        if lane.reader.joining:
            self._target = None
            return
        assigned = lane.reader.assigned
        if self._target is None or not assigned <= self._target.ends.keys():
            self._target = Target(wall_ms(), await lane.reader.ends(assigned) if assigned else {})
        if all(lane.reached(place) >= end for place, end in self._target.ends.items() if place in lane.reader.assigned):
            self.at, self._target = self._target.at, None
