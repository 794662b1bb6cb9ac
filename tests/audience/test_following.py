"""Deeds after messages, as arrays, are what one finds by looking at each pair."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.audience.domain.following import Moments, followed, last_before, tied

FAR = 2**53 - 1
ROWS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from((0, 1, 2, 3, 5, 8, 13))), max_size=12)
# People and instants that do not fit into one number beside each other.
WIDE = st.lists(st.tuples(st.sampled_from((0, 1, 2**20)), st.sampled_from((0, 1, FAR - 1, FAR))), max_size=8)


def moments(rows: list[tuple[int, int]]) -> Moments:
    n, moment = zip(*rows, strict=True) if rows else ((), ())
    return Moments(np.array(n, dtype=np.int64), np.array(moment, dtype=np.int64))


@given(st.one_of(st.tuples(ROWS, ROWS), st.tuples(WIDE, WIDE)), st.sampled_from((1, 2, 5, FAR)), st.randoms(use_true_random=False))
def test_deeds_follow_messages_as_each_pair_says(drawn: Any, window: int, dice: Any) -> None:
    sent, done = drawn
    rank = list(range(len(sent)))
    dice.shuffle(rank)
    credited = []
    for n, at in done:
        before = [i for i, (whose, moment) in enumerate(sent) if whose == n and moment < at]
        last = max(before, key=lambda i: (sent[i][1], rank[i]), default=-1)
        credited.append(last if last >= 0 and at <= sent[last][1] + window else -1)
    after = [any(whose == n and moment < at <= moment + window for whose, at in done) for n, moment in sent]
    messages, deeds = moments(sent), moments(done)
    assert followed(messages, deeds, window).tolist() == after
    assert last_before(messages, np.array(rank, dtype=np.int64), deeds, window).tolist() == credited
    assert tied(messages).tolist() == [i for i, one in enumerate(sent) if sent.count(one) > 1]
