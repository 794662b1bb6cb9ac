"""The judge of what is done beside the main stream is judged: what is right is no finding, and each thing that breaks is one."""

import json
from typing import Any

import pytest

from schemas.documents import duration_ms
from tests.chaos import judged, letters
from tests.chaos.acts import journeys, offers
from tests.chaos.acts.compared import texts
from tests.chaos.acts.crowd import Crowd, Somebody
from tests.chaos.acts.log import Log, Parted, Shut
from tests.chaos.oracle import expected
from tests.chaos.verify import Findings

START = 1_000_000


def line(step: str, to: str, start: str, at: int = START, intent: str = "i", what: str = "accepted") -> dict[str, Any]:
    return {"what": what, "at": at, "message_id": f"{intent}@shop.example", "to": to, "step": step, "started_by": start}


# ---- cascades


def cascaded(kind: str, chat: str = "chat", chats: int = 0, mails: int = 0, **more: Any) -> dict[str, int]:
    """state: of the chat's intent; left: when it was told that the chat was left; sent: when the letter was decided."""
    who, _ = Crowd().begins(kind, "Lesson Asked", "mail", chat)
    log, found = Log(pupils=[who]), Findings()
    lines = [line("lesson-chat", who.chat, who.start)] * chats + [line("lesson-mail", who.address, who.start)] * mails
    about = {"data": {"event": {"message": who.start}}, "occurrence": "o"}
    intents = [{**about, "id": "a", "template": "lesson-chat", "received_at": 1}]
    intents += [{**about, "id": "b", "template": "lesson-mail", "received_at": more.get("sent", 9)}] if mails else []
    taken = journeys.Taken(lines, intents, {"a": {"state": more.get("state", "")}})
    left = [{"verdict": "fallback", "intent": "a", "received_at": more["left"]}] if "left" in more else []
    journeys.check_cascades(found, log, taken, left)
    return dict(found.counts)


def test_a_cascade_goes_over_one_channel_and_over_the_next_only_behind_a_fallback():
    assert cascaded("lesson", chats=1) == {}
    assert cascaded("lesson", state="in_doubt") == {}
    assert cascaded("lesson", "gone", mails=1, left=5) == {}
    assert cascaded("reminder", chats=1, mails=1, left=9) == {}
    assert cascaded("reminder", state="in_doubt") == {}
    assert cascaded("lesson", chats=1, mails=1) == {"cascade.two_channels": 1}
    assert cascaded("reminder", chats=1, mails=1, left=10) == {"cascade.two_channels": 1}
    assert cascaded("lesson") == {"cascade.lost": 1}
    assert cascaded("lesson", "gone") == {"cascade.lost": 1}
    assert cascaded("reminder", chats=1) == {"cascade.lost": 1}
    assert cascaded("lesson", chats=2) == {"cascade.twice": 1}
    assert cascaded("lesson", "gone", mails=2, left=5) == {"cascade.twice": 1}


# ---- a pause, another version


def walked(lines: list[tuple[str, int]], *, doubted: str = "", started: int | None = None) -> dict[str, int]:
    """lines: (step, ms after he began); the journey is paused from 12 s to 40 s after it."""
    who, _ = Crowd().begins("walker", "Trail Begun", "mail")
    shut = Shut(START + 12_000, START + 12_000, START + 40_000)
    log, found = Log(walkers=[who], paused=[shut], posted={who.start: (START, START + 50)}), Findings()
    rows = {"i": {"state": "", "started_at": started and START + started}, "d": {"state": "in_doubt"}}
    intents = [{"id": "d", "template": doubted, "data": {"event": {"message": who.start}}}]
    taken = journeys.Taken([line(step, who.address, who.start, START + at) for step, at in lines], intents, rows)
    journeys.check_pause(found, log, taken, rows)
    return dict(found.counts)


def test_no_timer_is_lost_in_a_pause_and_none_fires_in_it():
    assert walked([("trail1", 10_000), ("trail2", 40_000)]) == {}
    assert walked([("trail1", 10_000)], doubted="trail2") == {}
    assert walked([("trail1", 10_000)]) == {"pause.timers_lost": 1}
    assert walked([("trail1", 10_000), ("trail2", 41_000), ("trail2", 42_000)]) == {"pause.twice": 1}
    assert walked([("trail1", 9_999), ("trail2", 41_000)]) == {"pause.early": 1}
    assert walked([("trail1", 10_000), ("trail2", 39_999)]) == {"pause.after_pause": 1}
    assert walked([("trail1", 10_000), ("trail2", 39_999)], started=13_000) == {}


def moved(posted: int, letters: list[str], moves: int = 0) -> int:
    """posted: ms from when the new version was in the log, a second after it began to be."""
    who, _ = Crowd().begins("mover", "Path Begun", "mail")
    log, found = (
        Log(movers=[who], led=(START - 1_000, START), posted={who.start: (START + posted, START + posted + 50)}),
        Findings(),
    )
    intents = [{"id": s, "template": s, "occurrence": "o", "data": {"event": {"message": who.start}}} for s in letters]
    taken = journeys.Taken([line(step, who.address, who.start) for step in letters], intents, {})
    journeys.check_moves(found, log, taken, [{"verdict": "moved", "occurrence": "o"}] * moves)
    return found.counts["move.wrong"]


