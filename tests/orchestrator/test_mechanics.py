"""Each ready-made mechanic, played: who gets what and when, and what ends it. The delays are those of its row."""

import pytest

from tests.orchestrator.mechanics import Played, one
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0

# ---- J1, J2


@pytest.mark.parametrize(
    ("kind", "first", "after"), [("legal", "welcome-migration", 2 * DAY), ("natural", "welcome-price", 6 * HOUR)]
)
def test_welcome_is_six_letters_and_a_text_for_who_opens_nothing(kind, first, after):
    world = one("welcome")
    if kind == "legal":
        world.meets("p", "welcome", "kind")
    world.does("p", "Registered")
    world.later(60 * DAY)
    fourth = after + 4 * DAY
    assert world.got() == [
        (first, after), ("welcome-2", after + DAY), ("welcome-3", after + 3 * DAY), ("welcome-4", fourth), ("welcome-4-sms", fourth + 12 * HOUR),
        ("welcome-5", fourth + 2 * DAY), ("welcome-6", fourth + 3 * DAY),
    ]  # fmt: skip


def test_a_top_up_ends_the_welcome_at_once_and_who_reads_gets_no_text():
    world = one("welcome", first_natural="3h")
    world.does("p", "Registered")
    world.later(3 * HOUR + 4 * DAY)
    (mail,) = [i for i in world.intents if i.template == "welcome-4"]
    world.fact("p", "Email Opened", lane="bulk", properties={"intent": mail.id})
    world.later(DAY)
    assert [name for name, _ in world.got()] == ["welcome-price", "welcome-2", "welcome-3", "welcome-4"]
    world.does("p", "Balance Topped Up")
    world.later(60 * DAY)
    assert len(world.got()) == 4 and world.told("goal") == [("goal", "pause5", "goal")]


def test_activation_goes_at_once_as_a_service_letter():
    world = one("activation")
    world.does("p", "Registered", login="ann")
    (letter,) = world.intents
    assert (letter.template, letter.message_class, letter.received_at) == ("activation", "service", T0)


# ---- J3, J15


@pytest.mark.parametrize("product", ["cloud", "servers", "storage", "databases"])
def test_onboarding_begins_with_the_first_purchase_and_ends_with_the_extra_service(product):
    world = one("onboarding")
    world.meets("p", f"onboarding-{product}", "audience")
    world.does("p", "Order Completed", product_type=product)
    world.does("p", "Order Completed", product_type="other")
    world.later(60 * DAY)
    assert world.got() == [(f"onboarding-{n}", days * DAY) for n, days in ((1, 0), (2, 1), (3, 4), (4, 8))]
    assert {i.data["param"]["product"] for i in world.intents} == {product}
    buys = one("onboarding")
    buys.meets("p", f"onboarding-{product}", "audience")
    buys.does("p", "Order Completed", product_type=product)
    buys.later(2 * DAY)
    buys.does("p", "Order Completed", product_type="monitoring")
    buys.later(60 * DAY)
    assert [name for name, _ in buys.got()] == ["onboarding-1", "onboarding-2"]
    again = one("onboarding")  # who has bought it before does not meet the audience
    again.does("p", "Order Completed", product_type=product)
    again.later(60 * DAY)
    assert again.got() == []


def test_one_document_warms_for_each_course():
    world = one("course-warming")
    world.does("p", "Course Viewed", course="python")
    world.does("p", "Course Viewed", course="chess")
    world.later(10 * DAY)
    assert world.got() == [("course-python", HOUR), ("course-2", HOUR + DAY), ("course-3", HOUR + 3 * DAY)]
    world.does("p", "Course Viewed", course="1c")
    world.later(2 * HOUR)
    world.does("p", "Course Paid", course="python")
    world.does("p", "Course Paid", course="1c")
    world.later(10 * DAY)
    assert [name for name, _ in world.got()[3:]] == ["course-1c"]


# ---- J4, J12


def test_an_online_event_is_said_a_day_and_an_hour_before():
    world = one("events")
    world.does("p", "Event Registered", event_id="e", format="online", starts_at=T0 + 10 * DAY, role="cto", company="Acme")
    world.later(20 * DAY)
    assert world.got() == [
        ("event-online", 0), ("event-online-day", 9 * DAY), ("event-online-hour", 10 * DAY - HOUR), ("event-theme", 11 * DAY)
    ]  # fmt: skip
    said = world.attributes()
    assert (said["role"], said["company"]) == ("cto", "Acme")


