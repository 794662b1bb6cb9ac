"""The target action beside messages: who did it after one, and to which message each deed is credited."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Sequence

from schemas.reports import Target
from services.audience.reports.outcomes_messages import ACCEPTED, GLOBAL, GROUPED, LOCAL
from services.audience.reports.target import currency_of, hits
from services.audience.reports.touches import among
from services.audience.store.answers import View

CREDITS = """
CREATE OR REPLACE TEMP TABLE credit (part INTEGER, n INTEGER, gl INTEGER, gp BIGINT, gv VARCHAR, gt VARCHAR, amount BIGINT);
"""
# Of several messages of one instant the one with the least key: the same each time.
CREDITED = """
INSERT INTO credit SELECT {part}, h.n, l.g.gl, l.g.gp, l.g.gv, l.g.gt, h.amount FROM hit h ASOF JOIN (
    SELECT n, moment, arg_min({{gl: gl, gp: gp, gv: gv, gt: gt}}, key) AS g FROM counted SEMI JOIN hit USING (n) WHERE part = {part} GROUP BY n, moment
) l ON l.n = h.n AND h.moment > l.moment WHERE h.moment <= l.moment + {window}
"""
FOLLOWED = """
CREATE OR REPLACE TEMP TABLE followed AS SELECT DISTINCT u.key, u.part
FROM (SELECT n, moment, key, part FROM unit SEMI JOIN hit USING (n)) u ASOF JOIN hit h ON h.n = u.n AND u.moment < h.moment
WHERE h.moment <= u.moment + {window}
"""


def follow(view: View, target: Target, brands: Sequence[str]) -> str | None:
    """Make `hit`, the target actions of people of `unit`, and `followed`, the messages after which one came within the window. The currency of
    the amounts. brands: actions in these alone; none: in all. Raises MixedCurrencies.
    """
    duck = view.instant.duck
    least, most = duck.execute("SELECT coalesce(min(moment), 0), coalesce(max(moment), -1) FROM unit").fetchall()[0]
    found = hits(view.leaves, target, least, most + target.window, where=among(brands))
    duck.execute(f"CREATE OR REPLACE TEMP TABLE hit AS SELECT * FROM ({found}) WHERE n IN (SELECT n FROM unit)")
    duck.execute(FOLLOWED.format(window=target.window))
    return currency_of(duck, "SELECT * FROM hit") or target.currency


def credit(view: View, target: Target | None) -> None:
    """Make `credit`: each action with the last message of `counted` before it."""
    duck = view.instant.duck
    duck.execute(CREDITS)
    if target is not None:
        for (part,) in duck.execute(f"SELECT DISTINCT part FROM counted WHERE part IN ({ACCEPTED}, {LOCAL}, {GLOBAL})").fetchall():
            duck.execute(CREDITED.format(part=part, window=target.window))


def credited(groups: bool) -> str:
    """A query for what is credited, by part and person, or by group too."""
    of = f"part, {GROUPED}, n" if groups else "part, n"
    return f"SELECT {of}, count(*) AS actions, sum(amount) AS amount, count(*) FILTER (amount < 0) AS negative FROM credit GROUP BY {of}"
