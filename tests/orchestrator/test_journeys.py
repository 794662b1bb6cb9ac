"""The way through a journey: entry, steps, goal in any order, re-entry, answers that wait for the segmenter."""

from types import SimpleNamespace

import pytest

from runtime.batch import Item
from schemas.definitions import Published
from schemas.facts import encode
from services.orchestrator.domain import decide
from services.orchestrator.domain.book import check
from services.orchestrator.handler.news import decode_fact, relevant
from tests.orchestrator.welcome import LEGAL_SEGMENT, REST, welcome
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, journey, published, rule, send, wait

PAID = {"amount": {"minor": 500}}
VIP = {"kind": "segment", "key": "vip"}


def test_the_welcome_chain_goes_by_kind_of_client_and_a_top_up_ends_it_at_once():
    world = World(welcome(), prompt=True)
    firm, person, payer = world.person("firm"), world.person("person"), world.person("payer")
    world.fact(firm, "Registered", place=("facts", 0, 1))
    world.fact(person, "Registered", place=("facts", 0, 2))
    world.fact(payer, "Registered", place=("facts", 0, 3))
    assert [v for v, _, _ in world.told()] == ["entered"] * 3
    world.membership(firm, LEGAL_SEGMENT)
    world.mark(4)
    world.later(3 * DAY + HOUR)
    world.fact(payer, "Balance Topped Up", properties={"amount": {"minor": 0}})
    assert world.told("goal") == []
    world.fact(payer, "Balance Topped Up", properties=PAID)
    world.later(30 * DAY)
    sent = {who: [(i.template, i.received_at - T0) for i in world.intents if i.profile == who] for who in world.people}
    assert sent["firm"] == [("migration", 2 * DAY), *((t, (2 + d) * DAY) for t, d in REST)]
    assert sent["person"] == [("price", 6 * HOUR), *((t, 6 * HOUR + d * DAY) for t, d in REST)]
    assert sent["payer"] == [("price", 6 * HOUR), ("letter2", 6 * HOUR + DAY)]
    ends = [(d.profile, d.verdict, d.rule, d.step) for d in world.decisions if d.verdict in ("goal", "left")]
    assert ends == [("payer", "goal", "goal", "pause3"), ("person", "left", "end", "letter6"), ("firm", "left", "end", "letter6")]
    assert not any(p.runs for p in world.people.values())
    first = world.intents[0]
    assert (first.document, first.version, first.step, first.channel) == ("journey:welcome", 1, "price", "email")
    assert {i.channel for i in world.intents if i.template == "text"} == {"sms"}


@pytest.mark.parametrize("order", ["goal first", "trigger first"])
@pytest.mark.parametrize(("gap", "starts"), [(-1, True), (0, False), (1, False)])
def test_a_goal_counts_by_when_it_occurred_whatever_comes_first(order, gap, starts):
    world = World(welcome(), prompt=True)
    world.person("p")
    moves = [
        lambda: world.fact("p", "Balance Topped Up", occurred=T0 + gap, properties=PAID),
        lambda: world.fact("p", "Registered", occurred=T0),
    ]
    for move in moves if order == "goal first" else moves[::-1]:
        move()
    world.later(30 * DAY)
    assert bool(world.intents) is starts
    refused = world.told("skipped", "goal")
    assert refused == ([] if starts else [("skipped", "", "goal")] if order == "goal first" else [("goal", "six_hours", "goal")])


def test_another_brands_facts_and_facts_that_fail_the_filters_start_nothing():
    chain = journey("big", send("a"), on={"event": "Order", "where": [{"path": "total.minor", "op": "ge", "value": 100}]})
    world = World(chain)
    world.person("p")
    world.fact("p", "Order", brand="other", properties={"total": {"minor": 200}})
    for bad in ({}, {"total": 200}, {"total": {"minor": "200"}}, {"total": {"minor": 99}}, {"total": {"minor": True}}):
        world.fact("p", "Order", properties=bad)
    assert world.log == []
    world.fact("p", "Order", properties={"total": {"minor": 100}, "goods": ["x"]})
    (intent,) = world.intents
    assert intent.data["event"] == {"total": {"minor": 100}, "goods": ["x"]}
    assert intent.data["run"] == {"started_at": T0, "time_zone": "UTC"}


