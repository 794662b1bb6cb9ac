"""When a process is stuck: records wait for it, and in a minute of looking it handled none. Pure.

Only time in which it looked counts. A process that was stopped or starved did not run, and one that Kafka did not answer could not know: neither
is stuck, though its clock goes on.
"""

from typing import NamedTuple


class Silence(NamedTuple):
    """at: s, when it was looked last; pulse: what the loop had done by then; seconds: of looking, in which nothing was done."""

    at: float
    pulse: int
    seconds: float = 0.0


def looked(before: Silence, at: float, pulse: int, every: float, *, waits: bool) -> Silence:
    """One look more. every: s between looks; one that comes later than twice that counts as much, since for the rest of it nobody looked.

    waits: records are known to wait for lanes that have their partitions; False also where nobody can say.
    """
    if pulse != before.pulse or not waits:
        return Silence(at, pulse)
    return Silence(at, pulse, before.seconds + min(at - before.at, 2 * every))