def test_everybody_stands_in_one_version():
    assert moved(-60_000, ["path1"]) == moved(-10_000, ["path2"], 1) == moved(-10_000, ["path1"]) == moved(1, ["path2"]) == 0
    assert moved(-60_000, ["path2"]) == moved(1, ["path1"]) == 1  # in the wrong one
    assert moved(-10_000, ["path1", "path2"], 1) == moved(-10_000, []) == moved(-10_000, ["path2", "path2"]) == 1
    assert moved(-10_000, ["path2"], 2) == moved(-10_000, ["path1"], 1) == 1


# ---- who is parted


def parted(lines: list[tuple[str, str, int]], owner: dict[str, str] | None = None, split: int = START) -> dict[str, int]:
    """lines: (step, whose, ms after they were parted)."""
    one, other, _ = Crowd().pair()
    log, found = Log(pairs=[Parted(one, other, "m", START)]), Findings()
    to = {"one": one.address, "other": other.address}
    whose = {**dict.fromkeys(one.names, "A"), **dict.fromkeys(other.names, "B"), **(owner or {})}
    taken = journeys.Taken([line(step, to[who], "m", START + at) for step, who, at in lines], [], {})
    splits = dict.fromkeys(other.names, split) if split else {}
    journeys.check_parted(found, log, taken, whose, splits)
    return dict(found.counts)


def test_who_is_parted_has_what_is_his_and_his_letters_once():
    right = [("union1", "other", -1_000), ("union2", "one", 31_000)]
    assert parted(right) == {}
    assert parted(right, {"user_id:x2": "A"}) == {"unmerge.wrong": 2}
    assert parted(right, {"user_id:x9": "B"}) == {"unmerge.wrong": 1}
    assert parted(right, split=0) == {"unmerge.wrong": 1, "unmerge.letters": 1}
    assert parted(right[:1]) == {"unmerge.letters": 1}
    assert parted([*right, right[1]]) == {"unmerge.letters": 1}
    assert parted([right[0], ("union2", "other", 31_000)]) == {"unmerge.letters": 1}


def test_the_oracle_of_people_parts_them_whatever_is_told_later():
    one, other, calls = (crowd := Crowd()).pair()
    link = crowd.call((one.names[0], other.names[1]), "Seen")
    lines = [call.line() for call in (*calls, link, crowd.call(other.names[:1], "", attributes={"tier": 3}))]

    def groups(*cuts: Somebody) -> list[list[str]]:
        return [person["identifiers"] for person in expected(lines, [who.names for who in cuts])["people"]]

    assert groups() == [sorted((*one.names, *other.names))]
    assert groups(other) == [sorted(one.names), sorted(other.names)]
    tiers = [person["attributes"].get("tier", [0, None])[1] for person in expected(lines, [other.names])["people"]]
    assert tiers == [None, 3]


# ---- the documents


def test_the_oracles_and_the_documents_have_the_same_waits():
    due = {}
    for journey in (*offers.JOURNEYS, *offers.PATH):
        waited = 0
        for step in journey["steps"]:
            waited += duration_ms(step.get("wait", "0s"))
            if "template" in step:
                due[step["id"]] = waited
    assert due.pop("path2") == due["path1"] and due == journeys.DUE_MS
    assert {d.kind for d in offers.documents()} == {"segment", "template", "journey", "rule", "campaign"}


def test_nobody_shares_a_name_and_the_other_oracle_does_not_judge_these_letters():
    crowd = Crowd()
    made = [crowd.begins("lesson", "Lesson Asked", "mail", kind) for kind in ("gone", "chat") for _ in range(30)]
    names = [name for who, _ in made for name in who.names]
    assert len(set(names)) == len(names) == 180
    assert letters.judge([], [line(step, "x@e.org", "m1") for step in offers.STEPS])["twice"] == []
    assert len(letters.judge([], [line("letter9", "x@e.org", "m1")])["twice"]) == 1


def test_a_text_belongs_to_the_intent_of_its_run(tmp_path):
    log = tmp_path / "chats.jsonl"
    taken = [line("lesson-chat", "8000001", start) for start in ("x1", "x2")]
    log.write_text("".join(json.dumps(one) + "\n" for one in taken))
    intents = [
        {"id": "a", "channel": "telegram", "template": "lesson-chat", "data": {"event": {"message": "x1"}}},
        {"id": "b", "channel": "email", "template": "lesson-chat", "data": {"event": {"message": "x2"}}},
    ]
    assert [one["message_id"] for one in texts(log, intents)] == ["a@chat", "@chat"]


@pytest.mark.parametrize(("name", "value"), [*((name, 1) for name in judged.ZERO), *((name, 0) for name in judged.HAPPENED),
                                             ("campaign.held", 0), ("failpoints.hit", 62)])  # fmt: skip
def test_a_run_fails_by_what_went_wrong_and_by_what_never_happened(name, value):
    happened = (*judged.HAPPENED, *judged.DISTURBED)
    right = {**dict.fromkeys(judged.ZERO, 0), **dict.fromkeys(happened, 1), "failpoints.hit": 63, "failpoints.total": 63}
    assert judged.wrong(right, calm=False) == []
    assert len(judged.wrong({**right, name: value}, calm=False)) == 1
    assert judged.wrong({**right, "campaign.held": 0}, calm=True) == []
