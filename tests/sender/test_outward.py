"""What is told about a person to others: bodies, headers, secrets, managers' addresses, and what keeps it back."""

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from runtime.poison import Vault
from schemas.definitions import Published
from schemas.messages import Intent
from schemas.permission import Said
from schemas.webhooks import WebhookEndpoint, secret_of
from services.sender import domain, letters, links, outward
from services.sender.channels.contract import Rendered
from services.sender.domain import Contact
from services.sender.letters import Letters, Prepared
from services.sender.settings import SenderSettings, WebhookSecret
from tests.sender.live.kit import intent

KEYS = links.Keys(1, {1: b"1" * 32})
VAULT = Vault("secret")
CRM = {"key": "crm", "brand": "shop", "url": "https://crm.example/hook"}
CONTACT = Contact(
    addresses={"phone": (1, "+79161234567")},
    attributes={"name": (1, 'Ann "A" O\'Hara'), "ltv": (1, 12.5), "manager": (1, "mark@shop.example")},
    words={"shop|*|*": Said(yes=1)},
)
DATA = {"event": {"plan": "middle", "seats": 7, "tags": ["a"], "manager_email": "eve@shop.example"}, "run": {"started_at": 1}}
LETTER = {
    "key": "lead",
    "subject": "Lead {{ profile.name }}",
    "text": "{{ person.addresses.phone }} {{ event.plan }} {{ unsubscribe_url }}",
}


def document(kind: str, body: dict[str, Any], version: int = 1) -> Published:
    return Published(kind=kind, key=body["key"], version=version, body=msgspec.Raw(msgspec.json.encode(body)), pointer=True)


NOBODY = Contact()  # of whom nothing was heard


def prepared(
    step: dict[str, Any], endpoint: dict[str, Any] = CRM, contact: Contact = CONTACT, off=(), cls="service", bad=(), **more: Any
):
    """What becomes of the intent of a journey's step."""
    settings = SenderSettings(webhook_secrets={"token": WebhookSecret(host="crm.example", value="Bearer t")})
    made = Letters(settings, KEYS, VAULT)
    made._library = letters._build([document("template", LETTER)], 1)
    journey = {"key": "trial", "steps": [{"id": "tell", **step}, {"id": "other", "wait": "1d"}]}
    made._outward._tellings = outward.build([document("webhook", {**CRM, **endpoint}, 3), document("journey", journey)])
    made._outward._off = dict.fromkeys(off, 1)
    told = one(cls, step, **more)
    row = {"state": msgspec.msgpack.encode(contact), "id": told.profile, "stamp": 5} if contact is not NOBODY else None
    return made.prepare(told, domain.nowhere_key(told), row, told.received_at, 0, dict(bad))


def one(cls: str, step: dict[str, Any], **more: Any) -> Intent:
    hand = step.get("hand", {})
    goes: dict[str, Any] = {"channel": "email" if "template" in hand else "webhook", "to": "manager" if hand else ""}
    template = step.get("webhook") or hand.get("webhook") or "lead"
    given = {"document": "journey:trial", "step": "tell", "data": DATA, "template": template, "template_version": 0}
    return replace(intent(1, cls=cls), **{**given, **goes, **more})


def call(*given: Any, **more: Any) -> Rendered:
    found = prepared(*given, **more)
    assert isinstance(found, Prepared), found
    return found.message


def test_without_a_body_it_is_the_envelope_whose_time_stays_while_it_tells_of_the_person_as_he_is_now():
    message = call({"webhook": "crm", "type": "trial.ended"})
    told = json.loads(message.text)
    assert told["type"] == "trial.ended" and told["timestamp"].endswith("Z") and set(told) == {"type", "timestamp", "data"}
    data = told["data"]
    assert (data["journey"], data["step"], data["event"]) == ("trial", "tell", DATA["event"])
    assert data["person"]["addresses"] == {"phone": "+79161234567"} and data["person"]["attributes"]["ltv"] == 12.5
    moved = replace(CONTACT, attributes={**CONTACT.attributes, "ltv": (2, 99)})
    again = call({"webhook": "crm", "type": "trial.ended"}, contact=moved)
    told["data"]["person"]["attributes"]["ltv"] = 99
    assert (json.loads(again.text), again.key) == (told, message.key), "a repeat: nothing else is another"
    assert json.loads(call({"webhook": "crm"}).text)["type"] == "trial.tell"
    assert (message.address, message.key, message.options["version"]) == (
        "https://crm.example/hook",
        one("service", {"webhook": "crm"}).id,
        3,
    )


