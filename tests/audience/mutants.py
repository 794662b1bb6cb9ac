"""`python -m tests.audience.mutants [WORD]`: break bulk evaluation on purpose, one rule at a time; its tests must turn red. No servers."""

import sys

from tests.mutants.mutants import Mutant
from tests.mutants.run import without_servers

STORE = "services/audience/store"
LAW = ("tests/audience/test_live_is_bulk.py",)
FOLDING = ("tests/audience/test_folding.py",)
INDEX = ("tests/audience/test_index.py",)
DOMAIN, REPORTS = "services/audience/domain", "services/audience/reports"
CREDIT = ("tests/audience/test_crediting.py",)
WAYS = ("tests/audience/test_attribution.py", "tests/audience/test_analyses.py")
STEPS = ("tests/audience/test_stepping.py",)
OPENING = ("tests/audience/test_opening.py",)
SCANNERS = ("tests/audience/test_scanners.py",)
OUTCOMES = ("tests/audience/test_outcomes.py",)
FOLLOWING = ("tests/audience/test_following.py",)
TOLD = ("tests/audience/test_verdicts.py",)
EXPOSED = ("tests/audience/test_exposures.py",)

MUTANTS = (
    Mutant("the edge of a window", f"{STORE}/windows.py", 'Span(f"moment > {now - leaf.within}")', 'Span(f"moment >= {now - leaf.within}")', LAW),
    Mutant("the edge of an age", f"{STORE}/folding.py", "(edge <= older_than", "(edge < older_than", FOLDING),
    Mutant("the edge of a date", f"{STORE}/leaves.py", "{value} <= {self._now + leaf.until}", "{value} < {self._now + leaf.until}", LAW),
    Mutant("until now", f"{STORE}/leaves.py", 'f"moment <= {self._now}", where', '"true", where', INDEX),
    Mutant("ties do not cancel", f"{STORE}/folding.py", "(undone <= last)", "(undone < last)", LAW),
    Mutant("a sequence takes time", f"{STORE}/leaves.py", "a.n = b.n AND b.moment > a.moment", "a.n = b.n AND b.moment >= a.moment", LAW),
    Mutant("between is between", f"{STORE}/leaves.py", "c.moment <= a.moment)", "c.moment < a.moment)", LAW),
    Mutant("nothing is zero", f"{STORE}/folding.py", "return ~holds if COMPARISON[op](0, value) else holds", "return holds", LAW),
    Mutant("an average of nothing", f"{STORE}/folding.py", "_only((count > 0) & compared", "_only(compared", FOLDING),
    Mutant("sums are whole", f"{DOMAIN}/summing.py", "EXACT = 2**62", "EXACT = 2**90", FOLDING),
    Mutant("of whom it can be asked", f"{STORE}/folding.py", "holds = holds & (_counted(rows, size) > 0)", "pass", (*FOLDING, *LAW)),
    Mutant("rows of several pieces", f"{STORE}/folding.py", "    whose[self._persons] = self._owners", "    pass", FOLDING),
    Mutant("the greater text of a tie", f"{STORE}/said.py", "ORDER BY moment DESC, json DESC", "ORDER BY moment DESC, json", (*LAW, *INDEX)),
    Mutant("the greater text of two", f"{STORE}/leaves.py", "(t.moment, t.json))", "t.moment)", (*LAW, *INDEX)),
    Mutant("a whole number is no text", f"{STORE}/values.py", "return _numbers(test, value)", "return _numbers(test, value._replace(whole=value.text + '::BIGINT'))", LAW),
    Mutant("missing is what is not there", f"{STORE}/leaves.py", 'missing = leaf.op == "missing"', "missing = False", LAW),
    Mutant("whoever has several pieces", f"{STORE}/people.py", "HAVING count(*) > 1", "HAVING count(*) > 2", (*LAW, *INDEX)),
    Mutant("merges go round", "services/audience/domain/whose.py", "_end(leads, roots[winner]), _end", "roots[winner], _end", INDEX),
    Mutant("each fact once", f"{STORE}/index.py", "WHERE kafka_offset >= low AND kafka_offset < high AND profile IS NOT NULL{only}", "WHERE profile IS NOT NULL{only}", INDEX),
    Mutant("his own after an unmerge", f"{STORE}/people.py", "    _part(duck, parts)\n", "", INDEX),
    Mutant("what was said before a split", f"{STORE}/said.py", 'WHERE received >= cut"', '"', INDEX),
    Mutant("read again after an unmerge", f"{STORE}/index.py", "if apart and news.had:", "if False:", INDEX),
    Mutant("the erased are gone", f"{STORE}/index.py", "        self.events.forget(self._duck, pieces)\n", "", INDEX),
    Mutant("the erased stay gone", f"{STORE}/people.py", 'WHERE p.owner IS NOT NULL\n"""\nSEEN', '"""\nSEEN', INDEX),
    Mutant("what goes by rule", "services/audience/domain/said.py", "if name not in set(ruled)", "", INDEX),
    Mutant("before a window", f"{DOMAIN}/ways.py", "np.clip(moment - self._low, -1,", "np.clip(moment - self._low, 0,", CREDIT),
    Mutant("a chain is one touch", f"{DOMAIN}/ways.py", 'np.searchsorted(news, low, side="right")', 'np.searchsorted(news, low, side="left")', CREDIT),
    Mutant("what led nowhere", f"{DOMAIN}/ways.py", "(np.cumsum(depth[:-1]) == 0) & seen", "seen", CREDIT),
    Mutant("whose is what is left over", f"{DOMAIN}/crediting.py", "of_edge > of_middle, edges_first, edges_last", "of_edge > of_middle, edges_last, edges_first", CREDIT),
    Mutant("lost is not converted", f"{DOMAIN}/markov.py", "end = labels + kind", "end = labels", CREDIT),
    Mutant("the last of all channels", f"{DOMAIN}/lasting.py", "found = np.maximum(", "found = np.minimum(", CREDIT),
    Mutant("a sale ends a lead", f"{DOMAIN}/leads.py", "and not _sold(", "and not (lambda *_: False)(", CREDIT),
    Mutant("a click and its visit", f"{REPORTS}/touches.py", "kept = ~_led_by_click(n, moment, own, clicked)", "kept = ~(own & ~own)", WAYS),
    Mutant("a cohort's own steps", f"{REPORTS}/funnel.py", "walk.n[here() & (taken != NEVER)]", "walk.n[taken != NEVER]", OPENING),
    Mutant("a place's own people", f"{REPORTS}/touchpoints.py", '"registered": (n[later], here[later])', '"registered": (n[paid], here[paid])', OPENING),
    Mutant("whom no touch got", f"{REPORTS}/attribution.py", "ledger.led.length == 0 if touch is None else touch == NONE", "ledger.led.length == 0", OPENING),
    Mutant("who was dropped of his group", f"{REPORTS}/cohort.py", "of.n[far() & (of.group == number)]", "of.n[far()]", OPENING),
    Mutant("an arm's own people", f"{REPORTS}/statistics.py", "(people.arm == arm) & holds", "holds", EXPOSED),
    Mutant("who did what a figure says", f"{REPORTS}/people.py", "(units.part == part) & (units.became & BIT[figure] > 0)", "units.part == part", OUTCOMES),
    Mutant("no reader is so quick", f"{STORE}/verdicts.py", "SCAN_MS = 2_000", "SCAN_MS = 2_001", SCANNERS),
    Mutant("nor follows so many links", f"{STORE}/verdicts.py", "SCANNED_LINKS = 3", "SCANNED_LINKS = 4", SCANNERS),
    Mutant("so many of them", f"{STORE}/verdicts.py", "HAVING count(DISTINCT b.link) >= {links}", "HAVING count(b.link) >= {links}", SCANNERS),
    Mutant("at once is less than two seconds", f"{STORE}/verdicts.py", "AND b.moment < a.moment + {soon}", "AND b.moment <= a.moment + {soon}", SCANNERS),
    Mutant("two cells of time", f"{STORE}/verdicts.py", "unnest([moment // {soon}, moment // {soon} - 1])", "moment // {soon}", SCANNERS),
    Mutant("clicked before it was sent", f"{STORE}/verdicts.py", "AND c.moment < s.moment + {soon}", "AND c.moment BETWEEN s.moment AND s.moment + {soon} - 1", SCANNERS),
    Mutant("clicked long before it came", f"{STORE}/verdicts.py", "AND c.moment >= d.moment AND", "AND", SCANNERS),
    Mutant("opened too soon", f"{REPORTS}/outcomes_messages.py", "NOT machine AND r.moment >= u.moment + {soon}", "NOT machine", OUTCOMES),
    Mutant("each verdict once", f"{STORE}/verdicts.py", "WHERE NOT EXISTS (FROM verdict v WHERE", "WHERE NOT EXISTS (FROM verdict v WHERE false AND", TOLD),
    Mutant("a doubt that ended", f"{REPORTS}/outcomes_messages.py", "DELETE FROM unit WHERE part = {IN_DOUBT} AND key IN", "DELETE FROM unit WHERE false AND key IN", TOLD),
    Mutant("the window of who followed", f"{DOMAIN}/following.py", "<= messages.moment[inside] + window", "< messages.moment[inside] + window", FOLLOWING),
    Mutant("the window of a credit", f"{DOMAIN}/following.py", "<= messages.moment[last] + window", "< messages.moment[last] + window", FOLLOWING),
    Mutant("the smaller of two messages", f"{REPORTS}/outcomes_target.py", "ORDER BY key DESC", "ORDER BY key", OUTCOMES),
    Mutant("the first exposure", f"{REPORTS}/exposures.py", "min(moment) AS moment, arg_min(arm,", "max(moment) AS moment, arg_min(arm,", EXPOSED),
    Mutant("the arm of the older pair", f"{REPORTS}/exposures.py", "survivor = min((pair", "survivor = max((pair", EXPOSED),
    Mutant("no link says a click id", f"{REPORTS}/touches.py", 'NONE if tag == "ad" else view', "view", WAYS),
    Mutant("a banner is no click id", "services/warehouse/domain/walk.py", 'tags.pop("ad", None)', "pass", ("tests/warehouse/test_domain.py",)),
    Mutant("the last word on an order", f"{REPORTS}/conversions.py", "arg_max_null({one}", "arg_min_null({one}", WAYS),
    Mutant("currencies of the period", f"{REPORTS}/attribution.py", "ledger.found.currency_of(ledger.counted)", "ledger.found.currency", WAYS),
    Mutant("what is no amount has no currency", f"{REPORTS}/conversions.py", "if number != NO_AMOUNT", "", WAYS),
    Mutant("brands apart", f"{REPORTS}/touches.py", 'return f"brand IN (', 'return "true" or f"brand IN (', WAYS),
    Mutant("the end of a funnel", f"{DOMAIN}/stepping.py", "moments[row] <= at + window", "moments[row] < at + window", STEPS),
    Mutant("a cohort has time", f"{REPORTS}/funnel.py", "- 1 + asked.window <= view.now for one", "- 1 <= view.now for one", WAYS),
    Mutant("traffic of the period", f"{REPORTS}/traffic.py", "if not first <= row.day <= last or not of(row):", "if not of(row):", WAYS),
    Mutant("repeats of who did not buy", f"{REPORTS}/funnel.py", "repeated = unsold & (again != NEVER)", "repeated = again != NEVER", WAYS),
    Mutant("behind the landmark", f"{REPORTS}/cohort.py", "counts_from = at + (asked.landmark or 0)", "counts_from = at", WAYS),
    Mutant("until the landmark is over", f"{REPORTS}/cohort.py", "counts_from >= min(", "counts_from > min(", WAYS),
    Mutant("nor known by what is his now", f"{REPORTS}/touchpoints.py", "line.until(n, at - 1) > line", "line.until(n, at) > line", WAYS),
    Mutant("later is not before", f"{REPORTS}/touchpoints.py", "walked(n, at - 1, [steps]", "walked(n, at, [steps]", WAYS),
    Mutant("ten times is not more", f"{DOMAIN}/comparing.py", "values <= floor", "values < floor", STEPS),
    Mutant("who has nothing is in no mean", f"{DOMAIN}/comparing.py", "some = values[values != 0]", "some = values", STEPS),
    Mutant("a mean below 0", f"{DOMAIN}/comparing.py", "if whole > 0 else None", "if whole else None", STEPS),
    Mutant("a share of less than nothing", f"{REPORTS}/channels.py", "if whole > 0 else None", "if whole else None", WAYS),
    Mutant("paid back is not bought", f"{REPORTS}/touchpoints.py", "~found.below", "np.ones_like(found.below)", WAYS),
    Mutant("who registered is not new", f"{REPORTS}/touchpoints.py", "known |= _any_before(registered, n, at) | ", "known |= ", WAYS),
    Mutant("sales before a payment", f"{REPORTS}/channels.py", "line.until(every.n, every.moment) > line.until(every.n, every.moment - asked.sales_window)", "line.until(every.n, every.moment) < 0", WAYS),
    Mutant("an order is of its brand", f"{REPORTS}/conversions.py", "GROUP BY brand, key", "GROUP BY key", WAYS),
    Mutant("a lead has no edge", f"{REPORTS}/attribution.py", "read(view, plain, 0, asked.until", "read(view, plain, asked.since - leads.repeat, asked.until", WAYS),
    Mutant("ages that have begun", f"{REPORTS}/lifetime.py", "sum(one.since <= view.now for one in spans)", "len(spans)", WAYS),
    Mutant("mailers apart", f"{STORE}/verdicts.py", "md5({within}{words})", "md5({words})", TOLD),
    Mutant("a control group is no variant", f"{REPORTS}/outcomes_messages.py", "        and at in sending\n", "        and False\n", TOLD),
    Mutant("deeds of the brands", f"{REPORTS}/outcomes_target.py", "where=among(brands)", 'where="true"', TOLD),
    Mutant("ages begin at none", f"{REPORTS}/lifetime.py", "place_of(found.spans, moment) - cohort", "place_of(found.spans, moment) - cohort + 1", WAYS),
    Mutant("answers grow old", f"{STORE}/versions.py", "**dict.fromkeys(parts, self._count)", "", INDEX),
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(without_servers(MUTANTS, "".join(sys.argv[1:2])))
