"""The parts of live evaluation that the law does not reach: many parts of a sum, upgrades, wrong clocks, hostile names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import audience as a
from schemas.audience_reading import AudienceError
from schemas.facts import Fact
from services.segmenter.domain.filling import begun, depths
from services.segmenter.domain.live import SKEW_MS, decide, fire, idle, merge, upgrade
from services.segmenter.domain.plan import NOTHING_TO_FILL, compile_plan, touches
from services.segmenter.domain.series import EXACT_PARTS, HOUR_MS, MINUTE_MS, MINUTE_PARTS
from services.segmenter.domain.state import State, decode, encode, glance

MINUTE, HOUR, DAY = MINUTE_MS, HOUR_MS, 86_400_000
NOW = 1_790_000_000_000


def fact(at: int, event: str = "Paid", number: int = 0, **more: Any) -> Fact:
    given_ = {"received_at": at, "occurred_at": at, "type": "track", "event": event, **more}
    return Fact(id=f"f{number}", brand="b", source="s", **given_)


def paid(minor: int, op: str = "gt", within: int = 30 * DAY) -> a.Total:
    return a.Total(event="Paid", sum="total.minor", op=op, value=minor, within=within)


def pay(at: int, minor: int) -> Fact:
    return fact(at, properties={"total": {"minor": minor, "currency": "RUB"}})


def test_a_fact_that_touches_nothing_changes_nothing() -> None:
    plan = compile_plan({"buyers": a.Did(event="Paid", within=DAY), "mail": a.Reachable(channel="email")}, 1)
    state = decide(State(), fact(NOW, identifiers=("email:a@example.org",)), NOW, plan).state
    page = fact(NOW + 1, "", type="page", identifiers=("anonymous_id:x",))
    assert not touches(page, plan)
    known = fact(NOW + 1, "", type="page", identifiers=("email:a@example.org", "anonymous_id:x"))
    assert touches(known, plan)
    for each in (page, known):
        assert idle(glance(encode(state)), each, plan)
        decision = decide(state, each, NOW + 1, plan)
        assert (decision.state is state, decision.changed, decision.changes) == (True, False, ())
    assert not idle(glance(encode(state)), fact(NOW + DAY, "", type="page"), plan), "a flip is due by then"


def test_what_a_machine_did_with_a_letter_counts_only_where_the_mark_is_asked_about() -> None:
    marked = (a.Filter(path="machine", op="eq", value=True),)
    plan = compile_plan(
        {
            "reads": a.Did(event="Email Opened", value=2),
            "links": a.Distinct(event="Email Link Clicked", of="link", value=1),
            "prefetched": a.Did(event="Email Opened", where=marked),
        },
        1,
    )
    state, seen = State(), []
    for number, (event, properties) in enumerate(
        [
            ("Email Opened", {"intent": "i"}),
            ("Email Opened", {"intent": "i", "machine": True}),
            ("Email Link Clicked", {"link": 1, "machine": True}),
            ("Email Link Clicked", {"link": 1}),
            ("Email Opened", {"intent": "j"}),
        ]
    ):
        state = decide(state, fact(NOW + number, event, number, properties=properties), NOW + number, plan).state
        seen.append(set(state.members))
    assert seen == [set(), {"prefetched"}, {"prefetched"}, {"prefetched", "links"}, {"prefetched", "links", "reads"}]


def test_the_due_flip_fires_before_the_fact_that_undoes_it() -> None:
    plan = compile_plan({"sleeping": a.Not(of=a.Did(event="Login", within=DAY))}, 1)
    state = decide(State(), fact(NOW, "Login"), NOW, plan).state
    assert state.due_at == NOW + DAY
    decision = decide(state, fact(NOW + DAY, "Login", 1), NOW + DAY, plan)
    told = [(change.entered, change.at, change.kind, change.cause) for change in decision.changes]
    assert told == [(True, NOW + DAY, "time", None), (False, NOW + DAY, "fact", "f1")]


def test_segments_of_segments_flip_in_the_same_call() -> None:
    plan = compile_plan(
        {
            "z": a.Did(event="Paid", within=DAY),
            "m": a.Not(of=a.InSegment(key="z")),
            "a": a.All(of=(a.InSegment(key="m"), a.Did(event="Login"))),
        },
        1,
    )
    state = decide(State(), fact(NOW, "Login"), NOW, plan).state
    assert set(state.members) == {"m", "a"}
    decision = decide(state, fact(NOW + 1), NOW + 1, plan)
    assert [(change.segment, change.entered) for change in decision.changes] == [("z", True), ("m", False), ("a", False)]
    silence = fire(decision.state, NOW + 1 + DAY, plan)
    assert [(change.segment, change.at) for change in silence.changes] == [(key, NOW + 1 + DAY) for key in ("z", "m", "a")]


def test_a_wrong_clock_ahead_does_not_carry_the_person_into_the_future() -> None:
    plan = compile_plan({"buyers": a.Did(event="Paid", within=DAY)}, 1)
    decision = decide(State(), fact(NOW + 3650 * DAY), NOW, plan)
    assert decision.state.clock == NOW + SKEW_MS
    assert decision.due_at == NOW + SKEW_MS + DAY
    before_1970 = decide(State(), fact(-5), NOW, plan).state
    assert (before_1970.clock, before_1970.series[next(iter(plan.accumulators))].first) == (0, 0)


def test_upgrade_answers_from_what_is_known_and_says_backfill() -> None:
    old = compile_plan({"gone": a.Did(event="Paid"), "kept": a.Did(event="Paid", within=DAY)}, 1)
    said = fact(NOW, attributes={"plan": "pro", "first_name": "Ann"}, identifiers=("phone:1",))
    state = decide(State(), said, NOW, old).state
    assert "first_name" not in state.attributes, "personal, and no segment asks"
    new = compile_plan(
        {
            "kept": a.Did(event="Paid", within=DAY),
            "pro": a.Attribute(name="plan", op="eq", value="pro"),
            "sms": a.Reachable(channel="sms"),
            "never": a.Not(of=a.Did(event="Login")),
            "twice": a.Did(event="Paid", within=2 * DAY, value=2),
        },
        2,
    )
    with pytest.raises(ValueError, match="upgrade"):
        decide(state, fact(NOW + 1), NOW + 1, new)
    decision = upgrade(state, NOW + 5, new)
    assert {(c.segment, c.entered, c.at, c.kind) for c in decision.changes} == {
        ("gone", False, NOW + 5, "backfill"),
        ("pro", True, NOW + 5, "backfill"),
        ("sms", True, NOW + 5, "backfill"),
        ("never", True, NOW + 5, "backfill"),
    }
    assert set(decision.state.members) == {"kept", "pro", "sms", "never"}
    assert upgrade(decision.state, NOW + 5, new).changes == ()
    logins = {accumulator.id for accumulator in new.by_event["Login"]}
    payments = {accumulator.id for accumulator in new.by_event["Paid"]}
    filling = begun(depths(old), NOTHING_TO_FILL, new)
    assert filling == (2, logins | payments, payments), "the second latest payment was not kept under the old plan"
    assert begun(depths(new), NOTHING_TO_FILL, new) == NOTHING_TO_FILL
    assert begun(None, NOTHING_TO_FILL, new) == (2, new.accumulators.keys(), new.accumulators.keys())


def test_a_merge_says_what_is_news() -> None:
    plan = compile_plan(
        {"once": a.Did(event="Paid"), "twice": a.Did(event="Paid", value=2), "pro": a.Attribute(name="plan", op="exists")}, 1
    )
    winner = decide(State(), fact(NOW), NOW, plan).state
    loser = decide(State(), fact(NOW + 1, attributes={"plan": "pro"}), NOW + 1, plan).state
    decision = merge(winner, loser, NOW + 9, plan, "m")
    assert {(c.segment, c.at, c.kind, c.cause, c.carried) for c in decision.changes} == {
        ("twice", NOW + 9, "merge", "m", False),
        ("pro", NOW + 9, "merge", "m", True),
    }
    assert decision.state.members == {"once": NOW, "twice": NOW + 9, "pro": NOW + 1}
    assert merge(State(), loser, NOW + 9, plan).state.members == loser.members


def test_names_and_texts_never_become_code() -> None:
    nasty = 'x\'); raise SystemExit(\'\n"""\\'
    test = a.Filter(path=nasty.replace(".", ""), op="eq", value=nasty)
    definitions: dict[str, a.Condition] = {
        nasty: a.AnyOf(
            of=(
                a.Attribute(name=nasty, op="contains", value=nasty),
                a.Did(event=nasty, where=(test,), within=5),
                a.Identifier(has=nasty),
                a.RandomBucket(salt=nasty, end=1),
            )
        ),
        "of": a.InSegment(key=nasty),
    }
    plan = compile_plan(definitions, 1)
    decision = decide(State(), fact(NOW, "", attributes={nasty: nasty}), NOW, plan)
    assert set(decision.state.members) == {nasty, "of"}


