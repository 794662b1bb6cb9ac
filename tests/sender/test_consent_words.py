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


def test_an_address_that_is_nobodys_any_more_is_not_written_to():
    """The phone of the till: profile found that too many share it."""

    def changed(at, *identifiers, **more):
        given = {"type": "profile.changed", "brand": "shop", "source": "till", "occurred_at": at, "received_at": at, **more}
        return Fact(id=f"{at}", identifiers=identifiers, **given)

    contact = domain.Contact()
    domain.learn(contact, changed(1, "phone:+79160000001", "email:a@example.org"))
    domain.learn(contact, changed(2, lost=("phone:+79160000002",)))
    assert contact.addresses["phone"] == (1, "+79160000001"), "another one's"
    domain.learn(contact, changed(3, lost=("phone:+79160000001",)))
    assert contact.addresses == {"email": (1, "a@example.org")}


def test_an_address_that_is_lost_stays_lost_whatever_is_heard_later():
    def changed(at, *identifiers, **more):
        given = {"type": "profile.changed", "brand": "shop", "source": "till", "occurred_at": at, "received_at": at, **more}
        return Fact(id=f"{at}", identifiers=identifiers, **given)

    winner, loser = Contact(), Contact()
    domain.learn(winner, changed(5, lost=("phone:+79160000001",)))
    domain.learn(winner, changed(9, "phone:+79160000001"))
    assert winner.addresses == {}, "the second lane was behind"
    domain.learn(loser, changed(1, "phone:+79160000001"))
    domain.fold(winner, loser)
    assert winner.addresses == {}


@pytest.mark.parametrize("late", [False, True])
def test_the_no_of_one_who_was_taken_in_counts_whenever_it_is_heard(late):
    winner, loser = Contact(), Contact()
    domain.learn(winner, word("Consent Granted", 5, channel="email"))
    no = word("Consent Withdrawn", 1, channel="email")
    if not late:
        domain.learn(loser, no)
    domain.fold(winner, loser)
    if late:
        domain.learn(winner, no, folded=True)
    assert not domain.permitted(winner.consents, "shop", "email", "*")
    domain.learn(winner, word("Consent Granted", 9, channel="email"))
    assert domain.permitted(winner.consents, "shop", "email", "*"), "his next word is his own"


def test_a_nul_in_a_word_hides_no_no():
    contact = Contact()
    domain.learn(contact, word("Consent Granted", 1, channel="email", topic="news"))
    domain.learn(contact, word("Unsubscribed", 2, channel="email", topic="ne\x00ws"))
    assert not domain.permitted(contact.consents, "shop", "email", "news")
