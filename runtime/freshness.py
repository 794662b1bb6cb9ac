"""How old what a service knows may be: the age that permission is checked against (law 10), and that profile tells the others of."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from runtime.clock import wall_ms
from runtime.kafka import Place
from runtime.lane import Lane
from schemas.topics import Topic

Marks = Callable[[], Awaitable[Mapping[Place, int]]]


class Target(NamedTuple):
    """Where the logs ended at an instant (ms)."""

    at: int
    ends: dict[Place, int]


class Freshness:
    """at: everything that was in these topics at this instant (ms) has been handled; 0 until that is known for the first time.

    An empty fetch proves nothing, as the broker may not have answered yet. So the logs' ends are asked for, and once they are reached
    it is as of the asking that the service knows all.

    Partitions that other processes own count too, by their watermarks: what tells of one person lies with two owners once he was
    merged. A topic that outsiders may write can end in control records, which no watermark passes: there a process answers for its
    own partitions, and who asks takes the slowest process.
    """

    def __init__(self, topics: Sequence[Topic], partitions: int) -> None:
        self.at = 0
        self._topics = frozenset(topic.name for topic in topics)
        self._everybodys = {(topic.name, p) for topic in topics if not topic.open for p in range(partitions)}
        self._target: Target | None = None

    async def look(self, lane: Lane, marks: Marks) -> None:
        """Ask, or see whether what was asked for is reached. marks: the service's watermarks. Raises what reader and marks raise."""
        if lane.reader.joining:
            self._target = None
            return
        own = {place for place in lane.reader.assigned if place[0] in self._topics}
        if self._target is None or not own <= self._target.ends.keys():
            places = own | self._everybodys
            self._target = Target(wall_ms(), await lane.reader.ends(places) if places else {})
        others = self._everybodys - own
        handled = await marks() if others else {}
        reached = {place: handled.get(place, 0) for place in others} | {place: lane.reached(place) for place in own}
        if all(reached[place] >= end for place, end in self._target.ends.items() if place in reached):
            self.at, self._target = self._target.at, None
