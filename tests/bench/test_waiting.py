"""Those whom the bench of journeys lets wait are whom the orchestrator would let wait; and it sees when they come out of order."""

import msgspec

from bench.journeys import documents, out_of_order
from bench.seeded.waiting import JOURNEY, NAME, met, profile_of, run_of, waiting
from schemas.definitions import Published
from services.orchestrator.domain import book as books
from services.orchestrator.domain import decide, state

DUE = 1_800_000_000_000


def _book():
    published = [
        Published(
            kind=one["kind"], key=one["body"]["key"], version=1, body=msgspec.Raw(msgspec.json.encode(one["body"])), pointer=True
        )
        for one in documents()
    ]
    return books.build(published)


def test_a_wait_that_was_written_ends_once_at_its_instant_and_asks_for_no_letter():
    book = _book()
    for number in range(4):
        person = state.decode(state.encode(waiting(book, number, DUE + number)))
        assert [run.journey for run in person.runs] == [JOURNEY["key"]]
        assert decide.on_timer(book, profile_of(number), person, DUE + number - 1).emits == ()
        over = decide.on_timer(book, profile_of(number), person, DUE + number)
        assert [(e.document, e.verdict, e.occurrence, e.received_at) for e in over.decisions] == [
            (NAME, "left", run_of(number, DUE + number), DUE + number)
        ]
        assert over.intents == [] and over.due_at is None and over.person.runs == []


def test_who_is_known_alone_waits_for_nothing():
    person = met(_book(), 7, DUE)
    assert person.due_at() is None and person.waits() is None and person.bucketing == (1, "b7")


def test_late_ones_behind_a_batch_are_counted():
    due = {1: 10, 2: 20, 3: 30, 4: 40}
    assert out_of_order({1: 0, 2: 0, 3: 1, 4: 2}, due) == 0
    assert out_of_order({2: 0, 1: 0, 3: 5, 4: 5}, due) == 0  # within a batch they are decided person by person
    assert out_of_order({1: 0, 4: 1, 2: 2, 3: 3}, due) == 2
