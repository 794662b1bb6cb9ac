"""Words of consent in bulk are weighed as they are live: every state, over merges, requests and yeses that end."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import audience as a
from schemas.facts import Fact
from schemas.ids import derive
from services.audience.domain.world import World
from services.audience.store.answers import Answers
from tests.audience.kept import ANN, Kept, fact, merged
from tests.segmenter.unit import test_consenting as live

WORLD = World(live.DEFINITIONS, live.TOPICS, "one")


def words_of(name: str, said: list[dict[str, Any]]) -> list[Fact]:
    """The words of two profiles who are one in the end."""
    clock, found = 10, []
    for number, op in enumerate(said):
        clock += op["advance"]
        word = live.fact(number, op, clock)
        found.append(msgspec.structs.replace(word, id=derive(name, number), profile=derive(name, "who", op["who"])))
    return found


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(live.said, min_size=1, max_size=8), min_size=5, max_size=10))
def test_everybody_stands_as_all_his_words_say(people: list[list[dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as home:
        kept = Kept(Path(home))
        told = {str(n): words_of(str(n), said) for n, said in enumerate(people)}
        for name, words in told.items():
            kept.lake.add([*words, merged(derive(name, "who", 0), derive(name, "who", 1), 9)], partition=int(name) % 3)
        kept.take()
        answers = Answers(kept.index)
        for now in (20, 24, 27, 31, 40):
            with answers.view(now, WORLD) as view:
                found = {key: set(view.ids(list(view.members(condition)))) for key, condition in live.DEFINITIONS.items()}
            for name, words in told.items():
                stands = {key for key, members in found.items() if derive(name, "who", 0) in members}
                assert stands == live.expected(words, now), (name, now)
        kept.index.close()
        kept.lake.close()


def test_a_word_that_was_imported_counts_with_evidence_only(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    yes = {"channel": "email", "topic": "*", "evidence": {"form": "ann@example.org"}}
    granted = {"event": "Consent Granted", "lane": "bulk"}
    kept.told(
        fact(ANN, 1, **granted, properties=yes),
        fact(derive("profile", "bob"), 1, **granted, properties={**yes, "evidence": {}}),
    )
    assert kept.of(a.Consent(channel="email")) == {ANN}
    assert kept.of(a.Consent(channel="email", state="none")) == {derive("profile", "bob")}
    kept.index.close()
    kept.lake.close()
