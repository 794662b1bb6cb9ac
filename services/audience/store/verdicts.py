"""What was decided about messages and what became of them, for reports: fast to read by document and by person.

`letter` has what verdicts have in common, each combination once, so that a verdict is five numbers. `verdict` has one row for each verdict of a
message (or of a decision without one). `response` has what was told of messages afterwards: that they went out (with their template), came, bounced, were
opened, clicked, and answered with a no. A row is of a piece of history (store/people.py), as facts are.
"""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.lake import quote, text
from schemas.messages import Verdict
from schemas.steps import LETTER_EVENTS
from services.audience.store.happenings import AT
from services.audience.store.people import NUMBERS, OWN
from services.audience.store.versions import Part

# Of the others (deferred, entered, ...) a report asks nothing. Numbers stand in files: only add; 4, 8 and 9 were others.
STATES: Mapping[Verdict, int] = {
    "sent": 0, "accepted": 1, "failed": 2, "in_doubt": 3, "would_have_sent": 5, "exposed": 6, "skipped": 7,
}  # fmt: skip
SENT, DELIVERED, OPENED, CLICKED, BOUNCED, UNSUBSCRIBED, COMPLAINED = range(7)
_BECAME = {"delivered": DELIVERED, "opened": OPENED, "clicked": CLICKED, "bounced": BOUNCED}
CHANNELS = {"Email": "email", "SMS": "sms", "Telegram": "telegram", "VK": "vk"}
RESPONSES: Mapping[str, int] = {
    **{event: _BECAME[became] for event, became in LETTER_EVENTS.items()},
    **{f"{way} Sent": SENT for way in CHANNELS},
    **{f"{way} Unsubscribed": UNSUBSCRIBED for way in CHANNELS},
    "Unsubscribed": UNSUBSCRIBED, "Consent Withdrawn": UNSUBSCRIBED,
    **{f"{way} Marked as Spam": COMPLAINED for way in CHANNELS},
}  # fmt: skip
OTHERS = "imported"  # the rule of messages that were not ours
ASSIGNED = "Arm Assigned"  # an imported fact: who was given which arm of a test that somebody else ran
ELSEWHERE = "(imported)"  # the salt of such exposures; none of ours has brackets
CONTROL, LOCAL = "control", "local_control"
EXPIRED = (
    "expired"  # of all that was skipped, reports ask of what waited until it was too late: it had passed the global control group
)
MAILER = "md5(brand) || md5(source) || "  # an id of another mailer is one of his alone: each of them begins at 1
SENDER = "sender"  # its messages have verdicts; those of others, which were imported, have only facts
SCAN_MS = 2_000  # no reader does anything sooner after a message came, nor follows many links within it
SCANNED_LINKS = 3  # different ones: so many are many

