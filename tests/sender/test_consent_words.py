"""A no is a no, however it is spelled."""

from typing import Any

import msgspec
import pytest

from schemas import permission
from schemas.facts import Fact
from schemas.permission import SUBJECTS
from services.sender import domain
from services.sender.domain import Contact
from services.sender.handler import decode_contact, encode_contact


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


def permitted(contact: Contact, topic: str, now: int = 100) -> bool:
    return permission.permitted(contact.words, permission.FLAT, "shop", "email", topic, now)


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
    assert permitted(contact, "*")
    domain.learn(contact, word("Consent Withdrawn", 2, **said))
    assert not permitted(contact, "*")


def test_a_withdrawal_of_a_topic_or_of_another_channel_leaves_the_rest() -> None:
    contact = Contact()
    domain.learn(contact, word("Consent Granted", 1, channel="EMAIL"))
    domain.learn(contact, word("Consent Withdrawn", 2, channel="sms"))
    domain.learn(contact, word("Consent Withdrawn", 2, channel="email", topic="news"))
    assert permitted(contact, "offers")
    assert not permitted(contact, "news")


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
def test_the_words_of_one_who_was_taken_in_are_replayed_with_the_winners_whenever_they_are_heard(late):
    """The case that once hung on the order: a no to the channel on one side, a later yes to one topic of it on the other."""
    winner, loser = Contact(), Contact()
    domain.learn(winner, word("Consent Granted", 5, channel="email", topic="news"))
    no = word("Consent Withdrawn", 1, channel="email")
    after = word("Consent Withdrawn", 7, channel="email")
    if not late:
        domain.learn(loser, no)
    domain.fold(winner, loser)
    if late:
        domain.learn(winner, no)
    assert permitted(winner, "news") and not permitted(winner, "offers")
    third = Contact()
    for side in (third, winner) if late else (third,):
        domain.learn(side, after)
    domain.fold(winner, third)
    assert not permitted(winner, "news"), "a later no of either is his no"


def test_states_of_before_are_read():
    before = msgspec.msgpack.encode([{}, {}, {"shop|email|*": [3, True], "shop|email|news": [4, False]}])
    contact = decode_contact(before)
    assert permitted(contact, "offers") and not permitted(contact, "news")
    assert decode_contact(encode_contact(contact)) == contact and contact.consents == {}


def test_a_nul_in_a_word_hides_no_no():
    contact = Contact()
    domain.learn(contact, word("Consent Granted", 1, channel="email", topic="news"))
    domain.learn(contact, word("Unsubscribed", 2, channel="email", topic="ne\x00ws"))
    assert not permitted(contact, "news")


def test_made_up_topics_fill_nobodys_row_and_a_no_that_does_not_fit_forbids_all_the_more():
    contact, other = Contact(), Contact()
    for at in range(2 * SUBJECTS):
        domain.learn(contact, word("Consent Granted", 1 + at, channel="email", topic=f"made-up-{at}"))
        domain.learn(other, word("Consent Withdrawn", 1 + at, channel="sms", topic=f"other-{at}"))
    assert len(contact.words) == SUBJECTS and permitted(contact, "made-up-0", 10_000)
    assert not permitted(contact, f"made-up-{SUBJECTS}", 10_000)
    domain.learn(contact, word("Consent Withdrawn", 5_000, channel="email", topic="news"))
    assert not permitted(contact, "made-up-0", 10_000)
    domain.learn(contact, word("Consent Granted", 6_000, channel="email"))
    assert permitted(contact, "news", 10_000), "what is said of everything always fits"
    domain.fold(contact, other)
    assert len(contact.words) <= SUBJECTS + 2, "beside what is said of everything"
