"""A world whose journey is paused, archived, ended and published anew while people are in it."""

from typing import Any

from schemas.controls import FINISH, gate_of
from schemas.messages import Decision
from services.orchestrator.domain import decide, homes
from services.orchestrator.domain.book import build
from tests.orchestrator.world import World, published


class Controlled(World):
    """One journey of several versions, and whatever other documents there are."""

    def __init__(self, journey: dict[str, Any], *others: Any, **more: Any) -> None:
        self.key, self.versions, self.others = journey["key"], [journey], list(others)
        self.gates: list[dict[str, Any]] = []
        self.migrations: list[dict[str, Any]] = []
        super().__init__(journey, *others, **more)

    def publish(self, journey: dict[str, Any], **moves: str) -> None:
        """A new version; moves: step of any earlier version -> step, LEAVE or FINISH."""
        self.versions.append(journey)
        self.move(**moves)

    def move(self, **moves: str) -> None:
        to = len(self.versions)
        per_version = {n: self._named(n, moves) for n in range(1, to)}
        found = {n: named for n, named in per_version.items() if named}
        if found:
            self.migrations.append({"key": self.key, "to": to, "moves": found, "at": self.now})
        self.known()

    def _named(self, version: int, moves: dict[str, str]) -> dict[str, str]:
        steps = [step["id"] for step in self.versions[version - 1]["steps"]]
        return {step: moves[step] for step in steps if moves.get(step, FINISH) != FINISH}

    def end(self) -> None:
        self.gate("ended", known=False)
        moves = {n: {"*": "leave"} for n in range(1, len(self.versions) + 1)}
        self.migrations.append({"key": self.key, "to": len(self.versions), "moves": moves, "reason": "ended", "at": self.now})
        self.known()

    def gate(self, state: str, *, known: bool = True, **more: Any) -> None:
        self.gates.append({"key": gate_of(self.key), "state": state, "at": self.now, **more})
        if known:
            self.known()

    def known(self) -> None:
        """The orchestrator hears of what was published."""
        last = len(self.versions)
        journeys = [published("journey", body, n, pointer=n == last) for n, body in enumerate(self.versions, 1)]
        gates = [published("gate", body, n, pointer=n == len(self.gates)) for n, body in enumerate(self.gates, 1)]
        migrations = [published("migration", body, n) for n, body in enumerate(self.migrations, 1)]
        others = [published("journey", d) if isinstance(d, dict) else d for d in self.others]
        self.book = build([*journeys, *gates, *migrations, *others])

    def walk(self) -> None:
        """What the walk does: everybody is decided about once."""
        for who in list(self.people):
            self.fire(who)

    def fire(self, who: str) -> None:
        self._take(who, lambda person, state: decide.on_timer(self.book, person, state, self.now))

    def run_of(self, who: str) -> Any:
        runs = self.people[self.canonical(who)].runs
        return runs[0] if runs else None

    def held(self, intent: Any) -> None:
        """The sender held an intent at the gate that is shut."""
        told = Decision(
            id=self._id(), brand=intent.brand, profile=intent.profile, verdict="held", by="sender", received_at=self.now,
            intent=intent.id, attempt=intent.attempt, message_class=intent.message_class, gate=len(self.gates),
        )  # fmt: skip
        for who in homes.holders(self._look, intent.profile, intent.id):
            self._take(who, lambda person, state: decide.on_verdict(self.book, person, state, told))
