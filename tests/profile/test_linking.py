"""Whose a fact is under the rules of identity: pure, over random graphs of identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import Identity
from services.profile.domain import DEFAULT, Profile, fold, kind_of, link
from services.profile.domain.rules import compiled
from tests.support.live import T0, fact


def rules(**more):
    return compiled(Identity.model_validate(more), 1)


FREE = rules(kinds=[{"kind": kind, "limit": 1000} for kind in ("user_id", "email", "phone")], merges=10_000, merges_per_hour=10_000)
ONE_PHONE = rules(kinds=[{"kind": "user_id"}, {"kind": "phone", "limit": 1}])


class World:
    """Who is who, as a service without batches keeps it."""

    def __init__(self, known=DEFAULT):
        self.rules, self.owners, self.people, self.refused, self.merges = known, {}, {}, [], []

    def tell(self, *names, source="site", at=T0, message=None, **more):
        told = fact(message or f"{source}{at}{names}", *names, source=source, at=at, **more)
        verdict = link(told, {n: self.owners[n] for n in names if n in self.owners}, self.people, self.rules)
        if verdict.created:
            self.people[verdict.owner] = Profile(at, names={})
        for loser in verdict.losers:
            fold(self.people[verdict.owner], self.people.pop(loser), at)
            self.owners = {n: verdict.owner if p == loser else p for n, p in self.owners.items()}
            self.merges.append(verdict.by[loser])
        for name, person in [*((n, verdict.owner) for n in verdict.attached), *verdict.apart.items()]:
            profile = self.people.setdefault(person, Profile(at, names={}))
            profile.known_as()[name] = source
            profile.strong = profile.strong or not name.startswith("anonymous_id")
            self.owners[name] = person
        self.refused += [(r.identifier, r.reason) for r in verdict.refused]
        assert verdict.owner in self.people and all(r.owner in self.people for r in verdict.refused)
        return verdict.owner

    def groups(self):
        found = {}
        for name, person in self.owners.items():
            found.setdefault(person, set()).add(name)
            assert name in self.people[person].known_as()
        return sorted(map(sorted, found.values()))


def test_two_user_ids_of_one_source_stay_two_people_and_the_address_stays_with_the_first():
    world = World()
    world.tell("user_id:a", "email:x@e.org")
    second = world.tell("user_id:b", "email:x@e.org")
    assert world.groups() == [["email:x@e.org", "user_id:a"], ["user_id:b"]]
    assert world.refused == [("email:x@e.org", "never_merge")] and second == world.owners["user_id:b"]


def test_two_user_ids_of_two_sources_are_one_person():
    world = World()
    world.tell("user_id:a", "email:x@e.org")
    world.tell("user_id:b", "email:x@e.org", source="crm")
    assert world.groups() == [["email:x@e.org", "user_id:a", "user_id:b"]]


def test_an_alias_joins_no_two_user_ids_of_one_source():
    """The write key of a site is public: whoever has it must not be able to make one of two customers."""
    world = World()
    world.tell("user_id:a")
    world.tell("user_id:b")
    world.tell("user_id:a", "user_id:b", type="alias")
    assert world.groups() == [["user_id:a"], ["user_id:b"]]


def test_the_strongest_identifier_says_whose_a_contradictory_fact_is():
    world = World()
    mail = world.tell("email:x@e.org", "user_id:a")
    phone = world.tell("phone:+79160000001", "user_id:b")
    assert world.tell("email:x@e.org", "phone:+79160000001", message="m") == mail != phone
    first = rules(kinds=[{"kind": "phone"}, {"kind": "user_id", "never_merge": True}])
    other = World(first)
    other.tell("email:x@e.org", "user_id:a")
    phone = other.tell("phone:+79160000001", "user_id:b")
    assert other.tell("email:x@e.org", "phone:+79160000001", message="m") == phone


def test_what_is_over_the_limit_is_a_person_of_its_own():
    world = World(ONE_PHONE)
    world.tell("user_id:a", "phone:+79160000001")
    world.tell("user_id:a", "phone:+79160000002")
    assert world.groups() == [["phone:+79160000001", "user_id:a"], ["phone:+79160000002"]]
    assert world.refused == [("phone:+79160000002", "limit")]


@pytest.mark.parametrize(("name", "reason"), [("merges", "merges"), ("merges_per_hour", "merges_per_hour")])
def test_a_storm_of_merges_ends(name, reason):
    world = World(rules(kinds=[{"kind": "user_id"}], **{name: 3}))
    for n in range(6):
        world.tell(f"email:m{n}@e.org", at=T0 + n)
        world.tell("user_id:a", f"email:m{n}@e.org", at=T0 + n)
    assert len(world.merges) == 3 and {reason} == {r for _, r in world.refused}
    world.tell("user_id:a", "email:m5@e.org", at=T0 + 3_600_010)
    assert len(world.merges) == (3 if name == "merges" else 4)


IDENTIFIERS = (
    [f"user_id:{n}" for n in range(4)] + [f"email:m{n}@e.org" for n in range(4)] + [f"phone:+7916000000{n}" for n in range(4)]
)
facts = st.lists(
    st.tuples(st.lists(st.sampled_from(IDENTIFIERS), min_size=1, max_size=3, unique=True), st.sampled_from(["site", "crm"])),
    max_size=12,
)


@given(facts, st.randoms(use_true_random=False))
def test_without_limits_people_are_what_is_linked_whatever_the_order(told, rng):
    def played(order):
        world = World(FREE)
        for place, (names, source) in enumerate(order):
            world.tell(*sorted(names), source=source, at=T0 + place, message=str(told.index((names, source))))
        assert not world.refused
        return world.groups()

    shuffled = [*told, *told]
    rng.shuffle(shuffled)
    assert played(told) == played(shuffled)


@given(facts)
def test_the_rules_hold_whatever_comes(told):
    world = World(rules(kinds=[{"kind": "user_id", "never_merge": True}, {"kind": "email", "limit": 2}], merges=3))
    for place, (names, source) in enumerate(told):
        owner = world.tell(*names, source=source, at=T0 + place)
        assert owner == world.owners[world.rules.ordered(names)[0]], "the strongest says whose it is"
    for person in world.people.values():
        by_source = [source for name, source in person.known_as().items() if kind_of(name) == "user_id"]
        assert len(set(by_source)) == len(by_source)
        assert sum(kind_of(name) == "email" for name in person.known_as()) <= 2
        assert person.merged <= 3
    assert set(world.owners) == {name for names, _ in told for name in names}, "no name is lost"