@pytest.mark.parametrize(
    ("op", "value", "good", "bad"),
    [
        ("exists", None, 1, None),
        ("missing", None, None, 0),
        ("eq", 1, 1.0, True),
        ("ne", "a", "b", 1),
        ("in", ["a", "b"], "b", "c"),
        ("in", ["2026-03-31"], "2026-03-31T00:00", "2026-04-01"),
        ("contains", "ell", "hello", 5),
        ("contains", "x", ["x"], ["y"]),
        ("starts_with", "he", "hello", "oh"),
        ("eq", True, True, 1),
        ("gt", "2026-03-31", "2026-04-01", "no date"),
    ],
)
def test_filters_mean_what_the_language_says(op, value, good, bad):
    wanted = {"path": "x.y", "op": op} | ({} if value is None else {"value": value})
    if op == "gt" or "2026" in str(value):
        wanted["type"] = "date"
    world = World(journey("j", send("a"), on={"event": "E", "where": [wanted]}, reentry={"mode": "always"}))
    world.person("p")
    world.fact("p", "E", properties={"x": {"y": bad}})
    assert world.intents == []
    world.fact("p", "E", properties={"x": {"y": good}})
    assert len(world.intents) == 1


def test_calls_other_than_track_trigger_by_their_type():
    world = World(journey("j", send("a"), on="page"))
    world.person("p")
    world.fact("p", "", type="page")
    assert len(world.intents) == 1


@pytest.mark.parametrize(
    ("reentry", "entered"),
    [
        ({}, [0]),
        ({"mode": "always"}, [0, 1, 2, 3]),
        ({"mode": "after", "after": "30h"}, [0, 2]),
        ({"mode": "per", "per": "properties.order"}, [0, 1, 3]),
    ],
)
def test_re_entry(reentry, entered):
    world = World(journey("j", send("a"), on="Order", reentry=reentry))
    world.person("p")
    ids = []
    for order in ("1", 1, "1", "2"):
        ids.append(world.fact("p", "Order", properties={"order": order}))
        world.later(DAY)
    assert [ids.index(d.occurrence) for d in world.decisions if d.verdict == "entered"] == entered
    refused = [ids.index(d.occurrence) for d in world.decisions if d.rule == "reentry"]
    assert sorted(entered + refused) == [0, 1, 2, 3]


def test_the_audience_is_asked_when_the_segmenter_has_passed_the_fact():
    chain = journey("j", send("a"), audience={"kind": "attribute", "name": "x", "op": "exists"}, reentry={"mode": "always"})
    world = World(chain)
    world.person("p")
    world.person("q")
    world.fact("p", "Registered", place=("facts", 0, 7))
    world.fact("q", "Registered", place=("facts", 0, 8))
    world.later(DAY)
    assert world.log == []
    world.membership("p", "~journey.j.1.audience")
    world.mark(7)
    assert world.log == [], "the mark says: everything below 7"
    world.mark(8)
    assert world.told() == [("entered", "", ""), ("sent", "a", ""), ("left", "a", "end")]
    world.mark(9)
    assert world.told("skipped") == [("skipped", "", "audience")]
    world.fact("p", "Registered")  # the mark is there already: nothing waits
    assert len(world.intents) == 2


def test_a_goal_while_the_entry_waits_for_its_answer_keeps_him_out():
    world = World(journey("j", send("a"), audience=VIP, goal={"event": "Paid"}))
    world.person("p")
    world.membership("p", "vip")
    world.fact("p", "Registered", place=("facts", 0, 1))
    world.fact("p", "Paid")
    world.mark(5)
    assert world.told() == [("skipped", "", "goal")]
    world.fact("p", "Registered", occurred=T0 - 1, place=("facts", 0, 6))
    assert world.told() == [("skipped", "", "goal")] * 2, "refused at once, without waiting"


def test_a_branch_in_reaction_to_a_fact_waits_and_one_after_a_pause_does_not():
    chain = journey(
        "j",
        {"id": "now", "if": VIP, "then": "gold", "else": "plain"},
        send("gold", next="day"),
        send("plain"),
        wait("day", "1d"),
        {"id": "then", "if": VIP, "then": "thanks"},
        send("thanks"),
    )
    world = World(chain)
    world.person("p")
    world.fact("p", "Registered", place=("facts", 0, 1))
    world.membership("p", "vip")
    world.later(HOUR)
    assert world.intents == []
    world.mark(2)
    assert world.sent() == [("gold", T0 + HOUR)]
    world.membership("p", "vip", "left")
    world.later(DAY)
    assert world.sent() == [("gold", T0 + HOUR)]
    assert world.told("left") == [("left", "then", "end")]


