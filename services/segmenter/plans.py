"""Which plan rules, and its number: a new one only where an answer can be another, so that nobody is brought under a plan for nothing.

Every publication raises the revision of the definitions: a template, a brand, a segment with a new title. What the segmenter answers
depends on conditions alone. So the table `plan` holds the number under which the conditions of the last revision were compiled, and the
next revision takes it over where they mean the same. Numbers only grow: whoever meets a person under a greater one knows that he is late.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from pydantic import TypeAdapter

from runtime.batch import Tx
from runtime.db import Again, Connection
from runtime.definitions import Definitions
from schemas.attributes import canonical
from schemas.audience import Condition, Consent, leaves, references
from schemas.definitions import Published
from schemas.permission import Tree, tree
from schemas.subscriptions import Topic
from schemas.unnamed import UNNAMED
from services.segmenter.domain.filling import Depths, begun, depths
from services.segmenter.domain.hearing import Hearing, wanted
from services.segmenter.domain.hearing import begun as begun_hearing
from services.segmenter.domain.normal import fingerprint
from services.segmenter.domain.plan import Filling, Plan, compile_plan

KEPT = 8  # plans of before, under which people may still stand
_condition: TypeAdapter[Condition] = TypeAdapter(Condition)
NOBODY = _condition.validate_python({"kind": "not", "of": {"kind": "all", "of": []}})

RULING = """
SELECT p.revision, p.number, p.filling, p.scope, p.again, p.hearing, p.unheard, d.revision AS newest FROM plan p CROSS JOIN definition_revision d
"""
LOCK = "SELECT * FROM plan FOR UPDATE"
RECORD = """
UPDATE plan SET revision = $1, number = $2, content = $3, held = $4, ranks = $5, windows = $6, filling = $7, scope = $8, again = $9,
    filling_since = CASE WHEN filling = $7 THEN filling_since ELSE $10 END, personal = $11, hearing = $12, unheard = $13
"""


@dataclass(frozen=True, slots=True)
class Defined:
    """The conditions of one revision, with the version of each segment in force. asked: keys of conditions that journeys ask about."""

    conditions: Mapping[str, Condition]
    versions: Mapping[str, int]
    asked: frozenset[str]
    topics: Tree

    def content(self) -> str:
        """Equal where every answer is. 32 hex digits."""
        means: list[Any] = [[key, fingerprint(condition)] for key, condition in sorted(self.conditions.items())]
        if any(isinstance(leaf, Consent) for condition in self.conditions.values() for leaf in leaves(condition)):
            means.append(self.topics)
        return hashlib.sha256(canonical(means)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Live:
    """What rules in a transaction. hearing: what profile is still to tell; cut: whether every place of the log has come under the plan, so
    far as it fills anything. committed: whether others know that it rules. settled: of each partition the number of the last plan of
    which everybody was asked.
    """

    plan: Plan
    versions: Mapping[str, int]
    asked: frozenset[str]
    hearing: Hearing
    cut: bool = True
    committed: bool = True
    settled: Mapping[int, int] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether all that its conditions ask of the time before is there."""
        return not self.plan.filling.number and not self.hearing.names


def defined(documents: Sequence[Published], _revision: int) -> Defined:
    """What is in force, and what that asks about. documents: every version that is kept, in the order of versions."""
    topics = _topics([d for d in documents if d.kind == "topic"])
    documents = [d for d in documents if d.kind != "topic"]
    current = [d for d in documents if d.pointer]
    conditions = {d.key: _condition_of(d) for d in current}
    kept = {d.key: d for d in documents}  # of each key the newest version
    while missing := {key for condition in conditions.values() for key in references(condition)} - conditions.keys():
        # Out of force, but somebody waits in an old version of a journey that asks about it; or on its way, in another partition.
        conditions |= {key: _condition_of(kept[key]) if key in kept else NOBODY for key in missing}
    asked = frozenset(key for key in kept if key.startswith(UNNAMED))
    return Defined(conditions, {d.key: d.version for d in current}, asked, topics)


def _topics(documents: Sequence[Published]) -> Tree:
    """The tree of all topics that there ever were, as those that are: what was said on one that is gone still is a word on it."""
    newest = {d.key: Topic.model_validate_json(bytes(d.body)) for d in documents}
    current = {d.key: newest[d.key] for d in documents if d.pointer}
    return tree({**newest, **current}.values())


