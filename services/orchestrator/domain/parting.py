"""One person is parted into several: what of his state is whose.

Runs, dialogues and letters go with the home of the fact that began them. What was sent was sent to the one whom they were, by whichever
address, so it counts for each: places in the caps, entries, goals, awaited facts, launches and days of schedules are everybody's.
"""

from collections.abc import Collection, Mapping

from services.orchestrator.domain.state import KEPT, UNKNOWN_DAY, Appointment, Pending, Person


def leave(profile: str, person: Person, parts: Mapping[str, Collection[str]]) -> dict[str, Person]:
    """Take out of a person's state what is others' from now on, and give it to them. parts: who -> his homes.

    A letter or a place in the caps that the sender may still settle is settled by one verdict for all whom it may be told of, so each notes
    the others: who is named in it is by now one who goes, perhaps, while the letter stays.
    """
    whose = {home: other for other, homes in parts.items() for home in homes}
    letters = {key: whose[home] for key, pending in person.pending.items() if (home := _home(person, pending)) in whose}
    shared = _shared(profile, person, parts)
    taken = {
        other: Person(
            runs=[run for run in person.runs if run.home in homes],
            talks=[talk for talk in person.talks if talk.home in homes],
            pending={key: pending for key, pending in person.pending.items() if letters.get(key) == other},
            reservations=list(person.reservations),
            entries=dict(person.entries),
            goals=dict(person.goals),
            campaigns=dict(person.campaigns),
            merges=list(person.merges),
            bought=person.bought,
            agreed=person.agreed,
            mine=dict.fromkeys(homes, profile),
            shared=_but(shared, other),
            codes=[code for code in person.codes if code.home in homes],
            heard=dict(person.heard),
            appointments=_over(person),
        )
        for other, homes in parts.items()
    }
    person.runs = [run for run in person.runs if run.home not in whose]
    person.talks = [talk for talk in person.talks if talk.home not in whose]
    person.codes = [code for code in person.codes if code.home not in whose]
    person.pending = {key: pending for key, pending in person.pending.items() if key not in letters}
    person.parted.update(whose)
    person.shared.update(_but(shared, profile))
    return taken


def _home(person: Person, pending: Pending) -> str:
    """A letter goes where its run goes, so that a chain keeps its order; by its own home when that is over."""
    return next((run.home for run in person.runs if pending.of(run)), pending.run.home)


def _over(person: Person) -> dict[str, Appointment]:
    """The days of schedules that came already. When he comes due himself follows from what the segmenter tells of him."""
    last = {key: one.last for key, one in person.appointments.items() if one.last != UNKNOWN_DAY}
    return {key: Appointment(None, UNKNOWN_DAY, day) for key, day in last.items()}


def _shared(profile: str, person: Person, parts: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    open_ = [r.intent for r in person.reservations if r.state != KEPT]
    return {key: sorted({profile, *parts, *person.shared.get(key, ())}) for key in dict.fromkeys([*person.pending, *open_])}


def _but(shared: Mapping[str, list[str]], who: str) -> dict[str, list[str]]:
    return {key: [other for other in others if other != who] for key, others in shared.items()}
