"""What a service may say of its age: only what the log's ends prove."""

from types import SimpleNamespace

from runtime.clock import wall_ms
from runtime.freshness import Freshness
from schemas.topics import FACTS, FACTS_RAW


class Lane:
    """One partition of ours, `end` in the log, `reached` handled; and one of somebody else's, who has handled `others`."""

    def __init__(self, end: int, reached: int, others: int = 100) -> None:
        self.end, self.at, self.others, self.asked = end, reached, others, 0
        self.reader = SimpleNamespace(joining=False, assigned={("facts", 0)}, ends=self.ends)

    async def ends(self, places):
        self.asked += 1
        return dict.fromkeys(places, self.end)

    def reached(self, _place):
        return self.at

    async def marks(self):
        return {("facts", p): self.others for p in range(2)}


async def test_nothing_is_known_before_the_ends_are_reached():
    """A lane that was just joined has fetched nothing: that it is empty would be a guess."""
    fresh, lane = Freshness([FACTS], 2), Lane(end=5, reached=0)
    await fresh.look(lane, lane.marks)
    assert fresh.at == 0
    lane.at = 5
    before = wall_ms()
    await fresh.look(lane, lane.marks)
    assert 0 < fresh.at <= before


async def test_it_is_as_old_as_the_question():
    """What came after the question may be unheard, however quickly the old ends were reached."""
    fresh, lane = Freshness([FACTS], 2), Lane(end=5, reached=5)
    await fresh.look(lane, lane.marks)
    first = fresh.at
    lane.end = 9
    await fresh.look(lane, lane.marks)
    lane.end = 20  # more comes while it works its way to the 9 of the question
    lane.at = 9
    await fresh.look(lane, lane.marks)
    assert fresh.at >= first and lane.asked == 2
    await fresh.look(lane, lane.marks)  # asks for the 20 and stands at 9
    old = fresh.at
    await fresh.look(lane, lane.marks)
    assert fresh.at == old


async def test_a_rebalance_asks_anew():
    fresh, lane = Freshness([FACTS_RAW], 2), Lane(end=5, reached=0)
    lane.reader.assigned = {("facts.raw", 0)}
    await fresh.look(lane, lane.marks)
    lane.reader.assigned = {("facts.raw", 0), ("facts.raw", 1)}
    await fresh.look(lane, lane.marks)
    assert lane.asked == 2 and fresh.at == 0
    lane.reader.joining, lane.at = True, 5
    await fresh.look(lane, lane.marks)
    assert fresh.at == 0


async def test_what_another_process_has_not_handled_is_not_known_either():
    """He who was merged has facts in the partition of a process that stands still."""
    fresh, lane = Freshness([FACTS], 2), Lane(end=5, reached=5, others=4)
    await fresh.look(lane, lane.marks)
    await fresh.look(lane, lane.marks)
    assert fresh.at == 0
    lane.others = 5
    await fresh.look(lane, lane.marks)
    assert fresh.at > 0


async def test_of_a_topic_that_outsiders_write_a_process_answers_for_its_own_partitions():
    fresh, lane = Freshness([FACTS_RAW], 2), Lane(end=5, reached=5, others=4)
    lane.reader.assigned = {("facts.raw", 0)}
    await fresh.look(lane, lane.marks)
    assert fresh.at > 0
