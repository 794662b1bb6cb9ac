"""Conditions about consent: what schemas/permission.py makes of all words, at every instant, in whatever order they are heard."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import audience as a
from schemas import permission
from schemas.definitions import Published
from schemas.facts import PROFILE_SPLIT, Fact
from schemas.subscriptions import Topic
from services.segmenter.domain import parting
from services.segmenter.domain.live import decide, fire, idle, merge
from services.segmenter.domain.plan import compile_plan, touches
from services.segmenter.domain.state import State, decode, encode, glance
from services.segmenter.plans import defined
from tests.segmenter.unit.test_live_law import law

STATES = ("granted", "unproven", "denied", "none")
TOPICS = permission.tree([Topic(key="news", name={"en": "n"}), Topic(key="daily", name={"en": "d"}, parent="news")])
ASKS = [
    {"channel": "email", "topic": "daily", "brand": "x"},
    {"channel": "email", "topic": "news"},
    {"channel": "sms"},
]
DEFINITIONS = {f"{number}-{state}": a.Consent(state=state, **ask) for number, ask in enumerate(ASKS) for state in STATES}
PLAN = compile_plan(DEFINITIONS, 1, TOPICS)

said = st.fixed_dictionaries(
    {
        "who": st.integers(0, 1),
        "brand": st.sampled_from(["x", "x", "y"]),
        "event": st.sampled_from(
            ["Consent Granted", "Consent Granted", "Consent Withdrawn", "Email Unsubscribed", "Consent Confirmed"]
        ),
        "advance": st.integers(0, 2),
        "late": st.sampled_from([0, 0, 0, 1, 3]),
        "channel": st.sampled_from(["email", "email", "sms", "*"]),
        "topic": st.sampled_from(["daily", "news", "*", "gone"]),
        "ends": st.none() | st.integers(12, 30),
        "asked": st.booleans(),
    }
)


def fact(number: int, op: dict[str, Any], clock: int) -> Fact:
    properties = {"channel": op["channel"], "topic": op["topic"], "double_opt_in": op["asked"]}
    if op["ends"] is not None:
        properties["expires_at"] = op["ends"]
    return Fact(
        id=f"f{number}", type="track", brand=op["brand"], source="s", event=op["event"], occurred_at=clock - op["late"],
        received_at=clock, properties=properties,
    )  # fmt: skip


def expected(facts: list[Fact], now: int) -> set[str]:
    words: dict[str, permission.Said] = {}
    for one in facts:
        about, word = permission.word(one)
        words[about] = permission.joined(words.get(about, word), word)
    found = set()
    for number, ask in enumerate(ASKS):
        states = set()
        for brand in [ask["brand"]] if "brand" in ask else ["x", "y"]:
            args = (words, TOPICS, brand, ask["channel"])
            topic = ask.get("topic", "*")
            if permission.permitted(*args, topic, now):
                states.add("granted")
            elif any(request.topic == topic for request in permission.requests(*args)):
                states.add("unproven")
            elif permission.standing(*args, topic, now) == "denied":
                states.add("denied")
        found.add(f"{number}-{next((state for state in STATES if state in states), 'none')}")
    return found


@law
@given(st.lists(said, min_size=1, max_size=8), st.integers(0, 8))
def test_at_every_instant_he_stands_as_all_his_words_say(words: list[dict[str, Any]], merged_at: int) -> None:
    states, heard, clock = [State(), State()], [[], []], 10
    for number, op in enumerate(words):
        if number == merged_at:
            states[0] = merge(states[0], states[1], clock, PLAN, "m").state
            heard[0] += heard[1]
        who = op["who"] if number < merged_at else 0
        clock += op["advance"]
        word = fact(number, op, clock)
        assert touches(word, PLAN) and not idle(glance(encode(states[who])), word, PLAN)
        states[who] = decode(encode(decide(states[who], word, clock, PLAN).state))
        heard[who].append(word)
        for ahead in range(clock, clock + 22):
            assert fire(states[who], ahead, PLAN).state.members.keys() == expected(heard[who], ahead)


def test_after_an_unmerge_each_has_his_own_words() -> None:
    mine, his = (
        fact(n, {"brand": "x", "event": "Consent Granted", "late": 0, "channel": c, "topic": "*", "ends": None, "asked": False}, 20)
        for n, c in enumerate(("email", "sms"))
    )
    whole = State()
    for one in (mine, his):
        whole = decide(whole, one, 20, PLAN).state
    words = [{about: list(msgspec.to_builtins(said))} for about, said in map(permission.word, (mine, his))]
    split = Fact(
        id="s", type=PROFILE_SPLIT, brand="b", source="s", occurred_at=21, received_at=21, profile="p",
        properties={"act": "act", "words": words[0], "parts": [{"profile": "n", "homes": [], "words": words[1]}]},
    )  # fmt: skip
    stays = parting.stays(whole, split, [], PLAN, himself=True).state
    leaves = parting.leaves(State(), whole, split, ["n"], PLAN).state
    assert {"1-granted", "2-none"} <= stays.members.keys()
    assert {"1-none", "2-granted"} <= leaves.members.keys()


def test_topics_change_the_plan_only_where_consent_is_asked_about() -> None:
    def published(kind: str, key: str, **body: Any) -> Published:
        return Published(kind=kind, key=key, version=1, body=msgspec.Raw(msgspec.json.encode({"key": key, **body})), pointer=True)

    topic = published("topic", "news", name={"en": "News"})
    asks = {"kind": "consent", "channel": "email", "topic": "news"}
    for condition, changes in ((asks, True), ({"kind": "reachable", "channel": "email"}, False)):
        segment = published("segment", "s", condition=condition)
        one, other = defined([segment], 1), defined([segment, topic], 1)
        assert (one.content() != other.content()) == changes
        assert other.topics == {"news": ("news",)} and other.conditions.keys() == {"s"}