@pytest.mark.parametrize("confirms", [True, False])
def test_who_does_not_confirm_moves_to_the_online_chain(confirms):
    world = one("events")
    world.does("p", "Event Registered", event_id="e", format="offline", starts_at=T0 + 10 * DAY)
    world.later(9 * DAY + HOUR)
    if confirms:
        world.does("p", "Event Confirmed", event_id="other")
        world.does("p", "Event Confirmed", event_id="e")
    world.later(20 * DAY)
    asked = [("event-offline", 0), ("event-offline-days", 8 * DAY), ("event-confirm", 9 * DAY)]
    six_before, hour_before = 10 * DAY - 6 * HOUR, 10 * DAY - HOUR
    rest = [("event-offline-hours", six_before)] if confirms else [("event-online", six_before), ("event-online-hour", hour_before)]
    assert world.got() == [*asked, *rest, ("event-theme", 11 * DAY)]


def test_the_invitation_goes_by_telegram_else_by_mail_on_the_day():
    world = Played("events", at=T0, invite_on="2010-11-25")
    for who, kinds in (("chats", "email telegram_id"), ("mails", "email"), ("says_no", "email telegram_id")):
        world.person(who, kinds=kinds)
        if who != "says_no":
            world.meets(who, "event-invitation", "schedule")
    world.later(20 * DAY)
    at = 3 * DAY + 12 * HOUR
    assert world.got("chats") == [("event-invitation-chat", at)]
    assert world.got("mails") == [("event-invitation", at)]
    assert world.got("says_no") == []
    assert {(i.message_class, i.topic) for i in world.intents} == {("mass", "events")}


@pytest.mark.parametrize(
    ("does", "last"),
    [
        ((), [("webinar-recording", 5 * DAY + 3 * HOUR)]),
        ((("Webinar Attended", 5 * DAY + MINUTE),), [("webinar-offer", 6 * DAY + MINUTE)]),
        ((("Webinar Attended", 5 * DAY), ("Order Completed", 5 * DAY + 2 * HOUR)), []),
    ],
)
def test_a_webinar_is_said_before_and_goes_on_by_who_came_and_who_paid(does, last):
    world = one("webinar")
    world.does("p", "Webinar Registered", webinar_id="w", starts_at=T0 + 5 * DAY)
    for event, at in does:
        world.run(T0 + at)
        world.does("p", event, webinar_id="w")
    world.later(20 * DAY)
    before = [("webinar-registered", 0), ("webinar-day", 4 * DAY), ("webinar-hour", 5 * DAY - HOUR)]
    assert world.got() == [*before, *last]


# ---- J5, J6, J17


@pytest.mark.parametrize("middle", [True, False])
def test_a_trial_of_14_days_and_a_manager_for_the_middle_ones(middle):
    world = one("trial")
    if middle:
        world.membership("p", "trial-middle")
    world.does("p", "Trial Started")
    world.later(100 * DAY)
    days = {
        "trial-1": 0,
        "trial-2": 3,
        "trial-3": 7,
        "trial-ending": 12,
        "trial-ended": 14,
        "trial-renew": 17,
        "trial-news": 30,
        "trial-back": 60,
    }
    assert [(name, at) for name, at in world.got() if name != "crm"] == [(name, day * DAY) for name, day in days.items()]
    assert [(i.template, i.channel, i.received_at - T0) for i in world.intents if i.template == "crm"] == (
        [("crm", "webhook", 14 * DAY)] if middle else []
    )


def test_a_paid_subscription_ends_the_trial():
    world = one("trial")
    world.membership("p", "trial-middle")
    world.does("p", "Trial Started")
    world.later(13 * DAY)
    world.does("p", "Subscription Paid")
    world.later(100 * DAY)
    assert [name for name, _ in world.got()] == ["trial-1", "trial-2", "trial-3", "trial-ending"]


def test_a_cancellation_asks_tells_the_product_team_and_marks_him():
    world = one("churn-survey", "win-back")
    world.does("p", "Subscription Cancelled")
    (ask,) = world.intents
    assert (ask.template, ask.message_class) == ("churn-survey", "service")
    assert world.attributes()["churned"] is True, "the segments of win-back leave out whoever is marked so"
    world.later(DAY)
    world.does("p", "Survey Completed", survey="other")
    world.does("p", "Survey Completed", survey="churn")
    assert [(i.template, i.channel) for i in world.intents[1:]] == [("product-team", "webhook")]


