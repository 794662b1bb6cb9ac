"""The judge of what is done beside the main stream is judged: what is right is no finding, and each thing that breaks is one."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.documents import duration_ms
from tests.chaos import letters
from tests.chaos.acts import campaigns, journeys, offers
from tests.chaos.acts.crowd import Crowd, Somebody
from tests.chaos.acts.log import Launched, Log, Parted, Shut
from tests.chaos.oracle import expected
from tests.chaos.verify import Findings

LAUNCH, START = offers.launch_id(1), 1_000_000


def line(step: str, to: str, start: str, at: int = START, intent: str = "i", what: str = "accepted") -> dict[str, Any]:
    return {"what": what, "at": at, "message_id": f"{intent}@shop.example", "to": to, "step": step, "started_by": start}


# ---- a campaign


class Mailing:
    """One launch to somebody of each kind; what is right, to be broken by tests."""

    def __init__(self, stopped: bool = False) -> None:
        crowd = Crowd()
        self.people = {kind: crowd.audience(kind)[0] for kind in (*campaigns.FITS, "stranger")}
        self.log = Log(list(self.people.values()), [Launched(LAUNCH, 1, [Shut(START, START + 100, START + 9_000)], stopped)])
        self.owner = {who.names[0]: kind for kind, who in self.people.items()}
        self.decisions: list[dict[str, Any]] = []
        for kind, verdict, rule in (("plain", "accepted", ""), ("bounce", "failed", "provider"), ("refused", "skipped", "consent")):
            self.says(kind, "sent", intent=kind)
            self.says(kind, verdict, rule, intent=kind, by="sender")
        self.says("shy", "skipped", "excluded")
        self.says("silent", "would_have_sent", "local_control")
        self.says("unreachable", "skipped", "no_address")
        self.mails = [line("offer-plain", self.people["plain"].address, "1", intent="plain")]
        self.rows = {"plain": {"state": "accepted", "started_at": START}}
        self.report = [{"launch": LAUNCH, "profile": d["profile"], "verdict": d["verdict"]} for d in self.decisions]
        self.report = [row for row in self.report if row["verdict"] != "sent"]

    def says(self, who: str, verdict: str, rule: str = "", **more: Any) -> None:
        given = {"profile": who, "verdict": verdict, "rule": rule, "occurrence": LAUNCH, "by": "orchestrator"}
        self.decisions.append({**given, **more})

    def drop(self, who: str) -> None:
        self.decisions = [one for one in self.decisions if one["profile"] != who]

    def counted(self) -> dict[str, int]:
        found = Findings()
        campaigns.judge(found, self.log, self.owner, self.decisions, self.mails, self.rows, self.report)
        return dict(found.counts)


def test_a_launch_that_went_right_is_no_finding():
    assert Mailing().counted() == {}
    mailing = Mailing()
    mailing.says("plain", "held", intent="plain", by="sender", attempt=0)
    mailing.decisions = [one | {"attempt": 1} if one["verdict"] == "accepted" else one for one in mailing.decisions]
    assert mailing.counted() == {}  # decided again after a pause
    mailing.says("plain", "in_doubt", intent="plain", by="sender", attempt=1)
    assert mailing.counted() == {}  # the doubt was settled


def broken_report(mailing: Mailing, **changed: Any) -> None:
    mailing.report = [{**row, **changed} if row["profile"] == "shy" else row for row in mailing.report]


BROKEN: list[tuple[Callable[[Mailing], Any], dict[str, int]]] = [
    (lambda m: m.drop("unreachable"), {"campaign.verdicts_missing": 1, "campaign.counts_off": 1}),
    (lambda m: m.says("plain", "skipped", "stopped"), {"campaign.verdicts_twice": 1}),
    (lambda m: m.says("plain", "accepted", intent="other", by="sender"), {"campaign.verdicts_twice": 1}),
    (lambda m: m.says("stranger", "skipped", "audience"), {"campaign.verdicts_wrong": 1}),
    (lambda m: m.says("nobody", "skipped", "audience"), {"campaign.verdicts_wrong": 1}),
    (
        lambda m: m.owner.update({m.people["plain"].names[0]: "shy", m.people["shy"].names[0]: "plain"}),
        {"campaign.verdicts_wrong": 2},
    ),
    (lambda m: m.report.pop(), {"campaign.counts_off": 1}),
    (lambda m: m.report.append(m.report[0]), {"campaign.counts_off": 2}),
    (lambda m: broken_report(m, verdict=""), {"campaign.counts_off": 1}),
    (lambda m: m.mails.append(m.mails[0] | {"step": "offer-rich"}), {"campaign.twice": 1}),
    (lambda m: m.mails.append(line("offer-plain", m.people["shy"].address, "1")), {"campaign.verdicts_wrong": 1}),
    (
        lambda m: m.mails[0].update(at=START + 1_101) or m.rows["plain"].update(started_at=START + 1_101),
        {"campaign.after_pause": 1},
    ),
    (lambda m: m.mails[0].update(at=START + 1_101) or m.rows["plain"].update(started_at=None), {"campaign.after_pause": 1}),
    (lambda m: m.log.launches[0].shut.append(Shut(START, START + 30_001, START + 30_002)), {"campaign.after_pause": 1}),
]


@pytest.mark.parametrize(("breaks", "count"), BROKEN)
def test_each_fault_of_a_launch_is_a_finding(breaks, count):
    mailing = Mailing()
    breaks(mailing)
    assert mailing.counted() == count


@pytest.mark.parametrize(("at", "started"), [(1_100, 1_100), (1_101, 1_100), (9_000, 9_000), (500, None)])
def test_what_had_begun_or_comes_after_the_pause_may_be_taken(at, started):
    mailing = Mailing()
    mailing.mails[0]["at"] = START + at
    mailing.rows["plain"]["started_at"] = started and START + started
    assert mailing.counted() == {}


def test_who_had_not_got_it_when_it_is_stopped_is_told_so_and_nothing_goes_any_more():
    for stopped, count in ((True, {}), (False, {"campaign.verdicts_wrong": 1})):
        mailing = Mailing(stopped=stopped)
        mailing.drop("plain")
        mailing.says("plain", "skipped", "stopped")
        mailing.mails.clear()
        mailing.report = [row | {"verdict": "skipped"} if row["profile"] == "plain" else row for row in mailing.report]
        assert mailing.counted() == count
    late = Mailing(stopped=True)
    late.log.launches[0].shut = [Shut(START, START)]
    late.mails[0]["at"] = late.rows["plain"]["started_at"] = START + 60_000
    assert late.counted() == {"campaign.after_pause": 1}


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
