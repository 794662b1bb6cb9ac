"""When a walk under a new plan may begin, and what is asked of the database for it."""

from typing import Any, cast

from runtime.batch import Tx
from services.segmenter.sweeping import Sweeps


class Locks:
    """The connection of a transaction, to which these batches are going on."""

    def __init__(self) -> None:
        self.going: set[str] = set()
        self.asked = 0

    @property
    def connection(self) -> "Locks":
        return self

    async def fetch(self, _sql: str) -> list[dict[str, Any]]:
        self.asked += 1
        return [{"virtualtransaction": one} for one in self.going]


async def test_once_alone_it_stays_so_under_that_plan_and_nobody_is_asked_again() -> None:
    sweeps, locks = Sweeps(2), Locks()
    tx = cast("Tx", locks)
    locks.going = {"3/1", "4/1"}
    assert not await sweeps.alone(tx, 7)
    locks.going = {"4/1", "5/1"}
    assert not await sweeps.alone(tx, 7)
    locks.going = {"5/1", "6/1"}
    assert [await sweeps.alone(tx, 7) for _ in range(3)] == [True] * 3
    assert locks.asked == 3
    assert not await sweeps.alone(tx, 8), "another plan waits for those of its own"
    assert locks.asked == 4
