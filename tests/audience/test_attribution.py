"""Attribution from facts to figures: as somebody would count it who has the list of facts before him."""

from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.facts import Fact
from services.audience.domain.crediting import shown
from services.audience.domain.ways import LONGEST
from services.audience.domain.world import World
from services.audience.handler import analysing
from services.audience.handler.answering import Refused
from services.audience.store.answers import Answers
from tests.audience.kept import ANN, BOB, CID, Kept, fact, merged
from tests.audience.test_crediting import by_hand, weights

DAY = 86_400_000
NOW = 400 * DAY
WHO = (ANN, BOB, CID)
LAST = {"email": 7, "sms": 3, "paid": 30, "other": 30, "organic": 30}


class Did(NamedTuple):
    """One thing: who (0..2), on which day, and what."""

    who: int
    day: int
    what: str
    amount: int = 0


KINDS = ("email welcome", "email spring", "sms spring", "paid autumn", "ad", "other blog", "buy")
histories = st.lists(
    st.builds(Did, st.integers(0, 2), st.integers(200, 260), st.sampled_from(KINDS), st.integers(0, 1000)), max_size=25,
    unique_by=lambda one: one[:3],
)  # fmt: skip


def told(one: Did, number: int) -> Fact:
    """The fact; its instant is that of its kind within the day, so that no two of a person are at one."""
    at = one.day * DAY + KINDS.index(one.what) * 3_600_000
    given: dict[str, Any] = {"at": at}
    if one.what == "buy":
        given |= {"event": "Order Completed", "properties": {"total": {"minor": one.amount, "currency": "GBP"}}}
    elif one.what.startswith(("email", "sms")):
        channel, _, name = one.what.partition(" ")
        said = {"document": f"journey:{name}", "channel": channel, "intent": f"i{number}", "link": 0}
        given |= {"event": f"{'SMS' if channel == 'sms' else 'Email'} Link Clicked", "properties": said}
    elif one.what == "ad":
        given |= {"event": "Page Viewed", "context": {"page": {"search": "?x=1&yclid=17"}}}
    else:
        medium, _, name = one.what.partition(" ")
        campaign = {"source": "somewhere", "medium": "CPC" if medium == "paid" else "guest", "name": name}
        given |= {"event": "Page Viewed", "context": {"campaign": campaign}}
    return fact(WHO[one.who], f"{number} {one}", **given)


def channel_of(what: str) -> str:
    return {"ad": "paid"}.get(what, what.partition(" ")[0])


def group_of(what: str) -> str:
    return {"ad": "paid: ", "other blog": "other: blog"}.get(what, what)


def by_the_list(history: list[Did], joined: bool, window: int) -> dict[str, dict[str, tuple[Fraction, int]]]:
    """Model -> channel -> credit, without Markov; the channel "" got what is left."""
    found: dict[str, dict[str, list[Any]]] = {
        model: defaultdict(lambda: [Fraction(0), 0]) for model in ("last_click", "first_touch", "linear", "position")
    }
    order = sorted(history, key=lambda one: (one.day, KINDS.index(one.what)))
    for buy in order:
        if buy.what != "buy" or not 220 <= buy.day < 250:
            continue
        mine = [one for one in order if _same(one, buy, joined) and one.what != "buy" and one.day <= buy.day]

        def age(one: Did, buy: Did = buy) -> float:
            return buy.day - one.day + (KINDS.index("buy") - KINDS.index(one.what)) / 24

        def give(model: str, way: list[Did], shares: list[Fraction], buy: Did = buy) -> None:
            if not way:
                found[model][""][0] += 1
                found[model][""][1] += buy.amount
            for one, share, minor in zip(way, shares, by_hand(buy.amount, shares) if way else [], strict=True):
                found[model][channel_of(one.what)][0] += share
                found[model][channel_of(one.what)][1] += minor

        reaching = [one for one in mine if age(one) < LAST[channel_of(one.what)]][-1:]
        give("last_click", reaching, [Fraction(1)] * len(reaching))
        early = [one for one in mine if age(one) < 90][:1]
        give("first_touch", early, [Fraction(1)] * len(early))
        way = [one for one in mine if age(one) < window]
        way = [one for place, one in enumerate(way) if place == 0 or group_of(one.what) != group_of(way[place - 1].what)]
        for model in ("linear", "position"):
            give(model, way, weights(model, len(way)) if way else [])
    return {model: {name: (one[0], one[1]) for name, one in of.items()} for model, of in found.items()}


