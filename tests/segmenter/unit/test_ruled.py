"""Attributes by rule: the segmenter has what profile decided, whoever says what and whenever two people become one."""

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import attributes
from schemas.attributes import Attributes
from schemas.definitions import Published
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, Fact
from services.profile.domain.rules import DEFAULT, Rules, build
from services.segmenter.domain import live
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.state import State

BODY = {"key": "rules", "attributes": [{"name": "city", "sources": ["crm", "site"]}]}
RULES = build([Published(kind="identity", key="rules", version=1, body=msgspec.Raw(msgspec.json.encode(BODY)), pointer=True)])
PLAN = compile_plan({}, 1)
NOW = 1_790_000_000_000
WHO, SOURCES = st.sampled_from(["ann", "bob"]), st.sampled_from(["crm", "site", "app"])
said = st.lists(
    st.tuples(WHO, SOURCES, st.integers(0, 9), st.sampled_from(["city", "plan"]), st.sampled_from(["x", "y"])), max_size=10
)


class Profiles:
    """What profile keeps of two people, and tells of each fact."""

    def __init__(self) -> None:
        self.of: dict[str, Attributes] = {"ann": {}, "bob": {}}

    def hear(self, who: str, fact: Fact, rules: Rules) -> list[Fact]:
        self.of[who], names = attributes.merge(self.of[who], rules.said(fact))
        told = msgspec.structs.replace(fact, ruled=tuple(fact.attributes.keys() & rules.trusted.keys()))
        news = {name: self.of[who][name] for name in names}
        changed = msgspec.structs.replace(fact, id=f"{fact.id}-news", type=PROFILE_CHANGED, attributes=news)
        changed = msgspec.structs.replace(changed, attributes=live.news(changed, PLAN))
        return [told, changed] if news else [told]


def values(held: Attributes) -> dict:
    return {name: value for name, (_, value) in held.items()}


@settings(max_examples=500)
@given(said, st.integers(0, 10), st.integers(0, 5))
@example([("ann", "site", 5, "city", "x"), ("ann", "crm", 3, "city", "x"), ("ann", "site", 9, "city", "y")], 10, 1)
def test_what_segments_ask_about_is_what_profile_has(words, merge_at, ruled_at):
    """The rule is published in the middle of it."""
    profiles, states, who = Profiles(), {"ann": State(), "bob": State()}, {"ann": "ann", "bob": "bob"}
    for number, (name, source, at, attribute, value) in enumerate(words):
        if number == merge_at:
            profiles.of["ann"], _ = attributes.merge(profiles.of["ann"], profiles.of["bob"])
            merged = Fact(
                id="m", type=PROFILE_MERGED, brand="b", source="", occurred_at=NOW, received_at=NOW, attributes=profiles.of["ann"]
            )
            both = live.merge(states["ann"], states["bob"], NOW, PLAN, "m", live.news(merged, PLAN))
            states["ann"], who["bob"] = both.state, "ann"
        common = {"type": "identify", "brand": "b", "source": source, "received_at": NOW + number}
        fact = Fact(id=f"{number}", occurred_at=NOW - 9 + at, attributes={attribute: value}, **common)
        person = who[name]
        for told in profiles.hear(person, fact, RULES if number >= ruled_at else DEFAULT):
            states[person] = live.decide(states[person], told, NOW + number, PLAN).state
    for person in set(who.values()):
        assert values(states[person].attributes) == values(profiles.of[person])
