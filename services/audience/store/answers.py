"""Leaves answered from the index, each once for what it was read from: whoever types changes one of them."""
# ruff: noqa: S608 - names of ours and quoted texts

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyroaring import BitMap

from runtime.lake import text
from schemas.attributes import canonical
from schemas.audience import Anniversary, Condition, Consent, InSegment, Leaf
from schemas.zones import names
from services.audience.domain.composing import Found, members
from services.audience.domain.unanswerable import personal_of
from services.audience.domain.world import World
from services.audience.store import consenting
from services.audience.store.days import anniversary
from services.audience.store.folding import Owners, fold
from services.audience.store.index import Index, Instant
from services.audience.store.leaves import PEOPLE, Asked, Leaves
from services.audience.store.windows import ATTRIBUTES, ZONES

KEPT = 2_000  # answers; a bitmap of 389,000 people has 50 KB at most
Key = tuple[Any, ...]


class Kept:
    """Answers of late, the least recently asked for go first. For several threads."""

    def __init__(self, most: int = KEPT) -> None:
        self._most, self._lock = most, threading.Lock()
        self._held: OrderedDict[Key, Any] = OrderedDict()

    def get(self, key: Key) -> Any:
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Key, found: Any) -> None:
        with self._lock:
            self._held[key] = found
            while len(self._held) > self._most:
                self._held.popitem(last=False)


class Answers:
    """Views of an index, which share what they found."""

    def __init__(self, index: Index) -> None:
        self._index, self._kept = index, Kept()

    @contextmanager
    def view(self, now: int, world: World) -> Iterator["View"]:
        """Conditions about one instant of the index, as of `now` (ms). world: what is in force."""
        with self._index.instant() as instant:
            yield View(instant, self._kept, now, world)


class View:
    """For one thread. Raises KeyError for a segment that is not in force."""

    def __init__(self, instant: Instant, kept: Kept, now: int, world: World) -> None:
        self.instant, self.now = instant, now
        self._kept, self.world = kept, world
        self._found: dict[str, BitMap] = {}
        self.leaves = Leaves(instant.catalog, now, self._zones())

    def everybody(self, brands: tuple[str, ...] = ()) -> BitMap:
        """All who are known, or were seen in one of these brands."""
        parts = (("new", ""), ("people", ""))
        if not brands:
            return self._ask("everybody", Asked(("SELECT owner AS n FROM piece WHERE owner = n",), parts))
        of = ", ".join(map(text, brands))
        sql = (
            f"SELECT DISTINCT coalesce(s.owner, t.person) AS n FROM seen t LEFT JOIN shared s USING (person) WHERE brand IN ({of})"
        )
        return self._ask(sql, Asked((sql,), parts))

    def members(self, condition: Condition, brands: tuple[str, ...] = ()) -> BitMap:
        """Of whom it is true."""
        return members(condition, self.answer, self.everybody(brands))

    def answer(self, leaf: Leaf) -> Found:
        """Of whom a leaf is true."""
        if isinstance(leaf, InSegment):
            if leaf.key not in self._found:
                self._found[leaf.key] = self.members(self.world.segments[leaf.key])
            return Found(self._found[leaf.key])
        if isinstance(leaf, Consent):
            return Found(self._consent(leaf), leaf.state == "none")
        if (name := personal_of(leaf)) is not None:
            return self.told(leaf, name, self.leaves)
        asked = self.asked(leaf, self.leaves)
        return Found(self._of(leaf, asked), asked.negated)

    def told(self, leaf: Leaf, name: str, leaves: Leaves) -> Found:
        """Of whom a leaf about a personal attribute is true: never kept."""
        found: Found = self.world.told[name].find(leaf, self.instant, leaves, self.now)
        return found

    def _consent(self, leaf: Consent) -> BitMap:
        """Kept as long as no word comes, and for ever where no yes ends."""
        held = (canonical(leaf.model_dump(mode="json")), self.world.topics_id, self.instant.versions.of((PEOPLE, ("word", ""))))
        for key in ((*held, None), (*held, self.now)):
            kept: BitMap | None = self._kept.get(key)
            if kept is not None:
                return kept
        found, timed = consenting.holds(self.instant.duck, leaf, self.world.topics, self.now)
        self._kept.put((*held, self.now if timed else None), found)
        return found

    def asked(self, leaf: Leaf, leaves: Leaves) -> Asked:
        """The query of a leaf that asks about no segment. leaves: of everybody, or of one person."""
        if isinstance(leaf, Anniversary):
            return anniversary(self.instant.duck, leaves, leaf, self.now)
        return leaves.ask(leaf)

    def _of(self, leaf: Leaf, asked: Asked) -> BitMap:
        document = canonical(leaf.model_dump(mode="json"))
        # Before the newest fact any answer is of its instant: what had not happened by then does not count.
        held = not asked.timed and self.now >= self.instant.newest
        return self._ask((document, None if held else self.now), asked)

    def _ask(self, name: Any, asked: Asked) -> BitMap:
        key = (name, self.instant.versions.of(asked.parts))
        found: BitMap | None = self._kept.get(key)
        if found is None:
            found = self.found(asked)
            self._kept.put(key, found)
        return found

    def found(self, asked: Asked) -> BitMap:
        """Whom the queries find, pieces of one person taken together."""
        if asked.how is None:
            return people(self.instant.duck, asked.queries[0])
        return fold(self.instant.duck, asked.queries, asked.how, self._owners())

    def _owners(self) -> Owners:
        key = ("owners", self.instant.versions.of((PEOPLE,)))
        found: Owners | None = self._kept.get(key)
        if found is None:
            found = Owners(self.instant.duck)
            self._kept.put(key, found)
        return found

    def _zones(self) -> tuple[str, ...]:
        """The known time zones that people have."""
        key = ("zones", self.instant.versions.of(ZONES))
        found: tuple[str, ...] | None = self._kept.get(key)
        if found is None:
            tables = [f"a_{k}" for name in ATTRIBUTES if (k := self.instant.catalog.attributes.get(name)) is not None]
            said = [
                self.instant.duck.execute(f"SELECT DISTINCT text FROM {table} WHERE text IS NOT NULL").fetchall()
                for table in tables
            ]
            found = tuple(sorted({row[0] for rows in said for row in rows} & names()))
            self._kept.put(key, found)
        return found

    def ids(self, numbers: list[int]) -> list[str]:
        """Profile ids of people, in the order of their numbers."""
        if not numbers:
            return []
        listed = ", ".join(map(str, numbers))
        return [
            row[0]
            for row in self.instant.duck.execute(f"SELECT profile::VARCHAR FROM piece WHERE n IN ({listed}) ORDER BY n").fetchall()
        ]

    def number(self, profile: str) -> int | None:
        """Whose pieces a profile's are; None: nobody's."""
        query = "SELECT owner FROM piece WHERE profile = $1::UUID AND home = profile"
        rows = self.instant.duck.execute(query, [profile]).fetchall()
        return rows[0][0] if rows else None


def people(duck: Any, sql: str) -> BitMap:
    """The numbers that a query finds."""
    found = BitMap()
    for chunk in duck.sql(sql).to_arrow_table().column("n").drop_null().chunks:
        numbers = array("I")
        numbers.frombytes(memoryview(chunk.buffers()[1] or b"")[chunk.offset * 4 : (chunk.offset + len(chunk)) * 4])
        found |= BitMap(numbers)
    return found
