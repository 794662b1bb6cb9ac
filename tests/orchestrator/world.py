"""A driven world around the pure domain: people, a clock, and what they were sent."""

from typing import Any

import msgspec

from schemas.definitions import Published
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, PROFILE_SPLIT, Fact, Split, SplitPart
from schemas.ids import derive
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from schemas.unnamed import SCHEDULED, condition_key
from services.orchestrator.domain import decide, homes
from services.orchestrator.domain.book import build
from services.orchestrator.domain.state import Person, encode
from services.orchestrator.domain.state import decode as reread
from services.orchestrator.domain.turn import Outcome

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T0 = 1_290_384_000_000  # 2010-11-22 00:00 UTC, a Monday


def published(kind: str, body: dict[str, Any], version: int = 1, pointer: bool = True) -> Published:
    raw = msgspec.Raw(msgspec.json.encode(body))
    return Published(kind=kind, key=body["key"], version=version, body=raw, pointer=pointer)


def journey(key: str, *steps: dict[str, Any], on: Any = "Registered", **more: Any) -> dict[str, Any]:
    trigger = {"event": on} if isinstance(on, str) else on
    return {"key": key, "brand": "shop", "trigger": trigger, "steps": list(steps), **more}


def send(step: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "template": step, **more}


def wait(step: str, duration: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "wait": duration, **more}


def rule(**more: Any) -> Published:
    return published("rule", {"key": "rules", **more})


def brand(zone: str = "UTC", key: str = "shop") -> Published:
    return published("brand", {"key": key, "name": key, "time_zone": zone})


