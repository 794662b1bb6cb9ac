"""What a service may say of its age: only what the log's ends prove."""

from types import SimpleNamespace

from runtime.clock import wall_ms
from runtime.freshness import Freshness


class Lane:
    """One partition: `end` in the log, `reached` handled."""

    def __init__(self, end: int, reached: int) -> None:
        self.end, self.at, self.asked = end, reached, 0
        self.reader = SimpleNamespace(joining=False, assigned={("facts", 0)}, ends=self.ends)

    async def ends(self, places):
        self.asked += 1
        return dict.fromkeys(places, self.end)

    def reached(self, _place):
        return self.at


async def test_nothing_is_known_before_the_ends_are_reached():
    """A lane that was just joined has fetched nothing: that it is empty would be a guess."""
    fresh, lane = Freshness(), Lane(end=5, reached=0)
    await fresh.look(lane)
    assert fresh.at == 0
    lane.at = 5
    before = wall_ms()
    await fresh.look(lane)
    assert 0 < fresh.at <= before


async def test_it_is_as_old_as_the_question():
    """What came after the question may be unheard, however quickly the old ends were reached."""
    fresh, lane = Freshness(), Lane(end=5, reached=5)
    await fresh.look(lane)
    first = fresh.at
    lane.end = 9
    await fresh.look(lane)
    lane.end = 20  # more comes while it works its way to the 9 of the question
    lane.at = 9
    await fresh.look(lane)
    assert fresh.at >= first and lane.asked == 2
    await fresh.look(lane)  # asks for the 20 and stands at 9
    old = fresh.at
    await fresh.look(lane)
    assert fresh.at == old


async def test_a_rebalance_asks_anew():
    fresh, lane = Freshness(), Lane(end=5, reached=0)
    await fresh.look(lane)
    lane.reader.assigned = {("facts", 0), ("facts", 1)}
    await fresh.look(lane)
    assert lane.asked == 2 and fresh.at == 0
    lane.reader.joining, lane.at = True, 5
    await fresh.look(lane)
    assert fresh.at == 0
