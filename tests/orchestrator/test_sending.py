"""The gates before a message, its slot, and what the sender's verdicts do."""

import pytest

from schemas.facts import PROFILE_CHANGED
from schemas.ids import bucket
from services.orchestrator.domain.zones import Zone
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, published, rule, send, wait

NIGHT = {"from": "21:00", "to": "09:00"}
MASS3 = {"name": "three", "class": "mass", "most": 3, "per": "week"}


def mass(key: str, event: str, cls: str = "mass", **more):
    return journey(key, send(key, **{"class": cls}, **more), on=event, reentry={"mode": "always"})


def test_without_an_address_nothing_goes_and_the_run_goes_on():
    chain = journey("j", send("tg", channel="telegram"), send("sms", channel="sms"), send("mail"))
    world = World(chain)
    world.person("p", kinds="email")
    world.fact("p", "Registered")
    assert world.told("skipped", "sent") == [
        ("skipped", "tg", "no_address"),
        ("skipped", "sms", "no_address"),
        ("sent", "mail", ""),
    ]


def test_somebody_never_contactable_gets_no_marketing_but_service():
    world = World(journey("j", send("mail"), send("receipt", **{"class": "service"})))
    world.person("p", contact=False)
    world.fact("p", "Registered")
    world.later(MINUTE)
    assert world.told("skipped", "sent") == [("skipped", "mail", "no_address"), ("sent", "receipt", "")]


def test_the_global_control_group_gets_service_messages_alone_and_counts_as_if_it_got_the_rest():
    chain = journey("j", send("a"), wait("w", "1d"), send("b", **{"class": "service"}), send("c", **{"class": "mass"}))
    world = World(chain, rule(global_control={"share": 1000, "salt": "gcg-2026"}), prompt=True)
    inside = next(f"p{n}" for n in range(1000) if bucket("gcg-2026", f"p{n}") < 1000)
    outside = next(f"p{n}" for n in range(1000) if bucket("gcg-2026", f"p{n}") == 1000 or bucket("gcg-2026", f"p{n}") > 1000)
    for who in (inside, outside):
        world.person(who)
        world.fact(who, "Registered")
    world.later(2 * DAY)
    assert [i.template for i in world.intents if i.profile == inside] == ["b"]
    assert [i.template for i in world.intents if i.profile == outside] == ["a", "b", "c"]
    assert world.told("would_have_sent") == [("would_have_sent", s, "global_control") for s in "ac"]
    assert world.people[inside].reservations == []


def test_at_most_three_mass_mails_a_week_and_the_fourth_waits_for_his_monday():
    world = World(*[mass(f"m{n}", f"E{n}", expires="20d") for n in range(5)], rule(caps=[MASS3]), brand("America/New_York"))
    world.person("p", zone="Asia/Kolkata")
    world.later(3 * DAY)
    for n in range(5):
        world.fact("p", f"E{n}")
        world.later(HOUR)
    monday = T0 + 7 * DAY - 5 * HOUR - HOUR // 2  # midnight in Kolkata is 18:30 UTC
    deferred = [d for d in world.decisions if d.verdict == "deferred"]
    assert [(d.rule, d.until, d.detail) for d in deferred] == [("cap:mass:week", monday, {"of": "three"})] * 2
    world.later(20 * DAY)
    assert [t for _, t in world.sent()][3:] == [monday] * 2


@pytest.mark.parametrize(("brands", "sent"), [(None, 1), ("shop", 2)])
def test_a_cap_counts_over_all_brands_or_within_one(brands, sent):
    cap = {"name": "one", "class": "mass", "most": 1, "per": "day"} | ({"brand": brands} if brands else {})
    other = {**mass("b", "E"), "brand": "outlet"}
    world = World(mass("a", "E"), other, rule(caps=[cap]))
    world.person("p")
    world.fact("p", "E")
    world.fact("p", "E", brand="outlet")
    assert len(world.intents) == sent


@pytest.mark.parametrize("first", ["mass", "triggered"])
def test_a_triggered_and_a_mass_message_never_on_one_day_whichever_comes_first(first):
    second = {"mass": "triggered", "triggered": "mass"}[first]
    journeys = [mass("a", "A", first), mass("b", "B", second), mass("c", "C", "service"), mass("d", "D", first)]
    world = World(*journeys, rule(exclusive_day=["triggered", "mass"]), brand("America/New_York"))
    world.person("p")
    world.later(12 * HOUR)  # seven in the morning there
    for event in "ABCD":
        world.fact("p", event)
    midnight = T0 + DAY + 5 * HOUR
    assert world.told("deferred") == [("deferred", "b", "same_day")]
    world.later(2 * DAY)
    noon = T0 + 12 * HOUR
    assert world.sent() == [("a", noon), ("c", noon), ("d", noon), ("b", midnight)]


