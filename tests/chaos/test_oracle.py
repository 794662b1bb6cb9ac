"""The judge is judged: the oracle does not care for order, agrees with the linking rule, and the counts count."""

import random
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import Fact
from schemas.identity import Identity
from schemas.ids import derive
from services.profile import domain
from services.profile.domain import Profile
from services.profile.domain.rules import compiled
from tests.chaos.oracle import JUNK, expected
from tests.chaos.stream import Call, Stream
from tests.chaos.verify import Findings, attributes_told, check_facts, check_names
from tests.chaos.welcome import IDENTITY


def calls(seed: int, batches: int = 4) -> list[Call]:
    return [call for batch in islice(Stream(seed).batches(), batches) for call in batch]


def test_two_streams_with_one_seed_are_equal():
    assert calls(7) == calls(7)
    assert calls(7) != calls(8)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_oracle_does_not_care_for_order_or_repeats(seed, rng):
    lines = [call.line() for call in calls(seed, 2)]
    mixed = rng.sample(lines, len(lines)) + lines[:20]
    assert expected(mixed) == expected(lines)


FREE = compiled(Identity.model_validate(IDENTITY), 1)


def linked(stream: list[Call]) -> set[tuple[str, ...]]:
    """Groups of identifiers by the linking rule of profile, fact by fact."""
    owners: dict[str, str] = {}
    profiles: dict[str, Profile] = {}
    for call in stream:
        names = tuple(i for i in call.identifiers if i not in JUNK)
        fact = Fact(
            id=derive(call.message), type=call.kind, brand="b", source=call.source, occurred_at=0, received_at=0, identifiers=names
        )
        verdict = domain.link(fact, {i: owners[i] for i in names if i in owners}, profiles, FREE)
        winner = profiles.setdefault(verdict.owner, Profile(0, names={}))
        for loser in verdict.losers:
            domain.fold(winner, profiles.pop(loser), 0)
            owners.update({name: verdict.owner for name, person in owners.items() if person == loser})
        owners.update(dict.fromkeys(verdict.attached, verdict.owner))
        winner.strong = winner.strong or any(domain.proves(i) for i in verdict.attached)
    groups: dict[str, list[str]] = {}
    for name, person in owners.items():
        groups.setdefault(person, []).append(name)
    return {tuple(sorted(group)) for group in groups.values()}


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_the_stream_gives_the_groups_of_the_oracle(seed):
    stream = calls(seed)
    wanted = {tuple(person["identifiers"]) for person in expected(call.line() for call in stream)["people"]}
    for _ in range(3):
        assert linked(stream) == wanted
        random.Random(seed).shuffle(stream)


def test_the_counts_count():
    def record(message, partition=0, seq=0):
        return {
            "id": message, "type": "track", "source": "site", "properties": {"message": message}, "_topic": "facts", "_partition": partition, "seq": seq,
        }  # fmt: skip

    wanted = {f"m{n}": n for n in range(1, 6)}
    keys = dict.fromkeys(wanted, "site|user_id:1")
    found = Findings()
    check_facts(found, [record("m1"), record("m2"), record("m3"), record("m4", 1), record("m5")], wanted, keys)
    assert not found.counts
    check_facts(found, [record("m2"), record("m1"), record("m4"), record("m4"), record("m3", 1), record("m9")], wanted, keys)
    assert found.counts == {"facts.lost": 1, "facts.twice": 1, "order.breaks": 1, "state.differences": 1}


def test_after_a_parting_a_record_is_his_whose_home_it_has_and_attributes_are_those_of_the_split():
    parts = [{"profile": "B", "homes": ["b"]}]
    split = {"id": "s", "type": "profile.split", "profile": "A", "identifiers": ["user_id:a"], "attributes": {"tier": [1, 1]}}
    records = [
        {"id": "0", "type": "profile.merged", "profile": "A", "attributes": {"tier": [1, 1], "city": [2, "York"]}},
        {"id": "1", "type": "track", "profile": "A", "identifiers": ["email:b"], "home": "b"},
        {"id": "4", "type": "profile.changed", "profile": "A", "identifiers": ["email:b"], "attributes": {}},
        {**split, "properties": {"parts": parts}},
        {"id": "2", "type": "track", "profile": "old", "identifiers": ["email:b"]},
        {"id": "3", "type": "profile.changed", "profile": "B", "identifiers": ["email:b"], "attributes": {"city": [2, "York"]}},
    ]
    stones, owner = {"old": "B"}, {"user_id:a": "A", "email:b": "B"}
    found = Findings()
    check_names(found, records, owner, stones)
    assert not found.counts
    assert attributes_told(stones, records) == {"A": {"tier": 1}, "B": {"city": "York"}}
    for broken in ({"home": "a"}, {"identifiers": ["user_id:a"]}):
        found = Findings()
        check_names(found, [records[0], records[1] | broken, *records[2:]], owner, stones)
        assert found.counts == {"state.differences": 1}
    found = Findings()
    check_names(found, [*records, records[2]], owner, stones)
    assert found.counts == {"state.differences": 1}, "told of him after the split, it is a lie"
