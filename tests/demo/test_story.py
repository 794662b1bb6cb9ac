"""The story: what is the file's and what is made up, and that a seed is all of it."""

import gzip
import re
from collections import Counter, defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.demo import people, source, story
from services.ingest.domain import Accepted, Arrival, Source, normalise

SEED = 7


@pytest.fixture(scope="module")
def invoices():
    return source.load()


@pytest.fixture(scope="module")
def calls(invoices):
    return story.tell(invoices, SEED)


def of(calls, event):
    return [call.body for call in calls if call.body.get("event") == event]


def test_the_file_is_read_whole_and_uncleaned(invoices):
    lines = [line for invoice in invoices for line in invoice.lines]
    assert len(lines) == 42_481
    assert len(invoices) == 2_025
    assert sum(invoice.cancels for invoice in invoices) == 326
    assert len({invoice.customer for invoice in invoices} - {""}) == 948
    assert sum(line.price <= 0 for line in lines) == 273
    assert sum(not line.name for line in lines) == 125
    assert sum(line.quantity < 0 for line in lines) == 798
    assert {invoice.country for invoice in invoices} <= people.COUNTRIES.keys()


def test_every_invoice_of_the_file_is_told_once_beside_repeats(invoices, calls):
    told = {body["messageId"] for body in of(calls, "Order Completed") + of(calls, "Order Cancelled")}
    assert {name for name in told if not name.endswith(":till")} == {f"{invoice.number}:order" for invoice in invoices}
    assert len(of(calls, "Order Cancelled")) - len({b["messageId"] for b in of(calls, "Order Cancelled")}) < 10


def test_goods_and_money_are_the_files(invoices, calls):
    by_number = {invoice.number: invoice for invoice in invoices}
    for body in of(calls, "Order Completed"):
        invoice = by_number[body["properties"]["order_id"]]
        assert len(body["properties"]["products"]) == len(invoice.lines)
        assert body["properties"]["revenue"] == pytest.approx(float(invoice.revenue))


def test_one_seed_is_one_story_and_another_is_another(invoices, calls):
    again = story.tell(invoices, SEED)
    assert again == calls
    assert story.tell(invoices, SEED + 1) != calls


def test_a_repeat_is_the_same_call_later(calls):
    seen = defaultdict(list)
    for call in calls:
        seen[call.body["messageId"]].append(call)
    repeated = [found for found in seen.values() if len(found) > 1]
    assert 0.005 < len(repeated) / len(seen) < 0.015
    assert all(len(found) == 2 and found[0].body == found[1].body for found in repeated)
    assert all(0 < found[1].at - found[0].at <= 90 * story.MINUTE for found in repeated)


def test_calls_are_sent_in_order_and_within_the_story(invoices, calls):
    assert [call.at for call in calls] == sorted(call.at for call in calls)
    few = story.tell(invoices, SEED, days=2)
    start = story.start_of(invoices)
    assert start <= few[0].at and few[-1].at < start + 2 * story.DAY
    assert few == calls[: len(few)]
    assert calls[len(few)].at >= start + 2 * story.DAY


def test_a_letter_may_reach_somebody_only_where_the_person_said_yes(calls):
    signed = {body["userId"] for body in of(calls, "Signed Up")}
    said_yes = {body["userId"] for body in of(calls, "Consent Granted")}
    assert said_yes < signed
    assert 0.75 < len(said_yes) / len(signed) < 0.85


def test_addresses_are_made_up_and_reserved(calls):
    addresses = {call.body["traits"]["email"] for call in calls if call.body["type"] == "identify"}
    assert addresses and all(re.fullmatch(r"c\d+@customers\.example", address) for address in addresses)


def test_a_visit_begins_nameless_and_ends_with_a_name(calls):
    at = {call.body["messageId"]: call for call in calls}
    order = next(b for b in of(calls, "Order Completed") if b.get("userId"))
    number = order["properties"]["order_id"]
    home, cart, login = at[f"{number}:home"], at[f"{number}:cart"], at[f"{number}:identify"]
    assert "userId" not in home.body and "userId" not in cart.body
    assert {call.body["anonymousId"] for call in (home, cart, login)} == {order["anonymousId"]}
    assert home.at < cart.at < login.at < at[f"{number}:order"].at


def test_baskets_are_left_by_people_and_by_nobody(calls):
    left = [b for b in of(calls, "Cart Viewed") if b["messageId"].endswith(":left:cart")]
    nameless = [b for b in of(calls, "Cart Viewed") if b["messageId"].endswith(":earlier:cart")]
    orders = [b for b in of(calls, "Order Completed") if b.get("userId")]
    assert 0.2 < len(left) / len(orders) < 0.4
    assert len(nameless) > 100
    assert all(b["properties"]["products"] and all(p["price"] > 0 for p in b["properties"]["products"]) for b in left)


def test_ingest_answers_each_kind_of_dirt_with_its_reason(invoices, calls):
    """The same decisions that the running ingest makes, on the whole story."""
    arrival = Arrival(source=Source(brand="shop", name="default"), now=calls[-1].at + 1, driven=True)
    results = {call.body["messageId"]: normalise(msgspec.json.encode(call.body), arrival) for call in calls}
    faults = Counter(result.code for result in results.values() if not isinstance(result, Accepted))
    assert faults.keys() == {"identifiers_missing", "event_too_large", "timestamp_invalid"}
    assert faults["identifiers_missing"] == sum(not i.sold and not i.cancels for i in invoices)
    assert all("till" in name for name, r in results.items() if not isinstance(r, Accepted) and r.code == "timestamp_invalid")
    refused = {name for name, result in results.items() if not isinstance(result, Accepted)}
    assert max(Counter(c.body["messageId"] for c in calls if c.body["messageId"] in refused).values()) == 1


def test_received_when_it_happened(calls):
    arrival = Arrival(source=Source(brand="shop", name="default"), now=calls[-1].at + 1, driven=True)
    for call in calls[:500]:
        result = normalise(msgspec.json.encode(call.body), arrival)
        if isinstance(result, Accepted):
            assert result.fact.received_at == result.fact.occurred_at <= call.at


@given(st.integers(), st.lists(st.one_of(st.text(max_size=5), st.integers()), max_size=3))
@settings(max_examples=200)
def test_a_draw_is_a_share_and_depends_on_its_arguments_alone(seed, about):
    value = people.draw(seed, *about)
    assert 0 <= value < 1
    assert value == people.draw(seed, *about)


def test_draws_are_even():
    values = sorted(people.draw(1, "x", n) for n in range(4_000))
    assert all(abs(value - place / 4_000) < 0.03 for place, value in enumerate(values))


def test_a_file_without_a_column_is_refused():
    with pytest.raises(KeyError, match="InvoiceDate"):
        source.read(gzip.compress(b"InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country\n1,a,b,1,2.5,,UK\n"))
