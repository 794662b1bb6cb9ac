"""Rehearsal and walk know every kind of step and trigger: what they tell is what live tells."""

from dataclasses import replace

import msgspec
import pytest

from schemas import events
from schemas.documents import FARTHEST_MS
from schemas.facts import PROFILE_CHANGED, Fact
from schemas.journeys import Journey
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from schemas.unnamed import audience_key
from services.orchestrator.domain.book import build
from services.orchestrator.domain.codes import examples
from services.orchestrator.domain.leading import Choice, Made, Refused, walk
from services.orchestrator.domain.rehearsing import Assumed, Days, Stage, ordered, play
from services.orchestrator.domain.report import Counts
from services.orchestrator.domain.trials import Draft, in_force, says_attributes, tried
from services.orchestrator.domain.zones import zone
from tests.orchestrator.test_rescheduling import iso
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, published, send, wait

CUSTOMERS = {"kind": "segment", "key": "customers"}
CASCADE = [
    {"channel": "telegram", "template": "chat", "read_within": "2h"},
    {"channel": "sms", "template": "text", "delivered_within": "10m"},
    {"channel": "email", "template": "mail"},
]
ALL = journey(
    "all", {"id": "gift", "give": "spring", "empty": "none"}, {"id": "c", "cascade": CASCADE}, {"id": "call", "webhook": "crm", "type": "lead"},
    {"id": "hand", "hand": {"template": "lead", "to": {"address": "sales@shop.example"}}},
    {"id": "agree", "subscribe": {"topic": "news", "channel": "email", "state": "revoked"}},
    {"id": "say", "set": {"gift": {"data": "promo.gift.code"}}}, wait("w", "1d"), send("bye"), {"id": "none", "end": True}, on="Added",
)  # fmt: skip
WEEKLY = journey("weekly", send("news"), on={"schedule": {"at": "10:00", "every": "day"}}, audience=CUSTOMERS)
POOL = published("promo-pool", {"key": "spring", "brand": "shop"})
DOCUMENTS = [published("journey", ALL), published("journey", WEEKLY), POOL, brand("UTC")]
AUDIENCE = audience_key(Journey.model_validate(WEEKLY), 1)
KINDS = ("telegram_id", "phone", "email")


def first(who: str) -> Fact:
    return Fact(
        id="first", type=PROFILE_CHANGED, brand="shop", source="site", occurred_at=T0 - DAY, received_at=T0 - DAY, profile=who,
        identifiers=tuple(f"{kind}:" for kind in KINDS), attributes={"preferred_channel": [0, "sms"]}, bucketing_id=who, bucketed_at=0,
    )  # fmt: skip


def uncaused(intent: Intent) -> Intent:
    """The words of the sender have other ids."""
    return msgspec.structs.replace(intent, cause=None)


def test_a_rehearsal_gives_codes_goes_on_in_cascades_and_calls_as_live_does():
    book = build(DOCUMENTS)
    world = World(*DOCUMENTS, at=T0 - DAY, prompt=True)
    world.book = replace(book, shelf=examples(book.pools))
    world.fact("p", "", type=PROFILE_CHANGED, identifiers=first("p").identifiers, attributes=first("p").attributes,
               bucketing_id="p", bucketed_at=0)  # fmt: skip
    world.run(T0)
    added = world.fact("p", "Added")
    world.later(2 * DAY)
    fact = Fact(id=added, type="track", event="Added", brand="shop", source="site", occurred_at=T0, received_at=T0, profile="p")
    days = Days("p", [first("p")], {}, ordered([((T0, "facts", 0, 1), fact)], ()))
    played = play(Stage(book), days, T0, world.now, Assumed())
    told = played.told
    counts = Counts("journey:all", zone("UTC"))
    counts.add("p", played)
    report = counts.told()
    assert {step: one["sent"] for step, one in report["messages"]["by_step"].items()} == {"c": 1, "bye": 1}
    assert (report["messages"]["for_others"], report["busiest"][0]["messages"]) == ({"call": 1, "hand": 1}, 2)
    assert (report["messages"]["sent"], report["documents"]["journey:all"]) == (2, 2)
    intents = [one for one in told if isinstance(one, Intent)]
    assert [uncaused(one) for one in intents] == [uncaused(one) for one in world.intents]
    assert [(d.verdict, d.step, d.rule, d.received_at) for d in told if isinstance(d, Decision)] == [
        (d.verdict, d.step, d.rule, d.received_at) for d in world.decisions
    ]
    assert [(i.channel, i.received_at - T0) for i in world.intents] == [
        ("sms", 0), ("telegram", 10 * MINUTE), ("email", 2 * HOUR + 10 * MINUTE), ("webhook", 2 * HOUR + 10 * MINUTE),
        ("email", 2 * HOUR + 10 * MINUTE), ("email", DAY + 2 * HOUR + 10 * MINUTE),
    ]  # fmt: skip


