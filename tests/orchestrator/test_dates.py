"""A day of his, from the attribute to the start: what the segmenter tells, and when the orchestrator begins."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.facts import Fact
from schemas.journeys import Journey
from schemas.triggers import DateTrigger
from schemas.unnamed import conditions, date_key
from services.segmenter.domain.live import decide, fire
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.state import State
from tests.orchestrator.world import DAY, HOUR, T0, World, brand, journey, send, wait

ZONES = ["UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"]
values = st.dates(date(2009, 1, 1), date(2012, 12, 31)).map(str) | st.sampled_from(["1988-02-29", "1990-11-22", "1990-11-30"])
days = st.sampled_from([-366, -30, -7, -1, 0, 1, 30])


@settings(max_examples=60, deadline=None)
@example("1988-02-29", "America/New_York", None, "UTC", -1, "10:00", "year")
@example("2010-11-22", "UTC", None, "UTC", 1, "00:00", None)
@example("2010-11-25", "Asia/Kolkata", None, "UTC", 0, "00:00", None)
@example("2009-12-31", "UTC", None, "UTC", 30, "00:00", "year")  # the last one at the very end
@given(
    values,
    st.sampled_from(ZONES),
    st.sampled_from([None, *ZONES]),
    st.sampled_from(ZONES),
    days,
    st.sampled_from(["00:00", "10:00", "23:59"]),
    st.sampled_from(["year", None]),
)
def test_it_begins_on_that_day_of_his_at_that_time_each_year_or_once(
    value: str, name: str, own: str | None, brands: str, offset: int, at: str, every: Any
) -> None:
    body = journey(
        "day",
        send("cake", **{"class": "service"}),
        on={"date": {"attribute": "x", "offset": f"{offset}d", "at": at, "every": every, "zone": name}},
    )
    read = Journey.model_validate(body)
    assert isinstance(read.trigger, DateTrigger)
    key, end = date_key("day", read.trigger), T0 + 800 * DAY
    plan = compile_plan({key: conditions(read, 1)[key]}, 1)
    said = {"x": value, **({"time_zone": own} if own else {})}
    fact = Fact(id="f", type="identify", brand="shop", source="s", occurred_at=T0, received_at=T0, attributes=said)
    began = decide(State(), fact, T0, plan)
    told = [(change, "fact") for change in began.changes] + [(change, "time") for change in fire(began.state, end, plan).changes]
    world = World(body, brand(brands))
    world.person("p", own)
    for change, why in told:
        world.run(change.at)
        world.membership("p", key, "entered" if change.entered else "left", why=why)
    world.run(end)
    assert [when for _, when in world.sent()] == list(
        expected(date.fromisoformat(value), ZoneInfo(own or name), offset, at, end, every=every)
    )


def expected(born: date, own: ZoneInfo, offset: int, at: str, end: int, *, every: str | None) -> list[int]:
    hour, minute = map(int, at.split(":"))
    found = []
    for year in range(2008, 2015) if every else (born.year,):
        leap = year % 4 == 0
        day = date(year, 2, 28) if (born.month, born.day) == (2, 29) and not leap else date(year, born.month, born.day)
        day += timedelta(days=offset)
        instant = int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=own).timestamp() * 1000)
        if T0 <= instant <= end:
            found.append(instant)
    return sorted(found)


def test_who_waits_for_his_hour_is_not_looked_at_with_every_fact() -> None:
    """His row stays as it is, so it is not written either."""
    trigger = {"date": {"attribute": "x", "offset": "0d", "at": "10:00"}}
    day = journey("day", send("cake"), on=trigger)
    read = Journey.model_validate(day)
    assert isinstance(read.trigger, DateTrigger)
    world = World(day, journey("j", wait("w", "9d")), prompt=True)
    world.person("p")
    world.membership("p", date_key("day", read.trigger), why="time")
    world.fact("p", "Registered")
    before = world.people["p"]
    assert len(before.runs) == 2
    world.fact("p", "Noise")
    assert world.people["p"] == before
    world.later(DAY)
    assert [when for _, when in world.sent()] == [T0 + 10 * HOUR]
