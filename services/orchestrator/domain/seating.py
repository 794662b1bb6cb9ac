"""Who gets a seat of an event. Pure: a hall is what one transaction holds locked of an event, and is asked act by act.

After every act a free seat is the next waiting person's, so there is never one free while somebody waits for it; but for the seconds in
which a selection is heard. It comes person by person and in any order, so seats are given when all of it has been heard, by rank.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from schemas import events
from schemas.events import Event, Status
from schemas.facts import Fact
from schemas.ids import derive
from schemas.messages import Decision, Verdict

replace = msgspec.structs.replace
ACTIVE = frozenset(("requested", "confirmed", "waitlisted", "moved_online"))
# Of two registrations of one person the one that is furthest counts.
FURTHEST = ("cancelled", "declined", "no_show", "requested", "waitlisted", "moved_online", "confirmed", "attended")


class Registration(msgspec.Struct, array_like=True, frozen=True):
    """Somebody's place in an event, as the table has it (migrations/0011_seats.sql). said_at: ms."""

    profile: str
    id: str
    status: Status
    online: bool
    place: int
    said_at: int
    home: str
    seated: bool = False
    rank: int | None = None
    coming: bool = False
    answers: dict[str, str] = {}
    code: str = ""
    told: str = ""
    others: tuple["Registration", ...] = ()
    hushed: bool = False  # he waits and has not been told so: it is not known yet who gets a seat

    @property
    def turn(self) -> tuple[bool, int, int]:
        """His turn in the waiting list: those who were selected, by rank, then the others as they came: they get what is left."""
        return self.rank is None, self.rank or 0, self.place


class Moment(NamedTuple):
    """now: ms; cause: id of what is reacted to."""

    now: int
    cause: str


class Announced(NamedTuple):
    """An event that is in force."""

    event: Event
    version: int

    @property
    def mark(self) -> str:
        """Of its time and place: who was told another one is told anew."""
        one = self.event
        return derive("announced", one.starts_ms, one.ends_ms, one.place, one.link)[:8]


