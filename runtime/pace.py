"""How long a lane lets the broker gather records before it answers: the largest lever between latency and cost there is.

A transaction costs about the same for one fact as for a hundred. While a loop is calm the broker answers with the first record, so
nobody waits. While it is busy each batch waits for its records a few times as long as the last ones took, so the loop stays busy a
fixed share of the time whatever the load and the machine, and a batch is as small as that allows.
"""

REST = 3.0  # waits for a batch this many times as long as it takes to handle one
CALM, BUSY = 0.10, 0.25  # shares of the time: above BUSY it begins to gather, below CALM it stops
LEAST_MS = 20
SMOOTH = 0.2  # weight of the newest batch


class Pace:
    """most_ms: the longest wait; always: gather even while calm (the second lane, for which nobody waits)."""

    def __init__(self, most_ms: int, *, always: bool = False) -> None:
        self._most, self._always = most_ms, always
        self._busy, self._period = 0.0, 1.0
        self._last: float | None = None
        self._gathers = always
        self.wait_ms = most_ms if always else 0  # 0: answer with the first record

    def after(self, began: float, ended: float) -> int:
        """A batch was handled between these instants (s, monotonic). Returns the wait from now on, ms."""
        if self._always:
            return self.wait_ms
        period = self._period if self._last is None else ended - self._last
        self._last = ended
        self._busy += SMOOTH * (ended - began - self._busy)
        self._period += SMOOTH * (period - self._period)
        self._gathers = self._busy > self._period * (CALM if self._gathers else BUSY)
        wanted = round(self._busy * 1000 * REST)
        self.wait_ms = min(self._most, max(LEAST_MS, wanted)) if self._gathers else 0
        return self.wait_ms
