"""The target action beside messages: who did it after one, and to which message each deed is credited."""
# ruff: noqa: S608 - names of ours and quoted texts

from typing import Any

from schemas.reports import Target
from services.audience.reports.outcomes_messages import ACCEPTED, GLOBAL, GROUPED, LOCAL
from services.audience.reports.target import currency_of, hits
from services.audience.store.answers import View

CREDITS = """
CREATE OR REPLACE TEMP TABLE credit (part INTEGER, n INTEGER, gl INTEGER, gp BIGINT, gv VARCHAR, gt VARCHAR, amount BIGINT);
"""
# Of several messages of one instant the one with the least key: the same each time.
CREDITED = """
INSERT INTO credit SELECT {part}, h.n, l.g.gl, l.g.gp, l.g.gv, l.g.gt, h.amount FROM hit h ASOF JOIN (
    SELECT n, moment, arg_min({{gl: gl, gp: gp, gv: gv, gt: gt}}, key) AS g FROM message SEMI JOIN hit USING (n) WHERE part = {part} GROUP BY n, moment
) l ON l.n = h.n AND h.moment > l.moment WHERE h.moment <= l.moment + {window}
"""
CONVERTED = """
CREATE OR REPLACE TEMP TABLE counted AS SELECT m.*, coalesce(h.moment <= m.moment + {window}, false) AS converted
FROM message m ASOF LEFT JOIN hit h ON h.n = m.n AND m.moment < h.moment
"""


def count(view: View, target: Target | None) -> str | None:
    """Make `counted` (messages with whether the action followed within the window) and `credit` (each action with the last message before it).
    The currency of the amounts. Raises MixedCurrencies.
    """
    duck = view.instant.duck
    duck.execute(CREDITS)
    if target is None:
        duck.execute("CREATE OR REPLACE TEMP TABLE counted AS SELECT *, false AS converted FROM message")
        return None
    least, most = duck.execute("SELECT coalesce(min(moment), 0), coalesce(max(moment), -1) FROM message").fetchall()[0]
    found = hits(view.leaves, target, least, most + target.window)
    duck.execute(f"CREATE OR REPLACE TEMP TABLE hit AS SELECT * FROM ({found}) WHERE n IN (SELECT n FROM message)")
    duck.execute(CONVERTED.format(window=target.window))
    for part in (ACCEPTED, LOCAL, GLOBAL):
        if _any(duck, part):
            duck.execute(CREDITED.format(part=part, window=target.window))
    return currency_of(duck, "SELECT * FROM hit") or target.currency


def _any(duck: Any, part: int) -> bool:
    found: bool = duck.execute(f"SELECT EXISTS (FROM message WHERE part = {part})").fetchall()[0][0]
    return found


def credited(groups: bool) -> str:
    """A query for what is credited, by part and person, or by group too."""
    of = f"part, {GROUPED}, n" if groups else "part, n"
    return f"SELECT {of}, count(*) AS actions, sum(amount) AS amount, count_if(amount < 0) AS negative FROM credit GROUP BY {of}"