class World:
    """Every move is one call of `decide`; `log` keeps (instant of the world, emission). prompt: its sender takes each letter at once."""

    def __init__(self, *documents: Any, at: int = T0, prompt: bool = False) -> None:
        self.prompt = prompt
        self.book = build([published("journey", d) if isinstance(d, dict) else d for d in documents])
        self.answers: dict[str, list[str]] = {}
        for document in documents:
            self._note_answers(document if isinstance(document, dict) else msgspec.json.decode(document.body))
        self.people: dict[str, Person] = {}
        self.merged: dict[str, str] = {}
        self.now = at
        self.log: list[Any] = []
        self.marks: dict[tuple[str, int], int] = {}
        self._numbers = 0

    def _note_answers(self, body: dict[str, Any]) -> None:
        asked = [(step["id"], step["if"]) for step in body.get("steps", ()) if "if" in step]
        own = SCHEDULED if "schedule" in body.get("trigger", {}) else "audience"
        for step, condition in [*asked, *([(own, body["audience"])] if "audience" in body else [])]:
            if condition.get("kind") == "segment":
                self.answers.setdefault(condition["key"], []).append(condition_key("journey", body["key"], 1, step))

    # ---- moves

    def person(self, who: str, zone: str | None = None, kinds: str = "email phone", contact: bool = True, at: int = 0) -> str:
        """Somebody who can be reached."""
        attributes = {"time_zone": [0, zone]} if zone else {}
        pair = {"bucketing_id": who, "bucketed_at": at} if contact else {}
        self.fact(who, "", type=PROFILE_CHANGED, identifiers=tuple(f"{k}:x" for k in kinds.split()), attributes=attributes, **pair)
        return who

    def fact(self, who: str, event: str, occurred: int | None = None, place: Any = None, **more: Any) -> str:
        fact = self._fact(who, event, occurred, **more)
        who = homes.owner(self._look, who, homes.home_of(fact))
        self._take(who, lambda person, state: decide.on_fact(self.book, person, state, fact, place))
        return fact.id

    def membership(self, who: str, segment: str, change: str = "entered", at: int | None = None, **more: Any) -> str:
        news = Membership(
            type=change,
            received_at=self.now,
            id=self._id(),
            profile=who,
            segment=segment,
            at=self.now if at is None else at,
            **more,
        )
        self._take(who, lambda person, state: decide.on_membership(self.book, person, state, news))
        for key in self.answers.get(segment, ()):  # the segmenter answers a plain reference under the condition's own key
            answer = msgspec.structs.replace(news, segment=key, id=self._id())
            self._take(who, lambda person, state, answer=answer: decide.on_membership(self.book, person, state, answer))
        return news.id

    def mark(self, offset: int, topic: str = "facts", partition: int = 0) -> None:
        self.marks[(topic, partition)] = offset
        news = Membership(type="mark", received_at=self.now, topic=topic, partition=partition, offset=offset)
        for who in list(self.people):
            self._take(who, lambda person, state: decide.on_mark(self.book, person, state, self.marks, news))

    def verdict(self, intent: Intent, verdict: str, attempt: int | None = None, rule: str = "") -> None:
        told = Decision(
            id=self._id(), brand=intent.brand, profile=intent.profile, verdict=verdict, by="sender", received_at=self.now,
            document=intent.document, occurrence=intent.occurrence, intent=intent.id,
            attempt=intent.attempt if attempt is None else attempt, message_class=intent.message_class, rule=rule,
        )  # fmt: skip
        for who in homes.holders(self._look, intent.profile, intent.id):
            self._take(who, lambda person, state: decide.on_verdict(self.book, person, state, told))

    def merge(self, winner: str, loser: str, place: Any = None, **more: Any) -> None:
        winner, loser = homes.owner(self._look, winner, loser), self.canonical(loser)
        if winner == loser:
            return
        self.people.setdefault(winner, Person())
        other = self.people.pop(loser, Person())
        pairs = [p.bucketing for p in (self.people[winner], other) if p.bucketing]
        more = {"bucketed_at": min(pairs)[0], "bucketing_id": min(pairs)[1], **more} if pairs else more
        fact = self._fact(winner, "", None, type=PROFILE_MERGED, properties={"winner": winner, "loser": loser}, **more)
        self.merged[loser] = winner
        self._take(winner, lambda person, state: decide.on_merged(self.book, (person, state), (loser, other), fact, place))

    def split(
        self,
        person: str,
        part: str,
        *names: str,
        others: Any = (),
        stay: Any = (),
        place: Any = None,
        contact: bool = True,
        **more: Any,
    ) -> list[tuple[str, str]]:
        """`part` is somebody of his own, with these homes. others: who had become one with the person and are one with him; stay: with
        the person still. Answers who took what from whom.
        """
        pair = {"bucketing_id": person, "bucketed_at": 0, "identifiers": ("email:own@shop.example",)} if contact else {}
        fact = self._fact(person, "", None, type=PROFILE_SPLIT, **{**pair, **more})
        split = Split(act="act", parts=(SplitPart(profile=part, homes=names, others=tuple(others)),), stay=tuple(stay))
        parts, sources = homes.parts(self._look, split), homes.sources(self._look, person, split)
        self.merged.update(homes.turned(self._look, person, split))
        for source in sources:
            self._part(source, {who: mine for who, mine in parts.items() if who != source}, fact, place)
        return [(source, who) for source in sources for who in parts]

    def _part(self, source: str, parts: dict[str, set[str]], fact: Fact, place: Any) -> None:
        taken: dict[str, Person] = {}

        def leave(who: str, state: Person) -> Outcome:
            nonlocal taken
            outcome, taken = decide.on_split(self.book, who, state, fact, parts)
            return outcome

        self._take(source, leave)
        for goes, things in taken.items():
            self._take(goes, lambda who, state, things=things: decide.on_parted(self.book, who, state, things, fact, place))

    def introduce(self, part: str, of: str, kinds: str = "email phone", contact: bool = True, at: int = 0, **more: Any) -> str:
        """The first fact of somebody who was parted."""
        pair = {"bucketing_id": part, "bucketed_at": at} if contact else {}
        names = tuple(f"{kind}:x" for kind in kinds.split())
        said = {"properties": {"act": "act", "of": of}, "identifiers": names, **pair, **more}
        return self.fact(part, "", type=PROFILE_CHANGED, **said)

    def run(self, until: int) -> None:
        """Let time pass: everybody's timers, in the order of their instants."""
        while due := sorted((p.due_at(), who) for who, p in self.people.items() if p.due_at() is not None and p.due_at() <= until):
            self.now = max(self.now, due[0][0])
            self._take(due[0][1], lambda person, state: decide.on_timer(self.book, person, state, self.now))
        self.now = max(self.now, until)

    def later(self, duration: int) -> None:
        self.run(self.now + duration)

    # ---- looks

    def _look(self, who: str) -> tuple[str, Person]:
        who = self.canonical(who)
        return who, self.people.get(who, Person())

    def canonical(self, who: str) -> str:
        while who in self.merged:
            who = self.merged[who]
        return who

    @property
    def intents(self) -> list[Intent]:
        return [e for e in self.log if isinstance(e, Intent)]

    @property
    def decisions(self) -> list[Decision]:
        return [e for e in self.log if isinstance(e, Decision)]

    def sent(self) -> list[tuple[str, int]]:
        """(template, when)"""
        return [(i.template, i.received_at) for i in self.intents]

    def told(self, *verdicts: str) -> list[tuple[str, str, str]]:
        """(verdict, step, rule)"""
        return [(d.verdict, d.step, d.rule) for d in self.decisions if not verdicts or d.verdict in verdicts]

    def _id(self) -> str:
        self._numbers += 1
        return derive("world", self._numbers)

    def _fact(self, who: str, event: str, occurred: int | None, **more: Any) -> Fact:
        occurred = self.now if occurred is None else occurred
        given = {"type": "track", "brand": "shop", "source": "site", **more}
        return Fact(id=self._id(), event=event, occurred_at=occurred, received_at=self.now, profile=who, **given)

    def _take(self, who: str, act: Any) -> None:
        who = self.canonical(who)
        before = self.people.get(who, Person())
        raw = encode(before)
        outcome: Outcome = act(who, before)
        assert encode(before) == raw, "a decision changed the state it was given"
        again: Outcome = act(who, reread(raw))
        assert (again.emits, again.person) == (outcome.emits, outcome.person), "the same state and news gave another decision"
        self.people[who] = reread(encode(outcome.person))
        self.log.extend(outcome.emits)
        for intent in outcome.intents if self.prompt else ():
            self.verdict(intent, "accepted")
