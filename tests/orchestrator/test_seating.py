"""Seats of an event, decided: whatever comes, no more are given than there are, and nobody is lost."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import events
from schemas.events import Event
from schemas.facts import Fact
from schemas.ids import derive
from services.orchestrator.domain.seating import Announced, Hall, Moment, Registration

DAY, HOUR = 86_400_000, 3_600_000
T0 = 1_798_761_600_000  # 2027-01-01 00:00 UTC
WHO = [derive("profile", name) for name in "abcdefgh"]


def event(**more: Any) -> Event:
    body = {
        "key": "meetup", "brand": "shop", "title": "Meetup", "format": "offline", "seats": 2,
        "starts_at": "2027-01-10T18:00:00+03:00", "ends_at": "2027-01-10T20:00:00+03:00",
    }  # fmt: skip
    return Event.model_validate({**body, **more})


def fact(who: str, name: str, number: int, at: int | None = None, **properties: Any) -> Fact:
    kind = {"type": name, "event": ""} if name == events.SELECTED else {"type": "track", "event": name}
    when = T0 + number if at is None else at
    return Fact(
        id=derive("fact", number), **kind, brand="shop", source="site", occurred_at=when, received_at=T0 + number, profile=who,
        properties={"event": "meetup", **properties},
    )  # fmt: skip


class Door:
    """A hall that is opened anew for each act with as little as the table would give, and what it told."""

    def __init__(self, **more: Any) -> None:
        self.announced = Announced(event(**more), 1)
        self.rows: dict[str, Registration] = {}
        self.place, self.number, self.told, self.gathers = 1, 0, [], False

    def open(self, *people: str) -> Hall:
        taken = sum(row.seated for row in self.rows.values())
        waiting = sorted((row for row in self.rows.values() if row.status == "waitlisted"), key=lambda row: row.turn)
        most = len(people) * 2 + max(0, (self.announced.event.seats or 0) - taken)
        some = {row.profile: row for row in (*waiting[:most], *(self.rows[who] for who in people if who in self.rows))}
        return Hall(self.announced, some.values(), taken, self.place, lambda name: name[:10], gathers=self.gathers)

    def close(self, hall: Hall) -> None:
        for who in hall.gone:
            del self.rows[who]
        self.rows |= {row.profile: row for row in hall.changed}
        self.place, self.gathers = hall.place, self.gathers or hall.selected
        self.told += hall.told
        assert hall.taken == sum(row.seated for row in self.rows.values())

    def says(self, who: str, name: str, **more: Any) -> None:
        self.number += 1
        hall = self.open(who)
        hall.hear(who, fact(who, name, self.number, **more), who)
        self.close(hall)

    def does(self, act: str, *more: Any) -> None:
        hall = self.open(*(one for one in more if isinstance(one, str)))
        getattr(hall, act)(*more)
        self.close(hall)

    def settle(self) -> None:
        """A selection has been heard."""
        self.gathers, self.number = False, self.number + 1
        moment = Moment(T0 + self.number, derive("settled", self.number))
        hall = self.open()
        hall.fill(moment)
        for row in [row for row in self.rows.values() if row.hushed]:
            if row.profile not in hall.rows:
                hall.rows[row.profile] = hall._before[row.profile] = row
            if hall.rows[row.profile].hushed:
                hall.tell_waiting(hall.rows[row.profile], moment)
        self.close(hall)

    def status(self, *who: str) -> list[str]:
        return [self.rows[one].status for one in who]

    def facts(self) -> list[tuple[str, str]]:
        return [(one.event, one.about or "") for one in self.told if isinstance(one, Fact)]


def registrations(door: Door) -> dict[str, str]:
    """Id -> status of all, each of which stands in one place."""
    found = [one for row in door.rows.values() for one in (row, *row.others)]
    assert len({one.id for one in found}) == len(found)
    return {one.id: one.status for one in found}


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "register",
                "register",
                "register",
                "cancel",
                "coming",
                "attend",
                "confirm",
                "waitlist",
                "decline",
                "settle",
                "merge",
                "part",
                "erase",
            ]
        ),
        st.integers(0, len(WHO) - 1),
        st.integers(0, len(WHO) - 1),
        st.booleans(),
        st.integers(-2, 2),
    ),
    max_size=40,
)


@given(
    ACTS,
    st.sampled_from(["first_come", "by_selection"]),
    st.sampled_from(["offline", "online", "both"]),
    st.sampled_from([1, 2, 3, None]),
)
@settings(max_examples=400, deadline=None)
def test_no_more_seats_are_given_than_there_are_and_nobody_is_lost(acts, selection, kind, seats):
    door, gone = Door(selection=selection, format=kind, seats=seats), set()
    for act, first, second, online, late in acts:
        who, other, before = WHO[first], WHO[second], registrations(door)
        moment = Moment(T0 + door.number, derive(act, len(door.told), door.number, first, second))
        names = {
            "register": events.REGISTERED,
            "cancel": events.UNREGISTERED,
            "coming": events.ATTENDANCE,
            "attend": events.ATTENDED,
        }
        if act in names and who not in gone:
            door.says(who, names[act], at=T0 + door.number + late, attend="online" if online else "offline")
        elif act in ("confirm", "waitlist", "decline"):
            door.says(who, events.SELECTED, choice=act, rank=second)
        elif act == "settle":
            door.settle()
        elif act == "merge" and who != other:
            door.does("merge", who, other, moment)
        elif act == "part" and who != other:
            door.does("part", who, other, {other}, moment)
        elif act == "erase":
            mine = {row.id for row in (door.rows.get(who), *(door.rows[who].others if who in door.rows else ())) if row}
            before = {id_: status for id_, status in before.items() if id_ not in mine}
            door.does("erase", who, moment)
            gone.add(who)
        seated = [row for row in door.rows.values() if row.seated]
        assert seats is None or len(seated) <= seats
        assert all(row.status in ("confirmed", "attended") for row in seated)
        waiting = [row for row in door.rows.values() if row.status == "waitlisted"]
        assert not waiting or door.gathers or (seats is not None and len(seated) == seats), "a seat is free while somebody waits"
        assert door.gathers or not [row for row in door.rows.values() if row.hushed], "who waits knows it"
        confirmed = [row for row in door.rows.values() if row.status == "confirmed"]
        assert all(row.seated or (kind == "both" and row.online) for row in confirmed)
        lost = before.keys() - registrations(door).keys()
        assert all(before[id_] == "cancelled" for id_ in lost), "only who cancelled may register anew"
    ids = [one.id for one in door.told]
    assert len(set(ids)) == len(ids), "nothing is told twice under one id"


def test_who_comes_when_the_room_is_full_waits_and_is_next():
    door = Door()
    for who in WHO[:4]:
        door.says(who, events.REGISTERED)
    assert door.status(*WHO[:4]) == ["confirmed", "confirmed", "waitlisted", "waitlisted"]
    door.says(WHO[0], events.UNREGISTERED)
    assert door.status(*WHO[:4]) == ["cancelled", "confirmed", "confirmed", "waitlisted"]
    door.says(WHO[0], events.REGISTERED)
    assert door.status(WHO[0]) == ["waitlisted"]
    assert door.facts()[-2:] == [(events.SEATED, WHO[2]), (events.WAITLISTED, WHO[0])]


def test_two_registered_people_who_are_one_count_once():
    door = Door()
    for who in WHO[:3]:
        door.says(who, events.REGISTERED)
    door.does("merge", WHO[0], WHO[1], Moment(T0 + 10, "m"))
    assert {who: row.status for who, row in door.rows.items()} == {WHO[0]: "confirmed", WHO[2]: "confirmed"}
    door.does("part", WHO[0], WHO[1], {WHO[1]}, Moment(T0 + 11, "p"))
    assert door.status(*WHO[:3]) == ["confirmed", "waitlisted", "confirmed"]


def test_the_selected_are_seated_and_the_rest_wait_in_their_order():
    door = Door(selection="by_selection")
    for who in WHO[:5]:
        door.says(who, events.REGISTERED)
    assert set(door.status(*WHO[:5])) == {"requested"}
    for rank, who in enumerate((WHO[4], WHO[3], WHO[2])):
        door.says(who, events.SELECTED, choice="confirm", rank=rank)
    door.says(WHO[0], events.SELECTED, choice="waitlist")
    door.says(WHO[1], events.SELECTED, choice="decline")
    door.settle()
    assert door.status(*WHO[:5]) == ["waitlisted", "declined", "waitlisted", "confirmed", "confirmed"]
    door.says(WHO[3], events.UNREGISTERED)
    assert door.status(WHO[0], WHO[2]) == ["waitlisted", "confirmed"]


CHOICES = [
    (WHO[0], "waitlist", None),
    (WHO[1], "waitlist", None),
    (WHO[2], "confirm", 2),
    (WHO[3], "confirm", 0),
    (WHO[4], "confirm", 1),
]


@given(st.permutations(CHOICES), st.integers(1, 4))
def test_in_whatever_order_a_selection_is_heard_seats_go_by_rank_and_then_to_the_others_as_they_came(order, seats):
    door = Door(selection="by_selection", seats=seats)
    for who in WHO[:5]:
        door.says(who, events.REGISTERED)
    door.told.clear()
    for who, choice, rank in order:
        door.says(who, events.SELECTED, choice=choice, **({} if rank is None else {"rank": rank}))
    assert set(door.status(*WHO[:5])) == {"waitlisted"} and door.told == [], "nobody is told anything before all is heard"
    door.settle()
    turns = [WHO[3], WHO[4], WHO[2], WHO[0], WHO[1]]
    assert sorted(door.facts()) == sorted(
        [(events.SEATED, who) for who in turns[:seats]] + [(events.WAITLISTED, who) for who in turns[seats:]]
    )


def test_who_registers_while_a_selection_is_heard_takes_no_seat_of_it():
    door = Door(seats=1)
    for who in WHO[:2]:
        door.says(who, events.REGISTERED)
    door.says(WHO[1], events.SELECTED, choice="confirm", rank=0)
    door.says(WHO[0], events.UNREGISTERED)
    door.says(WHO[2], events.REGISTERED)
    door.settle()
    assert door.status(*WHO[:3]) == ["cancelled", "confirmed", "waitlisted"]


def test_who_needs_no_seat_does_not_wait_for_the_others_who_are_selected():
    door = Door(selection="by_selection", seats=None)
    door.says(WHO[0], events.REGISTERED)
    door.says(WHO[0], events.SELECTED, choice="confirm", rank=3)
    assert door.status(WHO[0]) == ["confirmed"] and not door.gathers


def test_of_two_who_wait_and_are_one_the_earlier_turn_counts():
    door = Door(selection="by_selection", seats=1)
    for who in WHO[:3]:
        door.says(who, events.REGISTERED)
    door.says(WHO[0], events.SELECTED, choice="waitlist")
    for rank, who in enumerate((WHO[1], WHO[2])):
        door.says(who, events.SELECTED, choice="confirm", rank=rank)
    door.does("merge", WHO[0], WHO[2], Moment(T0 + 10, "m"))
    assert door.rows[WHO[0]].rank == 1


def test_of_two_who_are_one_either_may_have_said_that_he_comes():
    door = Door(format="both", confirm_until="1d")
    for who in WHO[:2]:
        door.says(who, events.REGISTERED)
    door.says(WHO[1], events.ATTENDANCE)
    door.does("merge", WHO[0], WHO[1], Moment(T0 + 10, "m"))
    assert door.rows[WHO[0]].coming


def test_news_in_any_order_and_twice_changes_nothing():
    door = Door()
    door.says(WHO[0], events.UNREGISTERED, at=T0 + 100)
    door.says(WHO[0], events.REGISTERED, at=T0 + 50)
    assert door.status(WHO[0]) == ["cancelled"]
    door.says(WHO[1], events.REGISTERED)
    before = list(door.told)
    door.says(WHO[1], events.REGISTERED)
    assert door.told == before


def test_registration_closes():
    door = Door(closes_at="2027-01-01T00:00:00Z")
    door.says(WHO[0], events.REGISTERED, at=T0 - 1)
    door.says(WHO[1], events.REGISTERED, at=T0)
    assert door.status(*WHO[:2]) == ["confirmed", "declined"]


def test_of_both_ways_only_the_room_has_seats():
    door = Door(format="both", seats=1)
    door.says(WHO[0], events.REGISTERED, attend="online")
    door.says(WHO[1], events.REGISTERED)
    door.says(WHO[2], events.REGISTERED)
    assert door.status(*WHO[:3]) == ["confirmed", "confirmed", "waitlisted"]
    hall = door.open(WHO[1])
    hall.move_online(hall.rows[WHO[1]], Moment(T0 + 20, "late"))
    hall.fill(Moment(T0 + 20, "late"))
    door.close(hall)
    assert door.status(*WHO[:3]) == ["confirmed", "moved_online", "confirmed"]
