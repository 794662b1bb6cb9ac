"""A rehearsal decides what live decided, and its report adds up."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import PROFILE_CHANGED, Fact
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from schemas.unnamed import condition_key
from services.orchestrator.domain import decide
from services.orchestrator.domain.rehearsing import Assumed, Days, Piece, Stage, ordered, play
from services.orchestrator.domain.report import Counts, compared
from services.orchestrator.domain.trials import Draft, in_force, tried
from services.orchestrator.domain.zones import zone
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, published, rule, send, wait

SENT, CONTROL = "b", "a"  # into which arm of the split each falls
VIP = {"kind": "segment", "key": "vip"}
BASKET = journey(
    "basket", {"id": "bought", "until": {"fact": {"event": "Ordered", "same": "cart"}}, "at_most": "1h", "then": "vip", "else": "vip"},
    {"id": "vip", "if": VIP, "then": "rich", "else": "half"}, send("rich", **{"class": "mass"}), wait("pause", "1d", next="half"),
    {"id": "half", "split": [{"name": "x", "share": 50, "then": "poor"}, {"name": "y", "share": 50, "control": True, "then": "poor"}]},
    send("poor", expires="2d"), {"id": "seen", "until": {"letter": {"step": "poor", "became": "opened"}}, "at_most": "1d"},
    on="Added", reentry={"mode": "always"}, goal={"event": "Paid"}, exit_segment="vip",
)  # fmt: skip
HELLO = journey(
    "hello", send("hi"), on={"segment": "vip", "change": "entered"}, audience=VIP, reentry={"mode": "after", "after": "2d"}
)
RULES = {
    "quiet_hours": {"from": "21:00", "to": "09:00"},
    "exclusive_day": ["triggered", "mass"],
    "caps": [{"name": "two", "class": "triggered", "most": 2, "per": "week"}],
    "manager_only": {"kind": "segment", "key": "managed"},
}
DOCUMENTS = [published("journey", BASKET), published("journey", HELLO), rule(**RULES), brand("Europe/Moscow")]
ANSWERS = [("basket", "vip"), ("hello", "audience")]  # of the journeys: what a reference to the segment is asked by

moves = st.one_of(
    st.tuples(st.just("fact"), st.sampled_from(["Added", "Added", "Ordered", "Paid"]), st.integers(1, 2), st.sampled_from(["", "", "vip"])),
    st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 5 * HOUR, DAY])),
    st.tuples(st.just("time"), st.just("vip")),
)  # fmt: skip


class Recorded:
    """What live decided, and what it heard, as the lake and the segmenter would tell it again."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.world = World(*DOCUMENTS, prompt=True)
        self.facts: list = []
        self.moved: list = []
        self.stands: set[str] = set()
        self._offset = 0
        first = Fact(
            id="first", type=PROFILE_CHANGED, brand="shop", source="site", occurred_at=T0, received_at=T0, identifiers=("email:",),
            profile=who, bucketing_id=who, bucketed_at=T0,
        )  # fmt: skip
        self.hear(first, ())

    def hear(self, fact: Fact, segments) -> None:
        self._offset += 1
        place = ("facts", 0, self._offset)
        self.facts.append(((fact.received_at, *place), fact))
        book = self.world.book
        self.world._take(self.who, lambda who, state: decide.on_fact(book, who, state, fact, place))
        for segment in segments:
            self.flip(segment, "fact", (fact.received_at, *place), fact.id)
        self.world.mark(self._offset + 1)

    def fact(self, event: str, cart: int, segments) -> None:
        now = self.world.now
        self.hear(
            Fact(
                id=f"f{self._offset}", type="track", event=event, brand="shop", source="site", occurred_at=now, received_at=now,
                properties={"cart": cart}, profile=self.who,
            ),
            segments,
        )  # fmt: skip

    def flip(self, segment: str, why: str, place, cause: str | None = None) -> None:
        change = "left" if segment in self.stands else "entered"
        self.stands ^= {segment}
        asked = [segment, *(condition_key("journey", key, 1, step) for key, step in ANSWERS if segment == "vip")]
        for key in asked:
            news = Membership(
                type=change, received_at=self.world.now, id=f"m{len(self.moved)}", profile=self.who, segment=key, at=self.world.now, why=why, cause=cause
            )  # fmt: skip
            self.moved.append((place, news))
            self.world._take(self.who, lambda who, state, news=news: decide.on_membership(self.world.book, who, state, news))


def recorded(script, who: str = SENT) -> Recorded:
    live = Recorded(who)
    for kind, *move in script:
        if kind == "fact":
            event, cart, segment = move
            live.fact(event, cart, (segment,) if segment else ())
        elif kind == "pass":
            live.world.later(*move)
        else:
            live.world.later(1)  # of two things of one instant that are not each other's cause the order is not known
            live.flip(*move, "time", (live.world.now, "", -1, -1))
            live.world.later(1)
    return live


ACCEPTED = Assumed()


def rehearsed(live: Recorded, book=None, assumed=ACCEPTED):
    days = Days(live.who, (), {}, ordered(live.facts, live.moved))
    return play(Stage(book or live.world.book), days, T0, live.world.now, assumed)


