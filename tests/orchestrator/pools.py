"""A driven world with pools of codes: the table that a transaction would hold, and what must be true of it after each move."""

from dataclasses import dataclass, replace
from typing import Any

from schemas.messages import Intent
from services.orchestrator.domain import loans
from services.orchestrator.domain.codes import Code, Give, Known, Return, Shelf
from services.orchestrator.domain.turn import Outcome
from tests.orchestrator.world import World, published

BRAND = "shop"


def pool(key: str, **more: Any) -> Any:
    return published("promo-pool", {"key": key, "brand": BRAND, **more})


def give(step: str, pool: str, empty: str = "end", **more: Any) -> dict[str, Any]:
    return {"id": step, "give": pool, "empty": empty, **more}


@dataclass
class Row:
    pool: str
    text: str
    given_to: str = ""
    used: bool = False
    order: str = ""
    home: str = ""

    @property
    def free(self) -> bool:
        return not self.given_to and not self.used


class Pools(World):
    """codes: pool -> how many it has."""

    def __init__(self, *documents: Any, codes: dict[str, int], **more: Any) -> None:
        super().__init__(*documents, **more)
        self.rows: dict[int, Row] = {}
        for key, count in codes.items():
            for n in range(count):
                self.rows[len(self.rows) + 1] = Row(key, f"{key}-{n}".upper())
        self.given: list[Give] = []
        self.returned: list[int] = []

    def _shelf(self) -> Shelf:
        ready: dict[str, list[Code]] = {}
        for number, row in self.rows.items():
            if row.free:
                ready.setdefault(row.pool, []).append(Code(number, row.text))
        known = {
            (BRAND, row.text.casefold()): Known(row.pool, number, row.given_to, row.used, row.order)
            for number, row in self.rows.items()
        }
        return Shelf(ready, frozenset(row.pool for row in self.rows.values()) | {"none"}, known)

    def _take(self, who: str, act: Any) -> None:
        self.book = replace(self.book, shelf=self._shelf())
        last: list[Outcome] = []

        def acted(person: str, state: Any) -> Outcome:  # twice: the second one must be like the first
            last.append(act(person, state))
            if len(last) == 2:
                assert last[0].moves == last[1].moves and not last[1].short
                for move in last[1].moves:
                    self._move(move)
            return last[-1]

        super()._take(who, acted)
        self._hold_true()

    def _move(self, move: Any) -> None:
        row = self.rows[move.number]
        if isinstance(move, Give):
            assert row.free, "given twice"
            row.given_to, row.home = self.canonical(move.profile), move.home
            self.given.append(move)
        elif isinstance(move, Return):
            assert row.given_to, "what nobody has cannot come back"
            row.given_to = ""
            self.returned.append(move.number)
        else:
            row.used, row.order = True, move.order

    def merge(self, winner: str, loser: str, place: Any = None, **more: Any) -> None:
        winner, loser = self.canonical(winner), self.canonical(loser)
        if winner == loser:
            return
        for row in self.rows.values():
            row.given_to = winner if row.given_to == loser else row.given_to
        super().merge(winner, loser, place, **more)

    def _part(self, source: str, parts: dict[str, set[str]], fact: Any, place: Any) -> None:
        for row in self.rows.values():
            row.given_to = next((who for who, homes in parts.items() if row.home in homes and row.given_to == source), row.given_to)
        super()._part(source, parts, fact, place)

    def _hold_true(self) -> None:
        """A code that somebody has, or that a letter of his carries, is his and nobody else's."""
        for who, person in self.people.items():
            if who in self.merged:
                continue
            runs = [*person.runs, *(pending.run for pending in person.pending.values())]
            for number in {number for run in runs for number in loans.numbers(run.data)}:
                assert self.rows[number].given_to == who, "not his, and in a run of his"

    def codes_of(self, intent: Intent) -> dict[str, str]:
        """Step -> code."""
        return {step: one["code"] for step, one in intent.data.get("promo", {}).items()}
