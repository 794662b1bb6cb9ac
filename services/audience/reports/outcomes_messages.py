"""The messages that a report is about, and those that a control group would have got: at one instant of the index.

The temporary table `unit` has a row for each: its number `i`, whose it is (`n`), when, and in which part of the report. `Units` are the same as
arrays, with the group of rows that each is in and what became of it: what follows takes a third as arrays of what it takes in SQL.
"""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyroaring import BitMap

from schemas.reports import PERIODS, Group, Outcomes
from schemas.zones import zone
from services.audience.domain.following import Moments
from services.audience.domain.ways import Flags, Numbers
from services.audience.store import verdicts
from services.audience.store.answers import View
from services.audience.store.verdicts import ELSEWHERE, SCAN_MS, STATES, scanned

ACCEPTED, IN_DOUBT, LOCAL, GLOBAL, FAILED = range(5)  # parts of a report
GLOBAL_RULE = "global_control"
SLACK_MS = 86_400_000  # by so much a provider's clock may be behind ours
OF_LETTER: tuple[Group, ...] = ("document", "step", "channel", "class", "launch", "version", "brand")
FLAGS = ("delivered", "bounced", "opened", "opened_raw", "clicked", "clicked_raw", "click_to_open", "unsubscribed", "complained")
BIT = {name: 1 << n for n, name in enumerate((*FLAGS, "converted"))}

NAMED = ("k", "brand", "document", "version", "step", "channel", "class", "launch", "rule", "salt")
LETTERS = f"SELECT {', '.join(NAMED)} FROM letter"
UNITS = """
CREATE OR REPLACE TEMP TABLE unit AS SELECT (row_number() OVER () - 1)::INTEGER AS i, {whose} AS n, t.moment, t.key, c.gl, c.d, c.ch,
    CASE t.state WHEN {accepted} THEN {ACCEPTED} WHEN {doubt} THEN {IN_DOUBT} WHEN {failed} THEN {FAILED} ELSE if(c.everywhere, {GLOBAL}, {LOCAL}) END::UTINYINT AS part
FROM verdict t JOIN chosen c ON c.k = t.letter{join}
WHERE t.moment >= {since} AND t.moment < {until} AND t.moment <= {now} AND t.state IN ({accepted}, {control}, {doubt}, {failed})
"""
# Few are in doubt or failed: what became of these is looked for, and not of all messages whether they were.
SETTLED = """
CREATE OR REPLACE TEMP TABLE settled AS SELECT o.key, o.state FROM verdict o JOIN (SELECT key FROM unit WHERE part IN ({IN_DOUBT}, {FAILED})) u ON u.key = o.key
WHERE o.state IN ({accepted}, {failed}) AND o.moment <= {now};
DELETE FROM unit WHERE part = {IN_DOUBT} AND key IN (SELECT key FROM settled);
DELETE FROM unit WHERE part = {FAILED} AND key IN (SELECT key FROM settled WHERE state = {accepted});
"""
ARMS = """
SELECT u.i, a.arm AS name FROM (FROM unit WHERE part NOT IN ({LOCAL}, {GLOBAL})) u ASOF JOIN (
    SELECT {whose} AS n, t.moment, c.d, max(substr(c.rule, 5)) AS arm FROM verdict t JOIN chosen c ON c.k = t.letter{join}
    WHERE t.state = {exposed} AND t.moment <= {now} GROUP BY ALL
) a ON a.n = u.n AND a.d = u.d AND u.moment >= a.moment
"""
TEMPLATES = """
SELECT u.i, min(t.name) AS name FROM response r JOIN unit u ON u.key = r.key JOIN template t ON t.k = r.template
WHERE kind = {SENT} AND u.part NOT IN ({LOCAL}, {GLOBAL}) GROUP BY u.i
"""
TOLD = """
response r JOIN unit u ON u.key = r.key AND u.part IN ({ACCEPTED}, {FAILED}) WHERE r.moment >= {since} AND r.moment <= {now} AND
"""
CLEAN = "NOT machine AND r.moment >= u.moment + {soon} AS clean"
BECAME = f"SELECT u.i, r.kind, {CLEAN} FROM {TOLD} kind NOT IN ({{SENT}}, {{CLICKED}})"
CLICKS = f"CREATE OR REPLACE TEMP TABLE click AS SELECT u.i AS key, r.moment, r.link, {CLEAN} FROM {TOLD} kind = {{CLICKED}}"
DELIVERIES = f"SELECT u.i AS key, r.moment FROM {TOLD} kind = {{DELIVERED}} AND u.i IN (SELECT key FROM click)"
CLICKED = "SELECT c.key AS i, c.clean AND x.key IS NULL AS clean FROM click c LEFT JOIN ({scanned}) x ON x.key = c.key AND x.clicked = c.moment"
NAMES = {
    **{name: getattr(verdicts, name) for name in ("SENT", "CLICKED", "DELIVERED")},
    "ACCEPTED": ACCEPTED, "IN_DOUBT": IN_DOUBT, "LOCAL": LOCAL, "GLOBAL": GLOBAL, "FAILED": FAILED,
    "accepted": STATES["accepted"], "control": STATES["would_have_sent"], "doubt": STATES["in_doubt"], "failed": STATES["failed"],
    "exposed": STATES["exposed"], "soon": SCAN_MS,
}  # fmt: skip


