"""An unmerge is a replay that never had the link: pure, over random graphs of identifiers, orders and attributes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.identity import Identity
from services.profile.domain import DEFAULT, Registry, homes_of, kind_of
from services.profile.domain.rules import compiled
from services.profile.domain.splitting import part, replay
from tests.support.live import T0, fact

KINDS = ("user_id", "email", "phone", "telegram_id", "anonymous_id")
FREE = compiled(
    Identity.model_validate({"kinds": [{"kind": kind, "limit": 1000} for kind in KINDS], "merges": 9999, "merges_per_hour": 9999}),
    1,
)
NAMES = ("user_id:a", "user_id:b", "email:x@e.org", "email:y@e.org", "phone:+79160000001", "phone:+79160000002",
         "telegram_id:7", "anonymous_id:d", "anonymous_id:e")  # fmt: skip
said = st.dictionaries(st.sampled_from(("city", "plan")), st.sampled_from(("red", "blue", 1)), max_size=2)
facts = st.lists(
    st.tuples(st.sets(st.sampled_from(NAMES), min_size=1, max_size=3), st.integers(0, 5), said), min_size=1, max_size=12
)


def told(history):
    """Facts, each a second later than the one before; what they say occurred at random times."""
    return [
        fact(str(n), *sorted(names, key=lambda i: (KINDS.index(kind_of(i)), i)), at=T0 + 1000 * n, attributes=attributes)
        for n, (names, _, attributes) in enumerate(history)
    ]


class Kept(Registry):
    """A registry that keeps the journal as the service does."""

    def __init__(self, rules, cuts=None, homes=None):
        super().__init__(rules, {}, {}, {}, cuts, homes)
        self.journal = []

    def hear(self, told):
        for one in told:
            applied = self.link(one)
            if applied.links:
                self.journal += [(one, person) for person in applied.people]
        return self

    def of(self, person):
        return list({one.id: one for one, whose in self.journal if self.canonical(whose) == person}.values())

    def homes(self, person):
        return {name: self.names[name].home for name in self.profiles[person].known_as()}


def shown(profile):
    """What must be the same in two runs: everything but ids."""
    pair = (profile.bucketing_id, profile.bucketed_at)
    return sorted(profile.known_as()), profile.first_at, pair, profile.strong, sorted(profile.attributes.items())


def people(registry):
    return sorted((shown(p) for id_, p in registry.profiles.items() if id_ not in registry.buried), key=repr)


def only(history, names):
    """As far as it is about these names: what somebody else's fact says with one of them says nothing of him."""
    for one in history:
        mine = tuple(name for name in one.identifiers if name in names)
        if mine:
            own = FREE.ordered(one.identifiers)[0] in names
            yield replace(one, identifiers=mine, attributes=one.attributes if own else {})


@given(facts)
def test_the_journal_makes_the_same_people_as_all_facts_did(history):
    whole = Kept(FREE).hear(told(history))
    for person, profile in whole.profiles.items():
        made = replay(whole.of(person), FREE, whole.homes(person), {})
        (again,) = [p for id_, p in made.profiles.items() if id_ not in made.buried]
        assert shown(again)[:4] == shown(profile)[:4]


@settings(max_examples=400)
@given(facts, st.data())
def test_the_parts_are_those_of_a_replay_that_never_had_the_link(history, data):
    history = told(history)
    whole = Kept(FREE).hear(history)
    person = data.draw(st.sampled_from(sorted(whole.profiles)))
    homes = whole.homes(person)
    apart = data.draw(st.sets(st.sampled_from(sorted(homes)), max_size=len(homes)))
    parts = part(person, whole.profiles[person], whole.of(person), FREE, homes, apart, "cut")
    sides = {name: {"cut": int(name in apart)} for name in homes}
    never = Kept(FREE, sides, homes).hear(only(history, homes))
    assert sorted((shown(one.profile) for one in parts), key=repr) == people(never)
    assert sum(one.id == person for one in parts) == 1 and len({one.id for one in parts}) == len(parts)
    assert all({name in apart for name in one.profile.names} in ({True}, {False}) for one in parts)


@given(facts, facts, st.data())
def test_what_was_parted_is_never_one_again_by_a_fact(history, more, data):
    history = told(history)
    whole = Kept(FREE).hear(history)
    person = data.draw(st.sampled_from(sorted(whole.profiles)))
    homes = whole.homes(person)
    apart = data.draw(st.sets(st.sampled_from(sorted(homes)), min_size=1))
    parts = part(person, whole.profiles[person], whole.of(person), FREE, homes, apart, "cut")
    names = {name: held._replace(owner=whole.canonical(held.owner)) for name, held in whole.names.items() if name not in homes}
    later = Registry(FREE, names, {id_: profile for id_, profile in whole.profiles.items() if id_ != person}, {})
    for one in parts:
        later.profiles[one.id] = one.profile
        later.names |= {name: whole.names[name]._replace(owner=one.id) for name in one.profile.known_as()}
    for n, (names, _, _) in enumerate(more):
        later.link(fact(f"later{n}", *names, at=T0 + 10**6 + n))
    if len(parts) > 1:
        for profile in later.profiles.values():
            mine = homes.keys() & profile.known_as().keys()
            assert len({name in apart for name in mine}) <= 1


def test_a_wrong_address_goes_with_what_it_told():
    whole = Kept(DEFAULT).hear(
        [
            fact("1", "user_id:a", attributes={"city": "Omsk"}, at=T0),
            fact("2", "user_id:a", "email:x@e.org", at=T0 + 1),
            fact("3", "email:x@e.org", attributes={"city": "Perm"}, at=T0 + 2),
        ]
    )
    ((person, profile),) = whole.profiles.items()
    assert profile.attributes["city"] == (T0 + 2, "Perm")
    stays, goes = part(person, profile, whole.of(person), DEFAULT, whole.homes(person), {"email:x@e.org"}, "cut")
    assert (stays.id, stays.profile.attributes) == (person, {"city": (T0, "Omsk")})
    assert (goes.profile.attributes, goes.profile.bucketed_at) == ({"city": (T0 + 2, "Perm")}, T0 + 1)
    assert stays.profile.bucketing_id is None  # it had no contact of its own


@pytest.mark.parametrize("rules", [FREE, DEFAULT])
def test_homes_say_no_address(rules):
    one = fact("1", "user_id:a", "email:x@e.org")
    assert homes_of(one, rules) != homes_of(fact("2", "user_id:a", "email:x@e.org"), rules)
