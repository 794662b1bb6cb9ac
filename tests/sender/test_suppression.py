"""A bad address stays bad: whoever it belongs to by now, and whatever other addresses he had."""

import msgspec
import pytest

from schemas.facts import Fact
from schemas.messages import Intent
from services.sender import domain
from services.sender.domain import SUPPRESSED, Contact
from services.sender.handler import decode_contact, encode_contact

LETTER = Intent(
    id="i", brand="shop", profile="p", channel="email", message_class="service", template="t", template_version=1,
    document="journey:j", version=1, step="s", occurrence="o", not_after=0, received_at=0,
)  # fmt: skip


def having(address: str, since: int, *bad: str) -> Contact:
    """Somebody with this address now, of whose addresses some are bad."""
    contact = Contact(addresses={"email": (since, address)})
    for at, one in enumerate(bad):
        domain.suppress(contact, "email", one, "permanent_address", at)
    return contact


def test_only_the_bad_address_is_suppressed_and_only_on_its_channel():
    contact = having("now@x.example", 1, "old@x.example")
    assert domain.forbids(contact, LETTER, 0) is None
    domain.suppress(contact, "sms", "now@x.example", "blocked_by_user", 5)
    assert domain.forbids(contact, LETTER, 0) is None
    domain.suppress(contact, "email", "now@x.example", "blocked_by_user", 5)
    assert domain.forbids(contact, LETTER, 0) == "suppressed:blocked_by_user"


@pytest.mark.parametrize("newest", ["winner", "loser"])
def test_after_a_merge_no_bad_address_of_either_hides_another(newest):
    sides = {"winner": having("a@x.example", 1, "a@x.example"), "loser": having("b@x.example", 1, "b@x.example")}
    sides[newest].addresses["email"] = (2, sides[newest].addresses["email"][1])
    domain.fold(sides["winner"], sides["loser"])
    assert domain.forbids(sides["winner"], LETTER, 0) == "suppressed:permanent_address"


def test_a_person_who_goes_back_to_a_bad_address_is_not_written_to():
    contact = having("first@x.example", 1, "first@x.example", "second@x.example")
    assert domain.forbids(contact, LETTER, 0) == "suppressed:permanent_address"


def test_the_newest_of_each_channel_are_kept_also_after_a_merge():
    one = having("x", 0, *(f"a{n}" for n in range(2 * SUPPRESSED)))
    other = having("x", 0, *(f"b{n}" for n in range(2 * SUPPRESSED)))
    domain.suppress(one, "sms", "+1", "permanent_address", 0)
    assert set(one.suppressed) == {f"email|{domain.address_hash(f'a{n}')}" for n in range(SUPPRESSED, 2 * SUPPRESSED)} | {
        f"sms|{domain.address_hash('+1')}"
    }
    domain.fold(one, other)
    kept = [f"{side}{n}" for side in "ab" for n in range(SUPPRESSED + SUPPRESSED // 2, 2 * SUPPRESSED)]
    assert {f"email|{domain.address_hash(address)}" for address in kept} == {k for k in one.suppressed if k.startswith("email")}


def test_states_of_before_are_read():
    before = msgspec.msgpack.encode([{"email": [1, "a@x.example"]}, {}, {}, {"email": [domain.address_hash("a@x.example"), "old"]}])
    contact = decode_contact(before)
    assert domain.forbids(contact, LETTER, 0) == "suppressed:old"
    assert decode_contact(encode_contact(contact)) == contact and contact.unreachable == {}


def test_an_address_that_a_former_mailer_found_dead_is_suppressed_and_one_that_was_full_is_not():
    contact = having("now@x.example", 1)
    told = {"type": "track", "brand": "shop", "source": "crm", "occurred_at": 3, "received_at": 9, "event": "Email Bounced"}
    for identifiers, kind, contested in (
        (("user_id:1", "email:now@x.example"), "soft", ()),
        (("email:now@x.example",), "hard", ("email:now@x.example",)),
        (("user_id:1",), "hard", ()),
    ):
        fact = Fact(id="x", identifiers=identifiers, properties={"type": kind}, contested=contested, **told)
        assert not domain.learn(contact, fact)
        assert domain.forbids(contact, LETTER, 0) is None
    assert domain.learn(
        contact, Fact(id="x", identifiers=("user_id:1", "email:now@x.example"), properties={"type": "hard"}, **told)
    )
    assert domain.forbids(contact, LETTER, 0) == "suppressed:bounced"