class Key(NamedTuple):
    """A group of rows: what its letters have in common (a row of Chosen), the start of its period (ms; 0: of all times), its variant and template
    ("": of none, and of a control group always).
    """

    letter: int
    start: int
    variant: str
    template: str


class Span(NamedTuple):
    """[since, until) in ms."""

    since: int
    until: int


class Units(NamedTuple):
    """A row for each message. group: a row of keys; became: bits of BIT; labels: of Key.letter, what stands in a row of the report for each part
    of OF_LETTER that rows are of.
    """

    i: Numbers
    n: Numbers
    moment: Numbers
    part: Numbers
    group: Numbers
    became: NDArray[np.uint16]
    keys: Sequence[Key]
    labels: Sequence[tuple[Any, ...]]

    @property
    def moments(self) -> Moments:
        return Moments(self.n, self.moment)


def only(units: Units, which: Flags) -> Units:
    """These rows, and of the groups those that they are in."""
    there, group = np.unique(units.group[which], return_inverse=True)
    i, n, moment, part = (column[which] for column in (units.i, units.n, units.moment, units.part))
    return Units(i, n, moment, part, group.astype(np.int32), units.became[which], [units.keys[one] for one in there], units.labels)


class _Names(NamedTuple):
    """Of each message its name as a row of names."""

    of: Numbers
    names: Sequence[str]


class _Table:
    """The columns of `unit`."""

    def __init__(self, duck: Any) -> None:
        rows = duck.sql("SELECT i, n, moment, part, gl, ch FROM unit").fetchnumpy()
        # In the types that they have: there may be millions, and they are held beside what DuckDB may take.
        self.i, self.n, self.moment, self.part, self.gl, self.ch = (rows[name] for name in ("i", "n", "moment", "part", "gl", "ch"))
        self._row = np.full(int(self.i.max(initial=-1)) + 1, -1, dtype=np.int32)
        self._row[self.i] = np.arange(len(self.i), dtype=np.int32)

    def rows(self, i: Numbers) -> NDArray[np.int32]:
        """Those of these numbers."""
        return self._row[i]