def test_everybody() -> None:
    plan = compile_plan({"all": a.All(of=())}, 1)
    assert decide(State(), fact(NOW), NOW, plan).state.members == {"all": NOW}


def test_deep_and_wide_conditions_compile() -> None:
    wide = a.All(of=tuple(a.Did(event=f"e{n}") for n in range(200)))
    deep: a.Condition = a.Did(event="Paid")
    for n in range(15):
        deep = a.All(of=(a.Attribute(name=f"x{n}", op="missing"), a.AnyOf(of=(deep, a.Did(event=f"n{n}")))))
    plan = compile_plan({"wide": wide, "deep": deep}, 1)
    assert set(decide(State(), fact(NOW), NOW, plan).state.members) == {"deep"}


def test_compile_refuses_cycles_and_revision_zero() -> None:
    with pytest.raises(AudienceError):
        compile_plan({"a": a.InSegment(key="a")}, 1)
    with pytest.raises(ValueError, match="revision"):
        compile_plan({}, 0)


def test_an_integer_that_no_store_holds_names_its_attributes() -> None:
    with pytest.raises(ValueError, match="score"):
        decide(State(), fact(NOW, attributes={"score": [2**70]}), NOW, compile_plan({}, 1))


def test_amounts_that_are_no_money_add_nothing() -> None:
    plan = compile_plan({"any": paid(0, "ne")}, 1)
    state = decide(State(), fact(NOW), NOW, plan).state
    for wrong in (1.5, True, "5", None, 2**53, {"minor": 1}, [1]):
        assert not decide(state, fact(NOW, properties={"total": {"minor": wrong}}), NOW, plan).changed


