"""What each call means: one call in, one fact out."""

import json

import pytest

from schemas import facts, ids
from services.ingest.domain import Accepted, Arrival, Fault, Source, normalise, place

NOW = 1_795_341_600_000
SOURCE = Source(brand="school", name="site", currency="GBP", region="GB")
WHEN = "2026-11-22T09:59:58Z"


def take(call, **shared):
    arrival = Arrival(**{"source": SOURCE, "now": NOW} | shared)
    return normalise(json.dumps(call).encode(), arrival)


def fact_of(call, **shared) -> facts.Fact:
    taken = take({"messageId": "m1", "userId": "u1", **call}, **shared)
    assert isinstance(taken, Accepted), taken
    assert facts.decode(facts.encode(taken.fact)) == taken.fact
    return taken.fact


def fault_of(call, **shared) -> Fault:
    fault = take(call, **shared)
    assert isinstance(fault, Fault), fault
    return fault


def test_a_whole_track_call():
    call = {
        "type": "track", "event": "Order Completed", "messageId": "m1", "userId": "u1", "anonymousId": "a1",
        "timestamp": WHEN, "unknown": {"field": 1}, "_metadata": {"nodeVersion": "20"},
        "properties": {"revenue": 49.9, "lines": 2, "none": None},
        "context": {"traits": {"email": "Ann@Example.org", "plan": "pro"}, "locale": "ru-RU"},
        "integrations": {},
    }  # fmt: skip
    assert fact_of(call) == facts.Fact(
        id=ids.derive("site", "m1"),
        type="track",
        brand="school",
        source="site",
        occurred_at=NOW - 2_000,
        received_at=NOW,
        identifiers=("user_id:u1", "email:ann@example.org", "anonymous_id:a1"),
        event="Order Completed",
        attributes={"email": "Ann@Example.org", "plan": "pro"},
        properties={"revenue": {"minor": 4990, "currency": "GBP"}, "lines": 2, "none": None},
        context={"locale": "ru-RU"},
    )


def test_identify():
    fact = fact_of(
        {
            "type": "identify",
            "traits": {"email": "b@example.org", "phone": "020 7946 0958", "telegram_id": 77, "vk_id": "78", "total": 5},
            "context": {"traits": {"email": "a@example.org", "plan": "free"}},
        }
    )
    assert fact.identifiers == (
        "user_id:u1", "email:b@example.org", "email:a@example.org", "phone:+442079460958", "telegram_id:77", "vk_id:78",
    )  # fmt: skip
    assert fact.attributes["email"] == "b@example.org"
    assert fact.attributes["plan"] == "free"
    assert fact.attributes["total"] == {"minor": 500, "currency": "GBP"}
    assert (fact.event, fact.properties, fact.context) == ("", {}, {})


@pytest.mark.parametrize(("kind", "event"), [("page", "Page Viewed"), ("screen", "Screen Viewed")])
def test_page_and_screen(kind, event):
    fact = fact_of({"type": kind, "name": "Home", "category": "Blog", "properties": {"path": "/", "email": "x@example.org"}})
    assert (fact.type, fact.event) == (kind, event)
    assert fact.properties == {"name": "Home", "category": "Blog", "path": "/", "email": "x@example.org"}
    assert fact.identifiers == ("user_id:u1",)
    assert fact_of({"type": kind, "name": "Home", "properties": {"name": "Own"}}).properties == {"name": "Own"}


def test_addresses_in_properties_are_somebody_elses():
    sent = {"email": "friend@example.org", "phone": "+442079460958", "telegram_id": 5}
    fact = fact_of({"type": "track", "event": "Referral Sent", "properties": sent})
    assert fact.identifiers == ("user_id:u1",)
    assert fact.properties == sent
    assert fault_of({"type": "track", "event": "Form Sent", "userId": None, "properties": sent}).code == "identifiers_missing"


def test_group_names_a_company_not_the_person():
    fact = fact_of({"type": "group", "groupId": 7, "traits": {"email": "office@example.org", "group_id": "x"}})
    assert fact.properties == {"group_id": "7", "email": "office@example.org"}
    assert (fact.attributes, fact.identifiers) == ({}, ("user_id:u1",))


def test_alias_names_the_old_id_as_both_kinds():
    fact = fact_of({"type": "alias", "userId": "new", "previousId": "old"})
    assert fact.identifiers == ("user_id:new", "user_id:old", "anonymous_id:old")