def _same(one: Did, other: Did, joined: bool) -> bool:
    """BOB and CID are one person once they are joined."""
    return one.who == other.who or (joined and one.who > 0 and other.who > 0)


def asked(kept: Kept, name: str = "attribution", **body: Any) -> dict[str, Any]:
    given = {"since": 220 * DAY, "until": 250 * DAY, **body}
    now = given.pop("now", NOW)
    wanted = {key: given.pop(key, None) for key in analysing.WANTED}
    return analysing.report(Answers(kept.index), World({}), name, analysing.read(name, given), wanted, now)


TARGET = {"event": "Order Completed", "value": "total"}


@given(histories, st.booleans(), st.integers(1, 40), st.randoms(use_true_random=False))
@settings(max_examples=14, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_four_models_are_what_one_would_count_from_the_list(history: list[Did], joined: bool, window: int, dice: Any) -> None:
    with TemporaryDirectory() as home:
        kept = Kept(Path(home))
        facts = [told(one, number) for number, one in enumerate(history)]
        dice.shuffle(facts)  # they come in any order
        kept.told(*facts[: len(facts) // 2])
        if joined:
            kept.told(merged(BOB, CID, at=300 * DAY))
        kept.told(*facts[len(facts) // 2 :])
        found = asked(kept, target={**TARGET, "window": f"{window}d"})
        kept.index.close()
        kept.lake.close()
    for model, expected in by_the_list(history, joined, window).items():
        named = sorted(row["label"] for row in found["rows"])
        counts = shown([expected.get(name, (Fraction(0), 0))[0] for name in named])
        money = [expected.get(name, (Fraction(0), 0))[1] for name in named]
        rows = {row["label"]: row[model] for row in found["rows"]}
        assert [rows[name] for name in named] == [
            {"conversions": count, "revenue": minor} for count, minor in zip(counts, money, strict=True)
        ], model
        left = expected.get("", (Fraction(0), 0))
        assert found["unattributed"][model] == {"conversions": int(left[0]), "revenue": left[1]}
    for model in ("last_click", "first_touch", "linear", "position", "markov"):
        assert sum(row[model]["revenue"] for row in found["rows"]) + found["unattributed"][model]["revenue"] == found["revenue"]
        whole = round(sum(row[model]["conversions"] for row in found["rows"]), 4) + found["unattributed"][model]["conversions"]
        assert whole == found["conversions"]


def click(who: str, number: int, at: int, **more: Any) -> Fact:
    said = {"document": "journey:welcome", "channel": "email", "intent": "one", "link": 0, **more}
    return fact(who, f"click {number}", "Email Link Clicked", at, properties=said)


def order(who: str, number: int, at: int, minor: int = 100, currency: str = "GBP", **more: Any) -> Fact:
    return fact(who, f"order {number}", "Order Completed", at, properties={"total": {"minor": minor, "currency": currency}, **more})


AT = 230 * DAY


def test_scanners_click_for_nobody(kept: Kept) -> None:
    sent = fact(ANN, "sent", "Email Sent", AT, properties={"intent": "one"})
    kept.told(sent, click(ANN, 1, AT + 1999), click(ANN, 2, AT + 2000), order(ANN, 1, AT + 5000))
    found = asked(kept, target=TARGET)
    assert (found["scanner_clicks"], [row["touches"] for row in found["rows"]]) == (1, [1])
    three = [click(BOB, number, AT + number, intent="two", link=number) for number in range(3)]
    kept.told(*three, order(BOB, 1, AT + 5000))
    found = asked(kept, target=TARGET)
    assert (found["scanner_clicks"], found["unattributed"]["last_click"]["conversions"]) == (4, 1), "all links of a letter at once"


def test_a_visit_by_our_own_link_is_the_click_that_led_to_it(kept: Kept) -> None:
    ours = {"campaign": {"source": "crm", "medium": "email", "name": "welcome"}}
    near, far = (fact(ANN, f"visit {at}", "Page Viewed", at, context=ours) for at in (AT + 60_000, AT + 31 * 60_000))
    kept.told(click(ANN, 1, AT), near, far, order(ANN, 1, AT + DAY))
    found = asked(kept, target=TARGET, level="campaign")
    assert {row["label"]: row["touches"] for row in found["rows"]} == {"email: journey:welcome": 1, "email: welcome": 1}


def test_a_visit_is_bought_by_a_click_id_alone_and_not_by_what_the_site_calls_its_banner(kept: Kept) -> None:
    ours = {"source": "crm", "medium": "email", "name": "welcome", "ad": "banner-12"}
    kept.told(
        fact(ANN, "visit", "Page Viewed", AT, context={"campaign": ours}),
        fact(BOB, "visit", "Page Viewed", AT, properties={"utm_source": "crm", "utm_medium": "email", "utm_ad": "banner-12"}),
    )
    assert [(row["label"], row["touches"]) for row in asked(kept, target=TARGET)["rows"]] == [("email", 2)]


def test_an_order_that_is_told_again_is_one_with_its_last_amount(kept: Kept) -> None:
    kept.told(
        click(ANN, 1, AT),
        order(ANN, 1, AT + 1, 500, order_id="A"),
        order(ANN, 2, AT + 20 * DAY, 300, order_id="A"),
        order(ANN, 3, AT + 2, 50),
    )
    found = asked(kept, target=TARGET, key="order_id")
    assert (found["conversions"], found["revenue"], found["unattributed"]["last_click"]["conversions"]) == (2, 350, 0)


def test_orders_of_two_brands_that_have_one_number_are_two(kept: Kept) -> None:
    other = fact(
        BOB,
        "other",
        "Order Completed",
        AT + 5,
        brand="other",
        properties={"total": {"minor": 200, "currency": "GBP"}, "order_id": 1001},
    )
    kept.told(order(ANN, 1, AT, 100, order_id=1001), other, order(ANN, 2, AT + 9, 150, order_id=1001))
    found = asked(kept, target=TARGET, key="order_id")
    assert (found["conversions"], found["people"], found["revenue"]) == (2, 2, 350)


def test_a_thousand_large_orders_are_a_large_sum_and_none_below_nothing(kept: Kept) -> None:
    most, count = 2**53 - 1, 1_100
    kept.told(click(ANN, 1, AT - 1), *(order(ANN, n, AT + n, most) for n in range(count)), order(BOB, 1, AT, most))
    found = asked(kept, target=TARGET)
    assert found["revenue"] == (count + 1) * most
    assert {
        model: found["rows"][0][model]["revenue"] for model in ("last_click", "first_touch", "linear", "position", "markov")
    } == (dict.fromkeys(("last_click", "first_touch", "linear", "position", "markov"), count * most))
    shares = asked(kept, "channels", target=TARGET)
    assert shares["revenue"] == shares["side_by_side"]["mail"]["revenue"] + most == (count + 1) * most
    assert [one["revenue"] for one in shares["by"]["channel"]] == [most, count * most]
    month = asked(kept, "lifetime", purchase=TARGET)["cohorts"][0]
    assert (month["revenue"][-1], month["people"]) == ((count + 1) * most, 2)
    kept.told(*(fact(who, "in", "Signed Up", AT - 2) for who in (ANN, BOB)), fact(ANN, "left", "Contact Left", AT - 2))
    everybody = {"kind": "all", "of": []}
    assert asked(kept, "cohort", among=everybody)["revenue"]["all"][0]["sum"] == (count + 1) * most
    assert asked(kept, "touchpoints")["places"][0]["revenue"] == count * most


def test_somebody_who_clicks_and_buys_all_day_has_the_last_touches_of_a_way_and_it_is_told(kept: Kept) -> None:
    clicks = [click(ANN, n, AT + n * 10_000, intent=f"i{n}", document=f"journey:{n % 2}") for n in range(LONGEST + 5)]
    last = AT + len(clicks) * 10_000
    kept.told(
        fact(ANN, "ad", "Page Viewed", AT - 1, context={"page": {"search": "?gclid=1"}}),
        *clicks,
        order(ANN, 1, last, 1_000),
        order(BOB, 1, last),
    )
    found = asked(kept, target=TARGET, level="document")
    rows = {row["label"]: row for row in found["rows"]}
    assert found["paths"] == {"converting": 1, "other": 0, "cut": 1}
    assert (rows["paid"]["first_touch"]["conversions"], rows["paid"]["linear"]["conversions"]) == (1.0, 0.0)
    assert [rows[f"journey:{n}"]["linear"] for n in (0, 1)] == [{"conversions": 0.5, "revenue": 500}] * 2


def test_several_currencies_are_never_one_sum(kept: Kept) -> None:
    kept.told(order(ANN, 1, AT), order(ANN, 2, AT + 1, currency="RUB"))
    with pytest.raises(Refused, match="GBP, RUB"):
        asked(kept, target=TARGET)
    found = asked(kept, target={**TARGET, "currency": "RUB"})
    assert (found["revenue"], found["currency"]) == (100, "RUB")
    with pytest.raises(Refused, match="GBP, RUB"):
        asked(kept, target=TARGET, since=AT, until=AT + 2)
    for alone in ({"since": AT, "until": AT + 1}, {"since": AT + 1, "until": AT + 2, "leads": {}}):
        found = asked(kept, target=TARGET, **alone)
        assert found["revenue"] == 100, "what is read beside the period is not added up"


def test_facts_of_another_brand_are_not_seen(kept: Kept) -> None:
    kept.told(
        click(ANN, 1, AT),
        order(ANN, 1, AT + 1),
        fact(ANN, "other", "Order Completed", AT + 2, brand="other", properties={"total": {"minor": 7, "currency": "GBP"}}),
    )
    assert [asked(kept, target=TARGET, brands=brands)["revenue"] for brands in (["shop"], ["other"], [])] == [100, 7, 107]


def test_the_people_behind_a_figure_are_as_many_as_it_says(kept: Kept) -> None:
    kept.told(*(one for n, who in enumerate(WHO) for one in (click(who, n, AT, intent=f"i{n}"), order(who, n, AT + 1))))
    found = asked(kept, target=TARGET)
    assert found["rows"][0]["people"] == 3
    page = asked(kept, target=TARGET, figure="last_click.email", limit=2)
    rest = asked(kept, target=TARGET, figure="last_click.email", limit=2, after=page["next"])
    assert (page["count"], sorted(page["people"] + rest["people"]), rest["next"]) == (3, sorted(WHO), None)
    pages, after = [], None
    while after is not None or not pages:
        page = asked(kept, target=TARGET, figure="people", limit=1, after=None if after is None else int(after))
        pages, after = [*pages, *page["people"]], page["next"]
        assert len(pages) <= len(WHO), "somebody has the number 0"
    assert sorted(pages) == sorted(WHO)
    with pytest.raises(Refused, match="no figure"):
        asked(kept, target=TARGET, figure="nobody")


def test_whether_an_application_is_a_lead_hangs_on_no_edge_of_the_period(kept: Kept) -> None:
    kept.told(*(fact(ANN, day, "Applied", AT + day * DAY) for day in (-31, -5, 10, 30)), fact(ANN, "sale", "Sold", AT + 20 * DAY))

    def counts(since: int, until: int, **leads: Any) -> tuple[int, int]:
        body = {"target": {"event": "Applied"}, "leads": leads, "since": AT + since * DAY, "until": AT + until * DAY}
        found = asked(kept, **body, now=AT + 60 * DAY)["leads"]
        return found["applications"], found["leads"]

    assert (counts(-40, 0), counts(0, 20), counts(-40, 20)) == ((2, 1), (1, 1), (3, 2))
    assert (counts(25, 40), counts(25, 40, closed="Sold")) == ((1, 0), (1, 1))


def test_a_lead_of_the_ads_stays_theirs_when_he_applies_again_by_the_welcome_letter(kept: Kept) -> None:
    def applied(number: int, at: int, product: str = "python") -> Fact:
        return fact(ANN, f"applied {number}", "Application Submitted", at, properties={"product": product})

    ad = fact(ANN, "ad", "Page Viewed", AT, context={"page": {"search": "?gclid=1"}})
    kept.told(
        ad, applied(1, AT + 1), click(ANN, 1, AT + 2 * DAY), applied(2, AT + 2 * DAY + 1), applied(3, AT + 2 * DAY + 2, "design")
    )
    found = asked(kept, target={"event": "Application Submitted"}, leads={"product": "product"})["leads"]
    assert (found["applications"], found["leads"], found["repeats"]) == (3, 2, 1)
    assert found["by"] == [
        {"label": "email", "last_click": 2, "origin": 0, "moved": -2, "assists": 2},
        {"label": "paid", "last_click": 1, "origin": 2, "moved": 1, "assists": 0},
    ]
    assert found["cannibalised"] == {"count": 2, "of": 2, "share": 1.0, "after_lead": 1, "after_paid_visit": 2}
    assert [one["code"] for one in found["alarms"]] == ["repeats"]
