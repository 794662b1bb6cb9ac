"""The journal of facts that linked, from which people are made anew."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Self

from runtime.db import Connection
from schemas.facts import Fact

OF = """
SELECT DISTINCT ON (fact) number, profile::text, fact::text, at, type, source, about::text, names FROM linking
WHERE profile = ANY($1::uuid[]) ORDER BY fact, number
"""
FORGET = "DELETE FROM linking WHERE profile = ANY($1::uuid[])"
FORGET_NAMES = """
UPDATE linking SET names = ARRAY(SELECT n FROM unnest(names) WITH ORDINALITY AS u (n, place) WHERE n <> ALL($2::text[]) ORDER BY place)
WHERE profile = ANY($1::uuid[]) AND names && $2::text[]
"""
COLUMNS = ("profile", "fact", "at", "type", "source", "about", "names")


class Linking(NamedTuple):
    """A fact as far as it says who is who. profile: one of those it concerned; at: received_at (ms)."""

    profile: str
    fact: str
    at: int
    type: str
    source: str
    about: str | None
    names: Sequence[str]

    @classmethod
    def of(cls, fact: Fact, profile: str) -> Self:
        return cls(profile, fact.id, fact.received_at, fact.type, fact.source, fact.about, list(fact.identifiers))

    def as_fact(self, names: Iterable[str]) -> Fact:
        """To be linked once more by these of its identifiers."""
        return Fact(
            id=self.fact,
            type=self.type,
            brand="",
            source=self.source,
            about=self.about,
            identifiers=tuple(names),
            occurred_at=self.at,
            received_at=self.at,
        )


async def journal(connection: Connection, links: Sequence[Linking]) -> None:
    await connection.copy_records_to_table("linking", records=links, columns=COLUMNS)


async def linkings(connection: Connection, people: Collection[str]) -> list[Linking]:
    """The facts that made these people, each once, in the order in which they were decided."""
    rows = await connection.fetch(OF, list(people))
    return [Linking(*tuple(row)[1:]) for row in sorted(rows, key=lambda row: row["number"])]


async def forget_linkings(connection: Connection, people: Collection[str], names: Collection[str] | None = None) -> None:
    """Of people who are erased; names: just these identifiers of theirs."""
    if names is None:
        await connection.execute(FORGET, list(people))
    else:
        await connection.execute(FORGET_NAMES, list(people), list(names))
