"""The messages that a report is about, as temporary tables of one instant of the index.

`unit` has a row for each message, and for each that a control group would have got: whose (`n`), when, which part of the report it is in and
in which group of rows. `counted` adds what became of each, and whether the target action followed.
"""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from pyroaring import BitMap

from runtime.lake import text
from schemas.reports import PERIODS, Group, Outcomes
from schemas.zones import Unit, zone
from services.audience.store import verdicts
from services.audience.store.answers import View
from services.audience.store.verdicts import ELSEWHERE, STATES

ACCEPTED, IN_DOUBT, LOCAL, GLOBAL, FAILED = range(5)  # parts of a report
GLOBAL_RULE = "global_control"
MACHINE_MS = 2_000  # what comes sooner after a message is no person's doing
SLACK_MS = 86_400_000  # by so much a provider's clock may be behind ours
MANY_LINKS = 3  # all clicked within MACHINE_MS: a scanner looked at the letter
OF_LETTER: tuple[Group, ...] = ("document", "step", "channel", "class", "launch", "version", "brand")
GROUPED = "gl, gp, gv, gt"  # number of the letter's group, start of the period (ms), variant, template

NAMED = ("k", "brand", "document", "version", "step", "channel", "class", "launch", "rule", "salt")
LETTERS = f"SELECT {', '.join(NAMED)} FROM letter"
UNITS = """
CREATE OR REPLACE TEMP TABLE unit AS
SELECT {whose} AS n, t.moment, t.key, c.gl, c.d, c.ch, CASE t.state WHEN {accepted} THEN 0 WHEN {doubt} THEN 1 WHEN {failed} THEN 4 ELSE if(c.everywhere, 3, 2) END AS part
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
SELECT {whose} AS n, t.moment, c.d, max(substr(c.rule, 5)) AS arm FROM verdict t JOIN chosen c ON c.k = t.letter{join}
WHERE t.state = {exposed} AND t.moment <= {now} GROUP BY ALL
"""
BECAME = """
CREATE OR REPLACE TEMP TABLE became AS SELECT r.key,
    bool_or(kind = {DELIVERED}) AS told, bool_or(kind = {BOUNCED}) AS bounced, bool_or(kind = {OPENED}) AS opened_raw,
    bool_or(kind = {OPENED} AND NOT machine AND r.moment >= u.moment + {soon}) AS opened, bool_or(kind = {CLICKED}) AS clicked_raw,
    bool_or(kind = {CLICKED} AND NOT machine AND r.moment >= u.moment + {soon})
        AND NOT (count(DISTINCT link) FILTER (kind = {CLICKED}) >= {many}
            AND max(r.moment) FILTER (kind = {CLICKED}) - min(r.moment) FILTER (kind = {CLICKED}) <= {soon}) AS clicked,
    bool_or(kind = {UNSUBSCRIBED}) AS unsubscribed, bool_or(kind = {COMPLAINED}) AS complained
FROM response r JOIN unit u ON u.key = r.key AND u.part IN (0, 4)
WHERE r.moment >= {since} AND r.moment <= {now} AND kind <> {SENT} GROUP BY r.key
"""
KINDS = {
    name: getattr(verdicts, name) for name in ("SENT", "DELIVERED", "OPENED", "CLICKED", "BOUNCED", "UNSUBSCRIBED", "COMPLAINED")
}
FLAGS = ("delivered", "bounced", "opened", "opened_raw", "clicked", "clicked_raw", "click_to_open", "unsubscribed", "complained")
MESSAGES = """
CREATE OR REPLACE TEMP TABLE counted AS SELECT u.n, u.moment, u.key, u.part, u.gl, {period} AS gp, {variant} AS gv, {template} AS gt,
    u.part = 0 AND CASE WHEN reporting.ch IS NULL THEN NOT coalesce(bounced, false) ELSE coalesce(told OR opened_raw OR clicked_raw, false) END
        AS delivered,
    {flags}, coalesce(opened AND clicked, false) AS click_to_open, {converted} AS converted
FROM unit u LEFT JOIN became b ON b.key = u.key LEFT JOIN reporting ON reporting.ch = u.ch{joined}{where}
"""


class Span(NamedTuple):
    """[since, until) in ms."""

    since: int
    until: int


