"""A sender that keeps the law of slots, and is late, silent and in doubt as it pleases; it holds every decision against the rules where it is made."""

from collections.abc import Callable
from typing import Any

import msgspec

from schemas.messages import Decision, Intent
from tests.orchestrator.ruled import EXPIRES, PRIORITY, RULES, Law, Letter, Times
from tests.orchestrator.world import HOUR, World

FINAL = ("accepted", "in_doubt", "failed", "skipped")
HALF = HOUR // 2


class Post:
    """letters: intent -> the newest attempt. over: occurrences whose run has ended. last: (occurrence, step) -> last verdict, until."""

    def __init__(self, world: World, zone: str, version: int) -> None:
        self.world, self.zone, self.version = world, zone, version
        self.letters: dict[str, Letter] = {}
        self.attempts: set[tuple[str, int]] = set()
        self.exposed: set[str] = set()
        self.over: set[str] = set()
        self.last: dict[tuple[str, str], Decision | Intent] = {}
        self.since: dict[tuple[str, str], int] = {}
        self.stirred: set[str] = set()  # people of whom more is true than was when they were written to: merged, parted, moved
        self.fates: dict[str, list[str]] = {}
        self._seen, self._before = 0, self._states()

    # ---- what it is asked

    def look(self) -> None:
        """Hold what was decided since the last look against the rules. Timers are decided before what came, so either state may rule."""
        fresh, self._seen = self.world.log[self._seen :], len(self.world.log)
        after = self._states()
        self._ready()
        for emission in fresh:
            laws = [states[who] for states in (self._before, after) if (who := self._who(emission, states)) is not None]
            if isinstance(emission, Intent):
                self._sent(emission, laws)
            elif isinstance(emission, Decision):
                self._told(emission, laws)
        self._before = after

    def _sent(self, intent: Intent, laws: list[Law]) -> None:
        assert (intent.id, intent.attempt) not in self.attempts, "an attempt twice"
        self.attempts.add((intent.id, intent.attempt))
        before = self.letters.get(intent.id)
        assert before is None or (before.freed and before.told not in FINAL), "decided again though it went, or is under way"
        if intent.message_class != "service":
            mine = self.mine(intent, Letter.real)
            instants = range(intent.received_at, intent.not_after, HALF)
            assert any(
                not law.barred()
                and law.blocking(intent, intent.received_at, mine) == set()
                and law.day(intent.received_at) == law.day(intent.not_after)
                and not any({"quiet_hours", "send_window"} & law.blocking(intent, at, ()) for at in (*instants, intent.not_after))
                for law in laws
            ), "sent against the rules"
            assert self._is_first(intent, laws), "a more important one was due"
        self.letters[intent.id] = Letter(intent, [intent.profile], back=before.back if before else [])
        self._note(intent)

    def _told(self, told: Decision, laws: list[Law]) -> None:
        if told.verdict in ("left", "goal") or told.rule == "merged":
            self.over.add(told.occurrence)
        if told.verdict == "exposed":
            assert told.occurrence not in self.exposed, "exposed twice"
            self.exposed.add(told.occurrence)
        if told.verdict == "skipped" and told.intent:
            self.fates.setdefault(told.intent, []).append(told.rule)
        if told.step and told.verdict in ("deferred", "skipped", "would_have_sent"):
            self._note(told)
        if told.verdict == "deferred" and told.rule not in ("order", "parted"):
            assert told.until is not None and told.until > told.received_at
            asked = as_asked(told)
            mine = self.mine(asked, Letter.known)
            blocks = {rule for law in laws for rule in law.blocking(asked, told.received_at, mine)}
            assert told.rule in blocks or (told.rule == "priority" and any(law.compete for law in laws)), "held back by nothing"
        elif told.rule == "expired" and told.detail.get("of", "priority") != "priority":
            self._could_not_go(told, laws)

    def _could_not_go(self, told: Decision, laws: list[Law]) -> None:
        """No instant of what is left of its worth was free, by what was known, if what is under way goes at once."""
        asked = as_asked(told)
        limit = self.since[told.occurrence, told.step] + EXPIRES[told.step]
        mine = [(one, a, a) for one, a, _ in self.mine(asked, Letter.known)]
        instants = range(told.received_at + HALF, limit + 1, HALF)
        assert any(all(law.blocking(asked, at, mine) for at in instants) for law in laws), "lost, though there was time"

    def _is_first(self, intent: Intent, laws: list[Law]) -> bool:
        """No message of his that is more important is known to be decided soon, unless this one is worth nothing any more by then."""
        compete, now = min(law.compete for law in laws), intent.received_at
        if not compete or self.world.canonical(intent.profile) in self.stirred:
            return True
        limit = self.since.get((intent.occurrence, intent.step), now) + EXPIRES[intent.step]
        waiting = [one for one in self.last.values() if isinstance(one, Decision) and one.verdict == "deferred"]
        rivals = [
            one.until
            for one in waiting
            if one.profile == intent.profile and one.occurrence not in self.over and one.rule not in ("order", "parted")
            and PRIORITY[one.document.partition(":")[2]] > PRIORITY[intent.document.partition(":")[2]] and one.until is not None
        ]  # fmt: skip
        return not any(due <= now + compete and (now < limit or due <= now) for due in rivals)

    def _note(self, one: Decision | Intent) -> None:
        key = (one.occurrence, one.step)
        self.since.setdefault(key, one.received_at)
        self.last[key] = one

    def _ready(self) -> None:
        """Since when messages are ready, which is before they can be decided, perhaps."""
        for person in self.world.people.values():
            for run in person.runs:
                self.since.setdefault((run.occurrence, run.step), run.since)
            for letter in person.pending.values():
                self.since.setdefault((letter.run.occurrence, letter.step), letter.first_try)

    # ---- what it does

    def call(self, number: int) -> None:
        """A provider takes one; nobody is told yet."""
        ready = [one for one in self.letters.values() if one.called is None and not one.freed and not one.told]
        ready = [one for one in ready if one.intent.received_at <= self.world.now <= one.intent.not_after]
        if ready:
            ready[number % len(ready)].called = self.world.now

    def tell(self, number: int, verdict: str) -> None:
        """Say what became of one. What was called was taken, or nobody knows; what was not comes back."""
        open_ = [one for one in self.letters.values() if one.told in ("", "in_doubt") and (one.called is not None or not one.freed)]
        if open_:
            one = open_[number % len(open_)]
            self.settle(one, self._possible(one, verdict))

    def _possible(self, one: Letter, verdict: str) -> str:
        if one.told == "in_doubt":
            return "accepted" if one.called is not None else "failed"
        if one.called is not None:
            return verdict if verdict in ("accepted", "in_doubt") else "accepted"
        if verdict == "in_doubt" and one.intent.received_at <= self.world.now <= one.intent.not_after:
            return verdict  # it may have gone, and did not
        return verdict if verdict in ("failed", "skipped", "held") else "failed"

    def settle(self, one: Letter, verdict: str) -> None:
        self.world.run(self.world.now)  # what was due before it is decided without it
        self.look()
        one.freed = one.freed or (one.called is None and verdict != "in_doubt")
        if one.told not in FINAL and verdict in FINAL:
            self.fates.setdefault(one.intent.id, []).append(verdict)
        one.told, one.told_at = verdict, self.world.now if one.told != "in_doubt" else one.told_at
        one.back.append((one.intent, verdict))
        self.world.verdict(one.intent, verdict)
        self.look()

    def late(self) -> None:
        """What is due is decided, and what nobody called in its slot comes back, as does what was held."""
        self.world.run(self.world.now)
        self.look()
        for one in list(self.letters.values()):
            over = one.intent.not_after < self.world.now and one.called is None
            if over and one.told in ("", "held") and self.letters[one.intent.id] is one:
                self.settle(one, "late")

    def again(self, number: int) -> None:
        """An old word once more."""
        told = [pair for one in self.letters.values() for pair in one.back]
        if told:
            self.world.verdict(*told[number % len(told)])
            self.look()

    def part(self, act: Callable[[], list[tuple[str, str]]]) -> None:
        """What was sent to one counts for all whom the act makes of him."""
        for one in self.letters.values():
            one.counts = list(map(self.world.canonical, one.counts))
        took = act()
        for one in self.letters.values():
            one.counts += [goes for stays, goes in took if stays in one.counts]
        self.stirred |= {who for pair in took for who in pair}

    def republished(self, version: int) -> None:
        """Other rules are in force from here on."""
        self.version = version
        self._before = self._states()

    def drain(self) -> None:
        """Everything is taken at once from here on, until there is nothing any more."""
        end = self.world.now + 16 * 24 * HOUR
        while self.world.now < end:
            for one in list(self.letters.values()):
                fresh = one.called is None and not one.freed and self.world.now <= one.intent.not_after and not one.told
                one.called = self.world.now if fresh else one.called
                if one.told in ("", "in_doubt") and (one.called is not None or one.told):
                    self.settle(one, self._possible(one, "accepted"))
            self.world.run(self.world.now + 3 * HOUR)
            self.late()

    # ---- what is so

    def mine(self, asked: Any, times: Callable[[Letter], tuple[int, int] | None]) -> Times:
        """What counts for him to whom this one goes, but for itself and service messages."""
        who = self.world.canonical(asked.profile)
        found = []
        for key, one in self.letters.items():
            counted = key != asked.id and one.intent.message_class != "service" and who in map(self.world.canonical, one.counts)
            if counted and (span := times(one)) is not None:
                found.append((one.intent, *span))
        return found

    def _who(self, emission: Any, states: dict[str, Law]) -> str | None:
        who = getattr(emission, "profile", None)
        return next((name for name in (who, self.world.canonical(who)) if name in states), None) if who else None

    def _states(self) -> dict[str, Law]:
        return {
            who: Law(
                RULES[self.version - 1], self.version, person.zone[1] if person.zone else self.zone,
                frozenset(person.segments), person.bucketing[1] if person.bucketing else None,
            )
            for who, person in self.world.people.items()
        }  # fmt: skip


def as_asked(told: Decision) -> Any:
    """A verdict about a message, with what the rules ask of it. Its own letter, if there is one, does not count against it."""
    topic, brand = ("sale" if told.step == "m" else "*"), told.brand
    fields = {"message_class": told.message_class, "brand": brand, "channel": told.channel, "topic": topic}
    return msgspec.defstruct("Asked", ["id", "profile", "document", *fields])(
        id=told.intent, profile=told.profile, document=told.document, **fields
    )
