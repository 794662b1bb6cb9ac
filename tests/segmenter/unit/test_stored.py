"""What is stored of a person: the same comes back, rows of before are read and go on as if nothing had been, and it stays small."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import audience as a
from schemas.facts import Fact
from services.segmenter.domain.live import decide, fire
from services.segmenter.domain.packing import MIDDLE, SMALL, tabled, untabled
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.series import DAY_MS, Series
from services.segmenter.domain.state import SHORT, State, decode, encode

NOW = 1_790_000_000_000
PLAN = compile_plan(
    {
        "bought": a.Did(event="Bought", within=30 * DAY_MS),
        "often": a.Did(event="Bought", value=2, within=90 * DAY_MS),
        "silent": a.Not(of=a.Did(event="Bought", within=7 * DAY_MS)),
        "spent": a.Total(event="Bought", sum="minor", op="ge", value=500, within=60 * DAY_MS),
    },
    1,
)
# Of November 2026: three orders, on day 0, 1 and 40. Horizons were kept by the keys of segments, instants as whole numbers each.
FIRST = bytes.fromhex(
    "9e01cf000001a1924ecc00cf000001a1b65b500091a5656d61696cc083a56f6674656ecf000001a0c976c800a57370656e74cf000001a0c976c800a6626f75676874"
    "cf000001a1924ecc0084a56f6674656ecf000001a298f32000a57370656e74cf000001a1fe745800a6626f75676874cf000001a22ccd9400a673696c656e74cf0000"
    "01a1b65b500082cf1f71c91f3ef5d9eb960303cf000001a0c4506c00cf000001a1924ecc0092cf000001a0c976c800cf000001a1924ecc0090cf6d50a262e63bd985"
    "9603cd0384cf000001a0c4506c00cf000001a1924ecc0093cf000001a0c4506c00cf000001a0c976c800cf000001a1924ecc0093cd012ccd012ccd012c809000808000"
)
# The same person, when all that was stored was packed.
PACKED = bytes.fromhex(
    "dc001001cf000001a1924ecc00cf000001a1b65b500091a5656d61696cc093cf000001a0c4506c0004c4180000000000005c0484083c8c26d80c19592505c824482e"
    "6cc4100101020604050300000202010200010293a56f6674656ea57370656e74a6626f75676874c4106fac7522593765f1ef36a9048c79ac3b95c410ebd9f53e1fc9"
    "711f85d93be662a2506d9203039203cd038492fe0393cd012ccd012ccd012c809000c08000"
)

instants = st.integers(0, 2**62 - 1) | st.integers(NOW, NOW + 1000)
whole = st.integers(-(2**63), 2**63 - 1)


@st.composite
def series(draw: st.DrawFn) -> Series:
    times = draw(st.lists(instants, max_size=4).map(sorted))
    amounts = draw(st.just([]) | st.lists(whole, min_size=len(times), max_size=len(times)))
    return Series(draw(st.integers(1, 2**40)), draw(whole), draw(instants), draw(instants), times, amounts)


held = st.dictionaries(st.integers(0, 2**63 - 1), series(), max_size=4)
states = st.builds(
    State,
    revision=st.integers(0, 9),
    clock=instants,
    due=instants,
    kinds=st.just(()) | st.just(("email", "phone")),
    bucketing=st.none() | st.just((1, "b")),
    members=st.dictionaries(st.text(max_size=3), instants, max_size=4),
    horizons=st.dictionaries(st.integers(0, 2000), instants, max_size=4),
    series=held,
    since=held,
    attributes=st.just({}) | st.just({"plan": (NOW, "paid")}),
    apart=st.just(()) | st.just(("p",)),
    owed=st.integers(0, 2),
    awaits=st.integers(0, 2),
)


def bought(at: int) -> Fact:
    known = {"occurred_at": at, "received_at": at, "identifiers": ("email:x",), "properties": {"minor": 300}}
    return Fact(id=f"f{at}", brand="b", source="s", type="track", event="Bought", **known)


def after_three_orders() -> State:
    state = State()
    for day in (0, 1, 40):
        at = NOW + day * DAY_MS
        state = decide(state, bought(at), at, PLAN).state
    return state


@given(states)
def test_the_same_comes_back(state: State) -> None:
    assert decode(encode(state)) == state


def test_any_number_of_different_instants() -> None:
    for count in (0, 1, SMALL, SMALL + 1, MIDDLE, MIDDLE + 1):
        many = [NOW + 7 * n * n for n in range(count, 0, -1)] * 2
        assert untabled(*tabled(many)) == many


def test_packed_and_plain_rows_are_read() -> None:
    state = after_three_orders()
    assert decode(PACKED) == decode(encode(state)) == state
    assert encode(state) != PACKED
    many = msgspec.structs.replace(state, horizons={mark: NOW + mark for mark in range(SHORT)})
    assert decode(encode(many)) == many


@pytest.mark.parametrize("whole", [PACKED, encode(after_three_orders())])
def test_a_damaged_row_says_so(whole: bytes) -> None:
    parts = [msgspec.msgpack.decode(one) for one in (PACKED, encode(after_three_orders()))]
    row = msgspec.msgpack.decode(whole)
    for place in range(5, 10):
        for other in (*(part[place] for part in parts), None, b"\x00\x01\x02", ["a"] * 9, {}):
            try:
                decode(msgspec.msgpack.encode([*row[:place], other, *row[place + 1 :]]))
            except msgspec.DecodeError:  # as its callers expect it, and nothing else
                continue
    for alien in (5, 7, 8, 9):
        with pytest.raises(msgspec.DecodeError):
            decode(msgspec.msgpack.encode([*row[:alien], parts[whole == PACKED][alien], *row[alien + 1 :]]))


def test_a_row_of_before_is_read() -> None:
    state = decode(FIRST)
    assert state == msgspec.structs.replace(after_three_orders(), horizons={})
    assert decode(encode(state)) == state


@given(st.lists(st.integers(1, 40 * DAY_MS) | st.integers(1, 100).map(lambda days: days * DAY_MS), max_size=4), st.booleans())
def test_it_goes_on_as_if_nothing_had_been(steps: list[int], buys: bool) -> None:
    old, new, at = decode(FIRST), after_three_orders(), NOW + 40 * DAY_MS
    for step in steps:
        at += step
        decisions = [decide(one, bought(at), at, PLAN) if buys else fire(one, at, PLAN) for one in (old, new)]
        assert decisions[0].changes == decisions[1].changes
        old, new = (decision.state for decision in decisions)
        assert (old.due, old.members, old.series) == (new.due, new.members, new.series)
        assert not decisions[0].changed or old.horizons == new.horizons


def test_an_instant_costs_its_bytes_once() -> None:
    times = [NOW + n * DAY_MS for n in range(200)]
    one = State(1, NOW, series={n: Series(200, 200, times[0], times[-1], times, [1] * 200) for n in range(5)})
    assert len(encode(one)) < 200 * 4 + 5 * 200 * 2 + 200, "four bytes each, and one for each place, and one for each amount"