def test_a_segment_starts_and_ends_runs_and_quiet_causes_start_none():
    chain = journey("j", wait("w", "1d"), send("a"), on={"segment": "s"}, exit_segment="s", reentry={"mode": "always"})
    away = journey("away", send("bye"), on={"segment": "s", "change": "left"})
    world = World(chain, away)
    world.person("p")
    for why in ("backfill", "rebuild", "split"):
        world.membership("p", "s", why=why)
    world.membership("p", "s", why="merge", carried=True)
    assert world.log == []
    world.membership("p", "s", why="merge")
    assert world.told() == [("entered", "", "")]
    world.membership("p", "s", "left", why="merge")
    assert world.told("left") == [("left", "w", "exit_segment")]
    assert world.intents == []
    world.membership("p", "s", why="time")
    world.membership("p", "s", "left", why="time")
    assert world.sent() == [("bye", T0)]


def test_people_inside_finish_on_their_version_and_new_ones_take_the_current():
    old = published("journey", journey("j", wait("w", "1d"), send("old")), 1, pointer=False)
    world = World(published("journey", journey("j", wait("w", "1d"), send("old")), 1))
    world.person("p")
    world.person("q")
    world.fact("p", "Registered")
    now = World(old, published("journey", journey("j", wait("w", "1d"), send("new")), 2))
    now.people, now._numbers = world.people, 1000
    now.fact("q", "Registered")
    now.later(DAY)
    assert [(i.profile, i.template, i.version) for i in now.intents] == [("p", "old", 1), ("q", "new", 2)]


def test_a_version_or_step_that_is_no_more_ends_the_run():
    world = World(journey("j", wait("w", "1d"), send("a")), journey("k", wait("w", "1d"), send("a")))
    world.person("p")
    world.fact("p", "Registered")
    gone = World(journey("k", wait("other", "1d"), send("a")))
    gone.people = world.people
    gone.later(2 * DAY)
    assert gone.told() == [("left", "w", "no_version")] * 2


def test_a_circle_without_a_pause_ends_and_one_with_a_pause_sends_a_step_once():
    quick = journey("quick", {"id": "b", "if": VIP, "then": "b", "else": "b"}, send("x"))
    slow = journey("slow", send("a"), wait("w", "1d"), {"id": "again", "if": VIP, "then": "a"}, on="Slow")
    world = World(quick, slow)
    world.person("p")
    world.fact("p", "Registered")
    assert world.told("left") == [("left", "b", "loop")]
    world.membership("p", "vip")
    world.fact("p", "Slow")
    world.later(2 * DAY)
    assert world.sent() == [("a", T0)]
    assert ("skipped", "a", "already_sent") in world.told()
    world.membership("p", "vip", "left")
    world.later(DAY)
    assert world.people["p"].runs == []


def test_next_end_and_a_pause_of_no_length():
    chain = journey("j", wait("w", "0s", next="c"), send("b"), {"id": "stop", "end": True}, send("c", next="b"))
    world = World(chain)
    world.person("p")
    world.fact("p", "Registered")
    assert [t for t, _ in world.sent()] == ["c", "b"]
    assert world.told("left") == [("left", "stop", "end")]


def test_timers_of_one_person_fire_in_order_each_with_its_own_instant_before_what_comes_later():
    first = journey("b", wait("w", "1h"), send("b1"), wait("x", "1h"), send("b2"))
    second = journey("a", wait("w", "2h"), send("a1"))
    world = World(first, second)
    world.person("p")
    world.fact("p", "Registered")
    world.now = T0 + 3 * HOUR  # nothing fired meanwhile: an outage
    world.fact("p", "Other")
    assert world.sent() == [("b1", T0 + HOUR), ("a1", T0 + 2 * HOUR), ("b2", T0 + 2 * HOUR)]


def test_ids_derive_from_what_started_the_run():
    def ids():
        world = World(welcome(), prompt=True)
        world.person("p")
        world.fact("p", "Registered")
        world.later(9 * DAY)
        return [e.id for e in world.log]

    once = ids()
    assert once == ids() and len(set(once)) == len(once)


