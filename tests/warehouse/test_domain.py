"""What enters the lake, without servers: names, private fields, kinds."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.lake import column
from schemas.facts import PERSONAL
from services.warehouse.domain import sheets
from services.warehouse.domain.names import NOTHING, Key, Sight, ad_of, conflicts, folder, held_by
from services.warehouse.domain.walk import Stored

decode = msgspec.json.Decoder(Stored).decode


def stored(**more) -> Stored:
    given = {"id": "1", "type": "track", "event": "E", "brand": "b", "source": "s", "occurred_at": 1, "received_at": 2, **more}
    return decode(json.dumps(given))


def sheet(*facts: Stored) -> sheets.Sheet:
    return sheets.facts([("facts", 0, offset, fact) for offset, fact in enumerate(facts)])


def cells(one: sheets.Sheet) -> dict:
    return {(k.scope, k.path, k.kind): list(zip(c.rows, c.values, strict=True)) for k, c in one.cells.items()}


def test_values_go_to_the_column_of_their_own_kind():
    found = cells(sheet(*(stored(properties={"v": v}) for v in (1, 1.0, "1", True, None, {}, 2**64, -(2**63)))))
    assert found == {
        ("properties", "v", "int"): [(0, 1), (7, -(2**63))],
        ("properties", "v", "float"): [(1, 1.0)],
        ("properties", "v", "string"): [(2, "1")],
        ("properties", "v", "bool"): [(3, True)],
        ("properties", "v", "null"): [(4, True)],
        ("properties", "v", "object"): [(5, True)],
        ("properties", "v", "big"): [(6, str(2**64))],
    }


def test_objects_become_paths_and_lists_stay_whole_without_private_names():
    one = sheet(
        stored(
            properties={
                "total": {"minor": 1999, "currency": "GBP"},
                "a.b": 1,
                "a": {"b": 2, "email": "x@example.org"},
                "products": [{"sku": "1", "price": {"minor": 5}, "customer": {"phone": "1"}}],
                "d1": {"d2": {"d3": {"d4": {"d5": 1}}}},
            }
        )
    )
    assert cells(one) == {
        ("properties", "total.minor", "int"): [(0, 1999)],
        ("properties", "total.currency", "string"): [(0, "GBP")],
        ("properties", r"a\.b", "int"): [(0, 1)],
        ("properties", "a.b", "int"): [(0, 2)],
    }
    assert one.rest == {
        0: {"properties": {"products": [{"sku": "1", "price": {"minor": 5}, "customer": {}}], "d1.d2.d3.d4": {"d5": 1}}}
    }


@pytest.mark.parametrize("name", sorted(PERSONAL | {"user_id", "anonymousId"}))
def test_no_marked_name_enters_at_any_depth(name):
    secret = "SECRET"
    values = {name: secret, "deep": {name: secret, "list": [{name: [secret]}]}}
    one = sheet(
        stored(
            properties=values,
            attributes=values,
            # A campaign's own name is nobody's.
            context={**values, "page": {"path": "/", name: secret}, "campaign": {"of": values} if name == "name" else values},
        )
    )
    assert secret not in repr(cells(one)) + repr(one.rest)
    assert cells(one)["context", "page.path", "string"] == [(0, "/")]


def test_of_where_a_visit_came_from_the_campaign_is_kept_and_no_address():
    """`name` of a campaign is what utm_campaign said, and nobody's name."""
    came = {
        "campaign": {"source": "ads", "name": "spring"},
        "page": {"path": "/", "search": "?q=me&gclid=7", "url": "https://shop.example/?q=me&gclid=7"},
    }
    one = sheet(stored(context=came))
    assert {key[1:]: rows for key, rows in cells(one).items()} == {
        ("campaign.source", "string"): [(0, "ads")], ("campaign.utm_campaign", "string"): [(0, "spring")], ("campaign.ad", "string"): [(0, "gclid")],
        ("page.path", "string"): [(0, "/")],
    }  # fmt: skip
    assert one.rest == {}
    banner = {"source": "crm", "medium": "email", "ad": "banner-12"}
    assert {key[1]: value for key, value in cells(sheet(stored(context={"campaign": banner}))).items() if key[0] == "context"} == {
        "campaign.source": [(0, "crm")], "campaign.medium": [(0, "email")]
    }, "what the site calls its banner is no click id"  # fmt: skip
    assert not cells(sheet(stored(context={"campaign": {"ad": "banner-12"}})))
    of_page = sheet(stored(type="page", properties={"search": "yclid=1"}))
    assert cells(of_page)["context", "campaign.ad", "string"] == [(0, "yclid")]


