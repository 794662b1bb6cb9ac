"""What one transaction hears of events with seats: noted while people are decided, decided and written when they are saved.

Nothing that a journey decides depends on a seat in the same transaction: what is decided here comes back as facts.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from runtime.batch import At
from runtime.db import Connection
from schemas.events import EVENT, SAID, SELECTED
from schemas.facts import Fact
from schemas.messages import Decision
from services.orchestrator.domain.homes import home_of
from services.orchestrator.domain.seating import Announced, Hall, Moment
from services.orchestrator.seats import store

Told = tuple[Fact | Decision, At]


class _Act(NamedTuple):
    """event: "" means every one in which these people are."""

    event: str
    people: tuple[str, ...]
    do: Callable[[Hall], None]
    at: At


class Usher:
    """seated: events in force. token: of a name, what only we can make."""

    def __init__(self, seated: Mapping[str, Announced], token: Callable[[str], str]) -> None:
        self._seated, self._token = seated, token
        self._acts: list[_Act] = []
        self._passed: list[tuple[str, str]] = []
        self._erased: list[str] = []

    def hear(self, profile: str, fact: Fact, at: At) -> None:
        """History registers nobody. What only the management API can say is a type of facts: an event of that name is none."""
        event = fact.properties.get(EVENT)
        said = fact.event in SAID or (fact.type == SELECTED and not fact.event)
        if not said or fact.lane != "live" or not isinstance(event, str):
            return
        announced = self._seated.get(event)
        if announced is not None and announced.event.brand == fact.brand:
            self._acts.append(_Act(event, (profile,), lambda hall: hall.hear(profile, fact, home_of(fact)), at))

    def merged(self, winner: str, loser: str, fact: Fact, at: At) -> None:
        moment = Moment(fact.received_at, fact.id)
        self._acts.append(_Act("", (winner, loser), lambda hall: hall.merge(winner, loser, moment), at))
        self._passed.append((loser, winner))

    def parted(self, source: str, other: str, homes: Iterable[str], fact: Fact, at: At) -> None:
        moment, mine = Moment(fact.received_at, fact.id), frozenset(homes)
        self._acts.append(_Act("", (source, other), lambda hall: hall.part(source, other, mine, moment), at))

    def erased(self, people: Iterable[str], fact: Fact, at: At) -> None:
        moment, gone = Moment(fact.received_at, fact.id), tuple(people)

        def erase(hall: Hall) -> None:
            for one in gone:
                hall.erase(one, moment)

        self._acts.append(_Act("", gone, erase, at))
        self._erased += gone

    async def save(self, connection: Connection, now: int) -> list[Told]:
        """Decide in the order in which it was heard, event by event, and write it. Their people are locked. now: ms."""
        if not self._acts:
            return []
        told: list[Told] = []
        for key, row in sorted((await store.lock(connection, await self._concerned(connection))).items()):
            acts = [act for act in self._acts if act.event in ("", key)]
            people = {one for act in acts for one in act.people}
            freed = sum(len(act.people) for act in acts)
            hall = await store.hall(connection, row, self._seated[key], people, check_in_code(self._token), freed)
            for act in acts:
                act.do(hall)
                told += [(one, act.at) for one in hall.told]
                hall.told.clear()
            await store.save(connection, hall, row, now)
        return told

    async def _concerned(self, connection: Connection) -> set[str]:
        """Events in force of which something was heard. Of others the rows go with their people, and nothing is decided."""
        said = {act.event for act in self._acts if act.event}
        people = sorted({one for act in self._acts if not act.event for one in act.people})
        found = {row["event"] for row in await connection.fetch(store.EVENTS_OF, people)} if people else set()
        if past := found - self._seated.keys():
            for key in await store.lock(connection, past):
                await connection.execute(store.UNCOUNT, key)
            for loser, winner in self._passed:
                await connection.execute(store.REST, loser, winner, sorted(self._seated))
            await connection.execute(store.FORGET, self._erased, sorted(self._seated))
        return said | (found & self._seated.keys())


def check_in_code(token: Callable[[str], str]) -> Callable[[str], str]:
    """Of a registration's id the code that its owner shows at the door: 10 characters, which nobody guesses in time."""
    return lambda registration: token(f"check-in:{registration}")[:10]
