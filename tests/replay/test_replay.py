"""Recorded histories decide the same in this code: every call of `decide` that was made then gives the answer that it gave."""

from pathlib import Path
from typing import Any

import pytest

from schemas.facts import Fact
from services.orchestrator.domain import decide
from services.orchestrator.domain.turn import Outcome
from tests.orchestrator.world import T0, World, journey, published, rule, send
from tests.replay.history import History, Reader, Writer, load

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.msgpack.xz"))


def test_there_are_histories() -> None:
    assert FIXTURES


@pytest.mark.parametrize("file", FIXTURES, ids=lambda file: file.name.partition(".")[0])
def test_what_was_decided_is_decided_again(file: Path) -> None:
    for number, (function, given, answer) in enumerate(Reader(load(file)).calls()):
        again = getattr(decide, function)(*given)
        assert plain(again) == plain(answer), f"call {number}, {function}: {differs(plain(again), plain(answer))}"


def plain(answer: Any) -> Any:
    """All of an outcome; the people that a split gives, too."""
    return tuple(answer) if isinstance(answer, Outcome) else (plain(answer[0]), dict(answer[1]))


def differs(now: Any, then: Any) -> str:
    """The first thing that is otherwise."""
    if isinstance(now, tuple | list) and isinstance(then, tuple | list) and len(now) == len(then):
        return next(differs(a, b) for a, b in zip(now, then, strict=True) if a != b)
    return f"{now} instead of {then}"


def test_a_history_under_other_rules_is_noticed() -> None:
    """Written down and read again it is the same; with the night taken out of its documents it is not."""
    chain, night = journey("j", send("a")), rule(quiet_hours={"from": "22:00", "to": "08:00"})
    world, writer = World(chain, night), Writer()
    writer.book(world.book, [published("journey", chain), night])
    world.person("p")
    fact = Fact(id="f", type="track", event="Registered", brand="shop", source="s", occurred_at=T0, received_at=T0, profile="p")
    given = (world.book, "p", world.people["p"], fact, None)
    writer.call("on_fact", given, decide.on_fact(*given))
    assert same(writer.history)
    writer.history.documents[1] = writer.history.documents[1].replace(b"22:00", b"08:00")
    assert not same(writer.history)


def same(history: History) -> bool:
    ((function, given, answer),) = Reader(history).calls()
    return plain(getattr(decide, function)(*given)) == plain(answer)