def test_external_ids():
    entries = [
        {"id": "e@example.org", "type": "email", "collection": "users"}, {"id": "5", "type": "vk_id"},
        {"id": "GA1", "type": "ga_client_id"}, "odd", {"type": "email"}, {"id": "u2", "type": "user_id"},
    ]  # fmt: skip
    taken = take({"type": "track", "event": "E", "anonymousId": "a1", "context": {"externalIds": entries}})
    assert taken.fact.identifiers == ("user_id:u2", "email:e@example.org", "vk_id:5", "anonymous_id:a1")
    assert taken.fact.context["externalIds"] == entries
    assert [(one.path, one.code) for one in taken.warnings] == [
        ("context.externalIds[2]", "identifier_kind_unknown"),
        ("context.externalIds[3]", "identifier_kind_unknown"),
        ("context.externalIds[4]", "identifier_refused"),
    ]
    fact_of({"type": "identify", "context": {"externalIds": "odd"}})


def test_a_companys_own_numbers_stand_behind_user_ids_and_before_addresses():
    entries = [{"id": " 12-34 ", "type": "id.card"}, {"id": "null", "type": "id.card"}, {"id": "1", "type": "id.Card"}]
    taken = take({"type": "identify", "userId": "u1", "traits": {"email": "e@example.org"}, "context": {"externalIds": entries}})
    assert taken.fact.identifiers == ("user_id:u1", "id.card:12-34", "email:e@example.org")
    assert [(one.path, one.code) for one in taken.warnings] == [
        ("context.externalIds[1]", "identifier_refused"),
        ("context.externalIds[2]", "identifier_kind_unknown"),
    ]


def test_a_bad_identifier_costs_only_itself():
    call = {"type": "identify", "userId": "null", "anonymousId": "a1", "traits": {"email": "ann@@example.org"}}
    taken = take(call)
    assert taken.fact.identifiers == ("anonymous_id:a1",)
    assert taken.fact.attributes == {"email": "ann@@example.org"}
    assert taken.fact.context == {"refused": {"userId": "null"}}
    assert [(one.path, one.code) for one in taken.warnings] == [
        ("userId", "identifier_refused"),
        ("traits.email", "identifier_refused"),
    ]
    assert not any("ann" in text for one in taken.warnings for text in (one.message, one.mend))


@pytest.mark.parametrize("nobody", [{}, {"userId": None, "anonymousId": None}, {"userId": "guest", "anonymousId": "0"}])
def test_nobody(nobody):
    fault = fault_of({"type": "track", "event": "E", **nobody})
    assert (fault.code, fault.path) == ("identifiers_missing", "")


@pytest.mark.parametrize(
    ("call", "path", "code"),
    [
        ({"type": "trick"}, "type", "call_unknown"),
        ({}, "type", "call_unknown"),
        ({"type": {}}, "type", "call_unknown"),
        ({"type": ["track"]}, "type", "call_unknown"),
        ({"type": "track"}, "event", "event_missing"),
        ({"type": "track", "event": " "}, "event", "event_missing"),
        ({"type": "track", "event": 5}, "event", "event_missing"),
        ({"type": "track", "event": "x" * 201}, "event", "event_too_long"),
        ({"type": "track", "event": "E", "properties": []}, "properties", "wrong_type"),
        ({"type": "identify", "traits": "x"}, "traits", "wrong_type"),
        ({"type": "identify", "context": 1}, "context", "wrong_type"),
        ({"type": "identify", "context": {"traits": 1}}, "context.traits", "wrong_type"),
        ({"type": "identify", "integrations": [1]}, "integrations", "wrong_type"),
        ({"type": "group"}, "groupId", "group_id_missing"),
        ({"type": "group", "groupId": {}}, "groupId", "group_id_missing"),
        ({"type": "alias"}, "previousId", "previous_id_missing"),
        ({"type": "identify", "messageId": "x" * 101}, "messageId", "message_id_invalid"),
        ({"type": "identify", "messageId": {}}, "messageId", "message_id_invalid"),
        ({"type": "identify", "timestamp": "1970-01-01"}, "timestamp", "timestamp_invalid"),
        ({"type": "identify", "timestamp": "soon"}, "timestamp", "timestamp_invalid"),
        ({"type": "track", "event": "E", "properties": {"price": 1e300}}, "properties.price", "money_too_large"),
        (
            {"type": "identify", "context": {"externalIds": [{"type": "vk_id", "id": n} for n in range(1, 30)]}},
            "context.externalIds",
            "identifiers_too_many",
        ),
    ],
)
def test_faults(call, path, code):
    fault = fault_of({"userId": "u1", **call})
    assert (fault.path, fault.code) == (path, code)
    assert fault.message and fault.mend


