"""What is held in memory of what waits, and what stays in the ledger."""

from types import SimpleNamespace

from services.sender.shelves import HELD, NEAR_MS
from services.sender.waiting import Job, Waiting

SHELF = "webhook:crm:service"


def job(n: int, shelf: str = SHELF, attempt: int = 0) -> Job:
    intent = SimpleNamespace(id=str(n), channel="webhook", message_class="service", template="crm", attempt=attempt)
    return Job(intent, "person", b"", shelf=shelf)


def popped(waiting: Waiting) -> Job:
    return waiting.queues["webhook:crm"].pop()[2]


def test_of_a_shelf_no_more_are_held_than_it_may_and_what_comes_next_waits_its_turn_in_the_ledger():
    waiting = Waiting()
    jobs = [job(n) for n in range(HELD + 10)]
    for one in jobs:
        waiting.put(one, 0, 100)
    assert len(waiting) == HELD and waiting.due(100) == [SHELF] and waiting.open(100) == HELD + 1
    first = popped(waiting)
    assert waiting.shelves.asked(SHELF)[1] == 0, "no room: nobody asks the ledger"
    waiting.shelves.drop(first)
    waiting.put(job(HELD + 20), 0, 100)
    assert len(waiting) == HELD - 1, "there is room by now, and others came before"
    for _ in range(HELD // 2):
        waiting.shelves.drop(popped(waiting))
    held, room = waiting.shelves.asked(SHELF)
    assert len(held) + room == HELD and room > HELD // 2 and waiting.due(100) == []
    waiting.put(job(1000, "email:mass"), 0, 100)
    assert len(waiting) == len(held) + 1, "shelves do not count for each other"


def test_what_is_to_be_tried_again_soon_keeps_half_of_the_places_free_and_what_is_far_takes_none():
    waiting = Waiting()
    for n in range(HELD):
        waiting.put(job(n), 5_000, 100)
    assert waiting.due(4_999) == [] and waiting.due(5_000) == [SHELF]
    for n in range(HELD, 2 * HELD):
        waiting.put(job(n), 0, 100)
    assert len(waiting) == HELD // 2, "new ones find room beside those that wait"
    for _ in range(HELD // 2):
        waiting.shelves.drop(popped(waiting))
    held, room = waiting.shelves.asked(SHELF)
    assert (len(held), room) == (HELD // 2, HELD // 2), "those for later alone never keep the ledger from being asked"
    waiting.wake(5_000)
    assert len(waiting) == HELD // 2
    alone = Waiting()
    alone.put(job(1), 101 + NEAR_MS, 100)
    assert alone.shelves.asked(SHELF) == ([], HELD)
    unbounded = Waiting()
    for n in range(2 * HELD):
        unbounded.put(job(n, ""), 0, 100)
    assert len(unbounded) == 2 * HELD, "what is not on a shelf has no other place"


def test_what_cannot_be_looked_at_yet_stays_in_memory_and_brings_nothing_more_from_the_ledger():
    waiting = Waiting()
    for n in range(HELD + 1):
        waiting.put(job(n), 0, 100)
    for _ in range(HELD):
        waiting.postpone(popped(waiting), 300)
    assert len(waiting) == 0 and waiting.shelves.asked(SHELF)[1] == 0, "as these are, so are those in the ledger"
    waiting.wake(299)
    assert len(waiting) == 0
    waiting.wake(300)
    assert len(waiting) == HELD


def test_a_job_that_is_here_already_is_not_queued_twice_and_one_that_came_back_takes_its_place():
    waiting = Waiting()
    first, twin, next_one = job(1), job(1), job(1, attempt=1)
    for one in (first, twin):
        waiting.put(one, 0, 100)
    assert len(waiting) == 1 and popped(waiting) is first
    waiting.put(first, 0, 100)
    assert len(waiting) == 1, "it was taken out, and is put back"
    popped(waiting)
    waiting.put(next_one, 0, 100)
    waiting.shelves.drop(first)
    assert waiting.shelves.asked(SHELF)[0] == ["1"] and popped(waiting) is next_one


def test_a_shelf_of_a_lane_that_pauses_is_not_due_and_a_shorter_pause_ends_none():
    waiting = Waiting()
    waiting.shelves.behind(SHELF, 50)
    waiting.pause("webhook:crm", 300)
    waiting.pause("webhook:crm", 200)
    assert waiting.due(299) == [] and waiting.due(300) == [SHELF]
