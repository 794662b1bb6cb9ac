"""The judge of launches is judged: what is right is no finding, and each thing that breaks is one."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.acts import campaigns, offers
from tests.chaos.acts.crowd import Crowd
from tests.chaos.acts.log import Launched, Log, Shut
from tests.chaos.verify import Findings

LAUNCH, START = offers.launch_id(1), 1_000_000


def line(step: str, to: str, start: str, intent: str = "i") -> dict[str, Any]:
    return {"what": "accepted", "at": START, "message_id": f"{intent}@shop.example", "to": to, "step": step, "started_by": start}


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


def test_one_who_is_excluded_is_kept_back_by_no_control_group_also_where_the_launch_is_stopped():
    for stopped in (False, True):
        mailing = Mailing(stopped=stopped)
        mailing.drop("shy")
        mailing.says("shy", "would_have_sent", "local_control")
        broken_report(mailing, verdict="would_have_sent")
        assert mailing.counted() == {"campaign.verdicts_wrong": 1}


@pytest.mark.parametrize(
    ("kept", "count"), [((12, 12), 0), ((25, 25), 0), ((0, 0), 2), ((120, 120), 2), ((30, 30), 2), ((12, 11), 1)]
)
def test_about_a_tenth_is_kept_back_and_the_same_people_in_each_launch(kept, count):
    """kept: of 120 people, by the first and the second launch."""
    crowd = Crowd()
    people = [crowd.audience("plain")[0] for _ in range(120)]
    log = Log(people, [Launched(offers.launch_id(number), number) for number in (1, 2)])
    given = {"rule": "", "by": "orchestrator"}
    decisions = [
        {**given, "profile": who.names[0], "occurrence": launch.id}
        | ({"verdict": "would_have_sent", "rule": "local_control"} if place < kept[launch.number - 1]
           else {"verdict": "accepted", "intent": f"{launch.number} {place}", "by": "sender"})
        for launch in log.launches for place, who in enumerate(people)
    ]  # fmt: skip
    report = [{"launch": one["occurrence"], "profile": one["profile"], "verdict": one["verdict"]} for one in decisions]
    found = Findings()
    campaigns.judge(found, log, {who.names[0]: who.names[0] for who in people}, decisions, [], {}, report)
    assert dict(found.counts) == ({"campaign.control_off": count} if count else {})


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
