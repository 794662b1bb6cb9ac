"""A table for each event name: when (`moment`, ms, as docs/audience-semantics.md counts it), whose, the properties that have columns in the lake,
and `rest`, what has none. Rows stand nearly in the order of `moment`, so that windows read little.
"""
# ruff: noqa: S608 - names of ours

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.following import News
from runtime.lake import KINDS, column, quote, text
from schemas.paths import escaped
from services.audience.store.values import NONE, Value, date_of, extract, of_json
from services.audience.store.versions import Part

TABLES = "CREATE TABLE event (k INTEGER, name VARCHAR)"
BASE = "person INTEGER, moment BIGINT, rest VARCHAR, brand VARCHAR"
OWN = frozenset(("person", "moment", "rest", "brand"))
# Of where somebody came from: what a tagged link said, and `ad`, which advertiser's click id stood in the address (services/warehouse/domain/walk.py).
CAMPAIGN = {"source": "source", "medium": "medium", "name": "utm_campaign", "content": "content", "term": "term", "ad": "ad"}
TAGS = {tag: column("context", f"campaign.{path}", "string") for tag, path in CAMPAIGN.items()}
AT = "greatest(0, least(epoch_ms(occurred_at), epoch_ms(received_at)))"
LATE_MS = 86_400_000  # who comes later than this stands out of order
# The keys of what has no column (a list of products): of a property that is none of them `rest` need not be looked at.
KEYS = "SELECT DISTINCT unnest(json_keys({rest})) FROM {table} WHERE rest IS NOT NULL"
MOST_KEYS = 1_000  # of an event; of one that has more, `rest` is looked at for everything
Loose = frozenset[str] | None
SORTED_AGAIN = 100_000  # rows out of order after which a table is written anew


class Events:
    """The event tables: which there are, and the columns of each."""

    def __init__(self, duck: Any) -> None:
        self.numbers: dict[str, int] = dict(duck.execute("SELECT name, k FROM event").fetchall())
        self.columns = {name: {row[0] for row in duck.execute(f"DESCRIBE e_{k}").fetchall()} for name, k in self.numbers.items()}
        self.late: dict[str, int] = {}
        self.loose: dict[str, Loose] = {}
        for name, k in self.numbers.items():
            self._note_loose(name, duck.execute(KEYS.format(table=f"e_{k}", rest="rest::JSON")).fetchall())

    def take(self, duck: Any, news: News) -> set[str]:
        """The fresh facts into their tables. The names that got some."""
        there = {row[0] for row in duck.execute("DESCRIBE fresh").fetchall()}
        tagged = _tagged(duck, there)
        names = sorted(tagged)
        for name in names:
            fresh = f"(SELECT * FROM fresh WHERE name = {text(name)})"
            self._note_loose(name, duck.execute(KEYS.format(table=fresh, rest="rest::JSON -> '/properties'")).fetchall())
            columns = [(kind, named) for _, kind, named in news.properties.get((name, "properties"), ()) if named in there]
            columns += [("string", tag) for tag in tagged[name]]
            table = self._ready(duck, name, columns)
            self._note_late(duck, name, table)
            chosen = ", ".join(
                [
                    "n AS person",
                    "moment",
                    "rest::JSON -> '/properties' AS rest",
                    "brand",
                    *(quote(named) for _, named in columns),
                ]
            )
            duck.execute(
                f"INSERT INTO {table} BY NAME SELECT {chosen} FROM fresh JOIN numbers USING (profile, home) WHERE name = ? ORDER BY moment",
                [name],
            )
        return set(names)

    def _note_loose(self, name: str, keys: Sequence[tuple[str]]) -> None:
        held = self.loose.get(name, frozenset())
        if not keys or held is None:
            return
        found = held | {key for (key,) in keys}
        self.loose[name] = found if len(found) <= MOST_KEYS else None

    def _ready(self, duck: Any, name: str, columns: Sequence[tuple[str, str]]) -> str:
        """The table of this name, with these columns of properties."""
        if name not in self.numbers:
            self.numbers[name] = len(self.numbers)
            duck.execute("INSERT INTO event VALUES (?, ?)", [self.numbers[name], name])
            duck.execute(f"CREATE TABLE e_{self.numbers[name]} ({BASE})")
            self.columns[name] = set(OWN)
        table = f"e_{self.numbers[name]}"
        for kind, named in columns:
            if named not in self.columns[name]:
                duck.execute(f"ALTER TABLE {table} ADD COLUMN {quote(named)} {KINDS[kind][1]}")
                self.columns[name].add(named)
        return table

    def tags(self) -> dict[str, frozenset[str]]:
        """Event -> which tags of campaigns its facts have."""
        found = {name: frozenset(tag for tag, named in TAGS.items() if named in columns) for name, columns in self.columns.items()}
        return {name: tags for name, tags in found.items() if tags}

    def _note_late(self, duck: Any, name: str, table: str) -> None:
        query = f"SELECT count(*) FROM fresh WHERE name = ? AND moment < (SELECT max(moment) FROM {table}) - {LATE_MS}"
        self.late[name] = self.late.get(name, 0) + duck.execute(query, [name]).fetchall()[0][0]

    def disordered(self) -> str | None:
        """A name whose table has too much out of order."""
        return next((name for name, late in self.late.items() if late > SORTED_AGAIN), None)

    def sort(self, duck: Any, name: str) -> None:
        """Write a table anew, in order."""
        table = f"e_{self.numbers[name]}"
        duck.execute(f"CREATE OR REPLACE TABLE sorting AS SELECT * FROM {table} ORDER BY moment")
        duck.execute(f"DROP TABLE {table}")
        duck.execute(f"ALTER TABLE sorting RENAME TO {table}")
        self.late[name] = 0

    def forget_before(self, duck: Any, since: int) -> set[Part]:
        """Delete what occurred before an instant (ms). What got less."""
        found: set[Part] = set()
        for name, k in self.numbers.items():
            if duck.execute(f"DELETE FROM e_{k} WHERE moment < {since}").fetchall()[0][0]:
                found.add(("event", name))
        return found

    def forget(self, duck: Any, pieces: Sequence[int]) -> None:
        for k in self.numbers.values():
            duck.execute(f"DELETE FROM e_{k} WHERE person IN (SELECT unnest($1::INTEGER[]))", [list(pieces)])