@pytest.mark.parametrize(("assumed", "channels"), [(Assumed(delivered=100), ["sms"]), (Assumed(), ["sms", "telegram", "email"])])
def test_what_is_assumed_of_letters_says_how_far_a_cascade_goes(assumed: Assumed, channels: list[str]):
    fact = Fact(id="f", type="track", event="Added", brand="shop", source="site", occurred_at=T0, received_at=T0, profile="p")
    days = Days("p", [first("p")], {}, ordered([((T0, "facts", 0, 1), fact)], ()))
    told = play(Stage(build(DOCUMENTS)), days, T0, T0 + DAY, assumed).told
    assert [one.channel for one in told if isinstance(one, Intent) and one.step == "c"] == channels


def test_who_stands_in_the_audience_of_a_schedule_comes_due_on_each_day_that_is_played():
    left = Membership(type="left", received_at=T0 + 2 * DAY, id="m", profile="p", segment=AUDIENCE, at=T0 + 2 * DAY, why="time")
    days = Days("p", [first("p")], {AUDIENCE: T0 - 9 * DAY}, ordered((), [((T0 + 2 * DAY, "", -1, -1), left)]))
    told = play(Stage(build(DOCUMENTS)), days, T0, T0 + 5 * DAY, Assumed()).told
    assert [one.received_at for one in told if isinstance(one, Intent)] == [T0 + 10 * HOUR, T0 + DAY + 10 * HOUR]


def test_a_draft_is_played_with_the_pools_in_force_its_gate_open_and_the_gates_of_others_as_they_are():
    gates = [published("gate", {"key": f"journey:{key}", "state": "archived", "at": T0}) for key in ("all", "weekly")]
    book = tried([*DOCUMENTS, *gates], Draft("journey", "all", {**ALL, "steps": [send("bye")]})).book
    assert (book.controls.door("all").state, book.controls.door("weekly").state) == ("open", "archived")
    assert "spring" in tried([*DOCUMENTS, *gates], Draft("journey", "all", ALL), alone=True).book.pools


def of_event(on: str, name: str = "chain"):
    day_before = {"id": "to-day", "wait": {"data": "event.starts_at", "offset": "-1d"}, "missed": "late"}
    return journey(name, day_before, send("day"), {"id": "end", "end": True}, send("late"), on=on, reentry={"mode": "always"})


@pytest.mark.parametrize("on", [events.SEATED, events.REGISTERED, events.ATTENDANCE])
@pytest.mark.parametrize("then", [events.RESCHEDULED, events.CANCELLED, events.MOVED_ONLINE])
def test_chains_about_a_place_in_an_event_follow_it_as_live_ones_do(on: str, then: str):
    times = {"starts_at": iso(T0 + 5 * DAY), "ends_at": iso(T0 + 9 * DAY)}
    meetup = published("event", {"key": "meetup", "brand": "shop", "title": "Meetup", "format": "online", **times})
    world = World(of_event(on), meetup, brand("UTC"), at=T0 - DAY, prompt=True)
    world.fact("p", "", type=PROFILE_CHANGED, identifiers=("email:",), bucketing_id="p", bucketed_at=0)
    world.run(T0)
    told: list[tuple[tuple[int, str, int, int], Fact]] = []
    for later, event, starts in ((0, on, T0 + 5 * DAY), (HOUR, then, T0 + 8 * DAY)):
        world.later(later)
        properties = {"event": "meetup", "registration": "r", "starts_at": iso(starts)}
        id_ = world.fact("p", event, properties=properties, source=events.SOURCE)
        fact = Fact(id=id_, type="track", event=event, brand="shop", source=events.SOURCE, occurred_at=world.now, received_at=world.now,
                    properties=properties, profile="p")  # fmt: skip
        told.append(((world.now, "facts", 0, len(told) + 1), fact))
    world.later(9 * DAY)
    book = in_force([published("journey", of_event(on)), meetup, brand("UTC")])
    played = play(Stage(book), Days("p", [first("p")], {}, ordered(told, ())), T0, world.now, Assumed()).told
    assert [(d.verdict, d.step, d.rule, d.received_at) for d in played if isinstance(d, Decision)] == [
        (d.verdict, d.step, d.rule, d.received_at) for d in world.decisions
    ]
    assert any(d.received_at > T0 + 6 * DAY for d in world.decisions) == (then == events.RESCHEDULED)


