"""Reports of outcomes are what one counts by hand, whatever was merged, came late or twice; their parts add up; every figure has its people."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.facts import Fact
from schemas.ids import derive
from schemas.messages import Decision
from schemas.reports import DAY_MS, FIGURES, Outcomes
from schemas.zones import zone
from services.audience.domain.world import World as InForce
from services.audience.handler import reporting
from services.audience.handler.answering import Refused
from services.audience.reports import people
from services.audience.reports.outcomes import EVER
from services.audience.reports.outcomes_messages import Span
from services.audience.store.answers import Answers
from services.audience.store.index import Index
from services.gateway.domain.outcomes import Reading
from tests.audience.kept import fact, merged
from tests.audience.lake import Written
from tests.audience.naive_outcomes import Message, Response, World, figures

WINDOW, NOW = 10_000, 10**9
PEOPLE = [derive("person", n) for n in range(6)]
TARGET = {"event": "Bought", "value": "total", "window": WINDOW}
CLICK = "Email Link Clicked"
EVENTS = ("Email Bounced", "Email Opened", "Email Unsubscribed", "Email Marked as Spam")
AFTER = st.sampled_from((0, 1_000, 2_000, 9_000, 9_900, 10_999, 11_000))
STATES = ("accepted", "accepted", "accepted", "failed", "in_doubt", "would_have_sent")
MOMENTS = st.sampled_from(range(0, 40_000, 1_000))


@st.composite
def worlds(draw: Any) -> tuple[World, list[tuple[str, str]]]:
    """Few instants, many ties, and windows that overlap."""
    messages = []
    for n in range(draw(st.integers(0, 14))):
        state, at = draw(st.sampled_from(STATES)), draw(MOMENTS)
        words = draw(
            st.lists(
                st.tuples(st.sampled_from(EVENTS), AFTER, st.booleans()),
                max_size=3,
                unique_by=lambda w: w[0],
            )
        )
        clicks = draw(st.lists(st.tuples(AFTER, st.just(False) | st.booleans(), st.integers(0, 3)), max_size=5))
        rule = draw(st.sampled_from(("local_control", "global_control"))) if state == "would_have_sent" else ""
        messages.append(
            Message(derive("intent", n), draw(st.sampled_from(PEOPLE)), at, state, draw(st.sampled_from(("campaign:a", "journey:b"))),
                    draw(st.sampled_from(("one", "two"))), rule, (*(Response(event, at + after, machine) for event, after, machine in words), *(Response(CLICK, at + after, *how) for after, *how in clicks)))
        )  # fmt: skip
    bought = draw(st.lists(st.tuples(st.sampled_from(PEOPLE), MOMENTS, st.integers(-5, 2**40)), max_size=10))
    merges = [
        tuple(sorted(pair))
        for pair in draw(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)), max_size=3))
        if pair[0] != pair[1]
    ]
    return World(messages, bought, _owners(merges), WINDOW), merges  # type: ignore[return-value]


def _owners(merges: list[Any]) -> Any:
    of = {person: person for person in PEOPLE}
    for winner, loser in merges:
        of = {person: of[winner] if owner == of[loser] else owner for person, owner in of.items()}
    return of.get


def decision(one: Message, verdict: str, number: int = 0) -> Decision:
    return Decision(
        id=derive("told", one.id, verdict, number), brand="shop", profile=one.profile, verdict=verdict, by="sender", received_at=one.at,
        document=one.document, version=1, step=one.step, occurrence="L1", intent=one.id, channel="email", message_class="mass", rule=one.rule,
    )  # type: ignore[arg-type]  # fmt: skip


def _facts(world: World) -> list[Fact]:
    found = []
    for one in world.messages:
        for number, (event, at, machine, link) in enumerate(one.responses):
            told = {"intent": one.id, "document": one.document, "machine": machine or None, "link": link}
            said = {name: value for name, value in told.items() if value is not None}
            found.append(fact(one.profile, (one.id, event, number), event, at, properties=said))
    for n, (person, at, amount) in enumerate(world.bought):
        found.append(fact(person, ("bought", n), "Bought", at, properties={"total": {"minor": amount, "currency": "RUB"}}))
    return found


@contextmanager
def indexed(world: World, merges: list[tuple[str, str]]) -> Iterator[Answers]:
    with tempfile.TemporaryDirectory(prefix="outcomes-") as home:
        lake, index = Written(Path(home)), Index(Path(home) / "index.duckdb", threads=1)
        facts = _facts(world)
        lake.add(facts[1::2])
        lake.decide([decision(one, one.state) for one in world.messages])
        index.take(lake.look(dict(index.places)))
        lake.add([merged(winner, loser, 50_000 + n) for n, (winner, loser) in enumerate(merges)])
        # Told again, in another batch; and a doubt that was settled.
        lake.decide([decision(one, one.state, 1) for one in world.messages[::2]])
        lake.decide([decision(one, "in_doubt") for one in world.messages if one.state == "accepted"], partition=1)
        lake.add(facts[::2])
        index.take(lake.look(dict(index.places)))
        yield Answers(index)
        index.close()
        lake.close()


def told(answers: Answers, *by: str, **more: Any) -> dict[str, Any]:
    return reporting.counted(answers, InForce({}), {"asked": {"by": by, "target": TARGET, **more}}, None, NOW)


def plain(row: dict[str, Any]) -> Any:
    """Without what is computed of the figures, and names of rows."""
    if not isinstance(row, dict):
        return row
    return {name: plain(value) for name, value in row.items() if name not in ("rates", "currency", "document", "step", "day")}


@settings(max_examples=7, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds())
def test_every_figure_is_what_one_counts_by_hand_and_opens_its_people(drawn: Any) -> None:
    world, merges = drawn
    with indexed(world, merges) as answers:
        report = told(answers, "document", "step")
        assert plain(report["total"]) == figures(world, lambda _: True)
        rows = {(row["document"], row["step"]): plain(row) for row in report["rows"]}
        assert rows == {
            of: figures(world, lambda one, of=of: (one.document, one.step) == of)
            for of in {(m.document, m.step) for m in world.messages}
        }
        _add_up(report)
        for row in report["rows"][:1]:
            _open(answers, ("document", "step"), row)
        _open(answers, (), report["total"])
        only = told(answers, documents=["campaign:a"], since=5_000, until=20_000)["total"]
        some = [one for one in world.messages if one.document == "campaign:a" and 5_000 <= one.at < 20_000]
        assert plain(only) == figures(world, lambda _: True, some)
        _beside(answers, world)


def _beside(answers: Answers, world: World) -> None:
    """The period before has the figures that it has when it is asked for by itself, its rows too."""
    halves = [[one for one in world.messages if (one.at >= 20_000) is later] for later in (False, True)]
    found = told(answers, "document", since=20_000, until=40_000, compared=(0, 20_000))
    for report, some in ((found["before"], halves[0]), (found, halves[1])):
        assert plain(report["total"]) == figures(world, lambda _: True, some)
        assert {row["document"]: plain(row) for row in report["rows"]} == {
            of: figures(world, lambda one, of=of: one.document == of, some) for of in {one.document for one in some}
        }


def test_periods_one_after_the_other_credit_a_deed_once() -> None:
    messages = [Message(derive("intent", n), PEOPLE[0], at, "accepted", "campaign:a", "one") for n, at in enumerate((1_000, 3_000))]
    world = World(messages, [(PEOPLE[0], 4_000, 5), (PEOPLE[0], 2_500, 2)], _owners([]), WINDOW)
    with indexed(world, []) as answers:
        parts = [told(answers, "step", since=a, until=b, beyond=WINDOW) for a, b in ((0, 2_000), (2_000, 4_000), (4_000, 6_000))]
    assert [part["total"]["revenue"]["minor"] for part in parts] == [2, 5, 0]
    assert [[row["sent"]["messages"] for row in part["rows"]] for part in parts] == [[1], [1], []]
    assert [part["total"]["converted"]["people"] for part in parts] == [1, 1, 0]


def _add_up(report: dict[str, Any]) -> None:
    rows, total = report["rows"], report["total"]
    for figure in ("sent", "delivered", "opened", "opened_raw", "clicked", "bounced", "failed", "in_doubt"):
        assert sum(row[figure]["messages"] for row in rows) == total[figure]["messages"], figure
    for of in (lambda row: row, lambda row: row["control"]["local"], lambda row: row["control"]["global"]):
        assert sum(of(row)["credited"]["actions"] for row in rows) == of(total)["credited"]["actions"]
        assert sum(of(row)["revenue"]["minor"] for row in rows) == of(total)["revenue"]["minor"]


def _open(answers: Answers, by: tuple[str, ...], row: dict[str, Any]) -> None:
    """Every figure of a row, or (without `by`) of the whole, has as many people as it says; those of `sent` are asked for page by page."""
    asked = Outcomes.model_validate({"by": by, "target": TARGET})
    named = [row[name] for name in by] if by else None
    with answers.view(NOW, InForce({})) as view:
        gathered = people.gather(view, asked, Span(0, EVER), None)  # once, as all of these are of the same messages
        with patch.object(people, "gather", return_value=gathered):
            found = {figure: people.behind(view, asked, None, figure, named, -1, 100) for figure in FIGURES}
    for figure, page in found.items():
        counted: Any = row
        for name in figure.split("."):
            counted = counted[name]
        assert len(set(page["items"])) == len(page["items"]) == page["count"] == counted["people"], figure
    items, after = [], -1
    while after is not None:
        body = {"asked": {"by": by, "target": TARGET}, "figure": "sent", "row": named, "after": after, "limit": 2}
        page = reporting.behind(answers, InForce({}), body, None, NOW)
        items, after = [*items, *page["items"]], page["next"]
    assert items == found["sent"]["items"]


@pytest.fixture(scope="module")
def empty() -> Iterator[Answers]:
    with indexed(World([], [], _owners([]), WINDOW), []) as answers:
        yield answers


def test_of_nothing_every_figure_is_nothing_and_no_rate_is_divided_by_it(empty: Answers) -> None:
    total = told(empty, "day")["total"]
    assert (total["sent"], total["revenue"]["minor"]) == ({"messages": 0, "people": 0}, 0)
    assert set(total["rates"].values()) == {None}


def test_currencies_are_not_added_up_until_one_is_chosen() -> None:
    sent = Message(derive("intent", 1), PEOPLE[0], 1_000, "accepted", "campaign:a", "one")
    world = World([sent], [(PEOPLE[0], 2_000, 100), (PEOPLE[0], 3_000, 7)], _owners([]), WINDOW)
    with tempfile.TemporaryDirectory(prefix="outcomes-") as home:
        lake, index = Written(Path(home)), Index(Path(home) / "index.duckdb", threads=1)
        lake.decide([decision(sent, "accepted")])
        for n, ((person, at, amount), currency) in enumerate(zip(world.bought, ("RUB", "USD"), strict=True)):
            lake.add([fact(person, n, "Bought", at, properties={"total": {"minor": amount, "currency": currency}})])
        index.take(lake.look({}))
        answers = Answers(index)
        with pytest.raises(Refused) as refused:
            told(answers)
        assert [(one.path, one.code) for one in refused.value.faults] == [("target.currency", "currencies_mixed")]
        chosen = told(answers, target={**TARGET, "currency": "USD"})["total"]
        assert (chosen["revenue"], chosen["credited"]["actions"]) == ({"minor": 7, "currency": "USD", "negative": 0}, 2)
        index.close()
        lake.close()


def test_of_two_messages_of_one_instant_the_one_with_the_smaller_id_is_credited() -> None:
    messages = [
        Message(f"00000000-0000-0000-0000-00000000000{n}", PEOPLE[0], 1_000, "accepted", "campaign:a", step)
        for n, step in ((2, "one"), (1, "two"))
    ]
    with indexed(World(messages, [(PEOPLE[0], 2_000, 5)], _owners([]), WINDOW), []) as answers:
        rows = {row["step"]: (row["converted"]["people"], row["credited"]["actions"]) for row in told(answers, "step")["rows"]}
    assert rows == {"one": (1, 0), "two": (1, 1)}


def test_a_window_has_its_last_instant_and_not_its_first() -> None:
    messages = [Message(derive("intent", n), PEOPLE[n], 1_000, "accepted", "campaign:a", "one") for n in range(2)]
    bought = [(PEOPLE[0], 1_000, 1), (PEOPLE[0], 1_001 + WINDOW, 2), (PEOPLE[1], 1_000 + WINDOW, 4)]
    with indexed(World(messages, bought, _owners([]), WINDOW), []) as answers:
        total = told(answers)["total"]
    assert (total["converted"]["people"], total["credited"], total["revenue"]["minor"]) == (1, {"actions": 1, "people": 1}, 4)


def test_days_are_those_of_the_zone(empty: Answers) -> None:
    midnight = 1_772_312_400_000  # 2026-03-01 in Moscow
    messages = [
        Message(derive("intent", n), PEOPLE[n], at, "accepted", "campaign:a", "one")
        for n, at in enumerate((midnight - 1, midnight))
    ]
    with indexed(World(messages, [], _owners([]), WINDOW), []) as answers:
        body = {"asked": {"by": ["day"], "zone": "Europe/Moscow"}}
        rows = reporting.counted(answers, InForce({}), body, None, midnight + NOW)["rows"]
    assert [(row["day"], row["sent"]["messages"]) for row in rows] == [("2026-02-28", 1), ("2026-03-01", 1)]


@pytest.mark.parametrize(("how", "before"), [("previous", (2, 30)), ("year", (1, 7))])
def test_a_month_stands_beside_the_one_before_or_the_same_a_year_ago(how: str, before: tuple[int, int]) -> None:
    """March of Moscow, by what a caller asks: messages at the ends of three periods and just beyond, and an order after one of each."""
    moscow = zone("Europe/Moscow")
    march, days, year = moscow.midnight(20_513), 31 * DAY_MS, 365 * DAY_MS  # 2026-03-01
    at = {"now": (march, march + days - 1), "previous": (march - days, march - 1), "year": (march - year,)}
    beyond = (march + days, march - days - 1, march - year - 1, march - year + days)
    messages = [
        Message(derive("intent", one, number), PEOPLE[number], when, "accepted", "campaign:a", "one")
        for one, some in {**at, "beyond": beyond}.items() for number, when in enumerate(some)
    ]  # fmt: skip
    bought = [(PEOPLE[1], march + days, 900), (PEOPLE[0], march - days + 1, 30), (PEOPLE[0], march - year + 1, 7)]
    query = {
        "from": "2026-03-01",
        "to": "2026-04-01",
        "compare": how,
        "by": "month",
        "event": "Bought",
        "value": "total",
        "window": "10m",
    }
    with indexed(World(messages, bought, _owners([]), WINDOW), []) as answers:
        body = {"asked": Reading(query).asked(moscow, ["shop"])}
        found = reporting.counted(answers, InForce({}), body, None, march + 40 * DAY_MS)
    assert [(row["month"], row["sent"]["people"]) for row in found["rows"]] == [("2026-03-01", 2)]
    assert (found["total"]["sent"]["messages"], found["total"]["revenue"]["minor"]) == (2, 900)
    total = found["before"]["total"]
    assert (total["sent"]["messages"], total["revenue"]["minor"], total["rates"]["revenue_per_recipient"]) == (
        *before,
        before[1] / before[0],
    )
    (row,) = (row for row in found["before"]["rows"] if row["revenue"]["minor"])
    assert row["month"] == {"previous": "2026-01-01", "year": "2025-03-01"}[how] and row["revenue"]["minor"] == before[1]


def test_variants_and_templates_are_rows_beside_one_control_group_and_can_be_asked_for_alone() -> None:
    who = dict(zip("abcde", PEOPLE, strict=False))
    sent = [Message(derive("intent", one), who[one], 1_000 + n, "accepted", "campaign:a", "one") for n, one in enumerate("abc")]
    kept = Message(derive("intent", "d"), who["d"], 1_000, "would_have_sent", "campaign:a", "one", "local_control")
    world = World([*sent, kept], [(who["a"], 2_000, 5), (who["c"], 2_500, 7), (who["d"], 3_000, 1)], _owners([]), WINDOW)
    with tempfile.TemporaryDirectory(prefix="outcomes-") as home:
        lake, index = Written(Path(home)), Index(Path(home) / "index.duckdb", threads=1)
        exposed = [
            msgspec.structs.replace(decision(one, "exposed"), rule=f"arm:{arm}", intent="")
            for one, arm in zip(sent[:2], "AB", strict=True)
        ]
        lake.decide([*(decision(one, one.state) for one in world.messages), *exposed])
        went = [fact(one.profile, (one.id, "sent"), "Email Sent", one.at, properties={"intent": one.id, "template": of})
                for one, of in zip(sent, ("red", "blue", "red"), strict=True)]  # fmt: skip
        lake.add([*_facts(world), *went])
        index.take(lake.look({}))
        answers = Answers(index)
        rows = told(answers, "variant", "template")["rows"]
        assert [(row["variant"], row["template"], row["sent"]["people"], row["revenue"]["minor"]) for row in rows] == [
            ("", "red", 1, 7), ("A", "red", 1, 5), ("B", "blue", 1, 0),
        ]  # fmt: skip
        assert {row["control"]["local"]["revenue"]["minor"] for row in rows} == {1}, "a control group has neither"
        some = {"by": [], "variants": ["A", "B"], "templates": ["red"], "target": TARGET}
        total = reporting.counted(answers, InForce({}), {"asked": some}, None, NOW)["total"]
        assert (total["sent"]["messages"], total["revenue"]["minor"], total["control"]["local"]["converted"]["people"]) == (1, 5, 1)
        row = {"asked": {"by": ["variant"], "target": TARGET}, "figure": "control.local.converted", "row": ["A"]}
        assert reporting.behind(answers, InForce({}), row, None, NOW)["items"] == [who["d"]]
        index.close()
        lake.close()


def test_what_a_machine_opened_is_no_target_action_unless_one_asks_for_it() -> None:
    message = Message(
        derive("intent", 1), PEOPLE[0], 1_000, "accepted", "campaign:a", "one", "", (("Email Opened", 9_000, True, None),)
    )
    with indexed(World([message], [], _owners([]), WINDOW), []) as answers:
        target = {"event": "Email Opened", "window": WINDOW}
        marked = {**target, "where": [{"path": "machine", "op": "eq", "value": True}]}
        found = [told(answers, target=one)["total"]["converted"]["people"] for one in (target, marked)]
    assert found == [0, 1]
