"""The law: whoever stands in a segment live is found in bulk, and stands there when his state is made anew of the same facts, at the last
instant of his history and at those after it.

Live sees each fact when it comes, with timers between. Made anew he is twice: by a replay of the facts in the order of the log, without a
timer, and of all that he did at once, as `otklik rebuild` does it.

Many people and conditions share a lake, as writing files is what costs. `python -m tests.audience.law --minutes 30` goes on and on,
elsewhere each time, and says how much it compared, and each operator how often with ties, late facts, facts offered twice, merges and days of
odd lengths.
"""

import argparse
import heapq
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.audience import ADAPTER, Condition
from schemas.facts import PROFILE_MERGED, Fact
from schemas.ids import derive
from services.audience.domain.world import World
from services.audience.store import windows
from services.audience.store.answers import Answers
from services.audience.store.index import Index
from services.segmenter.domain import closures
from services.segmenter.domain.live import decide, fire, merge
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.rebuilding import Known, differences, rebuilt
from services.segmenter.domain.state import State
from tests.audience.lake import Written
from tests.audience.situations import LEAST, Seen
from tests.segmenter.unit import language
from tests.segmenter.unit import test_live_law as law
from tests.segmenter.unit.tiny_days import MIDNIGHTS, TinyZone

LOOK_AHEAD = 7
INSTANTS = 8  # of each example
CROWD = 60  # pairs of an example of a long run
ODD = sorted({at for name, each in MIDNIGHTS.items() if name != "UTC" for at in each})
compared = itertools.count()
seen: Seen | None = None  # of a long run
pairs_drawn = itertools.count()  # of a condition and a history


class Pair:
    """Two people who may become one, live; and the facts of it."""

    def __init__(self, plan: Any, name: str) -> None:
        self.plan, self.clock = plan, 10
        self.ids = [derive("person", name, who) for who in (0, 1)]
        self.states = [State(), State()]
        self.facts: list[Fact] = []
        self.merged = False

    def step(self, op: Any) -> None:
        if op == "merge":
            self.merge()
        elif isinstance(op, int):
            self.clock += op
            self.states = [fire(state, self.clock, self.plan).state if state.revision else state for state in self.states]
        else:
            self.fact(op)

    def fact(self, op: dict[str, Any]) -> None:
        self.clock += op["advance"]
        who = 0 if self.merged else op["who"]
        received = self.clock - op["held_up"]
        at, id_ = op["bucket"] or (None, None)
        fact = Fact(
            id=derive(self.ids[0], len(self.facts)), type="page" if op["event"] == "page" else "track", brand="b", source="s",
            event="" if op["event"] == "page" else op["event"], occurred_at=received - op["late"], received_at=received,
            properties=op["properties"], attributes=op["attributes"], identifiers=op["identifiers"], bucketing_id=id_,
            bucketed_at=at, profile=self.ids[op["who"] if self.merged else who],
        )  # fmt: skip
        self.facts.append(fact)
        self.states[who] = decide(self.states[who], fact, self.clock, self.plan).state

    def merge(self) -> None:
        if self.merged:
            return
        self.merged = True
        winner, loser = self.ids
        self.facts.append(
            Fact(
                id=derive(winner, "merged"), type=PROFILE_MERGED, brand="b", source="s", occurred_at=self.clock,
                received_at=self.clock, profile=winner, properties={"winner": winner, "loser": loser, "by": ""},
            )
        )  # fmt: skip
        self.states[0] = merge(self.states[0], self.states[1], self.clock, self.plan).state
        self.states[1] = State()

    @property
    def halves(self) -> tuple[list[Fact], list[Fact]]:
        """The facts as they stand in two places of the log."""
        middle = len(self.facts) // 2
        return self.facts[:middle], self.facts[middle:]

    @property
    def twice(self) -> set[str]:
        """Facts that are offered to the index a second time."""
        return {fact.id for fact in self.halves[0]}

    def replayed(self) -> list[State]:
        """Both as they are after a replay of the log: merged by received_at, no place reordered."""
        states, merged = [State(), State()], False
        for fact in heapq.merge(*self.halves, key=lambda one: one.received_at):
            if fact.type == PROFILE_MERGED:
                states, merged = [merge(*states, fact.received_at, self.plan).state, State()], True
            else:
                who = 0 if merged else self.ids.index(fact.profile or "")
                states[who] = decide(states[who], fact, self.clock, self.plan).state
        return states

    def anew(self) -> list[State]:
        """Both made anew of all that each did, as if the two had been one from the beginning where they are one."""
        whole = [State(), State()]
        for fact in self.facts:
            if fact.type != PROFILE_MERGED:
                who = 0 if self.merged else self.ids.index(fact.profile or "")
                whole[who] = decide(whole[who], fact, self.clock, self.plan).state
        return [self._made_of(one) if state.revision else State() for one, state in zip(whole, self.states, strict=True)]

    def _made_of(self, one: State) -> State:
        known = Known(one.attributes, one.kinds, one.bucketing, one.words)
        return rebuilt(known, one.series, self.clock, self.plan)

    def members(self, states: list[State], ahead: int) -> dict[str, frozenset[str]]:
        """Who of the two stands where by these states."""
        return {
            self.ids[who]: frozenset(fire(state, self.clock + ahead, self.plan).state.members)
            for who, state in enumerate(states)
            if state.revision
        }


