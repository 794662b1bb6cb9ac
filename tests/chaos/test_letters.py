"""The judge of the letters is judged: what it expects, what it leaves open, and that it notices what is lost, doubled or forbidden."""

from dataclasses import replace
from itertools import islice

import pytest

from schemas.documents import duration_ms
from tests.chaos import letters
from tests.chaos.customers import PLOTS
from tests.chaos.letters import FIRST, REST, judge
from tests.chaos.stream import Stream
from tests.chaos.welcome import WELCOME, documents

REG, PAID, YES, NO = "Registered", "Balance Topped Up", "Consent Granted", "Consent Withdrawn"
ALL = ["hello", "price", *(step for step, _ in REST)]
USER, MAIL = "user_id:c1", "email:c1@example.org"


class Story:
    """Lines as the load writes them. at: second of the run, when posted and acknowledged."""

    def __init__(self) -> None:
        self.lines: list[dict] = []

    def tell(
        self, event: str, at: float, *names: str, occurred: int = 0, minor: int = 100, source: str = "site", **more
    ) -> "Story":
        number, names = len(self.lines) + 1, names or (USER,)
        properties = {"amount": {"minor": minor}} if event == PAID else {}
        given = {
            "number": number, "message": f"m{number}", "key": f"{source}|{names[0]}", "lane": "live", "event": event, "attributes": {},
            "identifiers": list(names), "occurred_at": occurred, "properties": properties, "posted_at": at * 1000, "acked_at": at * 1000,
        }  # fmt: skip
        self.lines.append(given | more)
        return self

    def arrives(self, at: float = 0.0, legal: bool | None = None) -> "Story":
        self.tell("", at, USER, MAIL, attributes={} if legal is None else {"legal_entity": legal})
        return self.tell(YES, at).tell(REG, at)

    def sends(self, *steps: str, start: str = "m3", to: str = "c1@example.org", run: str = "a") -> list[dict]:
        return [{"what": "accepted", "message_id": f"{run}-{s}@x", "to": to, "step": s, "started_by": start} for s in steps]

    def judged(self, *steps: str) -> dict:
        return judge(self.lines, self.sends(*steps))


def bad(found: dict) -> list[tuple[str, str]]:
    return [(kind, entry["step"]) for kind in ("missing", "extra") for entry in found[kind]]


def expected(story: Story) -> dict[str, tuple[int, int]]:
    (facts,) = letters.people(letters.once(story.lines))
    return {step: bounds for step, bounds in letters.Person(facts).expected().items() if bounds != (0, 0)}


def test_the_oracle_and_the_journey_have_the_same_waits():
    steps = {step["id"]: step for step in WELCOME["steps"]}
    assert FIRST[True] == ("migration", duration_ms(steps["free_days"]["wait"]))
    assert FIRST[False] == ("price", duration_ms(steps["free_hours"]["wait"]))
    waited, after = 0, {}
    for step in WELCOME["steps"][5:]:
        waited += duration_ms(step.get("wait", "0s"))
        if "template" in step:
            after[step["id"]] = waited
    assert after == dict(REST)
    assert {d.kind for d in documents()} == {"segment", "template", "brand", "journey", "identity"}


def test_who_registers_gets_a_word_at_once_and_six_letters_by_his_kind():
    assert Story().arrives().judged(*ALL)["must"] == 7
    assert bad(Story().arrives().judged(*ALL)) == []
    assert bad(Story().arrives(legal=True).judged("hello", "migration", *ALL[2:])) == []
    assert bad(Story().arrives(legal=True).judged(*ALL)) == [("missing", "migration"), ("extra", "price")]


def test_a_letter_that_is_lost_is_missed_and_one_that_goes_twice_is_noticed():
    story = Story().arrives()
    assert bad(story.judged(*ALL[:-1])) == [("missing", "letter6")]
    again = judge(story.lines, [*story.sends(*ALL), *story.sends("letter3")])
    assert again["twice"] == ["a-letter3@x 2 times"]
    other = judge(story.lines, [*story.sends(*ALL), *story.sends("letter3", run="b")])
    assert len(other["twice"]) == 1 and bad(other) == [("extra", "letter3")]
    assert len(judge(story.lines, story.sends("price", start="m9"))["twice"]) == 1
    dropped = [mail | {"what": "hangup"} for mail in story.sends("letter6")]
    assert bad(judge(story.lines, [*story.sends(*ALL[:-1]), *dropped])) == [("missing", "letter6")]


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ([(PAID, 1.0, 5, 100)], 1),  # at once
        ([(PAID, 1.0, 5, 0)], 7),  # of nothing
        ([(PAID, 1.0, -5, 100)], 7),  # from before he registered
        ([(NO, 1.0, 5, 100), (YES, 1.0, 6, 100)], 7),  # and yes again
    ],
)
def test_what_is_told_long_before_the_first_letter_decides_all(said, count):
    story = Story().arrives()
    for event, at, occurred, minor in said:
        story.tell(event, at, occurred=occurred, minor=minor, source="till")
    assert expected(story) == dict.fromkeys(ALL[:count], (1, 1))