TABLES = """
CREATE TABLE letter (k INTEGER, brand VARCHAR, document VARCHAR, version INTEGER, step VARCHAR, channel VARCHAR, class VARCHAR, rule VARCHAR,
    launch VARCHAR, salt VARCHAR);
CREATE TABLE verdict (person INTEGER, moment BIGINT, state UTINYINT, letter INTEGER, key UUID);
CREATE TABLE response (person INTEGER, moment BIGINT, kind UTINYINT, key UUID, link BIGINT, machine BOOLEAN, template INTEGER);
CREATE TABLE template (k INTEGER, name VARCHAR);
"""
SAME = ("brand", "document", "version", "step", "channel", "class", "rule", "launch", "salt")
TOLD = """
CREATE OR REPLACE TEMP TABLE fresh AS SELECT f.profile, f.profile AS home, f.brand, epoch_ms(received_at) AS received, {at} AS moment,
    {state} AS state, {key} AS key, coalesce(document, '') AS document, coalesce(version, 0) AS version, coalesce(step, '') AS step,
    coalesce(channel, '') AS channel, coalesce(message_class, '') AS class, {rule} AS rule,
    CASE WHEN starts_with(document, 'campaign:') THEN coalesce(occurrence, '') ELSE '' END AS launch,
    CASE WHEN verdict = 'exposed' THEN coalesce(detail::JSON ->> 'salt', '') ELSE '' END AS salt
FROM {table} f JOIN bounds b USING (topic, kafka_partition)
WHERE kafka_offset >= low AND kafka_offset < high AND profile IS NOT NULL AND verdict IN ({states})
    AND (verdict <> 'skipped' OR rule = {expired})
"""
# What a provider says of one failure is no group of a report.
RULE = "CASE WHEN verdict IN ('failed', 'accepted', 'in_doubt', 'sent') THEN '' ELSE coalesce(rule, '') END"
LETTERS = """
INSERT INTO letter SELECT ((SELECT coalesce(max(k) + 1, 0) FROM letter) + row_number() OVER () - 1)::INTEGER, *
FROM (SELECT DISTINCT {same} FROM {of} EXCEPT SELECT {same} FROM letter)
"""
# A message has each verdict once: one that comes again changes nothing.
VERDICTS = """
INSERT INTO verdict SELECT n, moment, state, letter.k, key FROM {of} f JOIN numbers USING (profile, home) JOIN letter USING ({same})
WHERE NOT EXISTS (FROM verdict v WHERE v.key = f.key AND v.state = f.state)
QUALIFY row_number() OVER (PARTITION BY key, state ORDER BY moment, n) = 1 ORDER BY moment
"""
IMPORTED = """
CREATE OR REPLACE TEMP TABLE imported AS SELECT profile, home, brand, moment, {state}::UTINYINT AS state, {key} AS key, {document} AS document,
    0 AS version, coalesce({step}, '') AS step, CASE {ways} END AS channel, coalesce({class_}, 'mass') AS class, {rule} AS rule, '' AS launch, '' AS salt
FROM fresh WHERE name IN ({sent}) AND source <> {sender} AND {document} IS NOT NULL
"""
# Who was in the control group would have got it, too.
ELSEWHERE_TOLD = """
CREATE OR REPLACE TEMP TABLE assigned AS SELECT profile, home, brand, moment, state::UTINYINT AS state, {key} AS key, {document} AS document,
    0 AS version, CASE state WHEN {exposed} THEN '' ELSE coalesce({step}, '') END AS step,
    CASE state WHEN {exposed} THEN '' ELSE coalesce({channel}, '') END AS channel, CASE state WHEN {exposed} THEN '' ELSE coalesce({class_}, 'mass') END AS class,
    CASE state WHEN {exposed} THEN 'arm:' || {arm} ELSE {local} END AS rule, '' AS launch, {salt} AS salt
FROM fresh, (VALUES ({exposed}), ({would})) AS twice(state)
WHERE name = {assigned} AND source <> {sender} AND {document} <> '' AND {arm} <> '' AND (state = {exposed} OR {arm} = {control})
"""
HEARD = """
INSERT INTO response SELECT n, moment, CASE fresh.name {kinds} END::UTINYINT, {key}, {link}, coalesce({machine}, false), t.k
FROM fresh JOIN numbers USING (profile, home) LEFT JOIN template t ON t.name = {template}
WHERE fresh.name IN ({names}) AND {intent} IS NOT NULL ORDER BY moment
"""
NAMED = """
INSERT INTO template SELECT ((SELECT coalesce(max(k) + 1, 0) FROM template) + row_number() OVER () - 1)::INTEGER, name
FROM (SELECT DISTINCT {template} AS name FROM fresh WHERE name IN ({names}) AND {template} IS NOT NULL EXCEPT SELECT name FROM template)
"""

# Clicks of one instant are alike: all are a scanner's or none. Two cells of SCAN_MS hold all that may follow a click so soon.
SCANNED = """
WITH click AS MATERIALIZED ({clicks}), several AS MATERIALIZED (SELECT DISTINCT key, moment, link FROM click SEMI JOIN
    (SELECT key FROM click GROUP BY key HAVING count(*) >= {links} AND min(link) <> max(link)) many USING (key))
SELECT a.key, unnest(list(DISTINCT b.moment)) AS clicked FROM several a
JOIN (SELECT *, unnest([moment // {soon}, moment // {soon} - 1]) AS cell FROM several) b
    ON b.key = a.key AND b.cell = a.moment // {soon} AND b.moment >= a.moment AND b.moment < a.moment + {soon}
GROUP BY a.key, a.moment HAVING count(DISTINCT b.link) >= {links}{near}
"""
BEFORE_SENT = (
    " UNION SELECT c.key, c.moment AS clicked FROM click c JOIN ({sent}) s ON s.key = c.key AND c.moment < s.moment + {soon}"
)
AT_DELIVERY = " UNION SELECT c.key, c.moment AS clicked FROM click c JOIN ({delivered}) d ON d.key = c.key AND c.moment >= d.moment AND c.moment < d.moment + {soon}"


def scanned(clicks: str, sent: str | None, delivered: str | None) -> str:
    """A query for the clicks that were a scanner's, though nothing marks them: key (of the message) and the instant `clicked`, each pair once. They
    came before a message was SCAN_MS old, or so soon after its delivery, or followed SCANNED_LINKS different links within SCAN_MS. clicks: a
    query for key, moment, link (a whole number); sent, delivered: for key and moment; None: nothing tells of that.
    """
    near = BEFORE_SENT.format(sent=sent, soon=SCAN_MS) if sent else ""
    near += AT_DELIVERY.format(delivered=delivered, soon=SCAN_MS) if delivered else ""
    return f"SELECT DISTINCT key, clicked FROM ({SCANNED.format(clicks=clicks, links=SCANNED_LINKS, soon=SCAN_MS, near=near)})"


