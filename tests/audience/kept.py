"""An index of a lake on the disk, and facts of three people to put into it."""

from pathlib import Path
from typing import Any

from schemas.facts import PROFILE_MERGED, Fact
from schemas.ids import derive
from services.audience.domain.world import World
from services.audience.store.answers import Answers
from services.audience.store.index import Index
from tests.audience.lake import Written

ANN, BOB, CID = (derive("profile", who) for who in ("ann", "bob", "cid"))
HOME = derive("home", "bob")
NOW = 1_000


def fact(person: str, number: Any, event: str = "Bought", at: int = 10, **more: Any) -> Fact:
    given = {"type": "track", "brand": "shop", "source": "site", "occurred_at": at, "received_at": at, "event": event, **more}
    return Fact(id=derive(person, number), profile=person, **given)


def merged(winner: str, loser: str, at: int = 20) -> Fact:
    said = {"winner": winner, "loser": loser, "by": ""}
    return fact(winner, f"merged {loser}", "", at, type=PROFILE_MERGED, properties=said)


class Kept:
    """An index and what it follows."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.lake = Written(home)
        self.index = self.open()

    def open(self) -> Index:
        self.index = Index(self._home / "index.duckdb", threads=1)
        return self.index

    def take(self) -> None:
        self.index.take(self.lake.look(dict(self.index.places)))

    def told(self, *facts: Fact, **where: Any) -> None:
        self.lake.add(facts, **where)
        self.take()

    def of(self, condition: Any, brands: tuple[str, ...] = (), now: int = NOW) -> set[str]:
        with Answers(self.index).view(now, World({})) as view:
            return set(view.ids(list(view.members(condition, brands))))
