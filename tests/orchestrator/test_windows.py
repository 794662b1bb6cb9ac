"""Send-time windows: of a rule, a journey and a step, by the wall clock of the person, over changes of the clocks."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.contact import WEEKDAYS, SendWindow, spans_of
from schemas.rules import RuleWindow
from services.orchestrator.domain.windows import closes, opens
from services.orchestrator.domain.zones import zone
from tests.orchestrator.test_zones import CHANGES, ms, wall
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, published, rule, send

QUARTER = 15 * MINUTE
clocks = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
days = st.lists(st.sampled_from(WEEKDAYS), unique=True, max_size=4).map(tuple)
windows = st.lists(
    st.tuples(days, clocks, clocks | st.just("24:00")).filter(lambda one: one[1] != one[2]), min_size=1, max_size=3
).map(lambda given: tuple(SendWindow.model_validate({"days": d, "from": a, "to": b}) for d, a, b in given))


def lies_in(name: str, at: int, given: tuple[SendWindow, ...]) -> bool:
    """By the wall clock, a window at a time."""
    local = wall(name, at)
    now, today = f"{local.hour:02}:{local.minute:02}", WEEKDAYS[local.weekday()]
    yesterday = WEEKDAYS[local.weekday() - 1]
    for window in given:
        on = window.days or WEEKDAYS
        if window.start < window.end:
            if today in on and window.start <= now < window.end:
                return True
        elif (today in on and now >= window.start) or (yesterday in on and now < window.end):
            return True
    return False


@pytest.mark.parametrize(("name", "day"), CHANGES)
@settings(max_examples=40, deadline=None)
@given(start=st.integers(-6 * 24, 24), given_windows=windows)
def test_windows_open_and_close_as_the_wall_clock_says(name, day, start, given_windows):
    at = ms(day) + start * HOUR
    limit = at + 4 * DAY
    spans, place = spans_of(given_windows), zone(name)
    quarters = range(at, limit + 1, QUARTER)
    expected = next((t for t in quarters if lies_in(name, t, given_windows)), None)
    found = opens(place, at, spans, limit)
    if expected is None:
        assert found > limit
        return
    assert found == expected
    closed = next((t for t in range(found, limit, QUARTER) if not lies_in(name, t, given_windows)), limit)
    assert closes(place, found, spans, limit) == closed


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"from": "10:00", "to": "10:00"}, "whole day"),
        ({"from": "25:00", "to": "10:00"}, "pattern"),
        ({"from": "10:00", "to": "12:00", "days": ["mon", "mon"]}, "twice"),
        ({"from": "10:00", "to": "12:00", "days": ["day"]}, "mon"),
    ],
)
def test_a_window_that_is_none_is_refused(body: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        RuleWindow.model_validate(body)


def mails(event: str = "E", **more: Any) -> dict[str, Any]:
    return journey("j", send("a", expires="9d"), on=event, reentry={"mode": "always"}, **more)


TUESDAY_NOON = [{"days": ["tue"], "from": "12:00", "to": "13:00"}]


def test_a_message_waits_for_its_window_in_his_zone_and_its_slot_ends_with_it() -> None:
    world = World(mails(windows=TUESDAY_NOON), brand("Asia/Kolkata"))
    world.person("p")
    world.fact("p", "E")
    opened = T0 + DAY + 12 * HOUR - 5 * HOUR - HOUR // 2
    (deferred,) = [d for d in world.decisions if d.verdict == "deferred"]
    assert (deferred.rule, deferred.until, deferred.detail) == ("send_window", opened, {"of": "own"})
    world.later(3 * DAY)
    (intent,) = world.intents
    assert (intent.received_at, intent.not_after) == (opened, opened + HOUR - 1)


def test_a_step_s_windows_stand_in_place_of_the_journey_s_and_beside_those_of_rules() -> None:
    rules = rule(
        windows=[{"class": "triggered", "from": "09:00", "to": "12:30"}, {"class": "mass", "from": "20:00", "to": "21:00"}]
    )
    own = [{"days": ["mon"], "from": "12:00", "to": "14:00"}]
    chain = journey("j", send("a", windows=own, expires="9d"), windows=TUESDAY_NOON)
    world = World(chain, rules)
    world.person("p")
    world.fact("p", "Registered")
    world.later(3 * DAY)
    (intent,) = world.intents
    assert (intent.received_at, intent.not_after) == (T0 + 12 * HOUR, T0 + 12 * HOUR + HOUR // 2 - 1)


def test_windows_of_two_documents_both_hold_and_service_passes() -> None:
    one, other = ({"windows": [{"from": a, "to": b}]} for a, b in (("08:00", "11:00"), ("10:00", "13:00")))
    documents = [mails(), journey("s", send("r", **{"class": "service"}), on="E"), rule(**one)]
    world = World(*documents, published("rule", {"key": "r2", **other}))
    world.person("p")
    world.fact("p", "E")
    world.later(DAY)
    assert world.sent() == [("r", T0), ("a", T0 + 10 * HOUR)]
    assert world.intents[1].not_after == T0 + 11 * HOUR - 1


def test_what_finds_no_window_while_it_is_worth_sending_is_skipped_for_it() -> None:
    world = World(journey("j", send("a", expires="1d", windows=[{"days": ["thu"], "from": "12:00", "to": "13:00"}])))
    world.person("p")
    world.fact("p", "Registered")
    (skipped,) = [d for d in world.decisions if d.verdict == "skipped"]
    assert (skipped.rule, skipped.detail) == ("expired", {"of": "send_window"})