@pytest.mark.parametrize("kind", ["gone", "never"])
def test_win_back_is_two_letters_until_an_order(kind):
    world = one("win-back")
    for who in ("p", world.person("buys"), world.person("marked")):
        world.membership(who, f"winback-{kind}")
    world.later(DAY)
    world.does("buys", "Order Completed")
    world.membership("marked", f"winback-{kind}", "left")
    world.later(60 * DAY)
    assert world.got("p") == [(f"winback-{kind}-1", 0), (f"winback-{kind}-2", 7 * DAY)]
    assert world.got("buys") == world.got("marked") == [(f"winback-{kind}-1", 0)]


# ---- J7


def test_an_abandoned_cart_is_said_after_an_hour_and_a_day_unless_he_orders():
    world = one("abandoned-cart")
    world.does("p", "Product Added", name="Kettle")
    world.later(30 * MINUTE)
    world.does("p", "Product Added", name="Cup")
    world.later(10 * DAY)
    assert world.got() == [("cart-1", HOUR), ("cart-2", HOUR + DAY)]
    assert world.intents[0].data["event"]["name"] == "Kettle"
    for at in (30 * MINUTE, 2 * HOUR):
        world.does("p", "Product Added", name="Cup")
        world.later(at)
        world.does("p", "Order Completed")
        world.later(10 * DAY)
    assert [name for name, _ in world.got()] == ["cart-1", "cart-2", "cart-1"]


def test_an_abandoned_view_is_said_once_for_each_page_without_an_application():
    world = one("abandoned-view")
    world.does("p", "Page Viewed", path="/")
    for landing in ("a", "b", "a"):
        world.does("p", "Page Viewed", landing=landing)
        world.later(MINUTE)
    world.does("p", "Application Sent", landing="b")
    world.later(10 * DAY)
    assert world.got() == [("abandoned-view", 2 * HOUR)]
    assert world.intents[0].data["event"]["landing"] == "a"


# ---- J8


@pytest.mark.parametrize(("codes", "first"), [(1, "deal-discount"), (0, "deal-price")])
def test_too_expensive_is_a_discount_and_then_motivation(codes, first):
    world = one("lost-deal", codes={"lost-deal": codes})
    world.does("p", "Deal Lost", deal_id="1", reason_lost="too expensive")
    world.later(60 * DAY)
    assert world.got() == [(first, 0), ("deal-motivation", 4 * DAY)]
    assert world.codes_of(world.intents[0]) == ({"code": "LOST-DEAL-0"} if codes else {})


def test_bank_refused_is_a_month_later_apply_again_or_another_bank():
    world = one("lost-deal")
    world.meets(world.person("other"), "deal-bank-refused", "bank")
    for who in ("p", "other", world.person("won")):
        world.does(who, "Deal Lost", deal_id=who, reason_lost="bank refused")
    world.later(DAY)
    world.does("won", "Deal Won", deal_id="won")
    world.later(60 * DAY)
    assert (world.got("p"), world.got("other"), world.got("won")) == ([("deal-again", 30 * DAY)], [("deal-bank", 30 * DAY)], [])


# ---- J9


def test_nps_goes_when_a_month_has_passed_and_not_again_for_90_days():
    world = one("nps")
    for days in (0, 40, 95):
        world.run(T0 + days * DAY)
        world.membership("p", "nps-due")
        world.membership("p", "nps-due", "left")
    assert world.got() == [("nps", 0), ("nps", 95 * DAY)]


@pytest.mark.parametrize(("codes", "letter"), [(1, "birthday-code"), (0, "birthday-greeting")])
def test_a_birthday_brings_a_code_or_a_greeting_at_ten(codes, letter):
    world = one("birthday", codes={"birthday": codes})
    world.day_of("p", "birthday")
    world.later(10 * DAY)
    assert world.got() == [(letter, 10 * HOUR)]
    assert [world.codes_of(i) for i in world.intents] == [{"gift": "BIRTHDAY-0"} if codes else {}]


