"""What was done in a run beside the main stream, and when it was answered: all that the oracles of it are told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.acts.crowd import Somebody


@dataclass(frozen=True)
class Shut:
    """Something was paused or stopped. answered: when that was in the log; known: when it was seen in the sender's tables; opened: when
    the resumption began to be told, 0: never (all ms).
    """

    answered: int
    known: int
    opened: int = 0

    def covers(self, at: int) -> bool:
        """Whether nothing may begin at an instant: a second after the sender knew, until it is opened again."""
        return self.known + 1000 < at and not (self.opened and at >= self.opened)


@dataclass
class Launched:
    """One launch of the campaign. people: of whom each was known when it began, and strangers."""

    id: str
    number: int
    shut: list[Shut] = field(default_factory=list)
    stopped: bool = False


@dataclass(frozen=True)
class Parted:
    """Two who were one by a slip, and parted again. answered: when the unmerge was asked for and promised; start: of the run of `one`."""

    one: Somebody
    other: Somebody
    start: str
    answered: int


@dataclass
class Log:
    """audience: everybody of the campaign, and strangers; posted: when the message that began a run was posted and acknowledged (ms)."""

    audience: list[Somebody] = field(default_factory=list)
    launches: list[Launched] = field(default_factory=list)
    pupils: list[Somebody] = field(default_factory=list)
    walkers: list[Somebody] = field(default_factory=list)
    paused: list[Shut] = field(default_factory=list)
    movers: list[Somebody] = field(default_factory=list)
    led: tuple[int, int] = (0, 0)  # when the new version began to be published, and was in the log
    pairs: list[Parted] = field(default_factory=list)
    posted: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def cuts(self) -> Sequence[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Of each unmerge the names of the one and of the other."""
        return [(pair.one.names, pair.other.names) for pair in self.pairs]