def gather(view: View, asked: Outcomes, span: Span, members: BitMap | None) -> Units:
    """Make `unit` of what is asked. members: only these people."""
    duck, names = view.instant.duck, {**NAMES, "whose": view.leaves.whose, "join": view.leaves.join, "now": view.now}
    labels = _choose(duck, asked)
    duck.execute(UNITS.format(since=span.since, until=span.until, **names))
    duck.execute(SETTLED.format(**names))
    if members is not None:
        _keep(duck, "n", np.array(members.to_array()))
    table, none = _Table(duck), _Names(np.zeros(0, dtype=np.int64), [""])
    arms = _named(duck, table, ARMS.format(**names)) if "variant" in asked.by or asked.variants else none
    templates = _named(duck, table, TEMPLATES.format(**names)) if "template" in asked.by or asked.templates else none
    if asked.variants or asked.templates:
        kept = _among(arms, asked.variants) & _among(templates, asked.templates) | np.isin(table.part, (LOCAL, GLOBAL))
        _keep(duck, "i", table.i[kept])
        table, arms, templates = _Table(duck), _only(arms, kept), _only(templates, kept)
    group, keys = _groups(table, asked, arms if "variant" in asked.by else none, templates if "template" in asked.by else none)
    became = _became(duck, table, {**names, "since": span.since - SLACK_MS})
    return Units(table.i, table.n, table.moment, table.part, group, became, keys, labels)


def _keep(duck: Any, column: str, some: NDArray[Any]) -> None:
    """Only the rows of `unit` that have one of these there."""
    duck.register("kept", pa.table({column: some}))
    duck.execute(f"DELETE FROM unit WHERE {column} NOT IN (SELECT {column} FROM kept)")
    duck.unregister("kept")


def _choose(duck: Any, asked: Outcomes) -> Sequence[tuple[Any, ...]]:
    """The letters that are meant: `chosen` has for each its group of rows, its document and launch, its channel, and its rule."""
    wanted = [one for one in asked.by if one in OF_LETTER]
    labels: dict[tuple[Any, ...], int] = {}
    documents: dict[tuple[str, str], int] = {}
    channels: dict[str, int] = {}
    rows = []
    letters = [dict(zip(NAMED, row, strict=True)) for row in duck.execute(LETTERS).fetchall()]
    sending = {(one["brand"], one["document"], one["step"]) for one in letters if one["channel"]}
    for one in letters:
        if not _meant(one, asked) or _of_control_group(one, sending):
            continue
        group = labels.setdefault(tuple(one[name] for name in wanted), len(labels))
        whole = documents.setdefault((one["document"], one["launch"]), len(documents))
        channel = channels.setdefault(one["channel"], len(channels))
        rows.append((one["k"], group, whole, channel, one["rule"], one["rule"] == GLOBAL_RULE))
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 6
    duck.execute(
        "CREATE OR REPLACE TEMP TABLE chosen AS SELECT unnest($1::INTEGER[]) AS k, unnest($2::INTEGER[]) AS gl, unnest($3::INTEGER[]) AS d, "
        "unnest($4::INTEGER[]) AS ch, unnest($5::VARCHAR[]) AS rule, unnest($6::BOOLEAN[]) AS everywhere",
        columns,
    )
    return list(labels)


def _of_control_group(letter: dict[str, Any], sending: Collection[tuple[str, str, str]]) -> bool:
    """Whether it is the exposure of a journey's control group, which is told at the step that sends: it says who gets something, and not
    which of several things. A split sends nothing itself; arms of a mailing are what it sends, and those of others have a salt of their own.
    """
    at = letter["brand"], letter["document"], letter["step"]
    return (
        letter["rule"].startswith("arm:")
        and at in sending
        and letter["document"].startswith("journey:")
        and letter["salt"] != ELSEWHERE
    )


def _meant(letter: dict[str, Any], asked: Outcomes) -> bool:
    """Exposures are of a document: whatever step and channel they were told at."""
    whole = letter["rule"].startswith("arm:")
    tests = (("document", asked.documents), ("launch", asked.launches), ("version", asked.versions), ("brand", asked.brands))
    of_one = (("step", asked.steps), ("channel", asked.channels), ("class", asked.classes))
    return all(not some or letter[name] in some for name, some in (*tests, *(() if whole else of_one)))


def _named(duck: Any, table: _Table, sql: str) -> _Names:
    """sql: a query for i and name."""
    found = duck.sql(sql).to_arrow_table()
    name = found.column("name").combine_chunks().dictionary_encode()
    of = np.zeros(len(table.i), dtype=np.int64)
    of[table.rows(found.column("i").to_numpy())] = name.indices.to_numpy() + 1
    return _Names(of, ["", *name.dictionary.to_pylist()])


