"""A leaf as one query for the people (`n`) of whom it is true, or of whom it is not: counts of nothing are true of nearly everybody.

Counts, sums and edges are not grouped in SQL: their rows are folded (store/folding.py).
"""
# ruff: noqa: S608 - names of ours and quoted texts

from typing import NamedTuple

from runtime.lake import text
from schemas.audience import (
    Age,
    Anniversary,
    Attribute,
    Average,
    Consent,
    DateAttribute,
    Did,
    Distinct,
    Happening,
    Identifier,
    InSegment,
    Leaf,
    RandomBucket,
    Reachable,
    Sequence,
    Since,
    Total,
)
from schemas.ids import BUCKETS
from schemas.machines import MARK, asks_for_people
from services.audience.store import happenings, said
from services.audience.store.folding import COMPARISON, Fold, averages, counts, edges, since, sums
from services.audience.store.index import Catalog
from services.audience.store.values import COMPARE, Value, extract, of_json, passes
from services.audience.store.versions import Part
from services.audience.store.windows import Span, span_of

KIND_OF_CHANNEL = {"email": "email", "sms": "phone", "telegram": "telegram_id", "vk": "vk_id"}
MAX_AMOUNT = 2**53 - 1  # of one fact: larger numbers are not exact in JSON readers, so they are nobody's money
PEOPLE: Part = ("people", "")
NOBODY = "SELECT NULL::INTEGER AS n WHERE false"
WORDS = {
    "n": "INTEGER", "moment": "BIGINT", "json": "VARCHAR", "whole": "BIGINT", "broken": "DOUBLE", "text": "VARCHAR", "truth": "BOOLEAN",
    "date": "BIGINT",
}  # fmt: skip


class Asked(NamedTuple):
    """queries: one that finds the people, or, with `how`, those of rows that it folds. negated: they find those of whom the leaf is not
    true. parts: what the answer was read from. timed: it holds at this instant only.
    """

    queries: tuple[str, ...]
    parts: tuple[Part, ...]
    negated: bool = False
    timed: bool = True
    how: Fold | None = None