class Groups(NamedTuple):
    """labels: of each group of letters, what stands in a row for the parts of OF_LETTER that rows are of."""

    labels: Sequence[tuple[Any, ...]]


def gather(view: View, asked: Outcomes, span: Span, members: BitMap | None) -> Groups:
    """Make `unit`, and `became`, for what is asked. members: only these people."""
    duck = view.instant.duck
    groups = _choose(duck, asked)
    names = {"whose": view.leaves.whose, "join": view.leaves.join, "now": view.now}
    states = {
        "accepted": STATES["accepted"],
        "control": STATES["would_have_sent"],
        "doubt": STATES["in_doubt"],
        "failed": STATES["failed"],
    }
    duck.execute(UNITS.format(since=span.since, until=span.until, **states, **names))
    duck.execute(SETTLED.format(IN_DOUBT=IN_DOUBT, FAILED=FAILED, now=view.now, **states))
    if members is not None:
        duck.execute("DELETE FROM unit WHERE n NOT IN (SELECT unnest($1::INTEGER[]))", [list(members)])
    duck.execute(BECAME.format(soon=MACHINE_MS, many=MANY_LINKS, since=span.since - SLACK_MS, now=view.now, **KINDS))
    duck.execute(
        "CREATE OR REPLACE TEMP TABLE reporting AS SELECT DISTINCT ch FROM unit JOIN became USING (key) WHERE told AND part = 0"
    )
    return groups


def _choose(duck: Any, asked: Outcomes) -> Groups:
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
    return Groups(list(labels))


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


def join(view: View, asked: Outcomes) -> None:
    """`counted` of `unit` (and of `followed`, where there is a target action), with the groups that are not of the letter."""
    duck, names = view.instant.duck, {"whose": view.leaves.whose, "join": view.leaves.join, "now": view.now}
    joined, where = "", []
    period, variant, template = "0::BIGINT", "''", "''"
    if unit := next((one for one in asked.by if one in PERIODS), None):
        _mark_periods(duck, unit, asked.zone)  # type: ignore[arg-type]
        joined, period = joined + " ASOF JOIN period p ON u.moment >= p.start", "p.start"
    if "variant" in asked.by or asked.variants:
        arms = ARMS.format(exposed=STATES["exposed"], **names)
        joined += f" ASOF LEFT JOIN ({arms}) a ON a.n = u.n AND a.d = u.d AND u.moment >= a.moment"
        variant = "CASE WHEN u.part NOT IN (2, 3) THEN coalesce(a.arm, '') ELSE '' END"
        where += [f"(u.part IN (2, 3) OR a.arm IN ({', '.join(map(text, asked.variants))}))"] if asked.variants else []
    if "template" in asked.by or asked.templates:
        sent = (
            "SELECT r.key, min(t.name) AS name FROM response r JOIN unit o ON o.key = r.key JOIN template t ON t.k = r.template "
            f"WHERE kind = {verdicts.SENT} GROUP BY r.key"
        )
        joined += f" LEFT JOIN ({sent}) s ON s.key = u.key"
        template = "CASE WHEN u.part NOT IN (2, 3) THEN coalesce(s.name, '') ELSE '' END"
        where += [f"(u.part IN (2, 3) OR s.name IN ({', '.join(map(text, asked.templates))}))"] if asked.templates else []
    converted = "false"
    if asked.target is not None:
        joined += " LEFT JOIN followed f ON f.key = u.key AND f.part = u.part"
        converted = "f.key IS NOT NULL"
    flags = ", ".join(f"coalesce({one}, false) AS {one}" for one in FLAGS if one not in ("delivered", "click_to_open"))
    chosen = f" WHERE {' AND '.join(where)}" if where else ""
    duck.execute(
        MESSAGES.format(
            period=period, variant=variant, template=template, converted=converted, flags=flags, joined=joined, where=chosen
        )
    )


def _mark_periods(duck: Any, unit: Unit, name: str) -> None:
    """Where each period begins in which a message may lie."""
    clock = zone(name)
    least, most = duck.execute("SELECT coalesce(min(moment), 0), coalesce(max(moment), 0) FROM unit").fetchall()[0]
    starts = [clock.start(unit, one) for one in range(clock.period(unit, least), clock.period(unit, most) + 1)]
    duck.execute("CREATE OR REPLACE TEMP TABLE period AS SELECT unnest($1::BIGINT[]) AS start", [starts])
