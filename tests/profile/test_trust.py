"""Attributes by rule: whose word counts more, in whatever order it comes, also after other rules were published."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.settings import Settings
from schemas import attributes
from schemas.definitions import Published
from services.profile.__main__ import service
from services.profile.domain.rules import build
from tests.profile.test_identity_live import rule
from tests.profile.test_profile_live import handled
from tests.support.live import T0, fact, publish, read, running, settings

CITY = [{"name": "city", "sources": ["crm", "site"]}]


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


def rules(*versions: list[dict]):
    """The rules in force after these were published one after another."""
    bodies = [msgspec.json.encode({"key": "rules", "attributes": said}) for said in versions]
    return build([
        Published(kind="identity", key="rules", version=n, body=msgspec.Raw(body), pointer=n == len(bodies))
        for n, body in enumerate(bodies, 1)
    ])  # fmt: skip


def city(number: int, source: str, at: int, value: str):
    return fact(f"{number}", "user_id:a", source=source, at=at, type="identify", event="", attributes={"city": value})


said = st.lists(st.tuples(st.sampled_from(["crm", "site", "app"]), st.integers(T0, T0 + 5)), min_size=1, max_size=6)


@given(said)
def test_the_most_trusted_source_counts_and_of_its_words_the_last_in_any_order(words):
    ruled = rules(CITY)
    facts = [city(n, source, at, f"{source}-{at}") for n, (source, at) in enumerate(words)]
    best = max(words, key=lambda word: (("app", "site", "crm").index(word[0]), word[1]))
    for order in itertools.permutations(facts[:4]):
        state: attributes.Attributes = {}
        for one in [*order, *facts[4:]]:
            state, _ = attributes.merge(state, ruled.said(one))
        assert state["city"][1] == f"{best[0]}-{best[1]}"


def test_what_is_said_under_another_rule_counts_more_than_all_before_and_other_changes_change_nothing():
    crm, site, app = (city(n, source, T0 + n, source) for n, source in enumerate(("crm", "site", "app")))
    first, same = rules(CITY), rules(CITY, [*CITY, {"name": "plan", "sources": ["crm"]}])
    turned, gone = rules(CITY, [{"name": "city", "sources": ["site", "crm"]}]), rules(CITY, [])

    def after(*told) -> str:
        state: attributes.Attributes = {}
        for ruled, one in told:
            state, _ = attributes.merge(state, ruled.said(one))
        return state["city"][1]

    assert after((first, crm), (same, site)) == "crm", "another attribute's rule"
    assert after((first, crm), (turned, site)) == "site" and after((turned, site), (first, crm)) == "site"
    assert after((turned, site), (turned, crm)) == "site"
    assert after((first, crm), (gone, app)) == "app" and after((gone, app), (gone, site)) == "app", "the last word again"


async def test_a_word_that_counts_less_changes_nobody_and_the_others_hear_which_go_by_rule(config):
    async with running(config, service()) as (context,):
        await rule(config, context, attributes=CITY)
        await publish(config, [city(1, "crm", T0, "Omsk"), city(2, "site", T0 + 9, "Perm"), city(3, "crm", T0 + 5, "Kazan")])
        await handled(context, 3)
    told = await read(config, "facts")
    changes = [f["attributes"]["city"][1] for f in told if f["type"] == "profile.changed" and f.get("attributes")]
    assert changes == ["Omsk", "Kazan"]
    assert [f["ruled"] for f in told if f["type"] == "identify"] == [["city"]] * 3