@pytest.mark.parametrize("taken", [True, False])
def test_points_are_told_once_the_loyalty_system_has_taken_them(taken):
    world = one("birthday-points", prompt=taken)
    world.day_of("p", "birthday-points")
    world.later(10 * DAY)
    assert world.got() == [("loyalty", 10 * HOUR), ("birthday-points", 10 * HOUR) if taken else ("birthday-wishes", 12 * HOUR)]


def test_novelties_go_on_the_first_of_each_month_to_who_may_be_written_to():
    world = one("novelties")
    world.person("says_no")
    world.meets("p", "novelties", "schedule")
    world.later(45 * DAY)
    assert world.got() == [("novelties", 9 * DAY + 11 * HOUR), ("novelties", 40 * DAY + 11 * HOUR)]
    assert {i.message_class for i in world.intents} == {"mass"}


def test_care_tips_go_two_months_after_each_purchase():
    world = one("care-tips")
    for order in ("1", "2", "1"):
        world.does("p", "Order Completed", order_id=order)
        world.later(DAY)
    world.later(100 * DAY)
    assert world.got() == [("care-tips", 60 * DAY), ("care-tips", 61 * DAY)]


# ---- J14, J16, J18


@pytest.mark.parametrize(
    ("known_on", "expected"),
    [
        (0, [("discovery-ask", 0), ("discovery-warm-1", DAY), ("discovery-warm-2", 4 * DAY)]),
        (None, [("discovery-ask", 0), ("discovery-again", 7 * DAY)]),
        (2, [("discovery-ask", 0), ("discovery-warm-1", 3 * DAY), ("discovery-warm-2", 6 * DAY)]),
        (9, [("discovery-ask", 0), ("discovery-again", 7 * DAY), ("discovery-warm-1", 10 * DAY), ("discovery-warm-2", 13 * DAY)]),
    ],
)
def test_discovery_asks_twice_and_warms_once_his_interest_is_known(known_on, expected):
    world = one("discovery")
    if known_on == 0:
        world.meets("p", "discovery", "known")
    world.membership("p", "discovery-unknown")
    if known_on:
        world.later(known_on * DAY)
        world.meets("p", "discovery", "known")
        world.meets("p", "discovery", "known_late")
    world.later(60 * DAY)
    assert world.got() == expected


def test_discovery_learns_his_kind_from_the_answer_and_his_interest_from_what_he_looks_at():
    world = one("discovery")
    for survey, question in (("other", "kind"), ("discovery", "words")):
        world.does("p", "Survey Answered", survey=survey, question=question, answer="natural")
    world.does("p", "Product Viewed", product_type="cloud")
    assert world.attributes() == {}, "of whom it is known, nothing is learnt by what he looks at"
    world.does("p", "Survey Answered", survey="discovery", question="kind", answer="legal")
    world.meets("p", "discovery-seen", "audience")
    for product in ("sofas", "servers"):
        world.does("p", "Product Viewed", product_type=product)
    assert world.attributes() == {"kind": "legal", "interest": "servers"}


def test_buyers_of_a_marketplace_are_reminded_and_told_of_their_supplier():
    world = one("marketplace")
    world.day_of("p", "next-purchase")
    world.membership("p", "supplier-quiet")
    world.later(DAY)
    assert sorted(world.got()) == [("next-purchase", 10 * HOUR), ("supplier", 0)]
    assert world.journeys["next-purchase"].trigger.date.offset == "-3d"


@pytest.mark.parametrize(("form", "pool"), [("embedded", "percent"), ("popup", "roubles")])
def test_a_promo_code_comes_at_once_and_the_same_again_after_three_days(form, pool):
    world = one("promo-welcome", codes={"welcome-percent": 2, "welcome-roubles": 2})
    world.does("p", "Subscribed", form=form)
    world.later(10 * DAY)
    assert world.got() == [("promo-welcome", 0), ("promo-again", 3 * DAY)]
    assert [world.codes_of(i) for i in world.intents] == [{pool: f"WELCOME-{pool}-0".upper()}] * 2
    buys = one("promo-welcome", codes={"welcome-percent": 1, "welcome-roubles": 1})
    buys.does("p", "Subscribed", form=form)
    buys.later(DAY)
    buys.does("p", "Order Completed")
    buys.later(10 * DAY)
    assert buys.got() == [("promo-welcome", 0)]
    bare = one("promo-welcome", codes={})
    bare.does("p", "Subscribed", form=form)
    bare.later(10 * DAY)
    assert bare.got() == [("promo-none", 0)]
