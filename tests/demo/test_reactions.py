"""Simulated readers: how many, when, and which link they take."""

import pytest

from deploy.demo import reactions
from deploy.demo.story import HOUR

T = 1_291_200_000_000
TOKEN = "A" * 42


def test_shares_are_what_they_are_said_to_be():
    found = [one for n in range(20_000) for one in reactions.reactions(1, f"<{n}@shop.example>", n, T)]
    kinds = [one.kind for one in found]
    assert kinds.count("open") / 20_000 == pytest.approx(0.25, abs=0.02)
    assert kinds.count("click") / 20_000 == pytest.approx(0.05, abs=0.01)
    assert kinds.count("unsubscribe") / 20_000 == pytest.approx(0.005, abs=0.003)


def test_whoever_clicks_or_leaves_has_opened_before():
    for n in range(2_000):
        doings = reactions.reactions(1, f"<{n}@x>", n, T)
        assert not doings or doings[0].kind == "open"
        assert doings == sorted(doings)
        assert all(T < one.at <= T + 33 * HOUR and 8 <= one.at // HOUR % 24 <= 20 for one in doings)


def test_one_seed_one_behaviour():
    def behaviour(seed):
        return [reactions.reactions(seed, f"<{n}@x>", n, T) for n in range(300)]

    assert behaviour(1) == behaviour(1) != behaviour(2)


LETTER = {
    "id": 3,
    "headers": [["Subject", "x"], ["List-Unsubscribe", f"<http://h/u/{TOKEN}>"]],
    "html": f'<a href="http://h/c/{TOKEN[:-1]}B">go</a><a href="http://h/u/{TOKEN}">out</a><img src="http://h/o/{TOKEN[:-1]}C">',
}


@pytest.mark.parametrize(
    ("kind", "end"), [("open", f"/o/{TOKEN[:-1]}C"), ("click", f"/c/{TOKEN[:-1]}B"), ("unsubscribe", f"/u/{TOKEN}")]
)
def test_each_doing_takes_its_own_link(kind, end):
    assert reactions.path(kind, LETTER) == end


def test_a_letter_without_the_link_is_an_error():
    with pytest.raises(ValueError, match="mail 3 has no link to click"):
        reactions.path("click", {**LETTER, "html": None})
