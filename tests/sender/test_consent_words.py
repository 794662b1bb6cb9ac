"""A no is a no, however it is spelled."""

from typing import Any

import pytest

from schemas.facts import Fact
from services.sender import domain
from services.sender.domain import Contact


def word(event: str, at: int, **properties: Any) -> Fact:
    return Fact(
        id="x",
        type="track",
        brand="shop",
        source="s",
        occurred_at=at,
        received_at=at,
        event=event,
        properties=properties,
        profile="p",
    )


@pytest.mark.parametrize(
    "said",
    [
        {"channel": "email", "topic": "*"},
        {"channel": "Email"},
        {"channel": "email "},
        {"channel": "e-mail"},
        {"channel": ["email"]},
        {"channel": "email", "topic": ["*"]},
        {"channels": ["email"]},
        {},
    ],
)
def test_a_withdrawal_forbids_whatever_it_names(said: dict[str, Any]) -> None:
    contact = Contact()
    domain.learn(contact, word("Consent Granted", 1, channel="email", topic="*"))
    assert domain.permitted(contact.consents, "shop", "email", "*")
    domain.learn(contact, word("Consent Withdrawn", 2, **said))
    assert not domain.permitted(contact.consents, "shop", "email", "*")


def test_a_withdrawal_of_a_topic_or_of_another_channel_leaves_the_rest() -> None:
    contact = Contact()
    domain.learn(contact, word("Consent Granted", 1, channel="EMAIL"))
    domain.learn(contact, word("Consent Withdrawn", 2, channel="sms"))
    domain.learn(contact, word("Consent Withdrawn", 2, channel="email", topic="news"))
    assert domain.permitted(contact.consents, "shop", "email", "offers")
    assert not domain.permitted(contact.consents, "shop", "email", "news")
