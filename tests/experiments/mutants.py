"""`python -m tests.experiments.mutants [WORD]`: break the statistics on purpose, one formula at a time; a test must turn red. No servers."""

import sys

from tests.mutants.mutants import Mutant
from tests.mutants.run import without_servers

DOMAIN = "services/experiments/domain"
PROPORTIONS, MEANS, LOOKS, PLANNING, EVALUATING, SENSE = (
    *(f"{DOMAIN}/{name}.py" for name in ("proportions", "means", "looks", "planning", "evaluating")),
    "schemas/experiments_sense.py",
)
TABLE, LAWS, VERDICTS, FAULTS, SAID, NEAR = (
    (f"tests/experiments/test_{name}.py",) for name in ("table", "laws", "evaluating", "sense", "telling", "looks")
)

MUTANTS = (
    Mutant("p has two sides", f"{DOMAIN}/curves.py", "return 2 * float(special().ndtr(-abs(z)))", "return float(special().ndtr(-abs(z)))", TABLE),
    Mutant("the pooled rate", PROPORTIONS, "pooled = (arm.x + control.x) / (arm.n + control.n)\n    error", "pooled = (arm.rate + control.rate) / 2\n    error", TABLE),
    Mutant("Fisher for few", PROPORTIONS, "EXPECTED_LEAST = 5.0", "EXPECTED_LEAST = 0.0", TABLE),
    Mutant("tables as likely as this one", PROPORTIONS, "chances <= here * (1 + 1e-7)", "chances < here", TABLE),
    Mutant("the linear term of the cubic", PROPORTIONS, "(control.n * difference - people - 2 * control.x)", "(control.x * difference - people - 2 * control.x)", TABLE),
    Mutant("the likeliest rates, not those found", PROPORTIONS, "base = restricted(arm, control, difference)", "base = control.rate", LAWS),
    Mutant("error of a ratio at its null", PROPORTIONS, "ratio**2 * base * (1 - base)", "base * (1 - base)", TABLE),
    Mutant("no lift of nothing", PROPORTIONS, "    if not control.x:\n        return None\n", "    if not control.x:\n        return Span(-1.0, None)\n", LAWS),
    Mutant("an own rate is pulled to a half", PROPORTIONS, "middle, whole = arm.x + z2 / 2, arm.n + z2", "middle, whole = float(arm.x), float(arm.n)", TABLE),
    Mutant("n - 1", MEANS, "float(spread / (n - 1))", "float(spread / n)", TABLE),
    Mutant("Welch's degrees of freedom", MEANS, "return 1 / (part**2 / (one[1] - 1) + (1 - part) ** 2 / (other[1] - 1))", "return float(one[1] + other[1] - 2)", TABLE),
    Mutant("lifts never below -100 %", MEANS, "Span(found * math.exp(-half) - 1, high", "Span(found - half - 1, high", TABLE),
    Mutant("covariance of a ratio", MEANS, "of.var_y - 2 * r * of.cov + r**2 * of.var_x", "of.var_y + r**2 * of.var_x", TABLE),
    Mutant("one theta over both", MEANS, "together = reduce(Both.with_, arms)", "together = arms[0]", TABLE),
    Mutant("CUPED takes what was before", MEANS, "- theta * (Fraction(of.x) / of.n - middle)", "- theta * Fraction(of.x) / of.n * 0", TABLE),
    Mutant("CUPED that helps little", MEANS, "GAIN_LEAST = 0.02", "GAIN_LEAST = 0.0", VERDICTS),
    Mutant("Holm steps down", f"{DOMAIN}/several.py", "(len(p) - rank) * p[place]", "p[place]", TABLE),
    Mutant("BH is monotone", f"{DOMAIN}/several.py", "most = min(most, p[place] * len(p) / (len(p) - step))", "most = min(1.0, p[place] * len(p) / (len(p) - step))", LAWS),
    Mutant("configured shares", f"{DOMAIN}/split.py", "people * share / whole for share in shares", "people / len(shares) for share in shares", TABLE),
    Mutant("when a split is alarming", f"{DOMAIN}/split.py", "ALARM = 0.001", "ALARM = 0.000000001", VERDICTS),
    Mutant("half of alpha on each side", LOOKS, "4 * float(special().ndtr(-z_of(alpha / 2)", "2 * float(special().ndtr(-z_of(alpha)", TABLE),
    Mutant("what was spent before", LOOKS, "(total - before) / 2", "total / 2", LAWS),
    Mutant("only who is still within", LOOKS, "_blurred(places - self.drift * (self.time - since), before, mass, made)", "_blurred(places, before[:1] * 0, mass[:1] * 0 + 1, math.sqrt(self.time))", TABLE),
    Mutant("a grid as fine as the step that comes", LOOKS, "min(made, next_one))", "made)", NEAR),
    Mutant("a look beside another leaves the walk where it was", LOOKS, "        if not self._near(time):\n            self._before", "        if True:\n            self._before", NEAR),
    Mutant("what crosses beside a look and not at it", LOOKS, "places, weights = np.concatenate((-strip, strip))", "places, weights = np.concatenate((-strip, strip * 1.5))", NEAR),
    Mutant("p on the side of its bound", LOOKS, "return min(found, math.nextafter(self.alpha, 0.0)) if beyond else max(found, self.alpha)", "return found", NEAR),
    Mutant("one walk for all comparisons", LOOKS, "        if place not in self._known:\n", "        if True:\n", NEAR),
    Mutant("work that may be asked", SENSE, "(len(asked.plan.looks) + 1) > MOST_WORK", "len(asked.plan.looks) > MOST_WORK", NEAR),
    Mutant("a sequence is wider early", LOOKS, "(v + 1) / v * math.log", "math.log", TABLE),
    Mutant("p of a rule", LOOKS, "_scale((*self.before, self.people), self.planned).p(z))", "single)", NEAR),
    Mutant("power of plans", PLANNING, "return ((a * none + b * some) / (other - base)) ** 2", "return (a * none / (other - base)) ** 2", TABLE),
    Mutant("several arms share alpha", PLANNING, "aim = Aim(asked.alpha / (len(asked.shares) - 1), asked.power)\n", "aim = Aim(asked.alpha, asked.power)\n", SAID),
    Mutant("looks cost people", PLANNING, "share * more", "share", SAID),
    Mutant("more than eight weeks", PLANNING, "LONGEST_DAYS = 56", "LONGEST_DAYS = 56_000", SAID),
    Mutant("the gate knows what was before", EVALUATING, "several.same(samples(metric, asked.arms))", "several.same([samples(metric, [arm])[0] for arm in asked.arms])", VERDICTS),
    Mutant("a past that tells all", MEANS, "gain >= GAIN_LEAST and some_left", "gain >= GAIN_LEAST", VERDICTS),
    Mutant("all that are adjusted together", EVALUATING, "gates[metric.key], len(of))", "gates[metric.key], len({arm.name for _, arm in of}))", SAID),
    Mutant("a broken split blocks", EVALUATING, "blocked = fair.alarm or (", "blocked = (", VERDICTS),
    Mutant("merges by arm block", EVALUATING, "(merges is not None and merges.alarm)", "False", VERDICTS),
    Mutant("read once, and then", EVALUATING, '    if told.early:\n        return "not_yet"\n', "", VERDICTS),
    Mutant("the gate", EVALUATING, "and (one.gate is None or one.gate < alpha)", "", VERDICTS),
    Mutant("not shown before the end", EVALUATING, 'return "not_shown" if told.under.look.final else "not_yet"', 'return "not_shown"', VERDICTS),
    Mutant("Holm for the primary metric", EVALUATING, '"holm" if len(others) > 1 else "none"', '"bh"', VERDICTS),
    Mutant("one final look", SENSE, "look >= plan.people:", "look > plan.people:", FAULTS),
    Mutant("one currency", SENSE, "        if currency != first:\n", "        if False:\n", FAULTS),
    Mutant("more than there are", SENSE, "elif x > n:", "elif x > n + 1:", FAULTS),
    Mutant("points are not parts", f"{DOMAIN}/telling_spans.py", "number(lang, low * 100, places)", "number(lang, low, places)", SAID),
    Mutant("eleven people", f"{DOMAIN}/words.py", "if last == 1 and two != 11:", "if last == 1:", SAID),
    Mutant("a control below nothing has something", f"{DOMAIN}/telling_spans.py", "if reading.lift_interval is None and not reading.control:", "if reading.lift_interval is None:", SAID),
    Mutant("means of next to nothing", MEANS, "(math.sqrt(of.error2) / of.mean for of in (arm, control))", "(of.error2 / of.mean**2 for of in (arm, control))", FAULTS),
    Mutant("many people are not many deeds", f"{DOMAIN}/chances.py", "if min(terms) > NORMAL:", "if max(terms) > NORMAL:", LAWS),
    Mutant("over the narrower density", f"{DOMAIN}/chances.py", "_integral(one, other) if one.variance < other.variance else", "_integral(one, other) if True else", LAWS),
    Mutant("chances of a draw", f"{DOMAIN}/chances.py", "1 - _sum(other, one)", "_sum(other, one)", TABLE),
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(without_servers(MUTANTS, "".join(sys.argv[1:2])))