def agree(definitions: dict[str, Any], histories: list[list[Any]]) -> None:
    plan = compile_plan(definitions, 1)
    pairs = [Pair(plan, str(n)) for n in range(len(histories))]
    for pair, history in zip(pairs, histories, strict=True):
        for op in history:
            pair.step(op)
        rebuild(pair)
    for _ in range(len(definitions) * len(histories)):
        next(pairs_drawn)
    with tempfile.TemporaryDirectory() as home:
        lake = Written(Path(home))
        index = Index(Path(home) / "audience" / "index.duckdb", threads=1)
        # What was taken is offered again, in the one file of all that the second look finds.
        add(lake, pairs, 0)
        index.take(lake.look({}))
        add(lake, pairs, 1)
        lake.merge()
        index.take(lake.look(index.places))
        compare(Answers(index), definitions, pairs)
        index.close()
        lake.close()


def add(lake: Written, pairs: list[Pair], part: int) -> None:
    """The first or second half of each pair's facts, in turns on the first and the second lane."""
    lanes: dict[tuple[str, int], list[Fact]] = {}
    for number, pair in enumerate(pairs):
        lanes.setdefault(("facts" if number % 2 == part else "facts.bulk", number % 3), []).extend(pair.halves[part])
    for (topic, partition), facts in lanes.items():
        lake.add(facts, topic, partition)


def rebuild(pair: Pair) -> None:
    """Live is rebuilt: states, and where both stand from here on."""
    replayed, anew = pair.replayed(), pair.anew()
    for live, *others in zip(pair.states, replayed, anew, strict=True):
        for other in others if live.revision else ():
            assert differences(live, other, pair.clock, pair.plan) == []
    for ahead in range(LOOK_AHEAD):
        assert pair.members(replayed, ahead) == pair.members(pair.states, ahead) == pair.members(anew, ahead)


