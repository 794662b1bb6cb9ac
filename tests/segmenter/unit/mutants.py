"""Plants one bug at a time into a copy of the checkout and sees that test_live_law turns red: `python -m tests.segmenter.unit.mutants`.

Not a test (3 minutes). Run it when the generators of test_live_law or the domain change: a law that nothing can break proves nothing.
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
    ("horizon +1 ms", DOMAIN + "draft.py", "horizons[key] = until\n", "horizons[key] = until + 1\n"),
    ("index: dates", DOMAIN + "plan.py", "case Attribute() | DateAttribute():\n", "case Attribute():\n"),
    ("index: dependents", DOMAIN + "draft.py", "for dependent in segment.dependents:", "for dependent in ():"),
    (
        "index: last reader lost",
        DOMAIN + "plan.py",
        "_amount(wanted), wanted.rank, wanted.window, _indexes(users), ",
        "_amount(wanted), wanted.rank, wanted.window, _indexes(users)[:1], ",
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
    ("last is the newest to arrive", DOMAIN + "series.py", "at if not held or at > series.last else series.last", "at"),
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
    ("bool summed", DOMAIN + "plan.py", "type(value) is int and value and", "isinstance(value, int) and value and"),
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


def planted(name: str, file: str, right: str, wrong: str) -> bool:
    """Whether the law notices the bug."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("schemas", "services/segmenter", "tests/segmenter"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        text = (copy / file).read_text()
        if text.count(right) != 1:
            raise SystemExit(f"{name}: `{right}` stands {text.count(right)} times in {file}, mend this list")
        (copy / file).write_text(text.replace(right, wrong))
        law = [sys.executable, "-m", "pytest", "tests/segmenter/unit/test_live_law.py", "-q", "-x", "-p", "no:cacheprovider"]
        marked = {**os.environ, "OTKLIK_MUTATED": "1"}
        run = subprocess.run(law, check=False, cwd=copy, capture_output=True, text=True, env=marked, timeout=300)
    if run.returncode not in {0, 1}:
        raise SystemExit(run.stdout + run.stderr)
    return run.returncode == 1


def main() -> None:
    wanted = sys.argv[1:]
    chosen = [mutant for mutant in MUTANTS if not wanted or any(word in mutant[0] for word in wanted)]
    survivors = []
    for mutant in chosen:
        red = planted(*mutant)
        print("red     " if red else "SURVIVES", mutant[0], flush=True)
        survivors += [] if red else [mutant[0]]
    raise SystemExit(f"{len(survivors)} of {len(chosen)} survive" if survivors else 0)


if __name__ == "__main__":
    main()