class Leaves:
    """Queries over what there is in a catalog, at an instant (ms). whose: a list of pieces in SQL, to ask only about these."""

    def __init__(self, catalog: Catalog, now: int, zones: tuple[str, ...] = (), whose: str | None = None) -> None:
        """zones: those that people have, of the known ones."""
        self._catalog, self._now, self.zones, self._pieces_of = catalog, now, zones, whose
        # Rows `t` with whose they are: as long as nobody has several pieces, his own.
        self.join, self.whose = (
            (" LEFT JOIN shared s USING (person)", "coalesce(s.owner, t.person)") if catalog.shared else ("", "t.person")
        )

    def ask(self, leaf: Leaf) -> Asked:
        match leaf:
            case Attribute():
                return self._attribute(leaf)
            case DateAttribute():
                return self._date(leaf)
            case Identifier() | Reachable():
                kind = leaf.has if isinstance(leaf, Identifier) else KIND_OF_CHANNEL[leaf.channel]
                return Asked((self._pieces("kind", f"kind = {text(kind)}"),), (PEOPLE, ("kind", "")), timed=False)
            case RandomBucket():
                return self._bucket(leaf)
            case Did() | Total() | Average():
                return self._counted(leaf)
            case Distinct():
                return self._distinct(leaf)
            case Age():
                return self._age(leaf)
            case Sequence():
                return self._sequence(leaf)
            case Since():
                return self._since(leaf)
            case Anniversary() | Consent() | InSegment():
                raise TypeError(f"{leaf.kind} is no query")

    # ---- what he is

    def _attribute(self, leaf: Attribute) -> Asked:
        missing = leaf.op == "missing"
        test = leaf.model_copy(update={"op": "exists"}) if missing else leaf
        where = passes(test, said.value(steps(leaf.path)))
        return Asked(
            (f"SELECT n FROM {self.words(leaf.name)} WHERE {where}",), (PEOPLE, ("attribute", leaf.name)), missing, timed=False
        )

    def _date(self, leaf: DateAttribute) -> Asked:
        value = f"({said.value(steps(leaf.path)).date})"
        bounds = [f"{value} > {self._now + leaf.after}"] if leaf.after is not None else []
        bounds += [f"{value} <= {self._now + leaf.until}"] if leaf.until is not None else []
        return Asked((f"SELECT n FROM {self.words(leaf.name)} WHERE {' AND '.join(bounds)}",), (PEOPLE, ("attribute", leaf.name)))

    def words(self, name: str) -> str:
        """The attribute of each person, as WORDS."""
        k = self._catalog.attributes.get(name)
        if k is None:
            return f"(SELECT {', '.join(f'NULL::{kind} AS {column}' for column, kind in WORDS.items())} WHERE false)"
        only = f" WHERE t.person IN {self._pieces_of}" if self._pieces_of else ""
        own = ", ".join(f"t.{column}" for column in WORDS if column != "n")
        if not self._catalog.shared:
            return f"(SELECT t.person AS n, {own} FROM a_{k} t{only})"
        newest = ", ".join(f"arg_max_null(t.{column}, (t.moment, t.json))" for column in WORDS if column != "n")
        # Not by a window function: joined to others, DuckDB 2.0.0 loses rows of it.
        return (
            f"(SELECT t.person AS n, {own} FROM a_{k} t ANTI JOIN shared USING (person){only} UNION ALL "
            f"SELECT s.owner AS n, {newest} FROM a_{k} t JOIN shared s USING (person){only} GROUP BY s.owner)"
        )

    def _pieces(self, table: str, where: str) -> str:
        only = f" AND t.person IN {self._pieces_of}" if self._pieces_of else ""
        return f"SELECT DISTINCT {self.whose} AS n FROM {table} t{self.join} WHERE {where}{only}"

    def _bucket(self, leaf: RandomBucket) -> Asked:
        only = f" WHERE t.person IN {self._pieces_of}" if self._pieces_of else ""
        pairs = f"SELECT {self.whose} AS n, min((t.moment, t.id)) AS pair FROM bucketing t{self.join}{only} GROUP BY 1"
        hashed = f"('0x' || substr(sha256({text(leaf.salt + ':')} || pair[2]), 1, 16))::UBIGINT::UHUGEINT * {BUCKETS} >> 64"
        where = f"{hashed} >= {leaf.start} AND {hashed} < {leaf.end}"
        return Asked((f"SELECT n FROM ({pairs}) WHERE {where}",), (PEOPLE, ("bucketing", "")), timed=False)

    # ---- what he did

    def deeds(self, what: Happening, columns: str, where: str = "true") -> str:
        """As `rows`, of what people did: so conditions count (docs/conditions.md)."""
        if self.knows(what.event) and asks_for_people(what.event, what.where):
            where = f"{where} AND NOT coalesce({self.property(what.event, MARK).truth}, false)"
        return self.rows(what, columns, where)

    def rows(self, what: Happening, columns: str, where: str = "true") -> str:
        """Matching facts until now: `person`, `moment` and more columns."""
        k = self._catalog.events.get(what.event)
        if k is None:
            return f"(SELECT NULL::INTEGER AS person, NULL::BIGINT AS moment, {columns} FROM (SELECT NULL::VARCHAR AS rest) WHERE false)"
        tests = [passes(test, self.property(what.event, test.path)) for test in what.where]
        if what.lines is not None:
            tests.append(f"len({self._lines(what)}) > 0")
        only = [f"person IN {self._pieces_of}"] if self._pieces_of else []
        chosen = " AND ".join([f"moment <= {self._now}", where, *only, *tests])
        return f"(SELECT person, moment, {columns} FROM e_{k} WHERE {chosen})"

    def knows(self, event: str) -> bool:
        """Whether there ever was a fact of this name."""
        return event in self._catalog.events

    def property(self, event: str, path: str) -> Value:
        return happenings.value(
            self._catalog.properties.get(event, {}),
            steps(path),
            loose=happenings.is_loose(self._catalog.loose.get(event, frozenset()), steps(path)),
        )

    def _lines(self, what: Happening) -> str:
        """The matching elements of the list."""
        assert what.lines is not None
        tests = [passes(test, of_json(extract("line", steps(test.path)))) for test in what.lines.where]
        return f"coalesce(list_filter(({self.property(what.event, what.lines.path).listed})::JSON[], lambda line: {' AND '.join(tests or ['true'])}), [])"

    def amounts(self, what: Total | Average) -> tuple[str, bool]:
        """The whole numbers at the path of a fact: one, or a list of them; NULL where there is none. Whether it is a list."""
        path = what.sum if isinstance(what, Total) else what.of
        if what.event not in self._catalog.events:
            return "NULL::BIGINT", False
        if what.lines is None:
            return fitting(self.property(what.event, path).whole), False
        return f"list_transform({self._lines(what)}, lambda line: {fitting(of_json(extract('line', steps(path))).whole)})", True

    def _counted(self, leaf: Did | Total | Average) -> Asked:
        span = span_of(leaf, self._now, self.zones)
        parts: tuple[Part, ...] = (PEOPLE, ("event", leaf.event), *span.parts)
        found = self._found(leaf, span)
        if isinstance(leaf, Average):
            how, negated = averages(leaf.op, leaf.value), False
        else:
            how = (counts if isinstance(leaf, Did) else sums)(leaf.op, leaf.value)
            negated = span.needs is None and COMPARISON[leaf.op](0, leaf.value)
        needs = (f"SELECT n FROM {span.needs(self)}",) if span.needs else ()
        return Asked((found, *needs), parts, negated, leaf.within is not None or leaf.window is not None, how)

    def _found(self, leaf: Did | Total | Average, span: Span) -> str:
        """Each fact that counts, or each amount."""
        amount, listed = ("1", False) if isinstance(leaf, Did) else self.amounts(leaf)
        rows = self.deeds(leaf, f"{amount} AS v", span.simple)
        of, n = (span.joined(self, rows), "n") if span.joined else (rows, "person AS n")
        if isinstance(leaf, Did):
            return f"SELECT {n} FROM {of}"
        return f"SELECT * FROM (SELECT {n}, {'unnest(v)' if listed else 'v'} AS v FROM {of}) WHERE v IS NOT NULL"

    def _distinct(self, leaf: Distinct) -> Asked:
        span = span_of(leaf, self._now, self.zones)
        parts: tuple[Part, ...] = (PEOPLE, ("event", leaf.event), *span.parts)
        grouped = self._values(leaf, span)
        if span.needs:
            found = f"coalesce(result, 0) {COMPARE[leaf.op]} {leaf.value}"
            return Asked((f"SELECT n FROM {span.needs(self)} LEFT JOIN ({grouped}) USING (n) WHERE {found}",), parts)
        negated = COMPARISON[leaf.op](0, leaf.value)
        found = f"result {COMPARE[leaf.op]} {leaf.value}"
        timed = leaf.within is not None or leaf.window is not None
        return Asked((f"SELECT n FROM ({grouped}) WHERE {'NOT ' if negated else ''}({found})",), parts, negated, timed)

    def _values(self, leaf: Distinct, span: Span) -> str:
        """A query for n with how many different scalars (result). Numbers that are equal are one, whatever their type."""
        if leaf.event not in self._catalog.events:
            shown = "NULL::VARCHAR[]"
        elif leaf.lines is None:
            shown = f"[{_shown(self.property(leaf.event, leaf.of))}]"
        else:
            shown = f"list_transform({self._lines(leaf)}, lambda line: {_shown(of_json(extract('line', steps(leaf.of))))})"
        rows = self.deeds(leaf, f"{shown} AS v", span.simple)
        whose = span.joined(self, rows) if span.joined else f"(SELECT {self.whose} AS n, t.v FROM {rows} t{self.join})"
        each = f"SELECT n, unnest(v) AS v FROM {whose}"
        return f"SELECT n, count(DISTINCT v) AS result FROM ({each}) WHERE v IS NOT NULL GROUP BY n"

    def _moments(self, what: Happening, where: str = "true") -> str:
        return f"SELECT person AS n, moment AS v FROM {self.deeds(what, '1 AS c', where)}"

    def _age(self, leaf: Age) -> Asked:
        how = edges(leaf.which, self._now - leaf.age, older=leaf.op == "older")
        return Asked((self._moments(leaf),), (PEOPLE, ("event", leaf.event)), how=how)

    def _since(self, leaf: Since) -> Asked:
        """The last that is old enough decides: what came after an earlier one, and not after this, undoes nothing."""
        recent = "true" if leaf.within is None else f"moment > {self._now - leaf.within}"
        last = self._moments(leaf, f"moment <= {self._now - leaf.after} AND {recent}")
        undone = self._moments(leaf.without, recent)
        return Asked((last, undone), (PEOPLE, ("event", leaf.event), ("event", leaf.without.event)), how=since)

    def _sequence(self, leaf: Sequence) -> Asked:
        """Of each `then` the latest earlier `first` is the one that is nearest and has least between."""

        def of(what: Happening, where: str = "true") -> str:
            return f"(SELECT {self.whose} AS n, t.moment FROM {self.deeds(what, '1 AS c', where)} t{self.join})"

        recent = f"moment > {self._now - leaf.last}" if leaf.last is not None else "true"
        sql = (
            f"SELECT DISTINCT b.n FROM {of(leaf.then, recent)} b ASOF JOIN {of(leaf.first)} a ON a.n = b.n AND b.moment > a.moment"
        )
        between = ""
        if leaf.without is not None:
            sql += f" ASOF LEFT JOIN {of(leaf.without)} c ON c.n = b.n AND b.moment > c.moment"
            between = " AND (c.moment IS NULL OR c.moment <= a.moment)"
        events = dict.fromkeys(what.event for what in (leaf.first, leaf.then, leaf.without) if what is not None)
        parts: tuple[Part, ...] = (PEOPLE, *(("event", event) for event in events))
        return Asked((f"{sql} WHERE b.moment - a.moment <= {leaf.within}{between}",), parts, timed=leaf.last is not None)


def fitting(whole: str) -> str:
    """A whole number that is an amount."""
    return f"CASE WHEN ({whole})::BIGINT BETWEEN {-MAX_AMOUNT} AND {MAX_AMOUNT} THEN ({whole})::BIGINT END"


def _shown(value: Value) -> str:
    """A scalar as a text that no other scalar has; NULL for what is none."""
    number = f"({value.broken})::DOUBLE"
    broken = f"'n' || CASE WHEN {number} = trunc({number}) AND abs({number}) < 1e18 THEN {number}::BIGINT::VARCHAR ELSE {number}::VARCHAR END"
    return f"coalesce('n' || ({value.whole}), {broken}, 'n' || ({value.big}), 's' || ({value.text}), 'b' || ({value.truth}))"


def steps(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")) if path else ()
