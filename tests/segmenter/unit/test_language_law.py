"""The law of test_live_law for leaves about calendar windows, several events, lines and values: live membership is what the oracle says
at every instant, whatever comes late, twice at once, or through a merge.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import audience as a
from services.segmenter.domain import normal, series
from tests.segmenter.unit import language as l
from tests.segmenter.unit.test_live_law import LONG, agree, definition_sets, law, pair

pytestmark = [pytest.mark.usefixtures("tiny_days"), pytest.mark.timeout(3600 if LONG else 180)]


@law
@given(definitions=definition_sets(leaf=l.leaves), history=l.histories)
def test_live_is_the_oracle(definitions: Any, history: Any, oracle: Any, person: Any) -> None:
    agree(definitions, history, oracle, person)


KINDS = {
    "did": l.dids,
    "total": l.totals,
    "average": l.averages,
    "distinct": l.distincts,
    "sequence": l.sequences,
    "since": l.sinces,
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_leaf_about_many_facts(kind: str, oracle: Any, person: Any) -> None:
    @law
    @given(leaf=KINDS[kind], history=st.lists(l.facts | l.facts | l.ticks, min_size=4, max_size=12), merge=st.integers(2, 12))
    def holds(leaf: Any, history: Any, merge: int) -> None:
        agree(pair(leaf), [*history[:merge], "merge", *history[merge:]], oracle, person)

    holds()


@pytest.mark.parametrize("kind", l.DENSE)
def test_two_leaves_of_a_kind_about_facts_that_matter_to_both(kind: str, oracle: Any, person: Any) -> None:
    leaf, fact = l.DENSE[kind]

    @law
    @given(one=leaf, other=leaf, history=st.lists(fact, min_size=5, max_size=12), merge=st.integers(2, 12))
    def holds(one: Any, other: Any, history: Any, merge: int) -> None:
        agree({"one": one, "other": other}, [*history[:merge], "merge", *history[merge:]], oracle, person)

    holds()


@law
@given(leaf=l.spanned(a.Did, value=st.integers(0, 3)), history=l.histories)
def test_counts_gathered_as_sums(leaf: Any, history: Any, oracle: Any, person: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal, "EXACT_RANK", 1)
    agree(pair(leaf), history, oracle, person)


def test_the_histories_stay_below_what_is_kept() -> None:
    assert min(series.EXACT_PARTS, series.KEPT_VALUES) > 14