def compare(answers: Answers, definitions: dict[str, Any], pairs: list[Pair]) -> None:
    """At instants from the end of the shortest history to well after that of the longest: of each pair from its own end on."""
    first, last = min(pair.clock for pair in pairs), max(pair.clock for pair in pairs) + LOOK_AHEAD
    for now in range(first, last, -(-(last - first) // INSTANTS)):
        with answers.view(now, World(definitions)) as view:
            found = {key: set(view.ids(list(view.members(condition)))) for key, condition in definitions.items()}
        for pair in pairs:
            for person, stands in pair.members(pair.states, now - pair.clock).items() if pair.clock <= now else ():
                for key, condition in definitions.items():
                    next(compared)
                    if seen is not None:
                        seen.note(condition, pair.facts, pair.twice, ODD, merged=pair.merged)
                    assert (person in found[key]) == (key in stands), (key, person, now)


def definitions(sets: Any, leaves: Any) -> Any:
    """Nested conditions, and many leaves by themselves: of what is wrong with a leaf a tree shows little."""
    alone = st.lists(leaves, min_size=14, max_size=18).map(lambda found: {f"leaf {n}": leaf for n, leaf in enumerate(found)})
    return st.tuples(sets, alone).map(lambda both: {**both[0], **both[1]})


any_leaf = st.one_of(law.happenings, law.happenings, law.happenings, law.traits, law.dates, law.marks)


def examples_of(leaves: Any, sets: Any, history: Any, pairs: int) -> dict[str, Any]:
    """Of up to so many pairs. With more of them a question is compared with more, and takes no longer."""
    return {"definitions": definitions(sets, leaves), "histories": st.lists(history, min_size=-(-pairs // 3), max_size=pairs)}


def older(pairs: int = 10) -> dict[str, Any]:
    return examples_of(any_leaf, law.definition_sets(), law.histories_of(law.facts, 1), pairs)


def newer(pairs: int = 10) -> dict[str, Any]:
    return examples_of(language.leaves, law.definition_sets(leaf=language.leaves), language.histories, pairs)


MARKS = st.sampled_from([None, None, True, True, False, "true", 1, {}])


def lettered(leaf: Condition) -> Condition:
    """The same leaf about opens of letters, which leaves out what machines did; one that asks whether n is 1 asks for the mark itself."""
    text = leaf.model_dump_json().replace('"event":"did"', '"event":"Email Opened"')
    return ADAPTER.validate_json(text.replace('{"path":"n","op":"eq","value":1', '{"path":"machine","op":"eq","value":true'))


def opened(op: Any, mark: Any) -> Any:
    """The same fact as an open of a letter, marked or not."""
    if not isinstance(op, dict) or op["event"] != "did":
        return op
    marked = {} if mark is None else {"machine": mark}
    return {**op, "event": "Email Opened", "properties": {**op["properties"], **marked}}


def letters(pairs: int = 10) -> dict[str, Any]:
    """Of opens, some of which no person made."""
    leaves = st.one_of(language.leaves, law.happenings).map(lettered)
    marked = st.lists(st.tuples(law.facts | language.facts | language.ticks | st.just("merge"), MARKS), min_size=1, max_size=14)
    history = marked.map(lambda drawn: [opened(op, mark) for op, mark in drawn])
    return examples_of(leaves, law.definition_sets(leaf=leaves), history, pairs)


def holds(drawn: dict[str, Any], examples: int, *, derandomize: bool = True) -> None:
    """Raises AssertionError with the smallest example that it finds."""
    checks = list(HealthCheck)
    phases = [Phase.explicit, Phase.generate, *([] if derandomize else [Phase.shrink])]

    @settings(
        max_examples=examples, deadline=None, derandomize=derandomize, database=None, suppress_health_check=checks, phases=phases
    )
    @given(**drawn)
    def agreed(definitions: Any, histories: Any) -> None:
        agree(definitions, histories)

    agreed()


def main() -> None:
    global seen  # noqa: PLW0603 - the example that hypothesis runs has no other way to it
    parser = argparse.ArgumentParser(prog="tests.audience.law")
    parser.add_argument("--minutes", type=float, default=10)
    end = time.monotonic() + parser.parse_args().minutes * 60
    closures.zone = windows.zone = TinyZone  # type: ignore[assignment]
    seen = Seen()
    while time.monotonic() < end:
        for drawn in (older(CROWD), newer(CROWD), letters(CROWD)):
            holds(drawn, 5, derandomize=False)
        rare = seen.rare()
        print(
            f"{next(compared):,} comparisons agree; of {len(seen.operators)} operators in 5 situations {len(rare)} were compared less than "
            f"{LEAST} times", flush=True,
        )  # fmt: skip
    for operator, situation, times in rare:
        print(f"  {operator}: {situation} {times}")


if __name__ == "__main__":
    main()
