"""What must hold of cascades, of a pause, of people who are led to another version and of those who are parted. No code of the services."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tests.chaos.acts.campaigns import check_shut
from tests.chaos.acts.log import Log, Parted
from tests.chaos.verify import Findings

Row = Mapping[str, Any]
FIGURES = (
    "cascade.two_channels", "cascade.lost", "cascade.twice", "pause.timers_lost", "pause.twice", "pause.early", "pause.after_pause",
    "move.wrong", "unmerge.wrong", "unmerge.letters",
)  # fmt: skip
MARGIN_MS = 30_000
DUE_MS = {"trail1": 10_000, "trail2": 25_000, "path1": 20_000, "union1": 5_000, "union2": 65_000}  # after the run began
MAY_HAVE_IT = frozenset(("in_doubt", "unknown"))  # what did not reach anybody for such a reason is not lost


class Taken:
    """What the witnesses took, and what else the ledger says, by the message that began the run.

    lines: of the SMTP server and of the chats; intents: as they went to the sender; rows: intent -> its row in the sender's ledger.
    """

    def __init__(self, lines: Sequence[Row], intents: Sequence[Row], rows: Mapping[str, Row]) -> None:
        self.lines: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for line in lines:
            if line["what"] == "accepted":
                self.lines[line["started_by"], line["step"]].append(line)
        self.doubted: set[tuple[str, str]] = set()
        self.decided: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for intent in intents:
            name = (intent.get("data", {}).get("event", {}).get("message", ""), intent["template"])
            self.decided[name].append(intent)
            if rows.get(intent["id"], {}).get("state") in MAY_HAVE_IT:
                self.doubted.add(name)

    def times(self, start: str, step: str) -> int:
        return len(self.lines[start, step])

    def is_lost(self, start: str, step: str) -> bool:
        return not self.times(start, step) and (start, step) not in self.doubted


def check_cascades(found: Findings, log: Log, taken: Taken, decisions: Sequence[Row]) -> None:
    """One message: the second channel only behind a `fallback`, and one of them counts."""
    left: dict[str, list[Row]] = defaultdict(list)
    for decision in decisions:
        if decision["verdict"] == "fallback":
            left[decision.get("intent", "")].append(decision)
    for who in log.pupils:
        chats, mails = (taken.times(who.start, step) for step in ("lesson-chat", "lesson-mail"))
        name = f"{who.kind} {who.names[0]} by {who.start}"
        if chats > 1 or mails > 1:
            found.add("cascade.twice", f"{name}: {chats} texts and {mails} letters")
        first, second = (taken.decided[who.start, step] for step in ("lesson-chat", "lesson-mail"))
        behind = [one for intent in first for one in left[intent["id"]]]
        if mails and not any(one["received_at"] <= second[0]["received_at"] for one in behind if second):
            found.add("cascade.two_channels", f"{name}: {chats} texts, and a letter without a word that the chat was left")
        needs_mail = "gone" if who.chat.startswith("7900000") else who.kind
        doubted = (who.start, "lesson-chat") in taken.doubted  # the cascade ends there: two texts that sell are one too many
        chat_lost = needs_mail != "gone" and taken.is_lost(who.start, "lesson-chat")
        mail_lost = needs_mail != "lesson" and not doubted and taken.is_lost(who.start, "lesson-mail")
        if chat_lost or mail_lost:
            found.add("cascade.lost", f"{name}: {chats} texts and {mails} letters, doubted: {doubted}")


def check_pause(found: Findings, log: Log, taken: Taken, rows: Mapping[str, Row]) -> None:
    """Everybody who waited went on, once, and none of them too soon."""
    for who in log.walkers:
        for step in ("trail1", "trail2"):
            name = f"{step} to {who.names[0]} by {who.start}"
            if taken.is_lost(who.start, step):
                found.add("pause.timers_lost", name)
            if taken.times(who.start, step) > 1:
                found.add("pause.twice", f"{name}: {taken.times(who.start, step)} times")
            for line in taken.lines[who.start, step]:
                if line["at"] < log.posted[who.start][0] + DUE_MS[step]:
                    found.add("pause.early", f"{name}: {line['at'] - log.posted[who.start][0]} ms after he began")
    sent = [line for (_, step), lines in taken.lines.items() if step.startswith("trail") for line in lines]
    check_shut(found, "pause.after_pause", log.paused, sent, rows)


def check_moves(found: Findings, log: Log, taken: Taken, decisions: Sequence[Row]) -> None:
    """Everybody stood in one version, and got its letter: that which he was led to, if he waited when it was published."""
    moved: dict[str, int] = defaultdict(int)
    runs = {intent["occurrence"]: start for (start, _), intents in taken.decided.items() for intent in intents}
    for decision in decisions:
        if decision["verdict"] == "moved":
            moved[runs.get(decision.get("occurrence", ""), "")] += 1
    began, answered = log.led
    for who in log.movers:
        old, new = (not taken.is_lost(who.start, step) for step in ("path1", "path2"))
        times = taken.times(who.start, "path1") + taken.times(who.start, "path2")
        posted, acked = log.posted[who.start]
        name = f"{who.names[0]} by {who.start}: version 1 {old}, version 2 {new}, {times} letters, moved {moved[who.start]} times"
        finished = acked + DUE_MS["path1"] + MARGIN_MS < began
        waited = posted > answered  # what is told after a publication is decided by it
        if old == new or times > 1 or moved[who.start] > 1 or (moved[who.start] and not new):
            found.add("move.wrong", name)
        elif (finished and new) or (waited and old):
            found.add("move.wrong", f"{name}, in the wrong one")


def check_parted(found: Findings, log: Log, taken: Taken, owner: Mapping[str, str], splits: Mapping[str, int]) -> None:
    """Each has what is his. owner: identifier -> profile; splits: identifier that was parted from somebody -> when the log
    had it (ms): before that nobody behind profile can know.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for name, profile in owner.items():
        groups[profile].add(name)
    for pair in log.pairs:
        for who in (pair.one, pair.other):
            if groups.get(owner.get(who.names[0], "")) != set(who.names):
                found.add("unmerge.wrong", f"nobody has exactly {who.names} after the unmerge")
        either = (pair.one.names[1], pair.other.names[1])  # who has the older identifier keeps the id, and the other one leaves
        _check_union(found, pair, taken, next((splits[name] for name in either if name in splits), 0))


def _check_union(found: Findings, pair: Parted, taken: Taken, split: int) -> None:
    """His run goes on with him whose fact began it; each of its letters goes once."""
    for step in ("union1", "union2"):
        lines, name = taken.lines[pair.start, step], f"{step} to {pair.one.names[0]} by {pair.start}"
        if len(lines) > 1:
            found.add("unmerge.letters", f"{name}: {len(lines)} times")
        if taken.is_lost(pair.start, step):
            found.add("unmerge.letters", f"{name} is lost")
        for line in lines:
            if line["at"] > split + MARGIN_MS and line["to"] != pair.one.address:
                found.add("unmerge.letters", f"{name} went to {line['to']}, {line['at'] - split} ms after they were parted")
    if not split:
        found.add("unmerge.wrong", f"nobody was told that {pair.other.names} were parted")
