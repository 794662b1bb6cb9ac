"""Identifiers of a company's own, such as the number of a loyalty card: named, spelled and ranked by its rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runtime.settings import Settings
from schemas.identifiers import in_own_spelling, is_own, normalise
from schemas.identity import Identity
from services.profile.__main__ import service
from services.profile.domain import DEFAULT
from services.profile.domain.rules import compiled
from tests.profile.test_identity_live import rule
from tests.profile.test_profile_live import handled, people
from tests.support.live import T0, fact, publish, running, settings

CARD = {"kind": "id.card", "normaliser": "digits", "limit": 2, "refused": ["0000 1111"]}
RULES = compiled(Identity.model_validate({"kinds": [{"kind": "user_id", "never_merge": True}, CARD]}), 1)


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


def test_a_kind_that_the_rules_do_not_name_names_nobody():
    assert RULES.spelled("id.card:No. 12-34") == "id.card:1234"
    assert RULES.spelled("id.other:1") is None and DEFAULT.spelled("id.card:1") is None
    assert RULES.spelled("id.card:0000-1111") is None  # refused, in whatever spelling
    assert RULES.spelled("email:a@b.cd") == "email:a@b.cd"


def test_it_stands_where_the_rules_have_it():
    named = ["email:a@b.cd", "id.card:1", "user_id:u", "anonymous_id:d"]
    assert RULES.ordered(named) == ["user_id:u", "id.card:1", "email:a@b.cd", "anonymous_id:d"]


@pytest.mark.parametrize("name", ["id.", "id.Card", "card", "id.card:1", "id.ca rd", "id.1card", "id." + "a" * 31, "ID.card"])
def test_what_no_kind_can_be_called(name):
    assert not is_own(name) and normalise(name, "1") is None
    with pytest.raises(ValidationError):
        Identity.model_validate({"kinds": [{"kind": name}]})


def test_only_kinds_of_ones_own_are_spelled_by_rule():
    with pytest.raises(ValidationError, match="normaliser"):
        Identity.model_validate({"kinds": [{"kind": "phone", "normaliser": "digits"}]})


@given(st.text(max_size=40), st.sampled_from(["text", "lower", "digits", "alphanumeric"]))
def test_a_spelled_value_spells_to_itself(value, spelling):
    once = in_own_spelling(value, spelling)
    assert once is None or in_own_spelling(once, spelling) == once


async def test_a_card_makes_one_person_of_two_and_more_cards_than_the_limit_do_not(config):
    async with running(config, service()) as (context,):
        await rule(config, context, kinds=[{"kind": "user_id", "never_merge": True}, CARD])
        await publish(
            config,
            [
                fact("1", "id.card:12 34", at=T0, source="till"),
                fact("2", "user_id:ann", "id.card:1234", at=T0 + 1),
                fact("3", "user_id:ann", "id.card:55", "id.unknown:9", at=T0 + 2),
                fact("4", "user_id:ann", "id.card:66", at=T0 + 3),
            ],
            key="one",
        )
        await handled(context, 4)
        groups = sorted(map(sorted, (await people(context)).values()))
    assert groups == [["id.card:1234", "id.card:55", "user_id:ann"], ["id.card:66"]]
