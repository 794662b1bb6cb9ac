"""The oracle of the letters: who must get which, from nothing but what got a 2xx. Slow, plain, and no code of the services.

A run begins with a registration of the first lane; its letters are due at once or at fixed times after it was received, which lies
between posted and acknowledged. What stops it (a top-up, a no) counts from when it is known of that person, who may have been two until then. Where
the two are closer than MARGIN_MS the outcome is left open: such letters are counted as `either`, and nothing more is said of them here.

`python tests/chaos/letters.py accepted.jsonl mails.jsonl` prints what is missing, too many, or sent twice by the SMTP server's log.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.chaos.acts.offers import STEPS as OTHERS  # letters of what is judged elsewhere
from tests.chaos.oracle import JUNK, join, root

MARGIN_MS = 30_000
FIRST = {True: ("migration", 60_000), False: ("price", 45_000)}
REST = (("letter2", 10_000), ("letter3", 30_000), ("letter4", 40_000), ("letter5", 60_000), ("letter6", 70_000))
STEPS = ("hello", "migration", "price", *(step for step, _ in REST))
NEVER, EITHER, MUST = 0, 1, 2
HARD = -(10**15)  # known before the registration, in the promised order of one key

Fact = dict[str, Any]
Window = tuple[float, float]  # ms: not before, not after


def once(lines: Iterable[Fact]) -> list[Fact]:
    """Each fact once: first posted, first acknowledged."""
    facts: dict[str, Fact] = {}
    for line in lines:
        known = facts.setdefault(line["message"], dict(line))
        known["posted_at"] = min(known["posted_at"], line["posted_at"])
        known["acked_at"] = min(known["acked_at"], line["acked_at"])
    return sorted(facts.values(), key=lambda fact: int(fact["number"]))


def people(facts: Sequence[Fact]) -> list[list[Fact]]:
    """The facts of each person who ever registered, whoever he was taken for meanwhile."""
    owner: dict[str, str] = {}
    for fact in facts:
        names = [name for name in fact["identifiers"] if name not in JUNK]
        for name in names:
            join(owner, names[0], name)
    groups: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[root(owner, fact["identifiers"][0])].append(fact)
    return [group for group in groups.values() if any(fact["event"] == "Registered" for fact in group)]


class Person:
    """What is expected for one."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._facts = facts
        self.names = sorted({name for fact in facts for name in fact["identifiers"]} - JUNK)
        self.lines = self._lines()
        self.starts = {fact["message"] for fact in facts if fact["event"] == "Registered"}

    def _lines(self) -> list[Fact]:
        """The registrations that begin a run, were nobody ever merged: the first one under each name."""
        lines: dict[str, Fact] = {}
        for fact in self._facts:
            if fact["event"] == "Registered" and fact["lane"] == "live":
                lines.setdefault(fact["identifiers"][0], fact)
        return list(lines.values())

    def expected(self) -> dict[str, tuple[int, int]]:
        """Step -> (at least, at most) letters."""
        legal = {fact["attributes"]["legal_entity"] for fact in self._facts if "legal_entity" in fact["attributes"]} or {False}
        found = dict.fromkeys(STEPS, (0, 0))
        if not self.lines or self._is_barred():
            return found
        if len(legal) > 1:
            raise ValueError(f"{self.names} is of two kinds: the stream must not say so")
        found["hello"] = self._letters(0, 0, journey="hello")  # a journey of its own, which no top-up ends
        first, after = FIRST[legal.pop()]
        for step, later in ((first, 0), *REST):
            found[step] = self._letters(after + later, after)
        return found

    def _is_barred(self) -> bool:
        """Nobody to write to, or never allowed."""
        mails = [name for name in self.names if name.startswith("email:")]
        granted = any(fact["event"] == "Consent Granted" for fact in self._facts)
        return not granted or all(name.startswith("email:bounce") for name in mails)

    def _letters(self, after: int, first: int, journey: str = "welcome") -> tuple[int, int]:
        verdicts = [self._verdict(line, after, journey) for line in self.lines]
        most = sum(verdict != NEVER for verdict in verdicts)
        if most > 1:  # two runs become one: before the first letter, or when both have sent some
            one = max(self._joined(self.lines[0], line)[1] for line in self.lines[1:])
            if one + MARGIN_MS < min(line["posted_at"] for line in self.lines) + first:
                most = 1
        return int(all(verdict == MUST for verdict in verdicts)), most

    def _verdict(self, line: Fact, after: int, journey: str) -> int:
        due: Window = (line["posted_at"] + after, line["acked_at"] + after)
        verdict = MUST
        for stop in self._stops(line, journey):
            if stop[1] < due[0] - MARGIN_MS:
                return NEVER
            if stop[0] <= due[1] + MARGIN_MS:
                verdict = EITHER
        return verdict

    def _stops(self, line: Fact, journey: str) -> Iterable[Window]:
        """From when on something forbids this run's letters."""
        words = [fact for fact in self._facts if fact["event"] in {"Consent Granted", "Consent Withdrawn"}]
        newest = max((word["occurred_at"] for word in words), default=0)
        for fact in self._facts:
            paid = fact["event"] == "Balance Topped Up" and fact["properties"]["amount"]["minor"] > 0
            said_no = fact["event"] == "Consent Withdrawn" and fact["occurred_at"] == newest
            if said_no or (journey == "welcome" and paid and fact["occurred_at"] >= line["occurred_at"]):
                yield self._joined(line, fact)

    def _joined(self, one: Fact, other: Fact) -> Window:
        """When both are known of one person."""
        if (one["key"], one["lane"]) == (other["key"], other["lane"]) and other["number"] < one["number"]:
            return HARD, HARD
        return self._met(one, other, "posted_at"), self._met(one, other, "acked_at")

    def _met(self, one: Fact, other: Fact, clock: str) -> float:
        owner: dict[str, str] = {}
        a, b = one["identifiers"][0], other["identifiers"][0]
        for fact in sorted(self._facts, key=lambda fact: float(fact[clock])):
            names = [name for name in fact["identifiers"] if name not in JUNK]
            for name in names:
                join(owner, names[0], name)
            if a in owner and b in owner and root(owner, a) == root(owner, b):
                return float(max(fact[clock], one[clock], other[clock]))
        raise ValueError(f"{a} and {b} are not one person")


