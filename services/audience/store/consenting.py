"""Words of consent: kept as they were said, by piece of history, and weighed by schemas/permission.py when somebody asks."""
# ruff: noqa: S608 - names of ours

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyroaring import BitMap

from runtime.following import News
from runtime.lake import text
from schemas import consents, permission
from schemas.audience import Consent
from schemas.facts import Fact
from schemas.permission import Said, Tree, Words
from services.audience.domain.said import nested
from services.audience.store.cells import cells, columns_of

TABLES = """
CREATE TABLE word (person INTEGER, about VARCHAR, yes BIGINT, no BIGINT, until BIGINT, asked BIGINT, asked_until BIGINT);
"""
_SHAPE = pa.schema([("person", pa.int32()), ("about", pa.string()), *((name, pa.int64()) for name in Said.__struct_fields__)])
_SPOKEN = f"name IN ({', '.join(map(text, sorted(consents.EVENTS)))})"
FACTS = f"""
SELECT fresh.rowid, n, id::VARCHAR, event, brand, source, lane, epoch_ms(occurred_at), received, rest::JSON::VARCHAR
FROM fresh JOIN numbers USING (profile, home) WHERE {_SPOKEN}
"""
WORDS = """
SELECT coalesce(s.owner, t.person) AS n, about, yes, no, until, asked, asked_until FROM word t LEFT JOIN shared s USING (person){only} ORDER BY n
"""


def take(duck: Any, news: News) -> bool:
    """The words among the fresh facts. Whether there are any."""
    rows = [{"person": person, "about": about, **_fields(said)} for person, (about, said) in _spoken(duck, news)]
    if not rows:
        return False
    duck.register("words", pa.Table.from_pylist(rows, schema=_SHAPE))
    duck.execute("INSERT INTO word SELECT * FROM words")
    duck.unregister("words")
    return True


def _spoken(duck: Any, news: News) -> Iterator[tuple[int, tuple[str, Said]]]:
    facts = duck.execute(FACTS).fetchall()
    found = cells(duck, columns_of(news, "properties", consents.EVENTS), _SPOKEN) if facts else {}
    for row, person, id_, event, brand, source, lane, occurred, received, rest in facts:
        more = json.loads(rest) if rest else {}
        properties = nested([*found.get(row, ()), *more.get("properties", {}).items()])
        if more.get("proven"):  # the evidence itself is not in the lake
            properties["evidence"] = {"kept": True}
        fact = Fact(id=id_, type="track", event=event, brand=brand, source=source, lane=lane, occurred_at=occurred, received_at=received,
                    properties=properties)  # fmt: skip
        yield person, permission.word(fact)


def _fields(said: Said) -> dict[str, int | None]:
    return {name: getattr(said, name) for name in Said.__struct_fields__}


def holds(duck: Any, leaf: Consent, topics: Tree, now: int, whose: str | None = None) -> tuple[BitMap, bool]:
    """Those of whom it is true (`none`: those of whom it is not), and whether time alone may change that. whose: only of these pieces."""
    found, timed = BitMap(), False
    for person, words in _people(duck, whose):
        timed = timed or any(said.until is not None or said.asked_until is not None for said in words.values())
        state = _state(leaf, words, topics, now)
        if (state != "none") if leaf.state == "none" else (state == leaf.state):
            found.add(person)
    return found, timed


def _people(duck: Any, whose: str | None) -> Iterator[tuple[int, Words]]:
    """Each person with all his words."""
    rows = duck.execute(WORDS.format(only=f" WHERE t.person IN {whose}" if whose else "")).fetchall()
    person: int | None = None
    words: Words = {}
    for n, about, *said in rows:
        if n != person:
            if person is not None:
                yield person, words
            person, words = n, {}
        words = permission.heard(words, about, Said(*said))
    if person is not None:
        yield person, words


def _state(leaf: Consent, words: Words, topics: Tree, now: int) -> str:
    """The strongest of what is true of a brand."""
    brands = {about.split("|", 1)[0] for about in words} if leaf.brand is None else {leaf.brand}
    found = {_of_brand(leaf, brand, words, topics, now) for brand in brands}
    return next((state for state in ("granted", "unproven", "denied") if state in found), "none")


def _of_brand(leaf: Consent, brand: str, words: Words, topics: Tree, now: int) -> str:
    found = permission.standing(words, topics, brand, leaf.channel, leaf.topic, now)
    asked = permission.requests(words, topics, brand, leaf.channel) if found != "granted" else ()
    return "unproven" if any(request.topic == leaf.topic for request in asked) else found
