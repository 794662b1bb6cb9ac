"""What an address has refused outlives its person, and counts for whoever has the address later."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.facts import Fact
from schemas.permission import Said, joined
from schemas.topics import ADDRESS_KIND
from services.sender import domain, erasure
from services.sender.domain import Contact
from tests.sender.test_chats import reply

KINDS = {"email": "a@example.org", "phone": "+79160000001", "telegram_id": "7"}
words = st.dictionaries(
    st.tuples(
        st.sampled_from(["shop", "school"]), st.sampled_from(["email", "sms", "telegram", "*"]), st.sampled_from(["*", "news"])
    ),
    st.tuples(st.integers(0, 9), st.booleans()),
    max_size=6,
)


@given(words, st.sets(st.sampled_from(sorted(KINDS)), min_size=1), words)
def test_a_no_of_an_address_is_the_next_ones_until_he_says_yes_later(said, kinds, next_says):
    gone = Contact(
        addresses={kind: (0, KINDS[kind]) for kind in kinds},
        consents={"|".join(key): word for key, word in said.items()},
    )
    kept = erasure.refusals(gone)
    assert kept.keys() == {f"{kind}:{KINDS[kind]}" for kind in kinds}
    for kind in kinds:
        channel = next(channel for channel, of in ADDRESS_KIND.items() if of == kind)
        contact = Contact(consents={"|".join(key): word for key, word in next_says.items()})
        before = dict(contact.words)
        erasure.recall(contact, f"{kind}:{KINDS[kind]}", kept[f"{kind}:{KINDS[kind]}"])
        for key, (at, granted) in said.items():
            name = "|".join(key)
            mine = before.get(name, Said())
            if granted or key[1] not in (channel, "*"):
                assert contact.words.get(name, Said()) == mine
            else:
                assert contact.words[name] == joined(mine, Said(no=at))


def test_a_refused_address_stays_refused():
    gone = Contact(addresses={"email": (0, "a@example.org")})
    domain.suppress(gone, "email", "a@example.org", "hard_bounce", 5)
    contact = Contact()
    assert erasure.recall(contact, "email:a@example.org", erasure.refusals(gone)["email:a@example.org"])
    assert contact.suppressed == gone.suppressed


def test_an_old_address_of_his_that_was_refused_does_not_speak_for_the_new_one():
    gone = Contact(addresses={"email": (1, "new@example.org")})
    domain.suppress(gone, "email", "old@example.org", "hard_bounce", 0)
    assert erasure.refusals(gone) == {"email:new@example.org": []}


def test_who_was_erased_while_he_blocked_the_bot_and_comes_back_to_it_is_answered():
    gone = Contact(addresses={"telegram_id": (1, "7")}, words={"shop|telegram|*": Said(no=5)})
    domain.suppress(gone, "telegram", "7", "blocked_by_user", 5)
    kept = erasure.refusals(gone)["telegram_id:7"]
    contact = Contact()
    wrote = Fact(
        id="f", type="track", event="Bot Started", brand="shop", source="bot.b", occurred_at=9, received_at=9,
        identifiers=("telegram_id:7",), properties={"bot": "b", "channel": "telegram"},
    )  # fmt: skip
    domain.learn(contact, wrote)
    assert erasure.recall(contact, "telegram_id:7", kept)
    assert domain.forbids(contact, reply(), 0) is None
    marketing = msgspec.structs.replace(reply(), message_class="mass")
    assert domain.forbids(contact, marketing, 0) == "consent", "that he wanted no letters still holds"


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["bounced", "permanent_address"])), min_size=1, max_size=4))
def test_why_an_address_is_bad_is_the_newest_reason_in_whatever_order_they_are_heard(reasons):
    contact = Contact()
    for at, reason in reasons[:-1]:
        domain.suppress(contact, "email", "a@example.org", reason, at)
    at, reason = reasons[-1]
    erasure.recall(contact, "email:a@example.org", [erasure.Refusal("email", at, reason)])
    assert list(contact.suppressed.values()) == [max(reasons)]


def test_only_addresses_are_looked_for_among_what_was_refused():
    known = ["user_id:7", "id.card:9", "anonymous_id:a", "email:a@example.org", "phone:+79160000001", "telegram_id:7", "vk_id:7"]
    assert erasure.addresses(known) == set(known[3:])
    gone = Contact(addresses=dict.fromkeys(domain.ADDRESS_KIND.values(), (0, "7")), words={"shop|*|*": Said(no=5)})
    assert erasure.refusals(gone).keys() == erasure.addresses(erasure.refusals(gone)), "and all of them are addresses"