def judge(lines: Iterable[Fact], mails: Iterable[Fact]) -> dict[str, Any]:
    """Expected against sent. Each of `missing` and `extra` has the person's names, the step and the number."""
    crowd = [Person(facts) for facts in people(once(lines))]
    whose = {name: number for number, person in enumerate(crowd) for name in person.names}
    taken = [mail for mail in mails if mail["what"] == "accepted" and mail["step"] not in OTHERS]
    sent: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)  # message id -> what started it
    found: dict[str, Any] = {"people": len(crowd), "must": 0, "either": 0, "missing": [], "extra": [], "twice": []}
    for message, times in Counter(mail["message_id"] for mail in taken).items():
        if times > 1:
            found["twice"].append(f"{message} {times} times")
    for mail in taken:
        number = whose.get(f"email:{mail['to']}", -1)
        if number < 0 or mail["started_by"] not in crowd[number].starts:
            found["twice"].append(f"{mail['message_id']} went to somebody who never registered so")
            continue
        sent[number, mail["step"]][mail["message_id"]] = mail["started_by"]
    for (number, step), letters in sent.items():
        for start, times in Counter(letters.values()).items():
            if times > 1:
                found["twice"].append(f"{times} letters {step} of {start} to {crowd[number].names}")
    for number, person in enumerate(crowd):
        for step, (least, most) in person.expected().items():
            letters = sent.get((number, step), {})
            found["must"] += least
            found["either"] += most - least
            entry = {"names": person.names, "step": step, "least": least, "most": most, "letters": sorted(letters)}
            if len(letters) < least:
                found["missing"].append(entry)
            if len(letters) > most:
                found["extra"].append(entry)
    return found


def _read(file: str) -> list[Fact]:
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    json.dump(judge(_read(sys.argv[1]), _read(sys.argv[2])), sys.stdout)
