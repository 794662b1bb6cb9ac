"""Charges, added up: whatever comes in whatever order, what is told sums up to what was charged."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import charges as said
from schemas.definitions import Published
from schemas.facts import Fact
from schemas.ids import derive
from services.profile.domain import charges
from services.profile.domain.charges import GRACE_MS, Day, Open

HOUR, DAY = 3_600_000, 86_400_000
T0 = 1_798_761_600_000  # 2027-01-01 00:00 UTC
MOSCOW = {"shop": ZoneInfo("Europe/Moscow")}


def charge(name: str, at: int, minor: int = 100, received_at: int | None = None, product: str = "vm", **more) -> Fact:
    given_ = {"type": "track", "event": said.CHARGE, "brand": "shop", "source": "billing", **more}
    properties = {"product": product, "amount": {"minor": minor, "currency": "RUB"}, **more.pop("properties", {})}
    given_["properties"] = properties
    return Fact(id=derive("billing", name), occurred_at=at, received_at=at if received_at is None else received_at, **given_)


charged = st.builds(
    lambda n, at, minor, wait, product, person: (person, charge(str(n), T0 + at, minor, T0 + at + wait, product)),
    st.integers(0, 10**9),
    st.integers(0, 3 * DAY),
    st.integers(-1000, 1000),
    st.integers(0, 4 * DAY),
    st.sampled_from(["vm", "disk"]),
    st.sampled_from("abc"),
)


@given(st.lists(charged, max_size=40, unique_by=lambda one: one[1].id), st.data())
def test_what_is_told_sums_up_to_what_was_charged(taken, data):
    """The timers fire, and people become one, at any moment between; in the end everything is due."""
    days: dict[Day, Open] = {}
    told: list[Fact] = []
    became: dict[str, str] = {}
    before = 0
    for person, fact in taken:
        event = data.draw(st.sampled_from(["", "fire", "merge"]))
        if event == "merge" and "c" not in became:
            became = {"c": "a"}
            days, before = charges.together(days.items(), became), len(told)
        if event == "fire":
            told += fire(days, data.draw(st.integers(T0, T0 + 9 * DAY)))
        key, part = charges.place(fact, became.get(person, person), MOSCOW)
        if (news := charges.take(days, key, part, fact.received_at)) is not None:
            told.append(news)
    told += fire(days, T0 + 99 * DAY)
    assert not days
    assert sums((one.profile, one) for one in told) == expected(taken, became)
    assert not any(one.profile in became for one in told[before:]), "who has become another one is told of no more"
    assert len({one.id for one in told}) == len(told)
    assert all(one.occurred_at == one.properties["last_at"] < one.received_at for one in told)


def fire(days: dict[Day, Open], now: int) -> list[Fact]:
    due = [key for key, part in days.items() if part.due_at <= now]
    return [charges.rolled_up(key, days.pop(key)) for key in due]


def sums(told) -> dict[tuple, tuple[int, int]]:
    found: dict[tuple, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for person, one in told:
        key = ("a" if person == "c" else person, one.properties["product"], one.properties["day"])
        minor, count = found[key]
        found[key] = (minor + one.properties["amount"]["minor"], count + one.properties["count"])
    return dict(found)


def expected(taken, became) -> dict[tuple, tuple[int, int]]:
    """By hand: the day in Moscow is UTC + 3 h."""
    found: dict[tuple, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for person, fact in taken:
        day = datetime.fromtimestamp((fact.occurred_at + 3 * HOUR) / 1000, UTC).date().isoformat()
        key = ("a" if person == "c" else person, fact.properties["product"], day)
        minor, count = found[key]
        found[key] = (minor + fact.properties["amount"]["minor"], count + 1)
    return dict(found)


parts = st.builds(
    Open,
    st.uuids().map(str),
    st.integers(-(2**40), 2**40),
    st.integers(1, 99),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
)


@given(parts, parts, parts)
def test_parts_of_a_day_join_in_any_order(a, b, c):
    assert charges.join(a, b) == charges.join(b, a)
    assert charges.join(charges.join(a, b), c) == charges.join(a, charges.join(b, c))


@given(st.lists(charged, max_size=30, unique_by=lambda one: one[1].id), st.randoms())
def test_the_order_in_which_a_day_is_charged_changes_nothing_that_is_told(taken, random):
    def told(order) -> Counter[bytes]:
        days: dict[Day, Open] = {}
        for person, fact in order:
            key, part = charges.place(fact, person, MOSCOW)
            charges.take(days, key, part, 0)  # nothing was due yet
        return Counter(msgspec.json.encode(one) for one in fire(days, T0 + 99 * DAY))

    shuffled = list(taken)
    random.shuffle(shuffled)
    assert told(taken) == told(shuffled)


def test_a_day_is_the_brands_and_is_told_an_hour_after_it():
    late_evening = T0 + 20 * HOUR + 59 * 60_000  # 23:59 in Moscow
    (first, part), (second, next_part) = (
        charges.place(charge(n, at), "p", MOSCOW) for n, at in [("1", late_evening), ("2", T0 + 21 * HOUR)]
    )
    assert [charges.date_of(day.day) for day in (first, second)] == ["2027-01-01", "2027-01-02"]
    assert part.due_at == T0 + 21 * HOUR + GRACE_MS and next_part.due_at == part.due_at + DAY
    (elsewhere, part) = charges.place(charge("1", late_evening), "p", {})
    assert charges.date_of(elsewhere.day) == "2027-01-01" and part.due_at == T0 + DAY + GRACE_MS, "UTC where the brand is not known"


def test_the_day_on_which_the_clocks_change_ends_with_it():
    berlin = {"shop": ZoneInfo("Europe/Berlin")}
    noon = int(datetime(2027, 3, 28, 12, tzinfo=berlin["shop"]).timestamp()) * 1000
    _, part = charges.place(charge("1", noon), "p", berlin)
    assert part.due_at - GRACE_MS == int(datetime(2027, 3, 28, 22, tzinfo=UTC).timestamp()) * 1000


def test_a_charge_says_when_it_fell_due_but_not_in_the_future():
    told = charge("1", T0 + 2 * DAY, properties={"charged_at": "2027-01-01T05:00:00Z"})
    key, part = charges.place(told, "p", {})
    assert (charges.date_of(key.day), part.first_at) == ("2027-01-01", T0 + 5 * HOUR)
    assert part.due_at == T0 + 2 * DAY + GRACE_MS, "late: others may come with it"
    key, part = charges.place(charge("1", T0, properties={"charged_at": T0 + DAY}), "p", {})
    assert part.first_at == T0


def test_a_charge_that_is_received_when_its_day_was_due_is_a_difference():
    days: dict[Day, Open] = {}
    charges.take(days, *charges.place(charge("1", T0, 5), "p", {}), T0)
    late = charge("2", T0 + 1, 7, received_at=T0 + DAY + GRACE_MS)
    first = charges.take(days, *charges.place(late, "p", {}), late.received_at)
    assert first is not None and first.properties["amount"]["minor"] == 5 and first.received_at == T0 + DAY + GRACE_MS
    (second,) = fire(days, T0 + 9 * DAY)
    assert (second.properties["amount"]["minor"], second.properties["count"]) == (7, 1)
    assert {first.cause, second.cause} == {derive("billing", "1"), derive("billing", "2")}


def test_a_charge_that_comes_again_days_later_counts_again_and_is_another_fact():
    told = []
    for received_at in (T0, T0 + 5 * DAY):
        days: dict[Day, Open] = {}
        charges.take(days, *charges.place(charge("1", T0, received_at=received_at), "p", {}), received_at)
        told += fire(days, T0 + 9 * DAY)
    assert len({one.id for one in told}) == 2


@pytest.mark.parametrize(
    ("properties", "field"),
    [
        ({"product": ""}, "product"),
        ({"product": None}, "product"),
        ({"product": "a\x00"}, "product"),
        ({"product": "a" * 201}, "product"),
        ({"amount": 5}, "amount"),
        ({"amount": {"minor": 1.5, "currency": "RUB"}}, "amount"),
        ({"amount": {"minor": 2**62, "currency": "RUB"}}, "amount"),
        ({"amount": {"minor": 1, "currency": "rub"}}, "amount"),
        ({"amount": {"minor": 1}}, "amount"),
        ({"charged_at": "yesterday"}, "charged_at"),
        ({"charged_at": -1}, "charged_at"),
        ({"charged_at": True}, "charged_at"),
        ({"period": "week"}, "period"),
        ({"account": 5}, "account"),
    ],
)
def test_what_cannot_be_added_up_is_told_by_its_field(properties, field):
    with pytest.raises(said.Unfit, match=f"^properties.{field}: .* is wanted of a charge$"):
        said.read({"product": "vm", "amount": {"minor": 1, "currency": "RUB"}, **properties})


def test_brands_have_the_time_zones_that_there_are():
    bodies = {"a": b'{"time_zone": "Asia/Omsk"}', "b": b"{}", "c": b'{"time_zone": "Mars/Base"}'}
    documents = [Published(kind="brand", key=key, version=1, body=msgspec.Raw(body), pointer=True) for key, body in bodies.items()]
    old = Published(kind="brand", key="d", version=1, body=msgspec.Raw(b'{"time_zone": "UTC"}'))
    assert charges.zones([*documents, old]) == {"a": ZoneInfo("Asia/Omsk")}