def _condition_of(document: Published) -> Condition:
    return _condition.validate_python(msgspec.json.decode(document.body)["condition"])


class Plans:
    """The ruling plan of a process and the last ones before it."""

    def __init__(self) -> None:
        self._definitions = Definitions(("segment", "topic"), defined)
        self._ruling: tuple[int, Live] | None = None  # revision, what rules at it: only what is committed stands here
        self.known: dict[int, Plan] = {}

    @property
    def ruling(self) -> Plan | None:
        """The plan that ruled in the last transaction which had not to record it."""
        return self._ruling[1].plan if self._ruling else None

    async def at(self, tx: Tx) -> Live:
        """What rules at the revision of this transaction. Raises Again when a later one came meanwhile: it is looked up anew each time, so
        whoever has waited for the batches of all others knows that nobody acts under an earlier one any more.
        """
        found = await self._definitions.at(tx.connection, tx.revision)
        row = await tx.connection.fetchrow(RULING)
        if row["newest"] != tx.revision:
            raise Again("other definitions came while these were read")
        if self._ruling and self._ruling[0] == tx.revision and self._ruling[1].whole:
            return self._ruling[1]
        committed = row["revision"] == tx.revision
        number, filling, hearing = (row["number"], _filling(row), _hearing(row)) if committed else await self._record(tx, found)
        plan = self._compiled(found, number)
        if plan.filling != filling:
            plan = self.known[number] = replace(plan, filling=filling)
        live = Live(plan, found.versions, found.asked, hearing, committed=committed)
        if committed:
            self._ruling = tx.revision, live
        return live

    async def seen(self, connection: Connection) -> Live | None:
        """What rules, for a question from outside, in a transaction that sees one instant; None before anything does."""
        row = await connection.fetchrow(RULING)
        if row["revision"] == row["newest"]:
            found = await self._definitions.at(connection, row["newest"])
            plan = replace(self._compiled(found, row["number"]), filling=_filling(row))
            return Live(plan, found.versions, found.asked, _hearing(row))
        return self._ruling[1] if self._ruling else None

    def _compiled(self, found: Defined, number: int) -> Plan:
        if number not in self.known:
            self.known[number] = compile_plan(found.conditions, number, found.topics)
            self.known = dict(list(self.known.items())[-KEPT:])
        return self.known[number]

    async def _record(self, tx: Tx, found: Defined) -> tuple[int, Filling, Hearing]:
        """The number of the plan at this revision, what it fills and what is still to be told, recorded with the batch: two processes find the same, whichever
        comes first.
        """
        row, content = await tx.connection.fetchrow(LOCK), found.content()
        if row["revision"] > tx.revision:
            raise Again("a later plan was recorded while we waited")
        number, filling, held = row["number"], _filling(row), _held(row)
        if row["revision"] == tx.revision:
            return number, filling, _hearing(row)
        if row["content"] != content or depths(self._compiled(found, number)) != held:
            number = max(tx.revision, number) + 1
            filling = begun(held, filling, self._compiled(found, number))
        plan = self._compiled(found, number)
        hearing = begun_hearing(frozenset(row["personal"]), _hearing(row), plan)
        kept = sorted(depths(plan).items())
        columns = [[id_ for id_, _ in kept], [rank for _, (rank, _) in kept], [window for _, (_, window) in kept]]
        scopes = sorted(filling.scope), sorted(filling.again)
        heard = sorted(wanted(plan)), hearing.number, sorted(hearing.names)
        await tx.connection.execute(RECORD, tx.revision, number, content, *columns, filling.number, *scopes, tx.now, *heard)
        return number, filling, hearing


def _filling(row: Any) -> Filling:
    return Filling(row["filling"], frozenset(row["scope"]), frozenset(row["again"]))


def _hearing(row: Any) -> Hearing:
    return Hearing(row["hearing"], frozenset(row["unheard"]))


def _held(row: Any) -> Depths | None:
    """How deep states hold what; None of a plan that was recorded before this was kept."""
    if row["held"] is None:
        return None
    return dict(zip(row["held"], zip(row["ranks"], row["windows"], strict=True), strict=True))
