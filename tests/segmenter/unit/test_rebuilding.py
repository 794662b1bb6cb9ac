"""Made anew of all that somebody did he is as live has him, old parts of sums rounded or not; and what is otherwise is named."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.audience import Condition
from schemas.facts import Fact
from schemas.ids import derive
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.live import decide
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.rebuilding import Known, differences, rebuilt, standing_since, under_way
from services.segmenter.domain.series import EXACT_PARTS, Series
from services.segmenter.domain.state import State

DAY, T0 = 86_400_000, 1_290_000_000_000
_read: TypeAdapter[Condition] = TypeAdapter(Condition)
CONDITIONS: dict[str, Any] = {
    "spent": {"kind": "total", "event": "buy", "sum": "minor", "op": "ge", "value": 5000, "within": 30 * DAY},
    "fresh": {"kind": "did", "event": "buy", "within": DAY},
    "omsk": {"kind": "attribute", "name": "city", "op": "eq", "value": "Omsk"},
}
PLAN = compile_plan({key: _read.validate_python(one) for key, one in CONDITIONS.items()}, 1)
SUM, COUNT = (next(one for one in PLAN.accumulators.values() if bool(one.rank) == ranked) for ranked in (False, True))


def lived(parts: list[tuple[int, int]]) -> State:
    """Live, after purchases (instant, amount) that are heard as they are made."""
    state = State()
    for n, (at, minor) in enumerate(parts):
        buy = Fact(
            id=derive("f", n), type="track", event="buy", brand="b", source="s", occurred_at=at, received_at=at, properties={"minor": minor}
        )  # fmt: skip
        state = decide(state, buy, at, PLAN).state
    return state


def anew(parts: list[tuple[int, int]], now: int) -> State:
    """As DuckDB has it: every part that is in the window."""
    times = sorted(at for at, _ in parts)
    totals = len(parts), sum(minor for _, minor in parts), times[0], times[-1]
    exact = [(at, minor) for at, minor in sorted(parts) if at > now - SUM.window]
    sums = Series(*totals, [at for at, _ in exact], [minor for _, minor in exact])
    counts = Series(len(parts), len(parts), times[0], times[-1], times[-COUNT.rank :], [])
    return rebuilt(Known({}, (), None, {}), {SUM.id: sums, COUNT.id: counts}, now, PLAN)


spans = st.lists(st.integers(0, 6 * 3_600_000), min_size=EXACT_PARTS + 1, max_size=2 * EXACT_PARTS)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(steps=spans, minor=st.integers(1, 50), spoilt=st.integers(0, EXACT_PARTS // 2))
def test_sums_of_many_parts_are_the_same_however_they_were_rounded(steps: list[int], minor: int, spoilt: int) -> None:
    at, parts = T0, list[tuple[int, int]]()
    for step in steps:
        at += step
        parts.append((at, minor))
    live = lived(parts)
    assert differences(live, anew(parts, at), at, PLAN) == []
    series = live.series[SUM.id]
    amounts = [*series.amounts[: -spoilt - 1], series.amounts[-spoilt - 1] + 1, *series.amounts[len(series.amounts) - spoilt :]]
    wrong = msgspec.structs.replace(live, series={**live.series, SUM.id: msgspec.structs.replace(series, amounts=amounts)})
    assert differences(wrong, anew(parts, at), at, PLAN) == ["counts of buy"]


def test_what_is_otherwise_is_named() -> None:
    parts = [(T0, 6000)]
    live, again = lived(parts), anew(parts, T0)
    assert differences(live, again, T0, PLAN) == []
    change = msgspec.structs.replace
    assert differences(change(live, horizons={}, due=NEVER), again, T0, PLAN) == ["segment fresh, to come"]
    assert differences(change(live, members={**live.members, "omsk": 1}), again, T0, PLAN) == ["segment omsk"]
    assert differences(change(live, members={**live.members, "omsk": 1}), again, T0, PLAN, {"omsk"}) == []
    assert differences(change(live, attributes={"plan": (1, "x")}, kinds=("email",), bucketing=(1, "b")), again, T0, PLAN) == [
        "attribute plan", "kinds of identifiers", "bucketing",
    ]  # fmt: skip
    late = lived(parts)
    assert differences(late, again, T0 - DAY, PLAN) == [], "live has come further than the stated instant"


def test_whoever_something_is_still_to_come_to_is_not_judged() -> None:
    live = lived([(T0, 1)])
    change = msgspec.structs.replace
    assert not under_way(live, PLAN)
    assert all(under_way(one, PLAN) for one in (change(live, revision=7), change(live, owed=1), change(live, apart=("x",))))


def test_he_stands_since_he_was_told_to() -> None:
    again = anew([(T0, 6000)], T0 + 5)
    assert again.members == {"spent": T0 + 5, "fresh": T0 + 5}
    assert standing_since(again, State(members={"spent": 1, "omsk": 2})).members == {"spent": 1, "fresh": T0 + 5}
