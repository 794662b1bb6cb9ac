"""Funnels, cohorts, touch points, channels, lifetime and retention: small stories whose figures one can tell by hand."""

from typing import Any

import pytest

from schemas.attribution import LATEST
from schemas.facts import Fact
from services.audience.handler.answering import Refused
from services.audience.reports.cohort import MOST_PRODUCTS
from services.audience.reports.touchpoints import MOST_PLACES
from services.gateway.domain.dashboards import currencies
from services.gateway.domain.faults import FAULTS
from tests.audience.kept import ANN, BOB, CID, Kept, fact, merged
from tests.audience.test_attribution import AT, DAY, NOW, TARGET, asked, click, order

EVERYBODY = {"kind": "all", "of": []}
STEPS = [{"event": "Signed Up"}, {"event": "Applied"}, {"event": "Order Completed"}]


def did(who: str, event: str, at: int, **more: Any) -> Fact:
    return fact(who, f"{event} {at} {more}", event, at, properties=more)


def people(steps: list[dict[str, Any]]) -> list[int]:
    return [one["people"] for one in steps]


def test_a_funnel_by_hand(kept: Kept) -> None:
    kept.told(
        did(ANN, "Signed Up", AT, kind="legal"), did(ANN, "Applied", AT + 2 * DAY), order(ANN, 1, AT + 3 * DAY),
        did(BOB, "Signed Up", AT, kind="natural"), did(BOB, "Applied", AT), did(BOB, "Applied", AT + 4 * DAY), order(BOB, 1, AT + 10 * DAY + 1),
        did(CID, "Applied", AT),
    )  # fmt: skip
    found = asked(kept, "funnel", steps=STEPS, window="10d", by="kind")
    assert people(found["steps"]) == [2, 2, 1], "not in the same instant, and not a moment after the window"
    assert found["steps"][1]["took_ms"] == {"q1": 2 * DAY + DAY // 2, "median": 3 * DAY, "q3": 3 * DAY + DAY // 2}
    assert [(one["value"], people(one["steps"])) for one in found["groups"]] == [("legal", [1, 1, 1]), ("natural", [1, 1, 0])]
    assert asked(kept, "funnel", steps=STEPS, window="10d", figure="step.3")["people"] == [ANN]
    kept.told(merged(BOB, CID, at=300 * DAY))
    assert people(asked(kept, "funnel", steps=STEPS, window="10d")["steps"]) == [2, 2, 1], (
        "what one of them did before counts for nobody"
    )


def test_people_of_a_young_cohort_still_have_time(kept: Kept) -> None:
    kept.told(did(ANN, "Signed Up", AT), did(BOB, "Signed Up", NOW - 5 * DAY), order(ANN, 1, AT + DAY))
    found = asked(kept, "funnel", steps=[STEPS[0], STEPS[2]], window="10d", until=NOW + 1)
    assert [(sum(one["people"]), one["mature"]) for one in found["cohorts"] if sum(one["people"])] == [(2, True), (1, False)]
    assert (people(found["steps"]), people(found["complete"])) == ([2, 1], [1, 1])


def test_five_times_the_traffic_and_a_fifth_more_leads_is_a_fall(kept: Kept) -> None:
    """100,000 visits and 100 leads, then 500,000 and 120."""
    ids = [fact(ANN, n).id for n in range(220)]
    march, april = 59 * DAY, 90 * DAY
    kept.told(*(did(who, "Signed Up", march if n < 100 else april) for n, who in enumerate(ids)))
    traffic = [{"day": day, "visits": visits, "cost": 700, "currency": "RUB"}
               for day, visits in (("1970-03-01", 60_000), ("1970-03-31", 40_000), ("1970-04-30", 500_000), ("1970-05-01", 9))]  # fmt: skip
    found = asked(kept, "funnel", steps=STEPS, since=march, until=120 * DAY, traffic=traffic)
    first, second = found["cohorts"]
    assert (first["people"][0], first["traffic"], first["entered_per_visit"]) == (
        100,
        {"visits": 100_000, "cost": {"RUB": 1400}},
        0.001,
    )
    assert (second["people"][0], second["traffic"]["visits"], second["entered_per_visit"]) == (120, 500_000, 0.00024)
    assert second["against_previous"] == {"change": -0.76, "reading": "fall"}
    assert found["traffic"]["visits"] == 600_000, "what lies beyond the period is not in it"


@pytest.mark.parametrize(
    ("name", "body", "path"),
    [
        ("attribution", {"target": TARGET}, "target.currency"),
        ("channels", {"by": "quarter"}, "target.currency"),
        ("lifetime", {}, "purchase.currency"),
        ("cohort", {"among": EVERYBODY}, "purchase.currency"),
    ],
)
def test_amounts_of_several_currencies_are_refused_as_every_report_does(
    kept: Kept, name: str, body: dict[str, Any], path: str
) -> None:
    kept.told(
        did(ANN, "Signed Up", AT),
        did(ANN, "Order Completed", AT + 1, total={"minor": 5, "currency": "USD"}),
        did(ANN, "Order Completed", AT + 2, total={"minor": 5, "currency": "RUB"}),
        did(ANN, "Order Completed", AT + 3, total=5),
    )
    with pytest.raises(Refused) as refused:
        asked(kept, name, **body)
    (fault,) = refused.value.faults
    assert (fault.path, fault.code, fault.params) == (path, "currencies_mixed", {"names": "?, RUB, USD"})
    assert FAULTS[fault.code].ru and currencies([fault.model_dump()]) == ["RUB", "USD"], "the gateway knows what is meant"


def test_the_ready_funnel(kept: Kept) -> None:
    kept.told(
        did(ANN, "Page Viewed", AT, landing="content"), did(ANN, "Signed Up", AT + 1),
        *(did(who, "Page Viewed", AT + 2, landing="product") for who in (ANN, BOB, CID)),
        did(ANN, "Application Submitted", AT + 3), did(ANN, "Application Submitted", AT + DAY), order(ANN, 1, AT + 2 * DAY),
        did(BOB, "Application Submitted", AT + 3), did(BOB, "Application Submitted", AT + 20 * DAY),
        did(CID, "Application Submitted", AT + 3),
    )  # fmt: skip
    found = asked(kept, "stages", cohorts="year", since=0, until=NOW)["cohorts"][0]
    assert (found["c0"], found["c1"], found["c2"], found["c3"]) == (1.0, 1.0, round(1 / 3, 9), 0.5)
    assert (found["unsold"], found["repeats"], found["basis"]) == (2, 1, {"c0": "visitors", "c1": "visitors"})
    traffic = [{"day": "1970-08-20", "landing": "product", "visits": 300}]
    found = asked(kept, "stages", cohorts="year", since=0, until=NOW, traffic=traffic)["cohorts"][0]
    assert (found["c1"], found["basis"]["c1"]) == (0.01, "visits")


def test_a_cohort_by_opens_is_a_correlation(kept: Kept) -> None:
    ids = [fact(ANN, n).id for n in range(40)]
    kept.told(*(did(who, "Signed Up", AT) for who in ids))
    kept.told(
        *(did(who, "Email Opened", AT + day * DAY) for who in ids[:10] for day in (1, 2)), did(ids[20], "Email Opened", AT + DAY)
    )
    kept.told(
        *(order(who, 1, AT + 3 * DAY, 200 if n < 10 else 100, product="cloud") for n, who in enumerate(ids[:39])),
        order(ids[39], 1, AT + 3 * DAY, 1_000_000, product="cloud"),
    )
    kept.told(order(ids[0], 2, AT + 4 * DAY, 0, product="mail"))
    found = asked(kept, "cohort", among=EVERYBODY, product="product")
    assert [(one["name"], one["people"]) for one in found["groups"]] == [("0-1", 30), ("2+", 10)]
    assert (found["revenue"]["dropped"], found["revenue"]["without_outliers"][1]["against_first"]) == (1, 1.0)
    assert found["revenue"]["all"][0]["mean"] > found["revenue"]["all"][1]["mean"], "one check made the others look rich"
    assert [(one["product"], one["people"], one["revenue"]["dropped"]) for one in found["products"]] == [
        ("cloud", 40, 1),
        ("mail", 1, 0),
    ]
    assert [one["share"] for one in found["cross_sell"]] == [0.0, 0.1]
    assert found["correlation"] is True and "uplift" not in str(found).lower()


def test_what_machines_open_counts_for_nobody_and_proxies_stand_apart(kept: Kept) -> None:
    kept.told(
        *(did(who, "Signed Up", AT) for who in (ANN, BOB)), did(ANN, "Email Opened", AT + 1), did(ANN, "Email Opened", AT + 2)
    )
    assert asked(kept, "cohort", among=EVERYBODY)["proxy_opens"] is None, "nothing says who fetched them"
    kept.told(
        did(BOB, "Email Opened", AT + 1, machine=True),
        did(BOB, "Email Opened", AT + 2, user_agent="Mozilla/5.0 (via ggpht.com GoogleImageProxy)"),
    )
    found = asked(kept, "cohort", among=EVERYBODY)
    assert found["proxy_opens"] == {"opens": 4, "by_machine": 1, "by_proxy": 1}
    assert [one["people"] for one in found["groups"]] == [1, 1]
    kept.told(did(BOB, "Email Opened", AT + 3, machine=False))
    assert [one["people"] for one in asked(kept, "cohort", among=EVERYBODY)["groups"]] == [0, 2]


def test_a_cohort_by_conditions_and_behind_a_landmark(kept: Kept) -> None:
    kept.told(
        did(ANN, "Signed Up", AT), did(ANN, "Email Opened", AT + DAY), did(ANN, "Email Opened", AT + 2 * DAY), order(ANN, 1, AT + DAY, 50),
        order(ANN, 2, AT + 11 * DAY, 70), did(BOB, "Signed Up", AT), did(BOB, "Email Opened", AT + DAY), did(BOB, "Email Opened", AT + 12 * DAY),
        did(CID, "Signed Up", AT - 60 * DAY),
    )  # fmt: skip
    found = asked(kept, "cohort", among=EVERYBODY, landmark="10d", usage={"event": "Email Opened"})
    assert [(one["people"], one["sum"]) for one in found["revenue"]["all"]] == [(1, 0), (1, 70)], "opens before it, money after it"
    assert [one["sum"] for one in found["days_of_use"]["all"]] == [1, 0]
    assert "at_equal_activity" in found
    last = {"among": EVERYBODY, "landmark": "10d"}
    ends = [asked(kept, "cohort", **last, **when) for when in ({"until": AT + 10 * DAY}, {"until": AT + 10 * DAY + 1}, {"now": AT + 10 * DAY - 1}, {"now": AT + 10 * DAY})]  # fmt: skip
    assert [(one["people"], one["left_out"]) for one in ends] == [(0, 2), (2, 0), (0, 2), (2, 0)], (
        "whose landmark is not over is in no group"
    )
    groups = [{"name": "buyers", "condition": {"kind": "did", "event": "Order Completed"}}, {"name": "all", "condition": EVERYBODY}]
    found = asked(kept, "cohort", among=EVERYBODY, groups=groups)
    assert [one["people"] for one in found["groups"]] == [1, 1]
    with pytest.raises(Refused, match="who differs"):
        asked(kept, "cohort", among=EVERYBODY, groups=[{"name": "uplift of letters", "condition": EVERYBODY}])


def test_touch_points_before_first_purchases_a_year_apart(kept: Kept) -> None:
    year = 365 * DAY
    ad = fact(BOB, "ad", "Page Viewed", AT + year, context={"page": {"search": "?gclid=1"}})
    kept.told(click(ANN, 1, AT), order(ANN, 1, AT + DAY), click(ANN, 4, AT + year, intent="four"), order(ANN, 2, AT + year + DAY))
    kept.told(
        ad,
        click(BOB, 2, AT + year, intent="two"),
        order(BOB, 1, AT + year + DAY),
        order(CID, 1, AT + year + DAY),
        click(CID, 3, AT + year + 2 * DAY, intent="three"),
    )
    found = asked(kept, "touchpoints", since=220 * DAY + year, until=250 * DAY + year, now=300 * DAY + year)
    assert (found["first_buyers"], found["first_buyers_a_year_ago"]) == (2, 1)
    channels = {one["channel"]: (one["people"], one["a_year_ago"], one["share"]) for one in found["channels"]}
    assert channels == {"email": (1, 1, 0.5), "paid": (1, 0, 0.5)}, (
        "who bought before is no first buyer, and what came after led nowhere"
    )


def test_what_becomes_of_contacts_by_the_place_where_they_were_left(kept: Kept) -> None:
    kept.told(
        *(did(who, "Popup Shown", AT, touchpoint="popup") for who in (ANN, BOB, CID)), did(ANN, "Popup Shown", AT + 1, touchpoint="popup"),
        did(ANN, "Contact Left", AT + 2, touchpoint="popup"), did(ANN, "Signed Up", AT + 3), order(ANN, 1, AT + 4, 500), order(ANN, 2, AT + 5, 50),
        order(BOB, 1, AT - DAY, 900), did(BOB, "Contact Left", AT + 2, touchpoint="landing"),
        did(CID, "Signed Up", AT - DAY), did(CID, "Contact Left", AT + 2, touchpoint="popup"),
    )  # fmt: skip
    found = {row["place"]: row for row in asked(kept, "touchpoints")["places"]}
    assert [found["popup"][name] for name in ("shows", "shown", "left", "new", "registered", "paid", "revenue")] == [
        4,
        3,
        2,
        1,
        1,
        1,
        550,
    ]
    assert [found["landing"][name] for name in ("shows", "shown", "left", "new", "registered", "paid", "revenue")] == [
        0,
        0,
        1,
        0,
        0,
        0,
        0,
    ]


def test_who_registers_and_buys_by_the_very_form_is_new_and_did_so(kept: Kept) -> None:
    kept.told(did(ANN, "Contact Left", AT, touchpoint="form"), did(ANN, "Signed Up", AT), order(ANN, 1, AT, 500))
    (row,) = asked(kept, "touchpoints")["places"]
    assert [row[name] for name in ("left", "new", "registered", "paid", "revenue")] == [1, 1, 1, 1, 500]


def test_of_very_many_places_and_products_the_largest_stand_alone(kept: Kept) -> None:
    kept.told(
        *(did(ANN, "Popup Shown", AT + n, touchpoint=f"p{n:04}") for n in range(MOST_PLACES + 3)),
        did(BOB, "Popup Shown", AT, touchpoint="p0202"), did(BOB, "Popup Shown", AT, touchpoint="p0000"),
        did(ANN, "Contact Left", AT + DAY, touchpoint="p0001"), did(BOB, "Contact Left", AT + DAY, touchpoint="p0201"),
        *(did(who, "Signed Up", AT) for who in (ANN, BOB)), order(BOB, 1, AT + 2 * DAY, 7, product="a"), order(BOB, 3, AT + 2 * DAY, 5),
        *(order(ANN, n, AT + 2 * DAY, 1, product=f"a{n % (MOST_PRODUCTS + 1):03}") for n in range(2 * MOST_PRODUCTS + 2)),
    )  # fmt: skip
    found = asked(kept, "touchpoints")["places"]
    names = [row["place"] for row in found]
    assert (len(names), names[:2], names[-2:]) == (MOST_PLACES + 1, ["p0000", "p0001"], ["p0202", "(others)"])
    assert {name: found[-1][name] for name in ("shows", "shown", "left", "new")} == {"shows": 3, "shown": 1, "left": 0, "new": 0}
    assert asked(kept, "touchpoints", figure="left.p0201")["people"] == [BOB]
    cohort = asked(kept, "cohort", among=EVERYBODY, product="product")
    products = [(one["product"], one["people"], one["revenue"]["all"][0]["sum"]) for one in cohort["products"]]
    assert (len(products), products[0], products[-1]) == (MOST_PRODUCTS + 1, ("a000", 1, 2), ("(others)", 2, 9))
    assert (cohort["cross_sell"][0]["buyers"], cohort["cross_sell"][0]["several"]) == (2, 1)


def test_no_calendar_reaches_beyond_9999_and_a_question_that_does_is_refused(kept: Kept) -> None:
    kept.told(order(ANN, 1, AT), did(ANN, "Signed Up", AT))
    everything: dict[str, dict[str, Any]] = {
        "touchpoints": {}, "retention": {}, "stages": {}, "channels": {}, "funnel": {"steps": STEPS, "cohorts": "year"},
        "attribution": {"target": TARGET}, "cohort": {"among": EVERYBODY},
    }  # fmt: skip
    for name, body in everything.items():
        with pytest.raises(Refused) as refused:
            asked(kept, name, **body, since=0, until=2**53 - 1)
        assert [(one.path, one.code) for one in refused.value.faults] == [("until", "less_than_equal")]
        for first, last in ((0, DAY), (LATEST - DAY, LATEST)):
            assert asked(kept, name, **body, since=first, until=last, zone="Pacific/Kiritimati")["as_of"] == NOW


def test_periods_that_have_not_begun_are_no_age(kept: Kept) -> None:
    kept.told(order(ANN, 1, AT, 100), order(BOB, 1, AT - 32 * DAY, 70))
    for name in ("retention", "lifetime"):
        first, second, third, *_ = asked(kept, name, periods=12, since=AT - 40 * DAY, until=600 * DAY, now=AT + DAY)["cohorts"]
        lengths = [len(one["back" if name == "retention" else "revenue"]) for one in (first, second, third)]
        assert (lengths, [one["last_is_open"] for one in (first, second, third)]) == ([2, 1, 0], [True] * 3)


def test_a_payment_days_later_has_mail_and_sales_side_by_side(kept: Kept) -> None:
    kept.told(
        click(ANN, 1, AT), did(ANN, "Invoice Sent", AT + DAY), order(ANN, 1, AT + 5 * DAY, 1000),
        click(BOB, 2, AT, intent="two"), order(BOB, 1, AT + DAY, 300), did(CID, "Invoice Sent", AT), order(CID, 1, AT + DAY, 200),
    )  # fmt: skip
    traffic = [{"day": "1970-08-20", "visits": 5, "cost": 70, "currency": "GBP"}]
    found = asked(kept, "channels", target=TARGET, sales={"event": "Invoice Sent"}, teams={"journey": "retention"}, traffic=traffic)
    assert {name: one["revenue"] for name, one in found["side_by_side"].items()} == {
        "mail": 300,
        "sales": 200,
        "both": 1000,
        "neither": 0,
    }
    assert (found["credited"]["mail"]["revenue"], found["credited"]["sales"]["revenue"], found["ad_spend"]["cost"]) == (
        1300,
        1200,
        {"GBP": 70},
    )
    assert [(one["name"], one["revenue"]) for one in found["by"]["team"]] == [("(nobody)", 200), ("retention", 1300)]
    assert [(one["name"], one["share"]) for one in found["by"]["mechanic"]] == [
        ("(nobody)", round(200 / 1500, 6)),
        ("journey:welcome", round(1300 / 1500, 6)),
    ]


def test_a_payment_that_is_told_again_is_one_by_its_key_in_channels_too(kept: Kept) -> None:
    kept.told(click(ANN, 1, AT), order(ANN, 1, AT + DAY, 500, order_id="A"), order(ANN, 2, AT + 10 * DAY, 300, order_id="A"))
    found = [asked(kept, "channels", target=TARGET, **more) for more in ({}, {"key": "order_id"})]
    assert [(one["conversions"], one["side_by_side"]["mail"]["revenue"]) for one in found] == [(2, 500), (1, 300)]


def test_lifetime_and_retention_by_month(kept: Kept) -> None:
    kept.told(
        order(ANN, 1, AT, 100),
        order(ANN, 2, AT + 31 * DAY, 50),
        order(BOB, 1, AT + DAY, 10),
        order(CID, 1, AT - 100 * DAY, 7),
        order(CID, 2, AT, 7),
    )
    found = asked(kept, "lifetime", periods=3)["cohorts"][0]
    assert (found["people"], found["revenue"], found["per_person"]) == (2, [110, 160, 160], [55.0, 80.0, 80.0])
    found = asked(kept, "retention", periods=3)["cohorts"][0]
    assert (found["back"], found["share"], found["last_is_open"]) == ([2, 1, 0], [1.0, 0.5, 0.0], False)
    assert asked(kept, "lifetime", figure="cohort.1970-08-01")["count"] == 2


def test_what_was_paid_back_makes_sums_smaller_and_no_share_of_less_than_nothing(kept: Kept) -> None:
    kept.told(
        *(did(who, "Signed Up", AT) for who in (ANN, BOB, CID)), *(did(BOB, "Email Opened", AT + n) for n in (1, 2)),
        click(ANN, 1, AT), order(ANN, 1, AT + DAY, 100), order(ANN, 2, AT + 31 * DAY, -30), order(BOB, 1, AT + DAY, 300),
        order(CID, 1, AT + DAY, -500),
    )  # fmt: skip
    money = asked(kept, "cohort", among=EVERYBODY)["revenue"]
    assert [(one["sum"], one["against_first"]) for one in money["all"]] == [(-400, None), (300, None)]
    assert (money["dropped"], money["without_outliers"]) == (0, money["all"]), "the mean of all is below 0"
    money = asked(kept, "cohort", among=EVERYBODY, until=AT + 40 * DAY)["revenue"]
    assert [one["sum"] for one in money["all"]] == [-430, 300]
    found = asked(kept, "channels", sales={"event": "Signed Up"})
    assert {name: (one["revenue"], one["share"]) for name, one in found["side_by_side"].items()} == {
        "mail": (0, None), "sales": (-200, None), "both": (100, None), "neither": (0, None),
    }  # fmt: skip
    assert (found["revenue"], [(one["name"], one["revenue"], one["share"]) for one in found["by"]["channel"]]) == (
        -100,
        [("(nobody)", -200, None), ("email", 100, None)],
    )
    found = asked(kept, "lifetime", periods=3)["cohorts"][0]
    assert (found["revenue"], found["per_person"]) == ([-100, -130, -130], [-33.3333, -43.3333, -43.3333])


def test_who_was_only_paid_back_is_no_buyer_of_a_touch_point(kept: Kept) -> None:
    kept.told(
        *(did(who, "Contact Left", AT, touchpoint="popup") for who in (ANN, BOB, CID)), *(click(who, 1, AT - 2 * DAY) for who in (ANN, BOB, CID)),
        order(ANN, 1, AT - DAY, 100), order(ANN, 2, AT + DAY, -100), order(BOB, 1, AT + DAY, 500), order(BOB, 2, AT + 2 * DAY, -200),
        order(CID, 1, AT - DAY, -50), order(CID, 2, AT + DAY, 0),
    )  # fmt: skip
    found = asked(kept, "touchpoints")
    (row,) = found["places"]
    assert [row[name] for name in ("left", "new", "paid", "revenue")] == [3, 2, 2, 200], "an order of nothing is one"
    assert (found["first_buyers"], found["channels"][0]["people"]) == (3, 3)
    before = asked(kept, "touchpoints", until=AT, figure="buyers")
    assert before["people"] == [ANN], "what was paid back first is no first order"


def test_currencies_of_touch_points_meet_where_they_are_added_up(kept: Kept) -> None:
    kept.told(
        order(ANN, 1, AT, 5, "USD"),
        did(BOB, "Contact Left", AT, touchpoint="popup"),
        order(BOB, 1, AT - 1, 9, "USD"),
        order(BOB, 2, AT, 7),
    )
    found = asked(kept, "touchpoints")
    assert (found["currency"], found["places"][0]["revenue"], found["first_buyers"]) == ("GBP", 7, 2), (
        "others' dollars are not in it"
    )
    kept.told(order(BOB, 3, AT + 1, 9, "USD"))
    with pytest.raises(Refused) as refused:
        asked(kept, "touchpoints")
    (fault,) = refused.value.faults
    assert (fault.path, fault.code, fault.params) == ("purchase.currency", "currencies_mixed", {"names": "GBP, USD"})
    for currency, revenue in (("USD", 9), ("GBP", 7)):
        found = asked(kept, "touchpoints", purchase={**TARGET, "currency": currency})
        assert (found["currency"], found["places"][0]["revenue"], found["places"][0]["paid"]) == (currency, revenue, 1)
    kept.told(order(CID, 1, AT, -3, "USD"))
    found = asked(kept, "touchpoints", purchase={**TARGET, "currency": "GBP"})
    assert found["first_buyers"] == 2, "who was paid back has bought nothing, in whatever currency"
    assert asked(kept, "touchpoints", until=AT)["places"] == [], "nobody, and nothing to add up"