def test_what_is_told_in_the_midst_leaves_open_only_what_is_near():
    story = Story().arrives().tell(PAID, 80.0, occurred=5)
    assert expected(story) == {
        "hello": (1, 1),
        "price": (1, 1),
        **dict.fromkeys(("letter2", "letter3", "letter4", "letter5"), (0, 1)),
    }
    assert bad(story.judged("hello", "price", "letter2", "letter3")) == []
    assert bad(story.judged("hello", "price", "letter2", "letter6")) == [("extra", "letter6")]
    withdrawn = Story().arrives().tell(NO, 1.0, occurred=5)
    assert expected(withdrawn) == {"hello": (0, 1)}


def test_a_goal_told_first_under_the_same_key_is_certain_however_late_the_registration_comes():
    story = Story().tell("", 0, USER, MAIL).tell(YES, 0).tell(PAID, 44.0, occurred=5).tell(REG, 44.0)
    assert expected(story) == {"hello": (1, 1)}
    other = Story().tell("", 0, USER, MAIL).tell(YES, 0).tell(PAID, 88.0, occurred=5, source="till").tell(REG, 44.0)
    assert expected(other) == {"hello": (1, 1), "price": (0, 1), "letter2": (0, 1)}


def test_nobody_gets_what_he_did_not_allow_or_cannot_get():
    assert expected(Story().tell("", 0, USER, MAIL).tell(REG, 0)) == {}
    assert expected(Story().tell(YES, 0).tell(REG, 0)) == {}
    assert expected(Story().tell(YES, 0, USER, "email:bounce-1@example.org").tell(REG, 0)) == {}
    assert expected(Story().tell("", 0, USER, MAIL).tell(YES, 0).tell(REG, 0, lane="bulk")) == {}


def twins(joined_at: float) -> Story:
    story = Story().arrives().tell("", 1, "user_id:d1", "email:d1@example.org")
    return story.tell(YES, 1, "user_id:d1").tell(REG, 1, "user_id:d1").tell("Seen", joined_at, MAIL, "email:d1@example.org")


def test_two_who_are_one_in_time_get_one_chain_and_later_at_most_two_of_each():
    assert expected(twins(2.0)) == {"hello": (1, 2), **dict.fromkeys(ALL[1:], (1, 1))}
    assert expected(twins(70.0)) == dict.fromkeys(ALL, (1, 2))
    story = twins(2.0)
    both = [*story.sends(*ALL), *story.sends("hello", "price", start="m6", to="d1@example.org", run="b")]
    assert bad(judge(story.lines, both)) == [("extra", "price")]
    assert bad(judge(twins(70.0).lines, both)) == []


def test_a_goal_of_the_other_half_counts_from_when_they_are_one():
    def paid(at: float) -> Story:
        story = Story().arrives().tell(PAID, 1.0, "user_id:d1", "email:d1@example.org", occurred=5)
        return story.tell("Seen", at, MAIL, "email:d1@example.org")

    assert expected(paid(2.0)) == {"hello": (1, 1)}
    assert expected(paid(80.0))["price"] == (1, 1)


def test_repeats_and_order_change_nothing():
    story = Story().arrives(legal=True).tell(PAID, 80.0, occurred=5)
    again = [line | {"posted_at": line["posted_at"] + 50_000, "acked_at": line["acked_at"] + 50_000} for line in story.lines]
    steps = story.sends("migration", "letter2")
    assert judge([*again, *reversed(story.lines)], steps) == judge(story.lines, steps)


@pytest.mark.parametrize("seed", range(3))
def test_the_stream_tells_stories_whose_end_is_certain_but_for_a_few_letters(seed):
    """Posted at the pace that the stories are made for."""
    pace = 35.0
    lines = []
    for batch in islice(Stream(seed, pace).batches(), 60):
        for call in batch:
            at = call.number / pace * 1000
            lines.append({**replace(call).line(), "posted_at": at, "acked_at": at + 200})
    found = judge(lines, [])
    assert found["people"] > 100
    assert found["must"] > 5 * found["people"] * 0.6
    assert found["either"] < 0.15 * found["must"]
    assert len(PLOTS) == 19