@settings(max_examples=300, deadline=None)
@given(st.lists(moves, max_size=40), st.sampled_from([SENT, CONTROL]))
def test_it_tells_the_very_verdicts_that_live_told(script, who):
    live = recorded([("fact", "Added", 1, ""), *script], who)
    assert list(rehearsed(live).told) == [one for one in live.world.log if isinstance(one, Decision | Intent)]


@settings(max_examples=100, deadline=None)
@given(st.lists(moves, max_size=40), st.sampled_from([SENT, CONTROL]))
def test_its_report_adds_up(script, who):
    live = recorded([("fact", "Added", 1, ""), *script], who)
    played = rehearsed(live)
    counts, whole = Counts("journey:basket", zone("Europe/Moscow")), Counts("", zone("UTC"))
    counts.add(live.who, played)
    whole.add(live.who, played)
    told, mine = counts.told(), [one for one in played.told if one.document == "journey:basket"]
    verdicts = Counter(one.verdict for one in mine if isinstance(one, Decision))
    assert told["messages"]["sent"] == verdicts["sent"] == sum(one["sent"] for one in told["messages"]["by_step"].values())
    assert sum(told["messages"]["by_day"].values()) == told["messages"]["sent"]
    over = verdicts["left"] + verdicts["goal"]
    assert told["entrants"]["runs"] == verdicts["entered"] == over + sum(told["standing"].values())
    assert sum(told["exits"].values()) + told["goals"] == over
    triggers = sum(fact.event == "Added" for _, fact in live.facts)
    assert told["entrants"]["runs"] + sum(told["entrants"]["refused"].values()) == triggers
    displaced = sum(n for found in told["displaced"].values() for what, n in found.items() if what != "people")
    assert displaced == sum(one.verdict in ("deferred", "would_have_sent") or (one.verdict == "skipped" and one.step != "") for one in mine if isinstance(one, Decision))  # fmt: skip
    assert whole.told()["documents"] == dict(
        sorted(Counter(one.document for one in played.told if isinstance(one, Intent)).items())
    )


def test_what_is_assumed_of_letters_is_heard_by_the_steps_that_wait_for_it():
    live = recorded([("fact", "Added", 1, ""), ("pass", 10 * HOUR), ("pass", DAY), ("pass", DAY)])
    ends = {}
    for opened in (0, 100):
        book = in_force([published("journey", {**BASKET, "steps": [send("poor"), BASKET["steps"][-1]]}), brand()])
        told = rehearsed(live, book, Assumed(opened=opened)).told
        ends[opened] = [one.received_at for one in told if isinstance(one, Decision) and one.verdict == "left"]
    assert ends == {0: [T0 + DAY], 100: [T0 + HOUR]}


def test_who_entered_before_the_first_day_may_be_kept_out():
    live = recorded([("fact", "Added", 1, "")])
    book = in_force([published("journey", {**BASKET, "reentry": {"mode": "never"}}), brand()])
    days = Days(live.who, (), {}, ordered(live.facts, live.moved), {"basket": T0 - DAY})
    (refused,) = play(Stage(book), days, T0, live.world.now, ACCEPTED).told
    assert (refused.verdict, refused.rule) == ("skipped", "reentry")


def test_who_never_meets_a_trigger_is_passed_by():
    live = recorded([("pass", DAY)])
    assert rehearsed(live).told == ()


def test_a_draft_stands_in_the_place_of_what_is_in_force_under_the_next_version():
    other = {**HELLO, "steps": [send("other")]}
    new = tried(DOCUMENTS, Draft("journey", "hello", other))
    assert (new.version, sorted(new.book.current)) == (2, ["basket", "hello"])
    assert new.conditions == {condition_key("journey", "hello", 2, "audience"): {"kind": "segment", "key": "vip"}}
    same = tried(DOCUMENTS, Draft("journey", "hello", HELLO))
    assert (same.version, same.conditions) == (1, {})
    assert sorted(tried(DOCUMENTS, Draft("journey", "hello", other), alone=True).book.current) == ["hello"]
    assert len(tried(DOCUMENTS, Draft("rule", "rules", {"key": "rules"})).book.rules.limits) == 0


def test_a_rule_in_force_and_its_draft_are_compared():
    live = recorded([("fact", "Added", n, "") for n in range(4)] + [("pass", 12 * HOUR), ("pass", DAY), ("pass", DAY)])
    books = [live.world.book, tried(DOCUMENTS, Draft("rule", "rules", {"key": "rules"})).book]
    found = []
    for book in books:
        counts = Counts("", zone("UTC"))
        counts.add(live.who, rehearsed(live, book))
        found.append(counts)
    told = compared(*found)
    now, draft = told["messages"]
    assert now < draft
    assert told["displaced"]["quiet_hours"]["deferred"][0] > 0
    assert told["displaced"]["quiet_hours"]["deferred"][1] == 0


def test_time_comes_before_a_fact_of_the_same_instant_and_what_a_fact_brings_behind_it():
    def moved(place, name):
        return place, Membership(type="entered", received_at=5, id=name)

    fact = Fact(id="f", type="track", brand="shop", source="s", occurred_at=5, received_at=5)
    pieces = ordered([((5, "facts", 0, 7), fact)], [moved((5, "facts", 0, 7), "by"), moved((5, "", -1, -1), "time")])
    assert [piece.item.id for piece in pieces] == ["time", "f", "by"]
    assert isinstance(pieces[0], Piece)
