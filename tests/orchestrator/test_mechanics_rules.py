"""The ready-made mechanics that keep the base clean and hold messages back, played: double opt-in, dead contacts, caps."""

from typing import Any

import pytest

from schemas.unnamed import condition_key
from tests.orchestrator.mechanics import Played, one
from tests.orchestrator.world import DAY, HOUR, T0, journey, send

# ---- C7


@pytest.mark.parametrize("confirms", [True, False])
def test_double_opt_in_asks_reminds_and_purges(confirms):
    world = one("double-opt-in")
    world.does("p", "Consent Granted", double_opt_in=True, channel="email")
    world.later(2 * HOUR)
    if confirms:
        world.does("p", "Consent Confirmed")
    world.later(20 * DAY)
    letters = [("double-opt-in", 0)] if confirms else [("double-opt-in", 0), ("double-opt-in-reminder", DAY)]
    assert world.got() == letters
    assert [(d.verdict, d.received_at - T0) for d in world.decisions if d.verdict == "purged"] == (
        [] if confirms else [("purged", 7 * DAY)]
    )


def test_a_dead_contact_is_taken_out_after_a_grace_and_a_customer_never():
    world = one("dead-contacts")
    for who in ("p", world.person("lives"), world.person("bought")):
        world.membership(who, "dead-email")
    world.does("bought", "Order Completed")
    world.later(DAY)
    world.membership("lives", "dead-email", "left")
    world.later(20 * DAY)
    told = {(d.profile, d.verdict, d.received_at - T0) for d in world.decisions if d.verdict in ("purged", "kept")}
    assert told == {("p", "purged", 14 * DAY), ("bought", "kept", 14 * DAY)}


# ---- R1, R2, R3, R7, R8

NOON = T0 + 12 * HOUR


def capped(at: int = NOON, **values: Any) -> Played:
    classes = {"Mass": "mass", "Trigger": "triggered", "Service": "service"}
    own = [journey(k.lower(), send(k.lower(), **{"class": v}), on=k, reentry={"mode": "always"}) for k, v in classes.items()]
    return one("caps", also=own, at=at, **values)


@pytest.mark.parametrize(("cold", "most"), [(False, 3), (True, 1)])
def test_three_mass_mails_a_week_and_one_a_month_to_cold_leads(cold, most):
    world = capped()
    if cold:
        world.membership("p", condition_key("rule", "caps", 1, "cap_1"))
    for _ in range(6):  # Monday to Saturday
        world.does("p", "Mass")
        world.later(DAY)
    first_week = [at for _, at in world.got() if at < 7 * DAY - 12 * HOUR]
    assert first_week == [day * DAY for day in range(most)]
    world.does("p", "Service")
    assert world.got()[-1][0] == "service", "service messages pass"


def test_a_triggered_and_a_mass_message_never_share_a_day():
    world = capped()
    world.does("p", "Trigger")
    world.does("p", "Mass")
    world.does("p", "Service")
    world.later(3 * DAY)
    assert world.got() == [("trigger", 0), ("service", 0), ("mass", DAY - 3 * HOUR)], "at nine of the next day"


def test_nothing_but_service_goes_at_night():
    world = capped(at=T0 + 22 * HOUR)
    world.does("p", "Trigger")
    world.does("p", "Service")
    world.later(DAY)
    assert sorted(world.got()) == [("service", 0), ("trigger", 11 * HOUR)]


def test_a_managers_people_get_no_marketing():
    world = capped()
    world.membership("p", condition_key("rule", "caps", 1, "manager_only"))
    for event in ("Trigger", "Mass", "Service"):
        world.does("p", event)
    world.later(5 * DAY)
    assert world.got() == [("service", 0)]
    assert {rule for _, _, rule in world.told("skipped")} == {"manager_only"}