def test_what_was_told_of_letters_that_really_went_is_not_heard():
    asks = {"id": "seen", "until": {"fact": {"event": "Email Opened"}}, "at_most": "1d"}
    book = build(
        [published("journey", journey("j", send("a"), asks, on="Added", goal={"event": "Email Link Clicked"})), brand("UTC")]
    )
    assert Stage(book).heard == {"Added"}
    given = {"type": "track", "brand": "shop", "source": "site", "profile": "p"}
    facts = [((T0 + n * HOUR, "facts", 0, n + 1), Fact(id=f"f{n}", event=event, occurred_at=T0 + n * HOUR, received_at=T0 + n * HOUR, **given))
             for n, event in enumerate(("Added", "Email Opened", "Email Link Clicked"))]  # fmt: skip
    ends = {}
    for assumed in (Assumed(), Assumed(opened=100)):
        told = play(Stage(book), Days("p", [first("p")], {}, ordered(facts, ())), T0, T0 + 2 * DAY, assumed).told
        ends[assumed.opened] = [(one.verdict, one.received_at - T0) for one in told if isinstance(one, Decision)][-1]
    assert ends == {0: ("left", DAY), 100: ("left", HOUR)}


@pytest.mark.parametrize(("step", "says"), [
    ({"id": "say", "set": {"gift": "x"}}, True), ({"id": "agree", "subscribe": {"topic": "news", "channel": "email", "state": "revoked"}}, True),
    (send("hi"), False),
])  # fmt: skip
def test_the_report_says_where_steps_say_of_people_what_conditions_do_not_hear(step, says: bool):
    assert says_attributes(build([published("journey", journey("j", step))])) is says


def led(body, *choices: Choice, **made):
    book = tried(DOCUMENTS, Draft("journey", body["key"], body), alone=True).book
    return walk(book, book.current[body["key"]], Made(at=T0 + 12 * HOUR, **made), choices)


def steps(told) -> list[tuple[str, str]]:
    return [(one["step"], one.get("channel", "")) for one in told["path"] if one.get("verdict") == "sent"]


def test_a_walk_goes_through_a_cascade_by_what_is_heard_of_its_letters():
    told = led(ALL)
    assert told["stands"] == {"step": "c", "since": T0 + 12 * HOUR, "until": T0 + 14 * HOUR}
    assert told["may"] == [
        *({"do": "letter", "step": "c", "became": word} for word in ("delivered", "opened", "bounced")),
        {"do": "time"},
    ]
    assert steps(led(ALL, Choice("time"))) == [("c", "telegram"), ("c", "sms")]
    assert steps(led(ALL, Choice("letter", step="c", became="bounced", after="5m"))) == [("c", "telegram"), ("c", "sms")]
    read = led(ALL, Choice("letter", step="c", became="opened"))
    assert steps(read) == [("c", "telegram"), ("call", "webhook"), ("hand", "email")]
    assert {"event": "Promo Code Given"} not in read["path"]
    assert [one["says"] for one in read["path"] if "says" in one][1:] == [{"type": "Consent Withdrawn"}, {"gift": "EXAMPLE-1"}]


@pytest.mark.parametrize(
    ("trigger", "more", "at"),
    [
        ({"api": True}, {}, 12 * HOUR),
        ({"schedule": {"at": "10:00", "every": "day"}}, {"audience": CUSTOMERS}, 12 * HOUR),
        ({"date": {"attribute": "birthday", "at": "10:00", "every": "year"}}, {}, DAY + 10 * HOUR),
        ({"date": {"attribute": "birthday", "at": "15:00", "every": "year"}}, {}, 15 * HOUR),
    ],
)
def test_a_walk_begins_by_whatever_starts_its_journey(trigger, more, at: int):
    body = journey("one", send("hi"), on=trigger, **more)
    choices = [Choice("answer", is_so=True)] if more else [Choice("time")] if "date" in trigger else []
    told = led(body, *choices)
    assert [(one["step"], one["at"]) for one in told["path"] if one.get("verdict") == "sent"] == [("hi", T0 + at)]


def test_a_walk_ends_where_the_calendar_does():
    body = journey("far", wait("long", "3660d"), send("a"), wait("longer", "3660d"), send("b"))
    made = Made(at=FARTHEST_MS - DAY)
    book = tried(DOCUMENTS, Draft("journey", "far", body), alone=True).book
    told = walk(book, book.current["far"], made, [])
    assert (told["stands"]["step"], told["may"]) == ("long", [])
    asks = journey("asks", {"id": "seen", "until": {"fact": {"event": "Seen"}}, "at_most": "3660d"}, send("a"))
    book = tried(DOCUMENTS, Draft("journey", "asks", asks), alone=True).book
    with pytest.raises(Refused):
        walk(book, book.current["asks"], made, [Choice("fact", after="3659d")])
    assert walk(book, book.current["asks"], made, [Choice("fact", after="1h")])["over"]
