"""All kinds of steps, a schedule and a campaign together, under merges, unmerges, pauses, migrations and verdicts in any order."""

from typing import Any

import pytest
from hypothesis import given, settings

from tests.orchestrator.everything import Play, drawn, modes, names, play, scripts
from tests.orchestrator.world import DAY, HOUR


@settings(max_examples=40, deadline=None)
@given(names, modes, scripts)
def test_whatever_comes_together_nobody_is_lost_and_nothing_goes_twice(first: list[str], mode: dict[str, str], script: list[Any]):
    """Each intent is held against those before it where it is made (`Play.check`); here, that everything comes to an end."""
    ends(play(first, mode, script))


TOLD_TWICE = [  # what became of a letter on which a step waited was news to a cascade that was put off
    ("merge", "a", "c"), ("vip", "c", "entered"), ("passes", 3 * HOUR), ("publish", ["l", "q", "d", "s", "a", "c"], {}), ("fact", "a", "Go"),
    ("passes", DAY),
]  # fmt: skip


@pytest.mark.parametrize("seed", [*range(25), 1077, 1125, 1164, 1234])
def test_long_days_too(seed: int):
    ends(play(*drawn(seed)))


def test_what_became_of_an_earlier_letter_is_no_news_to_a_cascade():
    ends(play(["m", "n", "r", "j", "w"], {"mode": "never"}, TOLD_TWICE))


def ends(played: Play) -> None:
    played.rest()
    world = played.world
    runs = [run for person in world.people.values() for run in person.runs]
    assert runs == [], "everybody comes to an end"
    assert not [p for person in world.people.values() for p in person.pending.values()], "and every letter"
    told = [d for d in world.decisions if d.by == "orchestrator" and not d.document.startswith("campaign")]
    entered = sorted((d.document, d.occurrence) for d in told if d.verdict == "entered")
    over = sorted((d.document, d.occurrence) for d in told if d.verdict == "goal" or (d.verdict == "left"))
    assert entered == over, "whoever entered has left, once"
