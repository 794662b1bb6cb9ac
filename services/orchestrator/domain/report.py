"""What a rehearsal came to: verdicts of many people counted, with some to look at. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from schemas.messages import Decision, Intent
from services.orchestrator.domain.rehearsing import Played, Told
from services.orchestrator.domain.zones import Zone

BUSIEST = 20  # people who are named
EXAMPLES = 3  # people to open for each verdict and rule
LONGEST = 200  # verdicts of one of these
EPOCH = date(1970, 1, 1).toordinal()
DISPLACED = ("deferred", "skipped", "would_have_sent")


class Counts:
    """Of one set of documents. document: what is asked about ("journey:key"), "" for all that is sent; zone: whose days are counted."""

    def __init__(self, document: str, zone: Zone) -> None:
        self._document, self._zone = document, zone
        self._days: dict[int, str] = {}
        self.entrants: Counter[str] = Counter()  # by day
        self.entered_people = 0
        self.refused: Counter[str] = Counter()  # by rule
        self.messages: dict[str, Counter[str]] = {}  # step -> day
        self.documents: Counter[str] = Counter()  # messages of each
        self.for_others: Counter[str] = Counter()  # step: calls, and letters to managers
        self.displaced: dict[str, Counter[str]] = {}  # rule -> verdict
        self.arms: dict[str, Counter[str]] = {}  # step -> arm
        self.exits: Counter[str] = Counter()  # by rule
        self.standing: Counter[str] = Counter()  # step, at the end
        self.goals = 0
        self.busy: list[tuple[int, str]] = []
        self.examples: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def add(self, person: str, played: Played, *, chosen: bool = False) -> None:
        """One person's days. chosen: he belongs to the audience of the draft's launch, also where these days are played without it."""
        mine = [one for one in played.told if self._is_mine(one.document)]
        # Of a launch everybody has one message at most: there all that come to its people are counted.
        sent = sum(is_message(one) for one in (played.told if chosen else mine))
        for one in played.told:
            if is_message(one):
                self.documents[one.document] += 1
        for one in mine:
            if isinstance(one, Intent):
                self._message(one)
            else:
                self._verdict(one)
        self._count_once(mine)
        for run in played.person.runs:
            if run.step and self._is_mine(run.document):
                self.standing[self._name(run.document, run.step)] += 1
        if sent:
            self.busy.append((sent, person))
            if len(self.busy) > 50 * BUSIEST:
                self.busy = self._busiest()
        self._keep(person, mine)

    def _is_mine(self, document: str) -> bool:
        return not self._document or document == self._document

    def _name(self, document: str, step: str) -> str:
        """A step of all that is sent has its document's name."""
        return step if self._document else f"{document.partition(':')[2]}.{step}"

    def _message(self, intent: Intent) -> None:
        step = self._name(intent.document, intent.step)
        if intent.for_others:
            self.for_others[step] += 1
        elif is_message(intent):
            self.messages.setdefault(step, Counter())[self._day(intent.received_at)] += 1

    def _verdict(self, one: Decision) -> None:
        if one.verdict == "entered":
            self.entrants[self._day(one.received_at)] += 1
        elif one.verdict == "skipped" and not one.step:
            self.refused[one.rule] += 1
        elif one.verdict in DISPLACED:
            self.displaced.setdefault(one.rule, Counter())[one.verdict] += 1
        elif one.verdict == "goal":
            self.goals += 1
        elif one.verdict == "left":
            self.exits[one.rule] += 1
        elif one.verdict == "exposed":
            arms = self.arms.setdefault(self._name(one.document, one.step), Counter())
            arms[one.rule.removeprefix("arm:")] += 1

    def _count_once(self, mine: Iterable[Any]) -> None:
        verdicts = [one for one in mine if isinstance(one, Decision)]
        self.entered_people += any(one.verdict == "entered" for one in verdicts)
        for rule in {one.rule for one in verdicts if one.verdict in DISPLACED and one.step}:
            self.displaced[rule]["people"] += 1

    def _keep(self, person: str, mine: Sequence[Any]) -> None:
        told = [one for one in mine if isinstance(one, Decision)]
        for kind in dict.fromkeys((one.verdict, one.rule) for one in told):
            kept = self.examples.setdefault(kind, [])
            if len(kept) < EXAMPLES:
                kept.append({"profile": person, "chain": [_shown(one) for one in told[:LONGEST]]})

    def _day(self, at: int) -> str:
        day = self._zone.day(at)
        if day not in self._days:
            self._days[day] = _date(day)
        return self._days[day]

    def _busiest(self) -> list[tuple[int, str]]:
        return sorted(self.busy, key=lambda one: (-one[0], one[1]))[:BUSIEST]

    def told(self) -> dict[str, Any]:
        """As the report has it."""
        by_day: Counter[str] = Counter()
        for days in self.messages.values():
            by_day.update(days)
        return {
            "entrants": {
                "runs": self.entrants.total(),
                "people": self.entered_people,
                "by_day": _sorted(self.entrants),
                "refused": _sorted(self.refused),
            },
            "messages": {
                "sent": by_day.total(),
                "by_day": _sorted(by_day),
                "for_others": _sorted(self.for_others),
                "by_step": {step: {"sent": days.total(), "by_day": _sorted(days)} for step, days in sorted(self.messages.items())},
            },
            "documents": _sorted(self.documents),
            "displaced": {rule: _sorted(found) for rule, found in sorted(self.displaced.items())},
            "arms": {step: _sorted(found) for step, found in sorted(self.arms.items())},
            "goals": self.goals,
            "exits": _sorted(self.exits),
            "standing": _sorted(self.standing),
            "busiest": [{"profile": person, "messages": count} for count, person in self._busiest()],
            "examples": [
                {"verdict": verdict, "rule": rule, **one} for (verdict, rule), kept in sorted(self.examples.items()) for one in kept
            ],
        }


def compared(before: Counts, after: Counts) -> dict[str, Any]:
    """What the documents in force come to beside the draft: messages by document, and what each rule displaces, as [now, draft]."""
    documents = sorted(before.documents.keys() | after.documents.keys())
    rules = sorted(before.displaced.keys() | after.displaced.keys())
    return {
        "messages": [before.documents.total(), after.documents.total()],
        "by_document": {name: [before.documents[name], after.documents[name]] for name in documents},
        "displaced": {
            rule: {
                verdict: [before.displaced.get(rule, Counter())[verdict], after.displaced.get(rule, Counter())[verdict]]
                for verdict in (*DISPLACED, "people")
            }
            for rule in rules
        },
        "busiest": [max((n for n, _ in counts.busy), default=0) for counts in (before, after)],
    }


def is_message(one: Told) -> bool:
    """To him, and not what a cascade goes on with over another channel: all of that is one message."""
    return isinstance(one, Intent) and not one.for_others and not one.cascade


def _shown(one: Decision) -> dict[str, Any]:
    shown = {
        "at": one.received_at, "document": one.document, "step": one.step, "verdict": one.verdict, "rule": one.rule, "until": one.until,
        "detail": one.detail,
    }  # fmt: skip
    return {name: value for name, value in shown.items() if value not in (None, "", {})}


def _sorted(found: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(found.items()))


def _date(day: int) -> str:
    return date.fromordinal(EPOCH + day).isoformat()
