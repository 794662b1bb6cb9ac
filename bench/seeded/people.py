"""The people of the history as profile and segmenter keep them: decided by their own code, fact by fact, and written by it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import duckdb
import msgspec

from bench.seeded.history import BRAND, EVENTS, SOURCE, Drawn, History, said
from bench.seeded.lake import DIGEST, UUID5, arriving
from runtime.batch import At, Emit, Item, Tx
from runtime.people import People
from schemas.facts import Fact, decode, encode
from schemas.ids import derive, partition_of
from schemas.topics import FACTS, FACTS_RAW
from services.ingest.domain import Accepted, normalise
from services.ingest.domain.money import convert
from services.profile import store
from services.profile.domain import DEFAULT, homes_of, person_id
from services.profile.handler.desk import Desk as Registrar
from services.profile.store import Wanted
from services.segmenter.desk import Desk
from services.segmenter.domain.plan import Plan
from services.segmenter.plans import Live

AT = At("seeded", 0, 0)
DID = """
SELECT {id} AS id, * EXCLUDE (h) FROM (SELECT *, {digest} AS h FROM ({drawn}) WHERE person >= {low} AND person < {high} AND event IN ({events}))
ORDER BY person, i
"""


class Told(NamedTuple):
    """What profile says of a person when he is introduced: the fact with its person, and that he changed, as JSON."""

    person: str
    partition: int
    facts: Sequence[bytes]


class Of(NamedTuple):
    """So many partitions has the installation."""

    history: History
    partitions: int


async def introduce(connection: Any, of: Of, numbers: range) -> list[Told]:
    """Write these people as profile does, in the transaction of the caller, whose search path is profile's; what it tells of them."""
    facts = list(_taken(of.history, numbers))
    wanted = {name: one for fact in facts for name, one in _wanted(fact)}
    await store.claim(connection, wanted)
    desk = Registrar(DEFAULT, {}, {name: one.owner for name, one in wanted.items()}, {}, {})
    tx = Tx(connection, of.history.until, 0, "profile", {})
    told = []
    for fact in facts:
        raw = encode(fact)
        item = Item((FACTS_RAW.name, 0), 0, fact, raw, None, None, fact.received_at)
        emits = desk.link(tx, item, fact)
        person = emits[0].key
        told.append(Told(person, partition_of(person, of.partitions), [emit.value for emit in emits]))
    await desk.save(tx)
    await store.Brands().keep(connection, [(one.person, BRAND) for one in told])
    return told


def _taken(history: History, numbers: range) -> Iterator[Fact]:
    """The introductions as ingest takes them."""
    arrival = arriving(history.until)
    for number in numbers:
        taken = normalise(encode(history.introduction(number)), arrival)
        assert isinstance(taken, Accepted), taken
        yield taken.fact


def _wanted(fact: Fact) -> Iterator[tuple[str, Wanted]]:
    """His identifiers, of which nobody has any, as profile claims them."""
    homes, person = homes_of(fact, DEFAULT), person_id(fact)
    for name, home in homes.items():
        yield name, Wanted(person, fact.source, home, "" if home == person else person)


async def decide(connection: Any, of: Of, live: Live, numbers: range, told: Sequence[Told]) -> list[Emit]:
    """Write the same people as segmenter does, by all that they did until the end of the history; who entered and left."""
    until = of.history.until
    desk = Desk(People({}, {}), live, {}, until, of.partitions)
    people = dict(zip(numbers, told, strict=True))
    changes = [emit for one in told for raw in one.facts for emit in desk.handle(_item(decode(raw), one.partition), AT)]
    for fact, number in _hits(of.history, live.plan, numbers):
        one = people[number]
        fact = msgspec.structs.replace(fact, profile=one.person)
        changes += desk.handle(_item(fact, one.partition), AT)
    for one in told:
        changes += desk.fire(one.person, AT)
    await desk.save(Tx(connection, until, 0, "segmenter", {}))
    return changes


def _item(fact: Fact, partition: int) -> Item:
    return Item((FACTS.name, partition), 0, fact, b"", None, None, fact.received_at)


def _hits(history: History, plan: Plan, numbers: range) -> Iterator[tuple[Fact, int]]:
    """What these people did that a segment asks about, with who did it, in order. Properties are there where one is asked for."""
    asked = _asked(plan)
    if not asked:
        return
    events = ", ".join(f"'{event}'" for event in asked)
    query = DID.format(id=UUID5, digest=DIGEST, drawn=history.drawn(), low=numbers.start, high=numbers.stop, events=events)
    duck = duckdb.connect(config={"threads": 1})
    try:
        found = duck.execute(query)
        while rows := found.fetchmany(10_000):
            for id_, *drawn in rows:
                one = Drawn(*drawn)
                yield _fact(str(id_), one, said(one) if asked[one.event] else {}), one.person
    finally:
        duck.close()


def _asked(plan: Plan) -> dict[str, bool]:
    """Events of the history that the plan looks at, and whether at their properties."""
    name = {event: "Page Viewed" if event == "page" else event for event in EVENTS}
    return {event: any(one.paths for one in plan.by_event[name[event]]) for event in sorted(name) if name[event] in plan.by_event}


def _fact(id_: str, one: Drawn, properties: dict[str, Any]) -> Fact:
    page = one.event == "page"
    return Fact(
        id=id_, type="page" if page else "track", event="Page Viewed" if page else one.event, brand=BRAND, source=SOURCE,
        occurred_at=one.at, received_at=one.at, identifiers=(f"user_id:u{one.person}",),
        properties=convert(properties, None, "properties") if properties else properties,
    )  # fmt: skip


def everybody(history: History, partitions: int) -> list[tuple[str, int]]:
    """By number: profile id and partition."""
    ids = (derive("profile", derive(SOURCE, f"i{number}")) for number in range(history.people))
    return [(one, partition_of(one, partitions)) for one in ids]