@pytest.mark.parametrize(
    ("addresses", "ad"),
    [
        (("?a=1&yclid=2",), "yclid"),
        ((None, "https://a.example/?fbclid=x#y"), "fbclid"),
        (("?mygclid=1",), None),
        (("/gclid=1?id=3",), None),
        ((7, ""), None),
    ],
)
def test_whose_click_id_stands_in_an_address(addresses, ad):
    assert ad_of(*addresses) == ad


def test_an_address_in_an_unmarked_text_stays_out():
    who = ["email:ann@example.org", "phone:+79990001122", "user_id:ann"]
    texts = {
        "login": "Ann@Example.org",
        "url": "/?m=ann@example.org",
        "call": "tel:79990001122",
        "ok": "ann",
        "list": ["ann@example.org"],
    }
    one = sheet(stored(identifiers=who, properties=texts))
    assert cells(one) == {("properties", "ok", "string"): [(0, "ann")]}
    assert one.rest == {0: {"properties": {"list": [None]}}}
    assert held_by(["phone:+7", "email:a@b.c", "user_id:4"]) is NOTHING  # too short to be told from chance


def test_news_of_the_person_lose_their_instant_only_where_it_is_the_facts_own():
    one = sheet(stored(type="profile.changed", event="", attributes={"plan": [1, "gold"], "gone": [1, None], "old": [0, "x"]}))
    assert cells(one) == {("attributes", "plan", "string"): [(0, "gold")], ("attributes", "gone", "null"): [(0, True)]}
    assert one.rest == {0: {"attributes": {"old": [0, "x"]}}}


def test_what_has_no_column_spills_to_the_rest_and_nothing_is_lost():
    one = sheet(stored(properties={"v": 1, "w": None, "o": {}}), stored(properties={"v": "x"}))
    one.spill({Key("E", "properties", "v", "int")})
    assert cells(one) == {("properties", "v", "int"): [(0, 1)]}
    assert one.rest == {0: {"properties": {"w": None, "o": {}}}, 1: {"properties": {"v": "x"}}}


def test_only_another_type_than_the_registered_one_is_a_conflict():
    assert conflicts("int", "string") and conflicts("string", "bool") and conflicts("bool", "int")
    assert not conflicts("int", "float") and not conflicts("string", "null") and not conflicts("null", "int")


@given(st.lists(st.text(max_size=80), unique=True, max_size=20))
def test_columns_of_different_paths_differ_even_without_capitals(paths):
    names = [column("properties", path, "int").lower() for path in paths]
    assert len(set(names)) == len(names)
    assert all(len(name) < 120 for name in names)


def test_a_hashed_name_cannot_be_given_to_another_path():
    hashed = column("properties", "orderId", "int")
    assert hashed != column("properties", hashed[4:], "int")
    assert column("properties", "total.minor", "int") == "p_i_total__minor"
    assert column("properties", "total__minor", "int") != "p_i_total__minor"


@given(st.lists(st.text(max_size=250), unique=True, max_size=20))
def test_folders_are_safe_and_differ(names):
    made = [folder(name) for name in names]
    assert len(set(made)) == len(made)
    assert all(len(one) <= 120 and one.isascii() and not set(one) & set("/\\.*?[]{}'\"\0 ") for one in made)


def test_names_of_events_and_lists_are_seen_though_they_have_no_column():
    one = sheet(
        stored(event="", type="identify", attributes={"tags": ["a"], "plan": "pro"}, context={"app": ["x"]}),
        stored(properties={"products": [{"sku": "1"}], "d1": {"d2": {"d3": {"d4": {"d5": 1}}}}, "n\x00": []}),
        stored(event="", type="profile.changed", attributes={"plan": [0, "pro"]}, properties={"kinds": []}),
        stored(event="x" * 201),
    )
    assert one.sights == {
        Sight("identify"),
        Sight("identify", "attributes", "tags"),
        Sight("E"),
        Sight("E", "properties", "products"),
        Sight("profile.changed"),
        Sight("profile.changed", "properties", "kinds"),
    }