def test_event_names_at_the_limits():
    assert fact_of({"type": "track", "event": "x" * 200}).event == "x" * 200
    assert fact_of({"type": "identify", "messageId": "x" * 100}).id == ids.derive("site", "x" * 100)
    assert fact_of({"type": "identify", "messageId": 5}).id == ids.derive("site", "5")


def test_without_a_message_id_the_content_names_the_fact():
    def id_of(call, **shared):
        return fact_of({"messageId": None, "type": "track", "event": "E", **call}, **shared).id

    assert id_of({"timestamp": WHEN}) == id_of({"timestamp": WHEN}, now=NOW + 5_000)
    assert id_of({"timestamp": WHEN}) != id_of({"timestamp": WHEN, "properties": {"a": 1}})
    assert id_of({"messageId": "", "userId": "u2"}) != id_of({"messageId": "", "userId": "u3"})
    assert id_of({}) == id_of({}) != id_of({}, now=NOW + 1)
    assert id_of({"timestamp": WHEN}) != id_of({"timestamp": WHEN}, source=Source(brand="school", name="app"))


def test_what_the_batch_shares():
    shared = {"context": {"ip": "1.1.1.1", "app": {"name": "x"}, "traits": {"plan": "pro"}}, "integrations": {"All": True}}
    one = fact_of({"type": "identify", "context": {"ip": "2.2.2.2"}, "integrations": {"CRM": False}}, **shared)
    two = fact_of({"type": "identify"}, **shared)
    assert one.context == {"ip": "2.2.2.2", "app": {"name": "x"}, "integrations": {"All": True, "CRM": False}}
    assert one.attributes == two.attributes == {"plan": "pro"}
    assert two.context == {"ip": "1.1.1.1", "app": {"name": "x"}, "integrations": {"All": True}}
    assert shared["context"]["traits"] == {"plan": "pro"}


def test_direct_takes_the_connections_address():
    assert fact_of({"type": "identify", "context": {"direct": True}}, ip="203.0.113.7").context["ip"] == "203.0.113.7"
    assert "ip" not in fact_of({"type": "identify", "context": {"direct": "yes"}}, ip="203.0.113.7").context


def test_times():
    assert fact_of({"type": "identify", "timestamp": "2090-01-01T00:00:00Z"}).occurred_at == NOW
    assert fact_of({"type": "identify", "timestamp": NOW - 9, "sentAt": NOW - 4}, sent_at=1).occurred_at == NOW - 5
    taken = take({"type": "identify", "userId": "u", "timestamp": NOW - 9, "sentAt": "soon"})
    assert taken.fact.occurred_at == NOW - 9
    assert [(one.path, one.code) for one in taken.warnings] == [("sentAt", "sent_at_ignored")]
    driven = fact_of({"type": "identify", "timestamp": NOW - 9, "sentAt": NOW + 10**9}, driven=True)
    assert (driven.occurred_at, driven.received_at) == (NOW - 9, NOW - 9)


def test_the_address_may_name_the_call_and_lane():
    fact = fact_of({"type": "page", "event": "E"}, kind="track", lane="bulk", traceparent="00-a")
    assert (fact.type, fact.lane, fact.traceparent) == ("track", "bulk", "00-a")


def test_a_fact_goes_where_its_strongest_identifier_does():
    fact = fact_of({"type": "identify", "anonymousId": "a"})
    assert place(fact, 12) == ("site|user_id:u1", ids.partition_of("site|user_id:u1", 12))


def test_the_same_bytes_twice_in_a_batch_are_two_facts_where_nothing_says_that_they_are_one():
    arrived = Arrival(source=Source(brand="shop", name="site"), now=1_800_000_000_000)
    click = b'{"type":"track","event":"Click","userId":"1"}'
    timed = b'{"type":"track","event":"Click","userId":"1","timestamp":"2026-01-01T00:00:00Z"}'
    assert normalise(click, arrived, 0).fact.id != normalise(click, arrived, 1).fact.id
    assert normalise(timed, arrived, 0).fact.id == normalise(timed, arrived, 1).fact.id
