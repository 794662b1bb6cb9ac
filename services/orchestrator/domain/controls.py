"""What is done to a journey as a whole, as its people meet it: a gate that is shut, and migrations to another version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from schemas.controls import ANY, FINISH, Entrants, Gate, GateState, Migration, gate_of
from schemas.definitions import Published
from schemas.ids import derive
from services.orchestrator.domain.state import Run


@dataclass(frozen=True, slots=True)
class Door:
    """A gate with its number."""

    number: int = 0
    state: GateState = "open"
    entrants: Entrants = "refuse"
    at: int = 0

    @property
    def paused(self) -> bool:
        return self.state == "paused"

    def lets(self, parked_by: int) -> bool:
        """May what another gate, or this one, held back go on?"""
        return self.number > parked_by and self.state in ("open", "archived")


OPEN = Door()


@dataclass(frozen=True, slots=True)
class Order:
    """A migration with its number."""

    journey: str
    number: int
    to: int
    moves: Mapping[int, Mapping[str, str]]
    rule: str
    at: int

    @property
    def id(self) -> str:
        return derive("migration", self.journey, self.number)

    def concerns(self, run: Run) -> bool:
        return run.journey == self.journey and run.asked < self.number and run.version in self.moves

    def target(self, run: Run) -> str:
        """A step of `to`, LEAVE or FINISH. Who has not entered yet stands on no step: only what is said of all is said of him."""
        moves = self.moves[run.version]
        return moves.get(run.step) or moves.get(ANY) or FINISH


@dataclass(frozen=True, slots=True)
class Controls:
    """doors: journey -> the gate that is in force; orders: journey -> its migrations, in their order."""

    doors: Mapping[str, Door] = field(default_factory=dict)
    orders: Mapping[str, Sequence[Order]] = field(default_factory=dict)

    @classmethod
    def of(cls, documents: Iterable[Published]) -> "Controls":
        """Out of the stored documents: the gates in force and every migration."""
        doors: dict[str, Door] = {}
        orders: dict[str, list[Order]] = {}
        for document in documents:
            if document.kind == "gate" and document.pointer:
                gate = _gate(bytes(document.body))
                doors[_name(gate.key)] = Door(document.version, gate.state, gate.entrants, gate.at)
            elif document.kind == "migration":
                orders.setdefault(document.key, []).append(_order(bytes(document.body), document.version))
        return cls(doors, {key: sorted(found, key=lambda order: order.number) for key, found in orders.items()})

    def __bool__(self) -> bool:
        return bool(self.doors or self.orders)

    def knows(self, kind: str, key: str, number: int) -> bool:
        """Is this gate, or this migration, among them (or a later gate in its place)?"""
        if kind == "gate":
            return self.doors.get(_name(key), OPEN).number >= number
        return any(order.number == number for order in self.orders.get(key, ()))

    def door(self, journey: str) -> Door:
        return self.doors.get(journey, OPEN)


def _name(gate: str) -> str:
    return gate.removeprefix(gate_of(""))


@lru_cache(maxsize=4096)
def _gate(body: bytes) -> Gate:
    return Gate.model_validate_json(body)


@lru_cache(maxsize=4096)
def _order(body: bytes, number: int) -> Order:
    migration = Migration.model_validate_json(body)
    return Order(migration.key, number, migration.to, migration.moves, migration.reason, migration.at)
