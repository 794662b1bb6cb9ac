"""Somebody who was taken for another is parted from him: each has his own words, and nobody gets what was meant for the other."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import consents, permission
from schemas.facts import PROFILE_SPLIT, Fact, Split, SplitPart
from schemas.permission import Said
from services.sender import domain, parting
from services.sender.domain import Contact
from tests.sender.live.kit import intent, person

ANN, BOB = "home-of-ann", "home-of-bob"


def word(number: int, home: str, event: str, at: int, topic: str, profile: str = "p") -> Fact:
    said = {"channel": "email", "topic": topic}
    common = {"type": "track", "brand": "shop", "source": "site", "occurred_at": at, "received_at": at}
    return Fact(id=f"{number}", event=event, properties=said, profile=profile, home=home, **common)


words = st.lists(
    st.tuples(
        st.sampled_from([ANN, BOB]), st.sampled_from(sorted(consents.EVENTS)), st.integers(0, 9), st.sampled_from(["*", "a"])
    ),
    max_size=12,
)


def of(facts: list[Fact]) -> dict[str, Said]:
    contact = Contact()
    for fact in facts:
        domain.learn(contact, fact)
    return contact.words


def told(facts: list[Fact]) -> dict:
    return msgspec.to_builtins(of(facts))


def split(facts: list[Fact], at: int = 100, **more) -> tuple[Fact, Split]:
    part = SplitPart(profile="q", homes=(BOB,), words=told([one for one in facts if one.home == BOB]))
    made = Split(act="act", parts=(part,), words=told([one for one in facts if one.home == ANN]))
    common = {"brand": "shop", "source": "api", "occurred_at": at, "received_at": at, "profile": "p"}
    return Fact(id="split", type=PROFILE_SPLIT, properties=msgspec.to_builtins(made), **common, **more), made


@given(words, st.data())
def test_each_has_his_own_words_whenever_the_parting_is_heard(said, data):
    """Some of the words, of either lane, are heard only after the parting; profile knew them all."""
    facts = [word(n, home, event, at, topic) for n, (home, event, at, topic) in enumerate(said)]
    late = {fact.id for fact in facts if data.draw(st.booleans())}
    ann, bob = Contact(), Contact()
    for one in facts:
        if one.id not in late:
            domain.learn(ann, one)
    fact, made = split(facts)
    parting.go(bob, made.parts[0], ann)
    parting.stay(ann, fact, made, blind=str)
    for one in facts:
        if one.id in late:
            domain.learn(ann, one)
    own = of([one for one in facts if one.home == ANN])
    assert {key: (one.yes, one.until, one.asked) for key, one in ann.words.items() if one.yes >= 0 or one.asked >= 0} == {
        key: (one.yes, one.until, one.asked) for key, one in own.items() if one.yes >= 0 or one.asked >= 0
    }
    assert all(ann.words[key].no >= one.no for key, one in own.items()), "no refusal is lost"
    assert late or ann.words == own
    assert bob.words == of([one for one in facts if one.home == BOB])


def test_what_was_said_since_and_stands_in_nobodys_words_yet_stays():
    facts = [word(1, ANN, consents.GRANTED, 1, "*"), word(2, BOB, consents.WITHDRAWN, 2, "*")]
    ann = Contact(words=of(facts))
    domain.withdraw(ann, "shop", "email", "a", 7)  # by a link, a moment ago
    parting.stay(ann, *split(facts), blind=str)
    subject = permission.subject("shop", "email", "a")
    assert ann.words == {permission.subject("shop", "email", "*"): Said(yes=1), subject: Said(no=7)}


def test_addresses_and_attributes_are_those_that_are_left_and_what_providers_refused_is_known_of_both():
    ann = Contact(
        addresses={"email": (5, "bob@x.org"), "phone": (1, "+79160000001")},
        attributes={"city": (3, "Perm"), "plan": (4, "pro")},
    )
    domain.suppress(ann, "email", "bob@x.org", "bounced", 4)
    more = {
        "identifiers": ("email:ann@x.org", "phone:+79160000001"),
        "attributes": {"city": [1, "Omsk"]},
        "lost": ("email:bob@x.org",),
    }
    fact, made = split([], **more)
    bob = Contact(addresses={"email": (6, "bob@x.org")})
    parting.go(bob, made.parts[0], ann)
    parting.stay(ann, fact, made, blind=str)
    assert {kind: address for kind, (_, address) in ann.addresses.items()} == {"email": "ann@x.org", "phone": "+79160000001"}
    assert ann.attributes == {"city": (1, "Omsk")}
    assert ann.suppressed == bob.suppressed != {}
    domain.learn(ann, Fact(id="x", type="profile.changed", identifiers=("email:bob@x.org",), brand="shop", source="s", occurred_at=9, received_at=9))  # fmt: skip
    assert ann.addresses["email"][1] == "ann@x.org", "told before, heard after"


def test_what_was_decided_before_the_parting_is_decided_anew():
    ann = Contact(addresses={"email": (1, "ann@x.org")}, words={permission.subject("shop", "email", "*"): Said(yes=1)})
    before, after = intent(1, at=149), intent(1, at=150, attempt=1)
    assert before.profile == person(1)
    parting.stay(
        ann, *split([word(1, ANN, consents.GRANTED, 1, "*")], at=100, identifiers=("email:ann@x.org",)), now=150, blind=str
    )
    assert domain.forbids(ann, before, 0) == "parted"
    assert domain.forbids(ann, after, 0) is None
    assert msgspec.convert(msgspec.to_builtins(ann), Contact) == ann
