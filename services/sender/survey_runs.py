"""Runs of surveys: which answers of one count, and for how long more are taken. What was answered does not stand here: that is a fact."""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from runtime.db import Connection
from schemas.ids import derive
from schemas.surveys import END, Counted
from services.sender import links

DAY_MS = 86_400_000
WORD_DAYS = 7  # for so long an open page can be answered after it was shown
COMPLETE = ""  # in the place of a question: the run is at its end

COUNTED = "SELECT question, points, next FROM survey_answer WHERE run = $1"
COUNT = """
INSERT INTO survey_answer (run, question, points, next, at, until, message)
SELECT $1, u.question, u.points, u.next, $5, $6, $7 FROM unnest($2::text[], $3::bigint[], $4::text[]) AS u (question, points, next)
ORDER BY u.question ON CONFLICT DO NOTHING
"""
ENDED = "DELETE FROM survey_answer WHERE run = $1 AND question <> ''"
# Who adds some takes away more that are over: there are never many of them.
FORGET = """
DELETE FROM survey_answer WHERE (run, question) IN (
    SELECT run, question FROM survey_answer WHERE until <= $1 ORDER BY until, run, question LIMIT 1000 FOR UPDATE SKIP LOCKED
)
"""


class Run(NamedTuple):
    """until: nothing is answered in it from then on (ms). message: whose link it is."""

    id: str
    until: int
    message: str | None


def word_of(now: int, keys: links.Keys) -> str:
    """Tells the visits of an open page apart. Who answers brings one that we have made."""
    return links.sign(links.Kind.SURVEY, derive("survey visit", secrets.token_hex(16)), now // DAY_MS, keys)


def word_ends(word: str, now: int, keys: links.Keys) -> int | None:
    """The instant (ms) from which nothing is answered with this word; None: that has been, or it is none of ours."""
    link = links.read(word, keys)
    ends = (link.number + WORD_DAYS) * DAY_MS if link is not None and link.kind is links.Kind.SURVEY else 0
    return ends if now < ends else None


async def counted(connection: Connection, run: str) -> dict[str, Counted]:
    """By question; COMPLETE among them: the run is."""
    rows = await connection.fetch(COUNTED, run)
    return {row["question"]: Counted(row["points"], row["next"]) for row in rows}


async def keep(connection: Connection, run: Run, new: Mapping[str, Counted], now: int, *, complete: bool) -> None:
    """Count these, by question. Of a complete run only that it is stays."""
    rows = {COMPLETE: Counted(0, END)} if complete else new
    if not rows:
        return
    points, onward = [one.points for one in rows.values()], [one.next for one in rows.values()]
    await connection.execute(COUNT, run.id, list(rows), points, onward, now, run.until, run.message)
    if complete:
        await connection.execute(ENDED, run.id)
    await connection.execute(FORGET, now)
