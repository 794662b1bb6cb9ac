"""What must hold of each launch of a campaign, from what was done and what the witness of the letters has. No code of the services.

Everybody of the audience gets exactly one verdict and at most one letter; the report's rows add up to the audience; as many are kept back as
the campaign says, the same in each launch; while a launch is shut nothing is accepted whose call had not begun.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from tests.chaos.acts.crowd import Somebody
from tests.chaos.acts.log import Launched, Log, Shut
from tests.chaos.acts.offers import CAMPAIGN, OFFERS
from tests.chaos.verify import Findings

Row = Mapping[str, Any]
MOST_LATE_MS = 30_000  # so long the sender may be killed and kept from the log before it knows of a pause
FIGURES = (
    "campaign.verdicts_missing", "campaign.verdicts_twice", "campaign.verdicts_wrong", "campaign.counts_off", "campaign.twice",
    "campaign.control_off", "campaign.after_pause",
)  # fmt: skip
DOUBT = ("in_doubt", "unknown")
GOES = ("accepted", *DOUBT)
# Which verdicts, with which rule ("" for any), fit whom. Of a control group's share anybody else may be.
FITS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "plain": tuple((verdict, "") for verdict in GOES),
    "shy": (("skipped", "excluded"),),
    "silent": (("skipped", "consent"), ("skipped", "no_address")),
    "refused": (("skipped", "consent"),),
    "unreachable": (("skipped", "no_address"),),
    "bounce": (("failed", ""), ("skipped", "suppressed:permanent_address"), *((verdict, "") for verdict in DOUBT)),
}
Verdict = tuple[str, str]  # with its rule
CONTROL, STOPPED = ("would_have_sent", "local_control"), ("skipped", "stopped")
SHARE = CAMPAIGN["control"] / 100
SPREAD = 4  # standard deviations that the share of a control group may be off


def final(decisions: Sequence[Row]) -> list[Verdict]:
    """The verdicts on one person that end his part in a launch: one, if all is right.

    What the sender says last of an intent is one, and what of it was told before is not; nor is what is decided again.
    """
    closed: list[Verdict] = []
    told: dict[str, Row] = {}
    for one in sorted(decisions, key=lambda row: (row.get("attempt", 0), row["by"] == "sender", _rank(row))):
        if one.get("intent"):
            told[one["intent"]] = one
        elif one["verdict"] in {"skipped", "would_have_sent", "failed"}:
            closed.append((one["verdict"], one.get("rule", "")))
    return closed + [
        (row["verdict"], row.get("rule", "")) for row in told.values() if row["verdict"] in {*GOES, "skipped", "failed"}
    ]


def _rank(row: Row) -> int:
    """Of one attempt doubt is told before what settles it."""
    return {"sent": 0, "in_doubt": 1}.get(row["verdict"], 2)


def judge(
    found: Findings,
    log: Log,
    owner: Mapping[str, str],
    decisions: Sequence[Row],
    mails: Sequence[Row],
    rows: Mapping[str, Row],
    recipients: Sequence[Row],
) -> dict[str, int]:
    """owner: identifier -> profile; mails: of the SMTP server; rows: intent -> its row in the sender's ledger; recipients: launch, profile
    and verdict of the report. Answers how many verdicts of which kind there are.
    """
    counts: Counter[str] = Counter()
    whose = {owner.get(who.names[0], ""): who for who in log.audience}
    ends: list[dict[str, list[Verdict]]] = []
    for launch in log.launches:
        told: dict[str, list[Row]] = defaultdict(list)
        for decision in decisions:
            if decision.get("occurrence") == launch.id:
                told[decision["profile"]].append(decision)
        ended = {profile: final(rows_) for profile, rows_ in told.items()}
        ends.append(dict(ended))
        for profile, who in whose.items():
            verdicts = ended.pop(profile, [])
            _check_one(found, launch, who, verdicts)
            counts.update(verdict for verdict, _ in verdicts)
        for profile in ended:
            found.add("campaign.verdicts_wrong", f"launch {launch.number} has verdicts on {profile}, who is nobody of its people")
        _check_report(found, launch, whose, told, [row for row in recipients if row["launch"] == launch.id])
        letters = [mail for mail in mails if mail["step"] in OFFERS and mail["started_by"] == str(launch.number)]
        _check_letters(found, launch, log, letters, rows)
        _check_share(
            found, launch, [ended for profile, ended in ends[-1].items() if profile in whose and whose[profile].kind == "plain"]
        )
    _check_kept_back(found, ends)
    return {f"campaign.{verdict}": counts[verdict] for verdict in ("accepted", "would_have_sent", "skipped", "failed", "in_doubt")}


def _check_one(found: Findings, launch: Launched, who: Somebody, verdicts: Sequence[Verdict]) -> None:
    name = f"launch {launch.number}: {who.kind} {who.names[0]}"
    if who.kind == "stranger":
        if verdicts:
            found.add("campaign.verdicts_wrong", f"{name} has {verdicts}")
    elif not verdicts:
        found.add("campaign.verdicts_missing", name)
    elif len(verdicts) > 1:
        found.add("campaign.verdicts_twice", f"{name} has {verdicts}")
    elif not _fits(who.kind, verdicts[0], launch):
        found.add("campaign.verdicts_wrong", f"{name} has {verdicts}")


def _fits(kind: str, verdict: Verdict, launch: Launched) -> bool:
    if verdict == CONTROL:
        return kind != "shy"
    if launch.stopped and verdict == STOPPED:
        return True
    return any(verdict[0] == fits and rule in {"", verdict[1]} for fits, rule in FITS[kind])


def _check_share(found: Findings, launch: Launched, plain: Sequence[Sequence[Verdict]]) -> None:
    """About so many are kept back as the campaign says, of those who could get a letter and were not met by a stop."""
    asked = [verdicts for verdicts in plain if STOPPED not in verdicts]
    kept, wanted = sum(CONTROL in verdicts for verdicts in asked), SHARE * len(asked)
    if abs(kept - wanted) > SPREAD * math.sqrt(wanted * (1 - SHARE)) or (wanted >= 5 and not kept):
        found.add("campaign.control_off", f"launch {launch.number}: {kept} of {len(asked)} are kept back")


def _check_kept_back(found: Findings, ends: Sequence[Mapping[str, Sequence[Verdict]]]) -> None:
    """The same people in each launch: a control group that is drawn anew measures nothing."""
    for number, (before, after) in enumerate(pairwise(ends), 2):
        for profile in before.keys() & after.keys():
            both = before[profile], after[profile]
            if len({CONTROL in verdicts for verdicts in both}) > 1 and not any(STOPPED in verdicts for verdicts in both):
                found.add("campaign.control_off", f"launch {number}: {profile} has {both[1]}, and had {both[0]}")


def _check_report(
    found: Findings, launch: Launched, whose: Mapping[str, Somebody], told: Mapping[str, Sequence[Row]], report: Sequence[Row]
) -> None:
    """The report counts each of the audience once, under the verdict that was told of him."""
    audience = {profile for profile, who in whose.items() if who.kind != "stranger"}
    times = Counter(row["profile"] for row in report)
    for profile in audience ^ times.keys():
        found.add("campaign.counts_off", f"launch {launch.number}: {profile} is {times[profile]} times in the report")
    for row in report:
        verdicts = {verdict for verdict, _ in final(told.get(row["profile"], ()))}
        if times[row["profile"]] > 1 or (row["profile"] in audience and row["verdict"] not in verdicts):
            found.add(
                "campaign.counts_off", f"launch {launch.number}: {row['profile']} is counted as {row['verdict']!r}: {verdicts}"
            )


def _check_letters(found: Findings, launch: Launched, log: Log, letters: Sequence[Row], rows: Mapping[str, Row]) -> None:
    taken = [mail for mail in letters if mail["what"] == "accepted"]
    welcome = {who.address for who in log.audience if who.kind == "plain"}
    for address, times in Counter(mail["to"] for mail in taken).items():
        if times > 1:
            found.add("campaign.twice", f"launch {launch.number}: {times} letters to {address}")
        if address not in welcome:
            found.add("campaign.verdicts_wrong", f"launch {launch.number} was sent to {address}")
    check_shut(found, "campaign.after_pause", launch.shut, taken, rows)


def check_shut(found: Findings, figure: str, shut: Sequence[Shut], taken: Sequence[Row], rows: Mapping[str, Row]) -> None:
    """Nothing that was taken had begun behind a gate. taken: lines of a witness; rows: of the sender's ledger."""
    for one in shut:
        if one.known - one.answered > MOST_LATE_MS:
            found.add(figure, f"the sender knew {one.known - one.answered} ms after it was told")
        for mail in taken:
            row = rows.get(mail["message_id"].partition("@")[0], {})
            started = row.get("started_at")
            if one.covers(mail["at"]) and (started is None or one.covers(started)):
                late = mail["at"] - one.answered
                found.add(figure, f"{mail['step']} to {mail['to']} was taken {late} ms after the pause was answered")
