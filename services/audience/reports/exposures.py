"""Who was exposed to which arm of an experiment: each person once, in one arm, from his first exposure on.

Intent to treat: he stays where he fell. Where a merge made one of people in two arms, that of the surviving bucketing pair counts
(DESIGN 3, law 1), and he is told as contaminated.
"""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runtime.lake import text
from schemas.reports import Exposures
from services.audience.reports.outcomes import EVER
from services.audience.reports.outcomes_messages import GLOBAL_RULE
from services.audience.store.answers import View
from services.audience.store.verdicts import ELSEWHERE, EXPIRED, LOCAL, STATES

Pair = tuple[int, str]  # bucketed_at, bucketing_id

TOLD = """
CREATE OR REPLACE TEMP TABLE told AS SELECT {whose} AS n, t.person, t.moment, {arm} AS arm, l.version
FROM verdict t JOIN letter l ON l.k = t.letter{join}
WHERE {which} AND t.moment >= {since} AND t.moment < {until} AND t.moment <= {now}{brands}
"""
UNIT = """
CREATE OR REPLACE TEMP TABLE unit AS SELECT n, min(moment) AS moment, arg_min(arm, (moment, arm)) AS arm, arg_min(version, (moment, arm)) AS version,
    count(DISTINCT arm) > 1 AS contaminated, n IN (SELECT owner FROM shared) AS merged
FROM told GROUP BY n
"""
PIECES = "SELECT t.n, t.person, t.moment, t.arm FROM told t JOIN unit u ON u.n = t.n AND u.contaminated ORDER BY ALL"
PAIRS = """
SELECT coalesce(s.owner, b.person), b.person, b.moment, b.id FROM bucketing b LEFT JOIN shared s USING (person)
WHERE coalesce(s.owner, b.person) IN (SELECT n FROM unit WHERE contaminated)
"""


class Told(NamedTuple):
    """An exposure of one who was exposed to several arms."""

    person: int
    moment: int
    arm: str


def gather(view: View, asked: Exposures) -> None:
    """Make `unit`: n, moment of the first exposure, arm, version of the document, whether he was in several arms, and whether he was merged."""
    duck = view.instant.duck
    brands = f" AND l.brand IN ({', '.join(map(text, asked.brands))})" if asked.brands else ""
    until = EVER if asked.until is None else asked.until
    duck.execute(
        TOLD.format(whose=view.leaves.whose, join=view.leaves.join, arm=_arm(asked), which=_which(asked), since=asked.since, until=until, now=view.now,
                    brands=brands)
    )  # fmt: skip
    duck.execute(f"DELETE FROM told WHERE arm NOT IN ({', '.join(map(text, asked.arms))})")
    duck.execute(UNIT)
    moved = _settled(duck)
    if moved:
        duck.execute(
            "UPDATE unit SET arm = m.arm FROM (SELECT unnest($1::INTEGER[]) AS n, unnest($2::VARCHAR[]) AS arm) m WHERE m.n = unit.n",
            [list(moved), list(moved.values())],
        )


def _which(asked: Exposures) -> str:
    """The verdicts that tell of exposures. Of the global group: what it would have got, and whatever was decided of others behind it. It is the
    first gate: who passed it is no less treated where a journey's own control group, or a cap until his letter expired, held it back.
    """
    if asked.document is None:
        would, ours = STATES["would_have_sent"], f"l.salt <> {text(ELSEWHERE)}"
        behind = (
            f"t.state = {STATES['sent']} AND l.class <> 'service'",
            f"t.state = {would} AND l.rule = {text(LOCAL)} AND {ours}",
            f"t.state = {STATES['skipped']} AND l.rule = {text(EXPIRED)} AND l.class NOT IN ('service', '')",
        )
        return f"(t.state = {would} AND l.rule = {text(GLOBAL_RULE)} OR {' OR '.join(behind)})"
    step = f" AND l.step = {text(asked.step)}" if asked.step else ""
    salt = f" AND l.salt IN ({', '.join(map(text, asked.salts))})" if asked.salts else ""
    return f"t.state = {STATES['exposed']} AND starts_with(l.rule, 'arm:') AND l.document = {text(asked.document)}{step}{salt}"


def _arm(asked: Exposures) -> str:
    if asked.document is None:
        return f"CASE WHEN l.rule = {text(GLOBAL_RULE)} THEN 'control' ELSE 'treatment' END"
    named = "substr(l.rule, 5)"
    return (
        f"CASE WHEN {named} IN ({', '.join(map(text, asked.arms))}) THEN {named} ELSE {text(asked.others)} END"
        if asked.others
        else named
    )


def _settled(duck: Any) -> dict[int, str]:
    """The arm of each who was in several."""
    exposures: dict[int, list[Told]] = {}
    for n, *told in duck.execute(PIECES).fetchall():
        exposures.setdefault(n, []).append(Told(*told))
    pairs: dict[int, dict[int, list[Pair]]] = {}
    for n, person, at, name in duck.execute(PAIRS).fetchall() if exposures else ():
        pairs.setdefault(n, {}).setdefault(person, []).append((at, name))
    return {n: settled(told, pairs.get(n, {})) for n, told in exposures.items()}


def settled(told: Sequence[Told], pairs: Mapping[int, Iterable[Pair]]) -> str:
    """The arm of one person. pairs: those that each of his pieces ever had.

    A merge only ever makes a pair smaller, so that the first of a piece is the greatest it had, and the smallest of all survives. The
    exposures of the piece that brought it count, and of these the first; it brought none: the last of all, which was by what survives if any was.
    """
    first = {person: max(of) for person, of in pairs.items()}
    survivor = min((pair for of in pairs.values() for pair in of), default=None)
    own = [one for one in told if survivor is not None and first.get(one.person) == survivor]
    return min(own, key=_order).arm if own else max(told, key=_order).arm


def _order(one: Told) -> tuple[int, str]:
    return one.moment, one.arm
