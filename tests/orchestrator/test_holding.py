"""A person's copy has all that the orchestrator keeps of him."""

from itertools import count

import msgspec

from services.orchestrator.domain import state
from services.orchestrator.domain.state import (
    DOUBT,
    Appointment,
    Held,
    Letter,
    Mailed,
    Parked,
    Pending,
    Person,
    Reservation,
    Run,
    Talk,
    Trying,
)
from services.orchestrator.holding import told

UNTOLD = {
    Run: {"waits"},
    Reservation: {"unused", "state"},
    Person: {"merges"},
    Pending: set(),
    Talk: set(),
    Letter: set(),
    Appointment: set(),
    Trying: set(),
    Parked: set(),
    Held: set(),
}
numbers = count(1001)


def n() -> int:
    return next(numbers)


def s() -> str:
    return f"word-{n()}"


def letter() -> Letter:
    return Letter(s(), (s(),), (s(),))


def run() -> Run:
    letters = {s(): letter()}
    at = Trying((s(),), n(), letter(), n(), (letter(),))
    data = {s(): {"deep": [s()]}}
    return Run(
        s(),
        n(),
        s(),
        s(),
        n(),
        n(),
        s(),
        n(),
        n(),
        ("facts", n(), n()),
        n(),
        (s(), s()),
        data,
        True,
        s(),
        letters,
        s(),
        exposed=True,
        cascade=at,
        asked=n(),
        parked=Parked(n(), n(), n()),
    )


def whole() -> Person:
    return Person(
        zone=(n(), s()),
        language=(n(), s()),
        reach=[s()],
        bucketing=(n(), s()),
        segments={s(): n()},
        runs=[run()],
        entries={s(): n()},
        goals={s(): n()},
        reservations=[Reservation(s(), n(), s(), s(), n(), n(), n(), DOUBT, s(), s(), s())],
        pending={s(): Pending(run(), s(), n(), n(), n(), n(), True, s(), n())},
        merges=[("facts", n(), n())],
        talks=[Talk(s(), n(), s(), s(), s(), s(), n(), n(), {s(): (s(), n())}, s())],
        bought=True,
        agreed=True,
        parted={s(): s()},
        mine={s(): s()},
        shared={s(): [s()]},
        introduced=True,
        heard={s(): n()},
        appointments={s(): Appointment(n(), n(), n())},
        preferred=(n(), s()),
        codes=[Held(s(), n(), s(), n(), s(), s(), n(), s(), s(), s(), True, True, {s(): n()})],
        campaigns={s(): Mailed(n(), True)},
    )


def leaves(value) -> list:
    if isinstance(value, msgspec.Struct):
        kept = [name for name in value.__struct_fields__ if name not in UNTOLD.get(type(value), ())]
        return [leaf for name in kept for leaf in leaves(getattr(value, name))]
    if isinstance(value, dict):
        return [leaf for pair in value.items() for one in pair for leaf in leaves(one)]
    if isinstance(value, (list, tuple)):
        return [leaf for one in value for leaf in leaves(one)]
    return [] if isinstance(value, bool) else [value]


def structs(value):
    if isinstance(value, msgspec.Struct):
        yield value
        value = [getattr(value, name) for name in value.__struct_fields__]
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from structs(one)


def test_all_of_a_state_is_told():
    person = whole()
    for one in structs(person):
        for field in msgspec.structs.fields(one):
            assert getattr(one, field.name) != field.default, f"{field.name}: give it a value above, and tell it"
    # Of a letter that waits, where its run stands is the letter's own step and instant.
    missing = set(leaves(person)) - set(leaves(told([state.decode(state.encode(person))])))
    assert missing == {of for pending in person.pending.values() for of in (pending.run.step, pending.run.due_at)}


def test_words_are_where_they_belong():
    said = told([whole(), Person()])
    (one,) = said["caps"]
    assert one["state"] == "in_doubt" and said["known"][0]["bought"] is True and said["known"][1]["zone"] is None
    assert said["runs"][0]["held"] is True and len(said["waiting"]) == 1
