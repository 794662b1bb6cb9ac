"""A rehearsed launch decides what a real one decides, counts its audience exactly, and says whom it displaces."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.campaigns import Campaign
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from services.orchestrator.domain import decide
from services.orchestrator.domain.book import Book
from services.orchestrator.domain.rehearsing import Assumed, Days, Played, Stage, ordered, play
from services.orchestrator.domain.report import Counts, compared
from services.orchestrator.domain.report_launch import Audience, Displaces
from services.orchestrator.domain.state import Person
from services.orchestrator.domain.throttle import turn_of
from services.orchestrator.domain.trial_launches import moved
from services.orchestrator.domain.trials import Draft, in_force, tried
from services.orchestrator.domain.zones import zone
from services.orchestrator.rehearsal.playing import Counted
from tests.orchestrator.mailing import AUDIENCE, EVERYBODY
from tests.orchestrator.test_rehearsing import CONTROL, DOCUMENTS, RULES, SENT, Recorded, moves
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, rule

NEWS = {
    "key": "news", "brand": "shop", "audience": EVERYBODY, "audience_at": "live", "control": 20, "expires": "2d",
    "variants": [{"name": "a", "template": "a", "share": 50}, {"name": "b", "template": "b", "share": 50}],
}  # fmt: skip
scripts = st.lists(st.one_of(moves, st.just(("belongs",))), max_size=25)


COMPETING = [*(one for one in DOCUMENTS if one.kind != "rule"), rule(**RULES, compete={"within": "3h"})]


def book_of(at: int, until: int = T0 + 60 * DAY, documents: Any = DOCUMENTS, **more: Any) -> Book:
    return tried(documents, Draft("campaign", "news", {**NEWS, **more}, at, until)).book


def lived(before: Any, after: Any, who: str, documents: Any) -> Recorded:
    """His days with a launch in the midst of them, decided by live as each thing comes: nobody has told of it before."""
    live = Recorded(who)
    live.world.book = in_force(documents)
    _go(live, before, documents)
    _go(live, [("launch",), *after], documents)
    return live


def _go(live: Recorded, script: Any, documents: Any) -> None:
    for kind, *move in script:
        world = live.world
        if kind == "fact":
            event, cart, segment = move
            live.fact(event, cart, (segment,) if segment else ())
        elif kind == "pass":
            world.later(*move)
        else:
            world.later(1)
            if kind == "launch":
                _launch(live, documents)
            else:
                _flip(live, AUDIENCE) if kind == "belongs" else live.flip(*move, "time", (world.now, "", -1, -1))
            world.later(1)


def _flip(live: Recorded, segment: str) -> None:
    live.flip(segment, "time", (live.world.now, "", -1, -1))


def _launch(live: Recorded, documents: Any) -> None:
    world = live.world
    world.book = book_of(world.now, documents=documents, priority="high")
    (launched,) = world.book.launches.values()
    if AUDIENCE in world.people[live.who].segments:
        world._take(live.who, lambda who, state: decide.on_launch(world.book, who, state, launched, world.now))


def rehearsed(live: Recorded, book: Book) -> Played:
    return play(Stage(book), Days(live.who, (), {}, ordered(live.facts, live.moved)), T0, live.world.now, Assumed())


@settings(max_examples=300, deadline=None)
@given(scripts, scripts, st.sampled_from([SENT, CONTROL, "c", "d"]), st.sampled_from([DOCUMENTS, COMPETING]))
@example([("pass", 9 * HOUR), ("fact", "Added", 2, "")], [("pass", DAY)], SENT, COMPETING)
def test_it_tells_the_very_verdicts_that_live_told(before: Any, after: Any, who: str, documents: Any) -> None:
    live = lived([("fact", "Added", 1, ""), ("belongs",), *before], after, who, documents)
    played = rehearsed(live, live.world.book)
    assert list(played.told) == [one for one in live.world.log if isinstance(one, Decision | Intent)]
    audience = Audience("campaign:news")
    audience.add(played)
    told = audience.told()
    assert told["audience"] == sum(one["people"] for one in told["people"]) == played.chosen


def heard(who: str = SENT) -> Recorded:
    live = Recorded(who)
    live.world.later(1)
    _flip(live, AUDIENCE)
    return live


def test_who_leaves_before_his_turn_is_told_so_and_who_comes_after_the_start_is_not_of_it() -> None:
    live = heard()
    book = book_of(T0 + HOUR, throttle={"most": 1, "per": "hour"}, control=0)
    later = Membership(type="left", received_at=T0 + 2 * HOUR, id="m", profile=SENT, segment=AUDIENCE, at=T0 + 2 * HOUR, why="time")
    days = Days(SENT, (), {}, ordered(live.facts, [*live.moved, ((T0 + 2 * HOUR, "", -1, -1), later)]))
    played = play(Stage(book, audience=1000), days, T0, T0 + 60 * DAY, Assumed())
    (told,) = [one for one in played.told if isinstance(one, Decision)]
    assert (told.verdict, told.rule) == ("skipped", "audience")
    assert told.received_at > T0 + 3 * HOUR, "at his place in the row"
    early = play(Stage(book_of(T0)), Days(SENT, (), {}, ordered(live.facts, live.moved)), T0, T0 + DAY, Assumed())
    assert not early.chosen
    assert not early.told


def test_one_whose_turn_does_not_come_in_these_days_is_undecided_and_counted() -> None:
    live, audience = heard(), Audience("campaign:news")
    book = book_of(T0 + HOUR, throttle={"most": 1, "per": "hour"})
    days = Days(SENT, (), {}, ordered(live.facts, live.moved))
    audience.add(play(Stage(book, audience=1000), days, T0, T0 + 2 * HOUR, Assumed()))
    assert audience.told() == {"audience": 1, "people": [{"verdict": "undecided", "rule": "", "people": 1}], "variants": {}}


@pytest.mark.parametrize(("hours", "last"), [(1, ("deferred", "quiet_hours")), (12, ("sent", ""))])
def test_each_stands_under_the_last_word_about_him(hours: int, last: tuple[str, str]) -> None:
    """It is launched in the night of his zone."""
    live, audience = heard(), Audience("campaign:news")
    played = play(
        Stage(book_of(T0 + MINUTE, control=0)),
        Days(SENT, (), {}, ordered(live.facts, live.moved)),
        T0,
        T0 + hours * HOUR,
        Assumed(),
    )
    audience.add(played)
    (found,) = audience.told()["people"]
    assert (found["verdict"], found["rule"], found["people"]) == (*last, 1)


def test_the_last_instant_of_the_days_is_one_of_them() -> None:
    live = heard()
    played = play(Stage(book_of(T0 + DAY)), Days(SENT, (), {}, ordered(live.facts, live.moved)), T0, T0 + DAY, Assumed())
    assert played.chosen


def test_whom_it_displaces_is_told_by_document_and_the_busiest_by_all_that_came_to_them() -> None:
    """Mass and triggered never on one day: the letter of the basket goes on the next one."""
    live = heard()
    live.world.later(10 * HOUR)
    live.fact("Added", 1, ())
    live.world.later(3 * DAY)
    book, now = book_of(T0 + 9 * HOUR, control=0), in_force(DOCUMENTS)
    days = Days(SENT, (), {}, ordered(live.facts, live.moved))
    after = play(Stage(book), days, T0, live.world.now, Assumed())
    before = play(Stage(now), days, T0, live.world.now, Assumed())
    displaces, counts, without = Displaces("campaign:news"), *(Counts("campaign:news", zone("UTC")) for _ in range(2))
    Counted([counts, without], Audience("campaign:news"), displaces).add(SENT, [after, before])
    assert displaces.told() == {"journey:basket": {"later": 1, "sooner": 0, "lost": 0, "more": 0, "people": 1}}
    report = counts.told()
    assert report["messages"]["sent"] == 1
    assert report["busiest"] == [{"profile": SENT, "messages": 2}]
    beside = compared(without, counts)
    assert (beside["messages"], beside["busiest"]) == ([1, 2], [1, 2]), "of the audience, also without the launch"
    assert displaces.told().keys() == Counter(one.document for one in before.told if isinstance(one, Intent)).keys()


def test_a_cascade_of_another_document_is_one_message_that_is_displaced() -> None:
    def letter(name: str, **more: Any) -> Intent:
        return Intent(
            id=name, brand="shop", profile=SENT, channel="email", message_class="triggered", template="t", template_version=1,
            document="journey:basket", version=1, step="mail", occurrence="o", not_after=T0 + DAY, received_at=T0, **more,
        )  # fmt: skip

    displaces = Displaces("campaign:news")
    displaces.add(Played([letter("one"), letter("two", cascade="one")], Person()), Played((), Person()))
    assert displaces.told() == {"journey:basket": {"later": 0, "sooner": 0, "lost": 1, "more": 0, "people": 1}}


def test_a_start_outside_the_days_comes_on_the_same_day_of_the_week_within_them() -> None:
    wanted = Campaign.model_validate({**NEWS, "start": {"at": "2027-03-03T10:00+03:00"}})  # a Wednesday
    told = moved(wanted, T0, T0 + 30 * DAY)
    assert told.starts_at(0) == T0 + 2 * DAY + 7 * HOUR
    assert moved(wanted, T0, T0 + DAY).starts_at(0) == T0 + 7 * HOUR
    local = moved(Campaign.model_validate({**NEWS, "start": {"local": "2027-03-03T10:00"}}), T0, T0 + 30 * DAY)
    assert local.start.model_dump() == {"local": "2010-11-24T10:00"}
    inside = Campaign.model_validate({**NEWS, "start": {"at": "2010-11-30T10:00+00:00"}})
    assert moved(inside, T0, T0 + 30 * DAY) is inside
    assert moved(wanted, T0, T0 + 2 * HOUR).starts_at(T0) == T0, "that time does not come in these two hours"


def test_the_pace_spreads_an_audience_evenly() -> None:
    assert [turn_of(share, 1000, MINUTE) for share in (0.0, 0.0005, 0.5, 0.9999)] == [0, 0, 500 * MINUTE, 999 * MINUTE]