def test_a_json_body_keeps_types_and_quotes_what_people_say():
    body = {
        "name": "{{ profile.name }}", "ltv": {"data": "profile.ltv"}, "tags": {"data": "event.tags"}, "none": {"data": "event.x.y"},
        "list": [1, "{{ event.seats }} seats", {"data": "person.addresses.phone"}], "plain": "{ as it is }", "data": {"data": "type"},
        "within": {"data": {"name": "{{ event.seats }}", "list": {"data": ["{{ event.seats }}"]}}},
    }  # fmt: skip
    assert json.loads(call({"webhook": "crm", "body": body}).text) == {
        "name": 'Ann "A" O\'Hara', "ltv": 12.5, "tags": ["a"], "none": None,
        "list": [1, "7 seats", "+79161234567"], "plain": "{ as it is }", "data": "trial.tell",
        "within": {"data": {"name": "7", "list": {"data": ["7"]}}},
    }  # fmt: skip


def test_a_steps_body_goes_before_the_endpoints_and_a_text_must_make_json():
    endpoint = {"body": '{"n": {{ profile.name | json }}}'}
    assert json.loads(call({"webhook": "crm"}, endpoint).text) == {"n": 'Ann "A" O\'Hara'}
    assert json.loads(call({"webhook": "crm", "body": {"a": 1}}, endpoint).text) == {"a": 1}
    assert prepared({"webhook": "crm", "body": '{"n": "{{ profile.name }}"}'}) == "template:not_json"
    assert call({"webhook": "crm", "body": "n={{ event.seats }}"}, {"content_type": "text/plain"}).text == "n=7"


def test_a_body_stands_under_the_limits_of_templates():
    endless = "{% for a in (1..100000) %}{% for b in (1..100000) %}x{% endfor %}{% endfor %}"
    assert str(prepared({"webhook": "crm", "body": {"a": endless}})).startswith("template:too_many")
    assert prepared({"webhook": "crm", "body": {"a": "{{ 'x' | nothing }}"}}) == "template:unknown_filter"


def nested(deep: int) -> Any:
    found: Any = 1
    for _ in range(deep):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("body", "x"),
    [
        ('{"a": {{ event.x }}}', "[" * 5000),
        ('{"a": {{ event.x }}}', "[" * 5000 + "]" * 5000),
        ({"a": {"data": "event.x"}}, nested(5000)),
        ('{"a": {{ event.x | json }}}', nested(5000)),
        ({"a": "{{ event.x | json }}"}, nested(5000)),
        ({"a": "{{ event.x }}"}, nested(5000)),
        (None, nested(5000)),
    ],
)
def test_what_is_nested_too_deep_is_a_fault_of_this_call_and_ends_nothing(body, x):
    assert prepared({"webhook": "crm", "body": body}, data={"event": {"x": x}}) == "template:too_deep"


def test_both_secrets_sign_while_one_is_changed():
    message = call({"webhook": "crm"}, {"secret_version": 4, "old_secret_version": 3})
    assert message.options["secrets"] == tuple(secret_of(VAULT, "shop", "crm", one) for one in (4, 3))
    assert (
        len({secret_of(VAULT, *who) for who in (("shop", "crm", 1), ("shop", "crm", 2), ("shop", "crn", 1), ("shoq", "crm", 1))})
        == 4
    )
    assert "secrets" not in repr(message), "what signs may not stand in a log"


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({"headers": {"X-A": "1"}, "secret_headers": {"Authorization": "token"}}, (("X-A", "1"), ("Authorization", "Bearer t"))),
        ({"url": "https://CRM.example:8443/x", "secret_headers": {"X-Key": "token"}}, (("X-Key", "Bearer t"),)),
        ({"secret_headers": {"X-Key": "other"}}, "webhook:secret"),
        ({"url": "https://thief.example/", "secret_headers": {"X-Key": "token"}}, "webhook:secret"),
        ({"url": "https://crm.example.thief.example/", "secret_headers": {"X-Key": "token"}}, "webhook:secret"),
    ],
)
def test_a_secret_of_the_installation_goes_to_its_host_alone(endpoint, expected):
    found = prepared({"webhook": "crm"}, endpoint)
    assert (found if isinstance(found, str) else found.message.headers) == expected


def test_of_whom_nothing_is_known_nothing_is_told():
    assert prepared({"webhook": "crm"}, contact=NOBODY) == "unknown_person"
    assert prepared({"hand": {"template": "lead", "to": {"address": "all@shop.example"}}}, contact=NOBODY) == "unknown_person"