def test_many_parts_of_a_sum_are_gathered_and_stay_true_to_the_minute() -> None:
    """Two payments a minute for long enough: the store stays small, and the sum is off by no more than a minute's payments."""
    within = 10 * HOUR
    plan = compile_plan({"spender": paid(10**9, within=within), "total": paid(0)}, 1)
    state, step = State(), MINUTE // 2
    for number in range(1200):
        at = NOW + number * step
        state = decide(state, pay(at, 1), at, plan).state
    series = next(iter(state.series.values()))
    assert len(series.times) == len(series.amounts) < 1200 * 0.7
    assert (series.total, series.count, sum(series.amounts)) == (1200, 1200, 1200)
    assert series.times == sorted(series.times)
    newest = [NOW + number * step for number in range(1200 - EXACT_PARTS // 2, 1200)]
    assert series.times[-len(newest) :] == newest, "the newest are exact"
    for now in range(at, at + within, 7 * MINUTE + 11):
        exact = sum(now - within < NOW + number * step for number in range(1200))
        held = sum(amount for t, amount in zip(series.times, series.amounts, strict=True) if t > now - within)
        assert 0 <= exact - held <= 2
    assert decode(encode(state)) == state


def test_very_many_parts_are_gathered_to_the_hour() -> None:
    plan = compile_plan({"spender": paid(10**9, within=3650 * DAY)}, 1)
    state = State()
    for number in range(MINUTE_PARTS + 300):
        at = NOW + number * 7 * MINUTE
        state = decide(state, pay(at, 1), at, plan).state
    series = next(iter(state.series.values()))
    assert len(series.times) <= MINUTE_PARTS
    assert sum(series.amounts) == MINUTE_PARTS + 300
    assert series.times[0] % HOUR == 0


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.integers(1, 300), st.integers(1, 5))
def test_arrival_order_does_not_matter(times: list[int], within: int, least: int) -> None:
    """At one instant, what is stored and who stands where is the same in whatever order the facts came."""
    plan = compile_plan({"n": a.Did(event="Paid", within=within, value=least), "s": paid(3 * least, within=within)}, 1)

    def run(order: list[int]) -> State:
        state = State()
        for at in order:
            properties = {"total": {"minor": at % 5 + 1}}
            state = decide(state, fact(500, occurred_at=at, properties=properties), 500, plan).state
        return state

    one, other = run(times), run(sorted(times))
    assert one == other
    assert fire(one, 900, plan).changes == fire(other, 900, plan).changes