def _among(named: _Names, some: Sequence[str]) -> Flags:
    return np.isin(named.of, [n for n, name in enumerate(named.names) if name in some]) if some else np.ones(1, dtype=np.bool_)


def _only(named: _Names, kept: Flags) -> _Names:
    return named._replace(of=named.of[kept]) if len(named.of) else named


def _groups(table: _Table, asked: Outcomes, arms: _Names, templates: _Names) -> tuple[Numbers, Sequence[Key]]:
    """Of each message its group, and the groups that there are."""
    starts = list(_starts(table, asked))
    period = np.searchsorted(starts, table.moment, side="right") - 1 if len(starts) > 1 else np.zeros(0, dtype=np.int64)
    sizes = int(table.gl.max(initial=-1)) + 1, len(starts), len(arms.names), len(templates.names)
    whole = np.zeros(len(table.i), dtype=np.int64)
    for of, size in zip((table.gl, period, arms.of, templates.of), sizes, strict=True):
        whole = whole * size + (of if len(of) else 0)
    if np.prod(sizes, dtype=float) > len(whole):
        there, group = np.unique(whole, return_inverse=True)
    else:
        counts = np.bincount(whole)
        there, group = np.flatnonzero(counts), (np.cumsum(counts > 0) - 1)[whole]
    places = np.unravel_index(there, sizes) if len(there) else [()] * len(sizes)
    keys = [Key(int(gl), starts[p], arms.names[a], templates.names[t]) for gl, p, a, t in zip(*places, strict=True)]
    return group.astype(np.int32), keys


def _starts(table: _Table, asked: Outcomes) -> Iterator[int]:
    """Of each period in which a message may lie."""
    unit = next((one for one in asked.by if one in PERIODS), None)
    if unit is None or not len(table.i):
        yield 0
        return
    clock = zone(asked.zone)
    first, last = (clock.period(unit, int(edge)) for edge in (table.moment.min(), table.moment.max()))  # type: ignore[arg-type]
    yield from (clock.start(unit, one) for one in range(first, last + 1))  # type: ignore[arg-type]


def _became(duck: Any, table: _Table, names: dict[str, Any]) -> NDArray[np.uint16]:
    """What was told of each message, as bits. Of a channel that tells of no delivery all came that did not come back."""
    heard = {name: np.zeros(len(table.i), dtype=np.bool_) for name in (*FLAGS, "told")}
    found = duck.sql(BECAME.format(**names)).fetchnumpy()
    row, kind = table.rows(found["i"]), found["kind"]
    heard["opened"][row[(kind == verdicts.OPENED) & found["clean"]]] = True
    for name, of in (("told", verdicts.DELIVERED), ("bounced", verdicts.BOUNCED), ("opened_raw", verdicts.OPENED),
                     ("unsubscribed", verdicts.UNSUBSCRIBED), ("complained", verdicts.COMPLAINED)):  # fmt: skip
        heard[name][row[kind == of]] = True
    duck.execute(CLICKS.format(**names))
    of_scanners = scanned("SELECT key, moment, link FROM click", None, DELIVERIES.format(**names))
    found = duck.sql(CLICKED.format(scanned=of_scanners)).fetchnumpy()
    row = table.rows(found["i"])
    heard["clicked_raw"][row], heard["clicked"][row[found["clean"]]] = True, True
    heard["click_to_open"] = heard["opened"] & heard["clicked"]
    sent = table.part == ACCEPTED
    reporting = np.zeros(int(table.ch.max(initial=-1)) + 1, dtype=np.bool_)
    reporting[table.ch[sent & heard["told"]]] = True
    came = heard["told"] | heard["opened_raw"] | heard["clicked_raw"]
    heard["delivered"] = sent & np.where(reporting[table.ch], came, ~heard["bounced"])
    bits = np.zeros(len(table.i), dtype=np.uint16)
    for name in FLAGS:
        bits |= heard[name] * np.uint16(BIT[name])
    return bits