def key_of(words: str, within: str = "") -> str:
    """An id as a key: ours are UUIDs, those of others may be any text. within: SQL of a text within which such an id counts."""
    return f"coalesce(try_cast({words} AS UUID), md5({within}{words})::UUID)"


def decided(duck: Any, table: str) -> set[Part]:
    """Take the verdicts of a table of the lake that stand between the bounds. What moved."""
    states = "CASE verdict " + " ".join(f"WHEN '{name}' THEN {number}" for name, number in STATES.items()) + " END::UTINYINT"
    own = key_of("coalesce(nullif(intent, ''), id)")
    duck.execute(
        TOLD.format(
            at=AT, state=states, key=own, rule=RULE, table=table, states=", ".join(map(text, STATES)), expired=text(EXPIRED)
        )
    )
    moved: set[Part] = {("new", "")} if duck.execute(OWN.format(of="fresh")).fetchall()[0][0] else set()
    duck.execute(NUMBERS)
    _keep(duck, "fresh")
    return moved


def _keep(duck: Any, of: str) -> None:
    same = ", ".join(SAME)
    duck.execute(LETTERS.format(same=same, of=of))
    duck.execute(VERDICTS.format(same=same, of=of))


def heard(duck: Any) -> None:
    """Take what the fresh facts (with their `numbers`) tell of messages."""
    there = {row[0] for row in duck.execute("DESCRIBE fresh").fetchall()}
    intent, template = _column(there, "p_s_intent"), _column(there, "p_s_template")
    names = ", ".join(map(text, RESPONSES))
    duck.execute(NAMED.format(template=template, names=names))
    kinds = " ".join(f"WHEN {text(name)} THEN {kind}" for name, kind in RESPONSES.items())
    duck.execute(
        HEARD.format(kinds=kinds, key=key_of(intent, MAILER), link=_column(there, "p_i_link", "BIGINT"), machine=_column(there, "p_b_machine", "BOOLEAN"),
                     template=template, names=names, intent=intent)
    )  # fmt: skip
    _imported(duck, there)
    _assigned(duck, there)


def _imported(duck: Any, there: set[str]) -> None:
    """Messages that somebody else sent, of whose sending facts were imported: they were accepted."""
    if "p_s_document" not in there:
        return
    ways = " ".join(f"WHEN starts_with(name, {text(way)}) THEN {text(channel)}" for way, channel in CHANNELS.items())
    key = key_of(f"coalesce({_column(there, 'p_s_intent')}, id::VARCHAR)", MAILER)
    duck.execute(
        IMPORTED.format(state=STATES["accepted"], key=key, document="p_s_document", step=_column(there, "p_s_step"), ways=ways, rule=text(OTHERS),
                        class_=_column(there, "p_s_class"), sent=", ".join(text(name) for name, kind in RESPONSES.items() if kind == SENT),
                        sender=text(SENDER))
    )  # fmt: skip
    _keep(duck, "imported")


def _assigned(duck: Any, there: set[str]) -> None:
    """Who stood in which arm of what somebody else sent, or did not: facts of it were imported."""
    if not {"p_s_document", "p_s_arm"} <= there:
        return
    duck.execute(
        ELSEWHERE_TOLD.format(key=key_of("id::VARCHAR"), document="p_s_document", arm="p_s_arm", step=_column(there, "p_s_step"),
                              channel=_column(there, "p_s_channel"), class_=_column(there, "p_s_class"), exposed=STATES["exposed"],
                              would=STATES["would_have_sent"], salt=text(ELSEWHERE), local=text(LOCAL), control=text(CONTROL),
                              assigned=text(ASSIGNED), sender=text(SENDER))
    )  # fmt: skip
    _keep(duck, "assigned")


def _column(there: set[str], name: str, kind: str = "VARCHAR") -> str:
    return quote(name) if name in there else f"NULL::{kind}"


def forget(duck: Any, pieces: Sequence[int], *, told: bool = False) -> None:
    """Delete what is of these pieces. told: only what facts told of them, which are read again."""
    only = f" AND letter IN (SELECT k FROM letter WHERE rule = {text(OTHERS)} OR salt = {text(ELSEWHERE)})" if told else ""
    for table, where in (("response", ""), ("verdict", only)):
        duck.execute(f"DELETE FROM {table} WHERE person IN (SELECT unnest($1::INTEGER[])){where}", [list(pieces)])


def forget_before(duck: Any, since: int) -> None:
    for table in ("response", "verdict"):
        duck.execute(f"DELETE FROM {table} WHERE moment < {since}")
