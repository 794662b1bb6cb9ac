"""Plants one bug at a time into a copy of the checkout and sees that its law turns red: `python -m tests.segmenter.unit.mutants`.

Not a test (some minutes; words of names choose among them). Run it when the generators of the laws or the domain change: a law that nothing can break proves nothing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOMAIN = "services/segmenter/domain/"
# (name, file, text that stands there once, the bug)
MUTANTS = [
    ("window edge >=", DOMAIN + "source.py", "+ {_whole(within)}) > now", "+ {_whole(within)}) >= now"),
    ("horizon +1 ms", DOMAIN + "draft.py", "horizons[marks[place]] = until\n", "horizons[marks[place]] = until + 1\n"),
    ("index: dates", DOMAIN + "plan.py", "case Attribute() | DateAttribute():\n", "case Attribute():\n"),
    ("index: dependents", DOMAIN + "draft.py", "for dependent in segment.dependents:", "for dependent in ():"),
    (
        "index: last reader lost",
        DOMAIN + "plan.py",
        "amount(wanted), wanted.rank, wanted.window, _indexes(users), ",
        "amount(wanted), wanted.rank, wanted.window, _indexes(users)[:1], ",
    ),
    ("index: kinds", DOMAIN + "live.py", "touched.update(plan.by_kind.get(kind, ()))", "pass"),
    ("index: bucket", DOMAIN + "live.py", "touched.update(plan.by_bucket)", "pass"),
    ("unsorted late insert (rank)", DOMAIN + "series.py", "times.insert(bisect_right(times, at), at)", "times.append(at)"),
    ("unsorted late insert (sum)", DOMAIN + "series.py", "place = bisect_right(times, at)", "place = len(times)"),
    ("drop one too early", DOMAIN + "series.py", "passed = bisect_right(times, gone)", "passed = bisect_right(times, gone + 1)"),
    ("rank without +1", DOMAIN + "normal.py", 'rank = leaf.value + (leaf.op in {"eq", "ne", "gt", "le"})', "rank = leaf.value"),
    ("fire before fact: < for <=", DOMAIN + "draft.py", "while self.due <= until", "while self.due < until"),
    ("no fire before fact", DOMAIN + "live.py", "    draft.fire(instant)\n    touched", "    touched"),
    ("merge forgets carried", DOMAIN + "draft.py", "key in carried and entered", "False"),
    ("merge: first = max", DOMAIN + "series.py", "min(one.first, other.first)", "max(one.first, other.first)"),
    ("LWW ties lose", "schemas/attributes.py", "elif entry[0] >= held[0]", "elif entry[0] > held[0]"),
    ("clock goes back", DOMAIN + "live.py", "instant = max(state.clock, received)", "instant = received"),
    ("settled swapped", DOMAIN + "source.py", 'settled="-N", better="<"', 'settled="N", better="<"'),
    ("last is the newest to arrive", DOMAIN + "series.py", "at if not held or at > series.last else series.last,", "at,"),
    ("date edge", DOMAIN + "horizons.py", "if now < enters", "if now <= enters"),
    (
        "future occurred_at",
        DOMAIN + "live.py",
        "occurred = max(0, min(fact.occurred_at, received))",
        "occurred = max(0, fact.occurred_at)",
    ),
    (
        "sum horizon: first part only sign",
        DOMAIN + "horizons.py",
        "if compare(total, bound) != value:",
        "if compare(total, bound) == value:",
    ),
    ("age older exclusive", DOMAIN + "source.py", "{turns} <= now else -u", "{turns} < now else -u"),
    ("max for all", DOMAIN + "source.py", 'settled="-N", better="<"', 'settled="-N", better=">"'),
    (
        "merge forgets loser's amounts",
        DOMAIN + "series.py",
        "if one.amounts or other.amounts:",
        "if one.amounts and other.amounts:",
    ),
    (
        "not lost",
        DOMAIN + "source.py",
        'return f"-({self._write(condition.of, indent)})"',
        'return f"({self._write(condition.of, indent)})"',
    ),
    ("bool summed", DOMAIN + "gathering.py", "type(value) is int and", "isinstance(value, int) and"),
    ("unseen evaluates touched only", DOMAIN + "live.py", "plan.everything if unseen else sorted(touched)", "sorted(touched)"),
    (
        "merge keeps horizons of winner only",
        DOMAIN + "live.py",
        'draft.consider(plan.everything, at, "merge"',
        'draft.consider(plan.everything[:-1], at, "merge"',
    ),
    ("merged: kinds lost", DOMAIN + "live.py", "(*draft.kinds, *loser.kinds)", "(*draft.kinds,)"),
    ("bucket: newest pair", DOMAIN + "live.py", "else min(pair, state.bucketing)", "else pair"),
    ("touches ignores attributes", DOMAIN + "plan.py", "if fact.attributes or fact.bucketing_id", "if fact.bucketing_id"),
]
CLOSURES = DOMAIN + "closures.py"
LANGUAGE = [
    (
        "calendar: horizon of the wrong period",
        CLOSURES,
        "turns = begins[place + back]",
        "turns = begins[place + back + 1]",
    ),
    (
        "calendar: back ignored",
        CLOSURES,
        "for period in range(current - back, current + max(2, back + 1) + 1)",
        "for period in range(current, current + max(2, back + 1) + 1)",
    ),
    (
        "calendar: periods of another day",
        CLOSURES,
        "if begins is None or not begins[back] <= now < begins[back + 1]:",
        "if begins is None:",
    ),
    (
        "calendar: end inclusive",
        CLOSURES,
        "bisect_left(times, begins), bisect_left(times, ends)",
        "bisect_left(times, begins), bisect_right(times, ends)",
    ),
    (
        "calendar: begin exclusive",
        CLOSURES,
        "bisect_left(times, begins), bisect_left(times, ends)",
        "bisect_right(times, begins), bisect_left(times, ends)",
    ),
    ("calendar: reach one period short", DOMAIN + "normal.py", "((back + 1) * LONGEST[unit] + 1) * DAY", "back"),
    ("zone: the smaller name", CLOSURES, "zone(max(named, default=otherwise))", "zone(min(named, default=otherwise))"),
    ("index: zone", CLOSURES, "return ZONES if isinstance(window, a.Calendar) else ()", "return ()"),
    ("index: date of around", CLOSURES, "return (window.name,)", "return ()"),
    ("around: after inclusive", CLOSURES, "instant + after + 1", "instant + after"),
    ("around: until exclusive", CLOSURES, "instant + until + 1", "instant + until"),
    (
        "around: missing is empty",
        CLOSURES,
        "    if instant is None:\n        return -NEVER\n    begins",
        "    if instant is None:\n        instant = -NEVER\n    begins",
    ),
    ("between: since exclusive", DOMAIN + "gathering.py", "at < since", "at <= since"),
    ("between: until inclusive", DOMAIN + "gathering.py", "at >= until", "at > until"),
    (
        "between: one series for all bounds",
        DOMAIN + "normal.py",
        "named += [within, gathers, bounds]",
        "named += [within, gathers]",
    ),
    ("average: none is 0", CLOSURES, "return NEVER if number and compare", "return NEVER if compare"),
    (
        "average: rolling, none is 0",
        CLOSURES,
        "if (number > 0 and compare(total, bound * number)) != value:",
        "if compare(total, bound * number) != value:",
    ),
    (
        "average: facts for lines",
        DOMAIN + "gathering.py",
        "return sum(_whole(value) is not None for value in values) or None",
        "return 1 if any(_whole(value) is not None for value in values) else None",
    ),
    (
        "average: zeros left out",
        DOMAIN + "gathering.py",
        "if (number := _whole(value)) is not None]",
        "if (number := _whole(value))]",
    ),
    (
        "distinct: 1.0 is not 1",
        DOMAIN + "gathering.py",
        "if isinstance(value, float) and value.is_integer():",
        "if isinstance(value, str) and not value:",
    ),
    (
        "distinct: a text is its number",
        DOMAIN + "gathering.py",
        "{'number' if type(value) in {int, float} else type(value).__name__}:",
        "",
    ),
    (
        "distinct: first instead of latest",
        DOMAIN + "series.py",
        "latest = {value: at for at, value in kept}",
        "latest = {value: at for at, value in reversed(kept)}",
    ),
    ("distinct: latest for past periods", DOMAIN + "normal.py", '"each" if past else "newest"', '"newest"'),
    ("distinct: merged as a sum", DOMAIN + "series.py", "    if gathers in VALUES:", '    if gathers == "each":'),
    (
        "lines: all must match",
        DOMAIN + "gathering.py",
        "places = [line for line in held if line_matches(line)] if type(held) is list else ()",
        "places = held if type(held) is list and all(map(line_matches, held)) else ()",
    ),
    ("lines: facts without a match", DOMAIN + "gathering.py", "for place in places]) if places else None", "for place in places])"),
    ("lines: one series for all tests", DOMAIN + "normal.py", "[_test_key(test) for test in _sorted_tests(lines.where)]]", "[]]"),
    ("sequence: a tie follows", CLOSURES, "place = bisect_left(first, at) - 1", "place = bisect_right(first, at) - 1"),
    ("sequence: within exclusive", CLOSURES, "at - first[place] > within", "at - first[place] >= within"),
    ("sequence: without at the first", CLOSURES, "bisect_right(without, first[place])", "bisect_left(without, first[place])"),
    ("sequence: without at the second", CLOSURES, "if bisect_left(without, at) >", "if bisect_right(without, at) >"),
    ("sequence: last exclusive", CLOSURES, "if last is not None and at <= now - last:", "if last is not None and at < now - last:"),
    (
        "sequence: only the newest",
        CLOSURES,
        "            continue\n        return NEVER if last is None",
        "            break\n        return NEVER if last is None",
    ),
    (
        "sequence: first kept as long as then",
        DOMAIN + "normal.py",
        "window = EVER if leaf.last is None else leaf.last + leaf.within",
        "window = then",
    ),
    ("since: a tie undoes", CLOSURES, "max(undone, now - within + 1)", "max(undone + 1, now - within + 1)"),
    ("since: within inclusive", CLOSURES, "max(undone, now - within + 1)", "max(undone, now - within)"),
    ("since: after exclusive", CLOSURES, "coming = bisect_right(times, now - after)", "coming = bisect_left(times, now - after)"),
    ("since: the oldest says how long", CLOSURES, "times[coming - 1] + within", "times[coming - 1] + within + 1"),
    ("since: never comes true by time", CLOSURES, "return -(times[oldest] + after) if", "return -NEVER if"),
    ("since: undone by the first", CLOSURES, "without.last if without.count", "without.first if without.count"),
    (
        "anniversary: one day early",
        DOMAIN + "recurring.py",
        "begins <= today < begins + days",
        "begins <= today + 1 < begins + days",
    ),
    (
        "anniversary: 29 February is 1 March",
        DOMAIN + "recurring.py",
        "date(year, day.month, 28 if leapless else day.day)",
        "date(year, 3 if leapless else day.month, 1 if leapless else day.day)",
    ),
    ("anniversary: next year forgotten", DOMAIN + "recurring.py", "range(year - 2, year + 4)", "range(year - 2, year + 1)"),
    (
        "anniversary: index of the zone",
        DOMAIN + "plan.py",
        "self._attributes((leaf.name, *ZONES), index)",
        "self._attributes((leaf.name,), index)",
    ),
    (
        "consent: an end is no flip",
        DOMAIN + "consenting.py",
        "return until if truth else -until",
        "return NEVER if truth else -NEVER",
    ),
    ("consent: merge forgets", DOMAIN + "live.py", "draft.words = consenting.both(draft.words, loser.words)", "pass"),
    ("consent: index", DOMAIN + "live.py", "touched.update(plan.by_consent)", "pass"),
    (
        "consent: the weakest brand",
        DOMAIN + "consenting.py",
        '("granted", "unproven", "denied")',
        '("denied", "unproven", "granted")',
    ),
    (
        "consent: asked for another topic",
        DOMAIN + "consenting.py",
        "any(request.topic == leaf.topic for request in asked)",
        "bool(asked)",
    ),
]
FILLED = [
    ("filling: begins only for what is new", DOMAIN + "filling.py", "or known[id_][0] < depth[0] or known[id_][1] < depth[1]", ""),
    ("filling: unfinished forgotten", DOMAIN + "filling.py", "frozenset(lacking | unfinished)", "frozenset(lacking)"),
    ("filling: unfinished not begun again", DOMAIN + "filling.py", "else scope & known.keys()", "else scope & known.keys() - unfinished"),
    ("filling: on top of what was kept", DOMAIN + "filling.py", "draft.since if id_ in plan.filling.again else", ""),
    ("filling: readers not asked", DOMAIN + "filling.py", "touched.update(accumulator.readers)", "pass"),
    ("filling: nobody is met first meanwhile", DOMAIN + "draft.py", " or state.revision == UNSEEN) else 0", ") else 0"),
    ("filling: nothing kept apart", DOMAIN + "draft.py", "accumulator.id in self.plan.filling.again)", "False)"),
    ("filling: everything kept apart for ever", DOMAIN + "draft.py", "state.since if self.owed or self.awaits else {}", "state.since"),
    ("filling: a plan before the last one", DOMAIN + "live.py", "draft.series.pop(id_, None)  # of a plan", "pass  # of a plan"),
    ("filling: who is owed is filled too", DOMAIN + "live.py", "draft.owed, draft.awaits = 1, 0", "draft.awaits = plan.filling.number"),
    ("filling: merge of one who has it", DOMAIN + "live.py", "return awaited(one, plan) != awaited(other, plan)", "return False"),
    ("filling: merge forgets what came since", DOMAIN + "live.py", "draft.since = folded(one.since, other.since, plan, at)", "pass"),
    ("plans: what is still to come to whom one left", DOMAIN + "succession.py", "revision=number, awaits=plan.filling.number, since={}", "revision=number"),
    ("plans: flips to come", DOMAIN + "succession.py", "if abs(signed) < NEVER or ", "if "),
    ("plans: who is owed", DOMAIN + "succession.py", "state.owed or ", ""),
    ("filling: parted and filled", DOMAIN + "parting.py", "draft.owed, draft.since, draft.awaits = 1, {}, 0", "draft.owed, draft.since = 1, {}"),
]  # fmt: skip
LAKE = "services/segmenter/gathered.py"
GATHERED = [
    ("lake: the cut included", LAKE, "t.kafka_offset < cut.upto", "t.kafka_offset <= cut.upto"),
    ("lake: future counts", LAKE, "least(epoch_ms(occurred_at), epoch_ms(received_at),", "least(epoch_ms(occurred_at),"),
    ("lake: before 1970", LAKE, 'f"greatest(0, least(', 'f"greatest(-9, least('),
    ("lake: oldest instants", LAKE, "list_reverse(max(instant,", "list_reverse(min(instant,"),
    ("lake: window edge", LAKE, "FILTER (instant > {self._gone})", "FILTER (instant > {self._gone} + 1)"),
    ("lake: null is a value", LAKE, "IS NOT DISTINCT FROM", "="),
    ("lake: bounds", LAKE, "if until is None else", "if True else"),
    ("lake: a fact for each value", LAKE, "WHERE k.n IN (FROM weights SELECT n)", "JOIN weights AS w ON w.n = k.n"),
    ("lake: newest is each", LAKE, "x, max(instant) AS instant, amount", "DISTINCT x, instant, amount"),
    ("lake: objects by their columns alone", "runtime/property_columns.py", 'return {"": None}', "return None"),
    ("lake: lists have no column", "runtime/property_columns.py", "for upto in range(1, len(steps) + 1):", "for upto in ():"),
]  # fmt: skip
LAWS = {
    "test_filling": FILLED,
    "test_gathered": GATHERED,
    "test_live_law": MUTANTS,
    "test_language_law": [mutant for mutant in LANGUAGE if not mutant[0].startswith(("anniversary", "consent"))],
    "test_recurring": [mutant for mutant in LANGUAGE if mutant[0].startswith("anniversary")],
    "test_consenting": [mutant for mutant in LANGUAGE if mutant[0].startswith("consent")],
}


def planted(law: str, name: str, file: str, right: str, wrong: str) -> bool:
    """Whether the law notices the bug."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("schemas", "runtime", "services/segmenter", "services/warehouse", "tests/segmenter"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
        for beside in ("pyproject.toml", "services/__init__.py"):
            shutil.copy(ROOT / beside, copy / beside)
        text = (copy / file).read_text()
        if text.count(right) != 1:
            raise SystemExit(f"{name}: `{right}` stands {text.count(right)} times in {file}, mend this list")
        (copy / file).write_text(text.replace(right, wrong))
        command = [sys.executable, "-m", "pytest", f"tests/segmenter/unit/{law}.py", "-q", "-x", "-p", "no:cacheprovider"]
        marked = {**os.environ, "OTKLIK_MUTATED": "1", "PYTHONPATH": folder}
        run = subprocess.run(command, check=False, cwd=copy, capture_output=True, text=True, env=marked, timeout=300)
    if run.returncode not in {0, 1} or (run.returncode == 1 and " failed" not in run.stdout):
        raise SystemExit(run.stdout + run.stderr)
    return run.returncode == 1


def main() -> None:
    wanted = sys.argv[1:]
    every = [(law, *mutant) for law, mutants in LAWS.items() for mutant in mutants]
    chosen = [mutant for mutant in every if not wanted or any(word in mutant[1] for word in wanted)]
    survivors = []
    for law, *mutant in chosen:
        red = planted(law, *mutant)
        print("red     " if red else "SURVIVES", mutant[0], flush=True)
        survivors += [] if red else [mutant[0]]
    raise SystemExit(f"{len(survivors)} of {len(chosen)} survive" if survivors else 0)


if __name__ == "__main__":
    main()