def test_an_endpoint_that_is_gone_is_not_called_until_it_is_published_anew():
    assert prepared({"webhook": "crm"}, off=[("crm", 3)]) == "webhook:gone"
    assert call({"webhook": "crm"}, off=[("crm", 2), ("other", 3)])
    assert prepared({"webhook": "nobody"}) == "webhook:missing"


def test_marketing_by_a_webhook_needs_the_persons_consent_by_every_channel_and_service_none():
    silent = Contact()
    assert prepared({"webhook": "crm"}, contact=silent, cls="triggered") == "consent"
    assert call({"webhook": "crm"}, contact=silent)
    assert call({"webhook": "crm"}, cls="triggered")
    no = Contact(words={"shop|*|*": Said(yes=1, no=2)})
    assert prepared({"webhook": "crm"}, contact=no, cls="mass") == "consent"


MANAGERS = [
    ({"data": "event.manager_email", "attribute": "manager", "address": "all@shop.example"}, "eve@shop.example"),
    ({"data": "event.nobody", "attribute": "manager", "address": "all@shop.example"}, "mark@shop.example"),
    ({"attribute": "ltv", "address": "all@shop.example"}, "all@shop.example"),
    ({"data": "event.plan", "attribute": "name"}, None),
    ({"address": "all@shop.example"}, "all@shop.example"),
]


@pytest.mark.parametrize(("to", "address"), MANAGERS)
def test_a_manager_is_found_by_the_run_the_person_or_the_document(to, address):
    found = prepared({"hand": {"template": "lead", "to": to}})
    assert (found if isinstance(found, str) else found.message.address) == (address or "no_manager")


OPEN = {
    "open": 2,
    "managers": ["ivy@shop.example", "zed@other.example"],
    "manager": {"shop": "ivy@shop.example", "other": "zed@other.example"},
}


@pytest.mark.parametrize(
    ("to", "deals", "address"),
    [
        ({"data": "event.nobody", "address": "all@shop.example"}, OPEN, "ivy@shop.example"),
        ({"data": "event.manager_email"}, OPEN, "eve@shop.example"),
        ({"attribute": "manager"}, OPEN, "mark@shop.example"),
        ({"attribute": "ltv"}, OPEN, "ivy@shop.example"),
        ({"address": "all@shop.example"}, OPEN, "all@shop.example"),
        ({"data": "event.nobody"}, {"open": 0, "manager": {}}, "no_manager"),
        ({"data": "event.nobody"}, {"open": 1, "manager": {"other": "zed@other.example"}}, "no_manager"),
        ({"data": "event.nobody"}, {"open": 1, "manager": {"shop": "Igor"}}, "no_manager"),
        ({"data": "event.nobody"}, {"open": 1, "managers": ["ivy@shop.example"]}, "no_manager"),
        ({"data": "event.nobody"}, "none", "no_manager"),
    ],
)
def test_where_the_run_names_no_manager_it_is_that_of_his_newest_open_deal_of_the_brand(to, deals, address):
    contact = replace(CONTACT, attributes={**CONTACT.attributes, "deals": (1, deals)})
    found = prepared({"hand": {"template": "lead", "to": to}}, contact=contact)
    assert (found if isinstance(found, str) else found.message.address) == address


def test_a_bad_address_of_a_manager_is_passed_by_for_the_next_one_that_is_known():
    bad = {domain.address_hash("eve@shop.example"): "permanent_address"}
    to = {"data": "event.manager_email", "attribute": "manager"}
    assert call({"hand": {"template": "lead", "to": to}}, bad=bad).address == "mark@shop.example"
    bad |= {domain.address_hash("mark@shop.example"): "permanent_address"}
    assert prepared({"hand": {"template": "lead", "to": to}}, bad=bad) == "suppressed:permanent_address"


def test_a_letter_to_a_manager_tells_of_the_person_and_holds_none_of_his_links():
    message = call({"hand": {"template": "lead", "to": {"address": "all@shop.example"}}}, contact=replace_words(CONTACT))
    assert message.subject == 'Lead Ann "A" O\'Hara' and message.text == "+79161234567 middle "
    assert not any(name.startswith("List-") for name, _ in message.headers)


def replace_words(contact: Contact) -> Contact:
    return replace(contact, words={"shop|*|*": Said(no=2)}, suppressed={"email|x": (1, "bounced")})


def test_an_endpoint_is_what_the_document_says():
    assert WebhookEndpoint(**CRM).secret_versions() == (1,)


@pytest.mark.parametrize("value", [" Bearer t", "Bearer t ", "a\r\nb", ""])
def test_a_secret_that_no_header_could_hold_is_refused_at_the_start(value):
    with pytest.raises(ValidationError):
        WebhookSecret(host="crm.example", value=value)
