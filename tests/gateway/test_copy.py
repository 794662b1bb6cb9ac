"""The page of a person's copy: whatever stands in it, it can be printed, and says nothing that is not so."""

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain import copy

AT = 1_290_384_000_000  # 2010-11-22 00:00 UTC
NAMES = st.sampled_from(["a", "at", "created_at", "title", "consents", "properties", "<b>"])
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=60))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=25)


def page(**told) -> str:
    return copy.page({"made_at": AT, **told}, "en")


def words(shown: str) -> str:
    """What somebody reads there."""
    return html.unescape(re.sub(r"<[^>]*>", " ", shown.partition("<body>")[2]))


def leaves(value) -> list:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for one in inner for leaf in leaves(one)]


@given(st.dictionaries(st.sampled_from(["attributes", "properties", "data", "context"]), VALUES, min_size=1), st.booleans())
def test_whatever_others_said_of_him_is_told_as_they_said_it(said, deep):
    shown = words(page(timeline=[said]) if deep else page(**said))
    assert shown.count("UTC") - sum(str(leaf).count("UTC") for leaf in leaves(said)) <= 1, "that of the copy itself"
    assert all(str(leaf) in shown for leaf in leaves(said) if leaf not in (None, "") or leaf is False)


@given(NAMES, VALUES)
def test_whatever_stands_in_a_field_of_ours_can_be_printed(name, value):
    assert page(**{name: value, "timeline": [{name: value}, {"at": value}]}).endswith("</html>")


def test_instants_of_ours_are_told_as_instants_and_nobody_elses():
    wide = "x" * 300
    shown = words(page(orchestrator={"runs": [{"started_at": AT, "step": wide, "data": {"created_at": AT, "at": 10**18}}]}))
    assert shown.count("2010-11-22 00:00:00 UTC") == 2 and f"created_at: {AT}" in shown and str(10**18) in shown
    assert "1000000000000000000" in words(page(profile={"first_received_at": 10**18}))
    assert "at: 2010-11-22 00:00:00 UTC" in words(page(orchestrator={"caps": [{"class": "mass", "at": AT}]}))


def test_a_list_of_objects_and_words_is_told_one_by_one():
    mixed = [{"a": 1, "b": ["<i>", {"c": 2}]}, "x", 5, None, ["y"]]
    assert "a: 1, b: <i>, c: 2, x, 5, , y" in words(page(timeline=[{"properties": {"p": mixed}}]))
    assert "&lt;i&gt;" in page(timeline=[{"properties": {"p": [*mixed, "x" * 300]}}])