class Hall:
    """An event with those of its registrations that are needed: of everybody the acts are about, and the next ones of the waiting list, of
    whom there must be at least as many as seats may become free. taken: seats of the room, by all. place: of the next registration.
    gathers: a selection is being heard. selected: some of it was heard here.
    """

    def __init__(
        self,
        announced: Announced,
        rows: Iterable[Registration],
        taken: int,
        place: int,
        code: Callable[[str], str],
        *,
        gathers: bool = False,
    ) -> None:
        self.announced, self.event = announced, announced.event
        self.rows = {row.profile: row for row in rows}
        self._before = dict(self.rows)
        self.taken, self.place, self._code = taken, place, code
        self.gathers, self.selected = gathers, False
        self.told: list[Fact | Decision] = []

    @property
    def changed(self) -> list[Registration]:
        return [row for profile, row in self.rows.items() if row != self._before.get(profile)]

    @property
    def gone(self) -> list[str]:
        """Those who had a row and have none."""
        return [profile for profile in self._before if profile not in self.rows]

    # ---- what is said of a person

    def hear(self, profile: str, fact: Fact, home: str) -> None:
        moment = Moment(fact.received_at, fact.id)
        if fact.type == events.SELECTED:
            self._choose(profile, fact.properties, moment)
            return
        if fact.event == events.REGISTERED:
            self._register(profile, fact, home, moment)
        elif fact.event == events.UNREGISTERED:
            self._unregister(profile, fact, home, moment)
        elif fact.event == events.ATTENDANCE:
            row = self.rows.get(profile)
            if row is not None and row.status in ACTIVE:
                self._keep(replace(row, coming=True))
        elif fact.event == events.ATTENDED:
            row = self.rows.get(profile) or self._new(profile, fact, home, "attended")
            self._keep(replace(row, status="attended"))
        self.fill(moment)

    def _register(self, profile: str, fact: Fact, home: str, moment: Moment) -> None:
        row = self.rows.get(profile)
        if row is not None and (row.status != "cancelled" or fact.occurred_at <= row.said_at):
            if row.status in ACTIVE:
                self._keep(replace(row, answers={**self._answers(fact), **row.answers}))
            return
        new = self._new(profile, fact, home, "requested", others=row.others if row else ())
        if self.event.cancelled or fact.occurred_at >= self.event.closes_ms:
            self._keep(replace(new, status="declined"))
            self._tell(events.DECLINED, new, moment, "skipped", "registration_closed")
        elif not self._needs_seat(new) and (self.event.selection == "first_come" or self.event.format == "both"):
            self._seat(new, moment)
        elif self.event.selection == "by_selection":
            self._keep(new)
            self._tell(events.REQUESTED, new, moment, "deferred", "event_selection")
        else:
            self._seat_or_wait(new, moment)

    def _unregister(self, profile: str, fact: Fact, home: str, moment: Moment) -> None:
        """Who cancels before we hear that he registered is kept as one who has."""
        row = self.rows.get(profile) or self._new(profile, fact, home, "cancelled")
        if profile in self.rows and (row.status not in ACTIVE or fact.occurred_at < row.said_at):
            return
        if row.seated:
            self._say(row, moment, "returned", "registration_cancelled")
        self._keep(replace(row, status="cancelled", seated=False, coming=False, rank=None, said_at=fact.occurred_at))

    def _choose(self, profile: str, said: Mapping[str, Any], moment: Moment) -> None:
        row, choice, rank = self.rows.get(profile), said.get("choice"), said.get("rank")
        if row is None or row.status not in ("requested", "waitlisted", "declined") or self.event.cancelled:
            return
        if choice == "decline" and row.status != "declined":
            self._keep(replace(row, status="declined"))
            self._tell(events.DECLINED, row, moment, "skipped", "event_not_selected")
        elif choice == "confirm" or (choice == "waitlist" and row.status != "waitlisted"):
            by_default = 0 if choice == "confirm" else None
            self._line_up(replace(row, rank=rank if isinstance(rank, int) else by_default), moment)

    def _line_up(self, row: Registration, moment: Moment) -> None:
        """Whoever needs a seat waits for the others who were selected, and is told what came of it then (`fill`, `tell_waiting`)."""
        if not self._needs_seat(row):
            self._seat(row, moment)
            return
        self.gathers = self.selected = True
        if row.status == "waitlisted":
            self._keep(row)
        else:
            self._wait(row, moment)

    # ---- who is one with whom

    def merge(self, winner: str, loser: str, moment: Moment) -> None:
        """Two people are one: he counts once, by the registration that is furthest, at the earlier turn of the two."""
        second = self.rows.pop(loser, None)
        if second is None:
            return
        first = self.rows.pop(winner, None)
        self._join(winner, [replace(second, profile=winner), *([first] if first else [])], moment)
        self.fill(moment)

    def part(self, source: str, other: str, homes: Collection[str], moment: Moment) -> None:
        """Somebody was two: each has what he registered himself. A seat that was given on meanwhile is not taken from anybody."""
        row = self.rows.get(source)
        if row is None:
            return
        del self.rows[source]
        if row.seated:
            self.taken -= 1
        ours = [replace(row, others=()), *row.others]
        theirs = [one for one in ours if one.home in homes]
        there = self.rows.pop(other, None)
        if there is not None and there.seated:
            self.taken -= 1
        held = {one.id for one in (row, there) if one is not None and one.seated}
        for who, mine in ((source, [one for one in ours if one.home not in homes]), (other, theirs)):
            all_of = [*mine, *([there] if there is not None and who == other else [])]
            if all_of:
                self._join(who, [replace(one, profile=who, seated=False) for one in all_of], moment, held)
        self.fill(moment)
        for who in (source, other):  # a seat that he had before they were taken for one was given on
            row = self.rows.get(who)
            if row is not None and row.status == "confirmed" and self._takes_seat(row) and not row.seated:
                self._seat_or_wait(row, moment)

    def _join(self, who: str, registrations: list[Registration], moment: Moment, held: Collection[str] = ()) -> None:
        """One row of several registrations. held: ids of those that held seats until now, and still do if they count."""
        for one in registrations:
            self.taken -= one.seated
        had = {one.id for one in registrations if one.seated} | set(held)
        best = min(registrations, key=lambda one: (-FURTHEST.index(one.status), one.id not in had, one.turn, one.id))
        rest = [kept for one in registrations for kept in (replace(one, others=()), *one.others) if kept.id != best.id]
        rest += [one for one in best.others if one.id not in {kept.id for kept in rest}]
        self.taken += best.id in had
        row = replace(
            best,
            profile=who,
            seated=best.id in had,
            coming=any(one.coming for one in registrations),
            hushed=best.hushed and all(one.hushed for one in registrations if one.status == "waitlisted"),
            others=tuple(replace(one, seated=False) for one in rest),
        )
        if len([one for one in registrations if one.seated]) > 1:
            self._say(row, moment, "returned", "merged")
        self.rows[who] = row

    def erase(self, profile: str, moment: Moment) -> None:
        row = self.rows.pop(profile, None)
        if row is not None and row.seated:
            self.taken -= 1
        self.fill(moment)

    # ---- what time and the document do

    def fill(self, moment: Moment) -> None:
        """Seats that are free go to those who wait."""
        if self.gathers or self.event.cancelled or moment.now >= self.event.ends_ms:
            return
        waiting = sorted((row for row in self.rows.values() if row.status == "waitlisted"), key=lambda row: row.turn)
        for row in waiting:
            if not self._room(row):
                return
            self._seat(row, moment)

    def tell_waiting(self, row: Registration, moment: Moment) -> None:
        """A selection has been heard, and he is one of those who are left."""
        row = replace(row, hushed=False)
        self._keep(row)
        self._tell(events.WAITLISTED, row, moment, "deferred", "event_full")

    def reschedule(self, row: Registration, moment: Moment) -> None:
        """Tell who was told another time or place."""
        row = replace(row, told=self.announced.mark)
        self._keep(row)
        self._emit(events.RESCHEDULED, row, moment)

    def cancel(self, row: Registration, moment: Moment) -> None:
        self._keep(replace(row, status="cancelled", seated=False))
        self._tell(events.CANCELLED, row, moment, "returned", "event_cancelled")

    def move_online(self, row: Registration, moment: Moment) -> None:
        """Who has not said that he comes takes part online, and his seat is free."""
        row = replace(row, status="moved_online", online=True, seated=False)
        self._keep(row)
        self._tell(events.MOVED_ONLINE, row, moment, "moved", "attendance_unconfirmed")

    def miss(self, row: Registration, moment: Moment) -> None:
        row = replace(row, status="no_show")
        self._keep(row)
        self._emit(events.MISSED, row, moment)

    # ---- seats

    def _takes_seat(self, row: Registration) -> bool:
        return not (self.event.format == "both" and row.online)

    def _needs_seat(self, row: Registration) -> bool:
        return self.event.seats is not None and self._takes_seat(row)

    def _room(self, row: Registration) -> bool:
        return not self._needs_seat(row) or self.taken < (self.event.seats or 0)

    def _seat_or_wait(self, row: Registration, moment: Moment) -> None:
        """Nobody passes by those who wait: they take what is free first."""
        first = not self.gathers and (row.rank is not None or not self._others_wait(row))
        if self._room(row) and (first or not self._needs_seat(row)):
            self._seat(row, moment)
        elif row.status != "waitlisted":
            self._wait(row, moment)
        else:
            self._keep(row)

    def _others_wait(self, row: Registration) -> bool:
        return any(one.status == "waitlisted" and one.profile != row.profile for one in self.rows.values())

    def _seat(self, row: Registration, moment: Moment) -> None:
        """Who is given a seat when it had to be confirmed already need not confirm it."""
        late = self.event.confirm_ms is not None and moment.now >= self.event.confirm_ms
        row = replace(row, status="confirmed", seated=self._takes_seat(row), coming=row.coming or late)
        self._keep(row)
        self._tell(events.SEATED, row, moment, "given", "seat")

    def _wait(self, row: Registration, moment: Moment) -> None:
        row = replace(row, status="waitlisted", seated=False, hushed=self.gathers)
        self._keep(row)
        if not row.hushed:
            self._tell(events.WAITLISTED, row, moment, "deferred", "event_full")

    def _keep(self, row: Registration) -> None:
        if row.hushed and row.status != "waitlisted":
            row = replace(row, hushed=False)
        before = self.rows.get(row.profile)
        self.taken += row.seated - (before.seated if before else False)
        self.rows[row.profile] = row

    def _new(self, profile: str, fact: Fact, home: str, status: Status, others: tuple[Registration, ...] = ()) -> Registration:
        id_ = derive("registration", self.event.key, fact.id)
        place, self.place = self.place, self.place + 1
        online = self.event.attends(fact.properties.get("attend")) == "online"
        return Registration(
            profile, id_, status, online, place, fact.occurred_at, home,
            answers=self._answers(fact), code=self._code(id_), told=self.announced.mark, others=others,
        )  # fmt: skip

    def _answers(self, fact: Fact) -> dict[str, str]:
        said = {one.name: fact.properties.get(one.name) for one in self.event.questions}
        return {name: value[:500] for name, value in said.items() if isinstance(value, str) and value}

    # ---- what is told

    def _tell(self, event: str, row: Registration, moment: Moment, verdict: Verdict, rule: str) -> None:
        self._say(row, moment, verdict, rule)
        self._emit(event, row, moment, reason=rule)

    def _emit(self, event: str, row: Registration, moment: Moment, **more: str) -> None:
        attend = "online" if row.online else "offline"
        fact = Fact(
            id=derive(event, self.event.key, row.id, moment.cause),
            type="track",
            event=event,
            brand=self.event.brand,
            source=events.SOURCE,
            occurred_at=moment.now,
            received_at=moment.now,
            about=row.profile,
            properties={**self.event.told, "attend": attend, "registration": row.id, "code": row.code, **more},
            cause=moment.cause,
        )
        self.told.append(fact)

    def _say(self, row: Registration, moment: Moment, verdict: Verdict, rule: str) -> None:
        decision = Decision(
            id=derive("decision", "event", self.event.key, row.id, verdict, rule, moment.cause),
            brand=self.event.brand,
            profile=row.profile,
            verdict=verdict,
            by="orchestrator",
            received_at=moment.now,
            document=f"event:{self.event.key}",
            version=self.announced.version,
            occurrence=row.id,
            rule=rule,
            cause=moment.cause,
        )
        self.told.append(decision)
