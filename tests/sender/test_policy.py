"""The law of a country stands before what a person agreed to."""

import pytest

from schemas.messages import Intent
from schemas.policies import FORBIDDEN, Policy, forbidden
from services.sender import domain
from services.sender.domain import Contact
from tests.sender.test_suppression import LETTER

WHY = "because counsel says so"


def policy(allow: bool, **more: str) -> Policy:
    return Policy.model_validate({"key": "k", "country": "RU", "channel": "telegram", "reason": WHY, **more, "allow": allow})


def person(country: str | None = None, phone: str = "") -> Contact:
    contact = Contact(addresses={"email": (1, "a@example.org"), "telegram_id": (1, "7")}, consents={"shop|*|*": (1, True)})
    if country:
        contact.attributes["country"] = (1, country)
    if phone:
        contact.addresses["phone"] = (1, phone)
    return contact


def intent(channel: str, message_class: str = "mass") -> Intent:
    return Intent(
        **{name: getattr(LETTER, name) for name in LETTER.__struct_fields__}
        | {"channel": channel, "message_class": message_class, "brand": "shop"}
    )


@pytest.mark.parametrize(
    ("contact", "country"),
    [
        (person("ru"), "RU"),
        (person(" RU "), "RU"),
        (person("Narnia", "+79161234567"), "RU"),
        (person("РФ"), "RU"),
        (person("Россия"), "RU"),
        (person("--", "+79161234567"), "RU"),
        (person(phone="+77011234567"), "KZ"),
        (person("KZ", "+79161234567"), "KZ"),
        (person(), ""),
    ],
)
def test_the_country_is_the_one_he_says_else_that_of_his_phone(contact, country):
    assert domain.country_of(contact) == country


def test_marketing_in_telegram_to_russia_is_off_and_service_and_mail_are_on():
    contact = person("RU")
    assert domain.forbids(contact, intent("telegram"), 0) == "policy:RU:telegram"
    assert domain.forbids(contact, intent("telegram", "triggered"), 0) == "policy:RU:telegram"
    assert domain.forbids(contact, intent("telegram", "service"), 0) is None
    assert domain.forbids(contact, intent("email"), 0) is None
    assert domain.forbids(person("KZ"), intent("telegram"), 0) is None
    assert domain.forbids(person(), intent("telegram"), 0) is None, "of whom no country is known it says nothing"


def test_a_document_allows_it_forbids_more_and_of_two_the_no_counts():
    assert forbidden([]) == FORBIDDEN
    assert forbidden([policy(allow=True)]) == frozenset()
    assert forbidden([policy(allow=True), policy(allow=False)]) == FORBIDDEN
    assert forbidden([policy(allow=False, country="DE", channel="sms", purpose="service")]) == FORBIDDEN | {
        ("DE", "sms", "service")
    }
    german = person("DE", "+4915112345678")
    assert domain.forbids(german, intent("sms", "service"), 0, {("DE", "sms", "service")}) == "policy:DE:sms"


def test_where_a_channel_is_forbidden_to_nobody_no_country_is_looked_for(monkeypatch):
    monkeypatch.setattr(domain, "country_of", None)
    assert domain.forbids(person("RU"), intent("email"), 0) is None
    assert domain.forbids(person("RU"), intent("telegram", "service"), 0) is None
    with pytest.raises(TypeError):
        domain.forbids(person("RU"), intent("telegram"), 0)