def test_quiet_hours_hold_marketing_back_in_his_zone_and_let_service_pass():
    journeys = [mass("a", "E", "triggered"), mass("s", "E", "service")]
    world = World(*journeys, rule(quiet_hours=NIGHT), brand("Europe/London"))
    world.person("here")
    world.person("there", zone="America/New_York")
    world.later(22 * HOUR)
    for who in ("here", "there"):
        world.fact(who, "E")
    late = T0 + 22 * HOUR
    assert [(i.profile, i.template) for i in world.intents] == [("here", "s"), ("there", "a"), ("there", "s")]
    assert world.intents[0].not_after == late + DAY
    assert world.intents[1].not_after == T0 + DAY + 2 * HOUR - 1, "21:00 in New York, before his midnight"
    world.later(DAY)
    assert [(i.profile, i.received_at) for i in world.intents[3:]] == [("here", T0 + 33 * HOUR)]
    assert world.intents[3].not_after == T0 + DAY + 21 * HOUR - 1


def test_without_quiet_hours_a_slot_ends_with_his_day():
    world = World(mass("a", "E"), brand("Asia/Kolkata"))
    world.person("p")
    world.fact("p", "E")
    assert world.intents[0].not_after == T0 + 18 * HOUR + HOUR // 2 - 1
    (sent,) = [d for d in world.decisions if d.verdict == "sent"]
    assert sent.detail == {"slot": [T0, T0 + 18 * HOUR + HOUR // 2 - 1], "day": T0 // DAY}
    assert sent.intent == world.intents[0].id


@pytest.mark.parametrize("quiet", [None, NIGHT])
def test_the_last_instant_of_a_slot_is_still_his_day_and_not_quiet(quiet):
    """The sender calls at `not_after` itself: one ms later the day of another class, or the night, has begun."""
    rules = {"quiet_hours": quiet} if quiet else {}
    world = World(mass("a", "E"), rule(**rules), brand("Asia/Kolkata"))
    world.person("p")
    world.later(12 * HOUR)
    world.fact("p", "E")
    last = world.intents[0].not_after
    zone, windows = Zone("Asia/Kolkata"), world.book.rules.quiet
    assert zone.day(last) == zone.day(T0 + 12 * HOUR) and zone.loud(last, windows, last + DAY) == last
    after = last + 1
    assert zone.day(after) != zone.day(last) if quiet is None else zone.loud(after, windows, after + DAY) > after


def test_what_is_worth_nothing_any_more_is_skipped_and_the_run_goes_on():
    chain = journey("j", send("a", expires="2h"), send("b", **{"class": "service"}))
    world = World(chain, rule(quiet_hours=NIGHT))
    world.person("p")
    world.fact("p", "Registered")
    (skipped,) = [d for d in world.decisions if d.verdict == "skipped"]
    assert (skipped.rule, skipped.detail) == ("expired", {"of": "quiet_hours"})
    assert [t for t, _ in world.sent()] == ["b"]


def test_quiet_hours_all_day_long_never_let_anything_go():
    world = World(
        mass("a", "E"),
        rule(quiet_hours={"from": "00:00", "to": "12:00"}),
        published("rule", {"key": "r2", "quiet_hours": {"from": "12:00", "to": "00:00"}}),
    )
    world.person("p")
    world.fact("p", "E")
    assert world.told("skipped") == [("skipped", "a", "expired")]


def test_all_rules_hold_together_and_the_deferral_ends_where_they_agree():
    rules = rule(
        quiet_hours=NIGHT, exclusive_day=["mass", "triggered"], caps=[{"name": "d", "class": "mass", "most": 1, "per": "day"}]
    )
    world = World(mass("a", "A"), mass("b", "B"), mass("t", "T", "triggered"), rules)
    world.person("p")
    world.later(10 * HOUR)
    for event in "AB":
        world.fact("p", event)
    world.later(24 * HOUR)
    assert world.sent() == [("a", T0 + 10 * HOUR), ("b", T0 + 33 * HOUR)]
    world.fact("p", "T")
    assert world.told("deferred")[-1] == ("deferred", "t", "same_day")
    world.later(DAY)
    assert world.sent()[-1] == ("t", T0 + 48 * HOUR + 9 * HOUR)


def test_a_rolling_window_counts_from_when_the_message_went():
    cap = {"name": "r", "class": "mass", "most": 1, "within": "6h"}
    world = World(mass("a", "E"), rule(caps=[cap]))
    world.person("p")
    world.fact("p", "E")
    world.later(2 * HOUR)
    world.verdict(world.intents[0], "accepted")
    world.later(HOUR)
    world.fact("p", "E")
    assert world.decisions[-1].until == T0 + 8 * HOUR
    world.later(5 * HOUR)
    assert len(world.intents) == 2
    # The second is still under way eight hours later: it may go at any moment until the end of its slot.
    world.later(8 * HOUR)
    world.fact("p", "E")
    assert (world.decisions[-1].verdict, world.decisions[-1].until) == ("deferred", T0 + 24 * HOUR + 6 * HOUR - 1)


@pytest.mark.parametrize("verdict", ["skipped", "failed"])
def test_what_did_not_go_gives_its_place_back_once(verdict):
    world = World(mass("a", "E"), rule(caps=[{"name": "d", "class": "mass", "most": 1, "per": "day"}]))
    world.person("p")
    world.fact("p", "E")
    for _ in range(2):
        world.verdict(world.intents[0], verdict)
    assert (world.people["p"].reservations, world.people["p"].pending) == ([], {})
    world.fact("p", "E")
    world.verdict(world.intents[0], verdict)
    assert len(world.people["p"].reservations) == 1


@pytest.mark.parametrize("verdict", ["accepted", "in_doubt", "unknown"])
def test_what_went_or_may_have_gone_keeps_its_place(verdict):
    world = World(mass("a", "E"))
    world.person("p")
    world.fact("p", "E")
    for _ in range(2):
        world.verdict(world.intents[0], verdict)
    assert len(world.people["p"].reservations) == 1 and not world.people["p"].pending
    world.verdict(world.intents[0], "late")
    world.verdict(world.intents[0], "held")
    assert len(world.people["p"].reservations) == 1 and len(world.intents) == 1
    world.verdict(world.intents[0], "failed")
    assert len(world.people["p"].reservations) == (0 if verdict == "in_doubt" else 1)
    world.verdict(world.intents[0], "accepted")
    world.verdict(world.intents[0], "sent")


def test_a_late_one_is_decided_again_under_its_key_and_counts_once():
    world = World(
        mass("a", "E", expires="3d"), rule(quiet_hours=NIGHT, caps=[{"name": "d", "class": "mass", "most": 1, "per": "day"}])
    )
    world.person("p")
    world.later(20 * HOUR)
    world.fact("p", "E")
    (first,) = world.intents
    world.later(2 * HOUR)
    for _ in range(2):
        world.verdict(first, "late")
    assert world.people["p"].reservations == []
    assert world.told("deferred") == [("deferred", "a", "quiet_hours")]
    world.later(12 * HOUR)
    again = world.intents[1]
    assert (again.id, again.attempt, again.received_at) == (first.id, 1, T0 + 33 * HOUR)
    world.verdict(first, "late")
    world.verdict(first, "failed")
    assert len(world.people["p"].reservations) == 1
    assert [p.attempt for p in world.people["p"].pending.values()] == [1], "an old word starts no third attempt"
    assert world.told("deferred") == [("deferred", "a", "quiet_hours")]
    world.verdict(again, "accepted")
    assert len(world.people["p"].reservations) == 1 and not world.people["p"].pending


def test_a_late_one_past_its_worth_or_its_address_goes_no_more():
    world = World(mass("a", "E", expires="1d"), mass("s", "S", "service", expires="1d"))
    world.person("p")
    world.fact("p", "E")
    world.fact("p", "S")
    world.later(DAY + 1)
    for intent in list(world.intents):
        world.verdict(intent, "late")
    assert world.told("skipped") == [("skipped", "a", "expired"), ("skipped", "s", "expired")]
    assert world.people["p"].pending == {} and world.people["p"].reservations == []


def test_a_late_one_that_has_a_slot_at_once_goes_at_once():
    world = World(mass("a", "E"))
    world.person("p")
    world.fact("p", "E")
    world.later(25 * HOUR)
    world.verdict(world.intents[0], "late")
    assert [(i.attempt, i.received_at) for i in world.intents] == [(0, T0), (1, T0 + 25 * HOUR)]


def test_a_late_one_whose_version_is_gone_is_skipped():
    world = World(mass("a", "E"))
    world.person("p")
    world.fact("p", "E")
    gone = World()
    gone.people = world.people
    gone.verdict(world.intents[0], "late")
    assert gone.told() == [("skipped", "a", "no_version")]
    assert gone.people["p"].pending == {}


def test_a_goal_calls_back_what_came_back_late_even_when_the_run_is_over():
    chain = journey("j", send("a"), goal={"event": "Paid"})
    world = World(chain, rule(quiet_hours=NIGHT), brand())
    world.person("p")
    world.later(20 * HOUR)
    world.fact("p", "Registered")
    world.later(2 * HOUR)
    world.verdict(world.intents[0], "late")
    world.fact("p", "Paid", occurred=T0)
    assert len(world.people["p"].pending) == 1, "it occurred before he came in"
    world.fact("p", "Paid")
    assert world.told("skipped") == [("skipped", "a", "goal")]
    world.later(3 * DAY)
    assert len(world.intents) == 1


def test_a_goal_also_stops_what_is_under_way_from_coming_back():
    world = World(journey("j", send("a"), wait("w", "1d"), goal={"event": "Paid"}))
    world.person("p")
    world.fact("p", "Registered")
    world.fact("p", "Paid")
    world.later(26 * HOUR)
    world.verdict(world.intents[0], "late")
    assert len(world.intents) == 1 and world.people["p"].reservations == []


def test_a_held_one_gives_its_place_back_and_counts_again_if_it_went_all_the_same():
    world = World(mass("a", "E"), mass("s", "S", "service"))
    world.person("p")
    world.fact("p", "E")
    world.fact("p", "S")
    for intent in world.intents:
        world.verdict(intent, "held")
    assert world.people["p"].reservations == [] and len(world.people["p"].pending) == 2
    for intent in world.intents:
        world.verdict(intent, "accepted")
    (kept,) = world.people["p"].reservations
    assert kept.intent == world.intents[0].id and world.people["p"].pending == {}


def test_reservations_are_forgotten_when_no_rule_can_ask_for_them():
    world = World(mass("a", "E"), rule(caps=[{"name": "r", "class": "mass", "most": 9, "within": "40d"}]))
    world.person("p")
    for _ in range(3):
        world.fact("p", "E")
        world.later(30 * DAY)
    assert len(world.people["p"].reservations) == 2


def test_the_template_and_its_current_version_and_the_persons_language_travel_along():
    template = published("template", {"key": "a"}, 4)
    world = World(mass("a", "E", topic="news"), published("template", {"key": "a"}, 3, pointer=False), template)
    world.person("p")
    world.fact("p", "", type="profile.changed", attributes={"language": [1, "ru"]})
    world.fact("p", "E")
    (intent,) = world.intents
    assert (intent.template_version, intent.topic, intent.data["run"]["language"]) == (4, "news", "ru")


def test_a_day_is_his_own_also_when_his_zone_becomes_known_after_the_first_message():
    world = World(
        journey("t", send("t"), on="Trig"),
        journey("m", send("m", **{"class": "mass", "expires": "5d"}), on="Mass"),
        rule(exclusive_day=["triggered", "mass"]),
        brand("UTC"),
        at=T0 + 16 * HOUR,
    )
    world.person("ann")
    world.fact("ann", "Trig")  # 01:00 in Tokyo, still Monday by the brand's clock
    world.later(HOUR)
    world.fact("ann", "", type=PROFILE_CHANGED, attributes={"time_zone": [world.now, "Asia/Tokyo"]})
    world.fact("ann", "Mass")
    world.later(3 * DAY)
    assert world.sent() == [("t", T0 + 16 * HOUR), ("m", T0 + 39 * HOUR)]


def test_who_stands_in_an_old_version_gets_its_letter_though_the_template_is_out_of_force():
    world = World(journey("j", send("old")), published("template", {"key": "old"}, 3, pointer=False))
    world.person("ann")
    world.fact("ann", "Registered")
    assert [i.template_version for i in world.intents] == [3]


def test_a_registration_that_brings_its_own_address_is_answered_there():
    world = World(journey("j", send("hello")))
    world.fact("ann", "Registered", identifiers=("user_id:a", "email:a@example.org"), bucketing_id="ann", bucketed_at=0)
    assert [i.template for i in world.intents] == ["hello"]