def _tagged(duck: Any, there: set[str]) -> dict[str, list[str]]:
    """The names of the fresh facts, and which columns of tags any of each has: all of one look share columns."""
    tags = [tag for tag in TAGS.values() if tag in there]
    counts = "".join(f", count({quote(tag)})" for tag in tags)
    rows = duck.execute(f"SELECT name{counts} FROM fresh GROUP BY name").fetchall()
    return {name: [tag for tag, count in zip(tags, found, strict=True) if count] for name, *found in rows}


def is_loose(keys: "Loose", steps: Sequence[str]) -> bool:
    """Whether `rest` may have a property, or what lies within it. keys: those that stand in `rest` of the event's facts."""
    if keys is None:
        return True
    path = ".".join(map(escaped, steps))
    whole = {".".join(map(escaped, steps[:upto])) for upto in range(1, len(steps) + 1)}
    return not keys.isdisjoint(whole) or any(key.startswith(path + ".") for key in keys)


def value(columns: Mapping[str, Mapping[str, str]], steps: Sequence[str], *, loose: bool) -> Value:
    """A property of an event: columns (path of the lake -> kind -> column) and, where it is loose, `rest`, which holds it whole, or
    within an object that lies too deep, or is parts of it.
    """
    path = ".".join(map(escaped, steps))
    own = columns.get(path, {})
    inner = [quote(name) for under, kinds in columns.items() if under.startswith(path + ".") for name in kinds.values()]
    json = "coalesce(" + ", ".join(
        extract("rest", [".".join(map(escaped, steps[:upto])), *steps[upto:]]) for upto in range(len(steps), 0, -1)
    ) + ")"  # fmt: skip
    held = of_json(json) if loose else Value()
    within = f"len(list_filter(json_keys(rest), lambda k: starts_with(k, {text(path + '.')}))) > 0"
    here = [f"{quote(name)} IS NOT NULL" for kind, name in own.items() if kind != "null"]
    apart = [f"(rest IS NOT NULL AND ({held.there} OR {within}))"] if loose else []
    there = " OR ".join([*here, *(f"{name} IS NOT NULL" for name in inner), *apart]) or "false"
    whole, words = _either(own, "int", held.whole), _either(own, "string", held.text)
    dates = [one for one in (whole, NONE if words == NONE else date_of(words)) if one != NONE]
    return Value(
        whole=whole,
        big=_either(own, "big", held.big),
        broken=_either(own, "float", held.broken),
        text=words,
        truth=_either(own, "bool", held.truth),
        listed=held.listed,
        date=f"coalesce({', '.join(dates)})" if dates else NONE,
        there=f"coalesce({there}, false)",
    )


def _either(own: Mapping[str, str], kind: str, loose: str) -> str:
    if kind not in own:
        return loose
    return quote(own[kind]) if loose == NONE else f"coalesce({quote(own[kind])}, CASE WHEN rest IS NOT NULL THEN {loose} END)"