def test_news_of_the_person_last_write_wins():
    world = World()
    change = {"type": "profile.changed"}
    world.fact("p", "", **change, attributes={"timezone": [5, "Asia/Kolkata"], "language": [5, "ru"], "locale": [7, "en"]})
    world.fact("p", "", **change, attributes={"time_zone": [4, "UTC"], "language": "odd"}, identifiers=("email:a",))
    person = world.people["p"]
    assert (person.zone, person.language, person.reach) == ((5, "Asia/Kolkata"), (7, "en"), ["email"])
    world.fact("p", "", **change, attributes={"time_zone": [6, None]}, bucketing_id="b", bucketed_at=3)
    world.fact("p", "", **change, bucketing_id="a", bucketed_at=4)
    person = world.people["p"]
    assert (person.zone, person.bucketing) == ((6, ""), (3, "b"))


def test_a_goal_of_an_old_version_ends_its_runs_and_is_no_goal_of_the_current_one():
    old = journey("j", wait("w", "1d"), send("a"), goal={"event": "Old"})
    world = World(published("journey", old, 1))
    world.person("p")
    world.fact("p", "Registered")
    now = World(published("journey", old, 1, pointer=False), published("journey", {**old, "goal": {"event": "New"}}, 2))
    now.people, now._numbers = world.people, 1000
    now.fact("p", "Old")
    assert now.told() == [("goal", "w", "goal")] and now.people["p"].goals == {}


def test_what_a_decision_is_made_of():
    world = World(journey("j", send("a"), wait("w", "1h")))
    fact = world._fact(world.person("p"), "Registered", None)
    outcome = decide.on_fact(world.book, "p", world.people["p"], fact, None)
    assert [i.template for i in outcome.intents] == ["a"]
    assert [d.verdict for d in outcome.decisions] == ["entered", "sent"]
    assert outcome.due_at == T0 + HOUR
    same = decide.on_timer(world.book, "p", outcome.person, T0 + HOUR - 1)
    assert same.person is outcome.person and same.emits == ()


def test_which_news_of_a_profile_is_worth_reading():
    def news(**more):
        return World()._fact("p", "", None, type="profile.changed", **more)

    assert decide.concerns(news(identifiers=("email:x",)))
    assert decide.concerns(news(attributes={"locale": [1, "ru"]}))
    assert not decide.concerns(news(attributes={"plan": [1, "x"]}))


@pytest.mark.parametrize(("event", "mark", "heard"), [
    ("Email Opened", True, False), ("Email Link Clicked", True, False), ("Email Opened", "yes", True), ("Email Opened", None, True),
    ("Email Bounced", True, True),
])  # fmt: skip
def test_what_a_machine_did_with_a_letter_is_not_heard(event, mark, heard):
    """Nor noted for the report of a campaign: what is not relevant is nothing at all here."""
    world = World(journey("j", send("a"), on={"event": event}))
    fact = world._fact(
        world.person("p"), event, None, properties={"intent": "i"} if mark is None else {"intent": "i", "machine": mark}
    )
    raw = encode(fact)
    item = Item(("facts", 0), 1, decode_fact(SimpleNamespace(value=raw)), raw, None, None, T0)
    assert relevant(world.book, item) == (fact if heard else None)


def test_a_document_that_cannot_be_read_is_refused_by_its_field():
    with pytest.raises(ValueError, match="steps"):
        check(published("journey", {**journey("j", send("a")), "steps": []}))
    with pytest.raises(ValueError, match="per, within"):
        check(rule(caps=[{"name": "x", "class": "mass", "most": 1}]))
    with pytest.raises(ValueError, match="within: longer"):
        check(rule(caps=[{"name": "x", "class": "mass", "most": 1, "within": "0d"}]))
    with pytest.raises(ValueError, match="from"):
        check(rule(quiet_hours={"from": "24:00", "to": "09:00"}))
    check(published("template", {"key": "whatever", "body": 1}))
    check(Published(kind="journey", key="j", version=1, pointer=True, deleted=True))


def test_minutes():
    world = World(journey("j", wait("w", "30m"), send("a")))
    world.person("p")
    world.fact("p", "Registered")
    world.later(30 * MINUTE - 1)
    assert world.sent() == []
    world.later(1)
    assert world.sent() == [("a", T0 + 30 * MINUTE)]
