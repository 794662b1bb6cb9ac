"""Where the expected values of tests/experiments/table.py come from, where it says statsmodels, tea-tasting or scipy.

Both libraries bring 600 MB with them, so no test needs them. In a virtual environment with `pip install statsmodels==0.15.0
tea-tasting==1.14.0 scipy==1.17.1` run `python -m tests.experiments.oracles`: it prints the values that stand in the table.
"""

import math

from tests.experiments.hillstrom import CONTROL, MENS, WOMENS

PAIRS = {  # arm x of n, control x of n
    "P01": ((92, 1507), (68, 1507)),
    "P02": ((171, 11369), (136, 11369)),
    "P03": ((168, 2474), (124, 2474)),
    "P04": ((130, 10000), (100, 10000)),
    "P05": ((9, 50), (2, 50)),
    "P06": ((142, 14769), (111, 14769)),
    "mens visits": ((MENS.visits, MENS.n), (CONTROL.visits, CONTROL.n)),
    "mens conversions": ((MENS.conversions, MENS.n), (CONTROL.conversions, CONTROL.n)),
    "womens conversions": ((WOMENS.conversions, WOMENS.n), (CONTROL.conversions, CONTROL.n)),
}
SMALL = {"F01": ((3, 40), (0, 40)), "F02": ((1, 30), (6, 25)), "F03": ((4, 20), (1, 500))}


def say(name, *values):
    print(f"{name:44}", *(f"{value:.10g}" for value in values))


def proportions():
    from scipy import stats
    from statsmodels.stats import proportion as sm

    for name, ((x1, n1), (x0, n0)) in PAIRS.items():
        say(f"{name} z, p (proportions_ztest)", *sm.proportions_ztest([x1, x0], [n1, n0]))
        lower, upper = sm.confint_proportions_2indep(x1, n1, x0, n0, compare="ratio", method="score", correction=False)
        say(f"{name} lift (confint_proportions_2indep ratio)", lower - 1, upper - 1)
        say(f"{name} difference (likelihood, brentq)", *difference((x1, n1), (x0, n0)))
    for x, n in ((11, 1000), (2, 1000)):
        say(f"own rate of {x} of {n} (proportion_confint wilson)", *sm.proportion_confint(x, n, method="wilson"))
    for name, ((x1, n1), (x0, n0)) in SMALL.items():
        say(f"{name} fisher (fisher_exact)", stats.fisher_exact([[x1, n1 - x1], [x0, n0 - x0]])[1])


def difference(arm, control):
    """The score interval with the likeliest rates found by a search, not by the cubic."""
    from scipy import optimize, stats

    (x1, n1), (x0, n0) = arm, control
    z, found = stats.norm.ppf(0.975), x1 / n1 - x0 / n0

    def likely(d):
        low, high = max(0, -d), min(1, 1 - d)

        def slope(p):
            return x1 / (p + d) - (n1 - x1) / (1 - p - d) + x0 / p - (n0 - x0) / (1 - p)

        span = high - low
        return optimize.brentq(slope, low + span * 1e-13, high - span * 1e-13, xtol=1e-16, rtol=1e-14)

    def beyond(d):
        p = likely(d)
        return abs(found - d) - z * math.sqrt((p + d) * (1 - p - d) / n1 + p * (1 - p) / n0)

    return optimize.brentq(beyond, -0.9, found, xtol=1e-15), optimize.brentq(beyond, found, 0.9, xtol=1e-15)


def aggregates(one):
    """Of spend, history and visits, for tea-tasting."""
    from tea_tasting.aggr import Aggregates

    def var(total, squares):
        return (squares - total * total / one.n) / (one.n - 1)

    def cov(both, a, b):
        return (both - a * b / one.n) / (one.n - 1)

    return Aggregates(
        count_=one.n,
        mean_={"spend": one.spend / one.n, "history": one.history / one.n, "visit": one.visits / one.n},
        var_={
            "spend": var(one.spend, one.spend2),
            "history": var(one.history, one.history2),
            "visit": var(one.visits, one.visits),
        },
        cov_={
            ("history", "spend"): cov(one.history_spend, one.history, one.spend),
            ("spend", "visit"): cov(one.spend, one.spend, one.visits),  # who spends has visited
        },
    )


def means():
    import tea_tasting as tt

    metrics = {
        "spend": tt.Mean("spend"),
        "spend cuped": tt.Mean("spend", "history"),
        "spend by visit": tt.RatioOfMeans("spend", "visit"),
    }
    for name, arm in (("mens", MENS), ("womens", WOMENS)):
        for what, metric in metrics.items():
            found = metric.analyze_aggregates(aggregates(CONTROL), aggregates(arm))
            say(f"{name} {what}: arm, control", found.treatment, found.control)
            say(f"{name} {what}: interval, p", found.effect_size_ci_lower, found.effect_size_ci_upper, found.pvalue)
            say(f"{name} {what}: lift", found.rel_effect_size, found.rel_effect_size_ci_lower, found.rel_effect_size_ci_upper)


def several():
    from scipy import stats
    from statsmodels.stats.multitest import multipletests

    p = [0.01, 0.04, 0.03, 0.005, 0.2]
    for method in ("holm", "fdr_bh"):
        say(f"{method} (multipletests)", *multipletests(p, method=method)[1])
    arms = [(one.conversions, one.n) for one in (CONTROL, MENS, WOMENS)]
    table = [[x for x, _ in arms], [n - x for x, n in arms]]
    say("gate of conversions (chi2_contingency)", stats.chi2_contingency(table, correction=False)[1])
    say("split 5200 4800 (chisquare)", stats.chisquare([5200, 4800], [5000, 5000])[1])
    say("split of hillstrom (chisquare)", stats.chisquare([21306, 21307, 21387])[1])
    say("split 1000 8950 at 10 90 (chisquare)", stats.chisquare([1000, 8950], [995, 8955])[1])
    say("merges 120 180 of 5000 (chi2_contingency)", stats.chi2_contingency([[120, 180], [4880, 4820]], correction=False)[1])


def planning():
    from statsmodels.stats import power, proportion

    for base, other, n in ((0.045, 0.061, 3077), (0.05, 0.0555, 25929), (0.012, 0.015, 23228)):
        found = proportion.power_proportions_2indep(other - base, base, n, alpha=0.05)
        say(f"power of {base} {other} with {n} (power_proportions_2indep)", found.power)
    n = power.NormalIndPower().solve_power(effect_size=0.1, alpha=0.05, power=0.8, ratio=1)
    say("n at d = 0.1 (NormalIndPower)", n)
    say(
        "n at d = 0.1, 4 to 1 (NormalIndPower)", power.NormalIndPower().solve_power(effect_size=0.1, alpha=0.05, power=0.8, ratio=4)
    )


def looks():
    """What is left inside boundaries that were published, by the normal distribution in five dimensions."""
    import numpy as np
    from scipy.stats import multivariate_normal

    bounds = np.array([4.8769, 3.3569, 2.6803, 2.2898, 2.0310])
    times = np.arange(1, 6) / 5
    cov = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    for k in range(2, 6):
        inside = multivariate_normal(cov=cov[:k, :k], seed=1, maxpts=5_000_000, abseps=1e-8, releps=1e-8)
        say(f"spent after {k} of 5 looks", 1 - inside.cdf(bounds[:k], lower_limit=-bounds[:k]))


def chances():
    from scipy import stats

    for name, ((x1, n1), (x0, n0)) in {**PAIRS, **SMALL}.items():
        one, other = stats.beta(x1 + 1, n1 - x1 + 1), stats.beta(x0 + 1, n0 - x0 + 1)
        say(f"{name} P(arm > control), loss (quad)", *integrals(one, other))


def integrals(one, other):
    """P(one > other), and the mean of how much less `one` is where it is less."""
    from scipy import integrate

    ends = [(beta.mean() - 12 * beta.std(), beta.mean() + 12 * beta.std()) for beta in (one, other)]
    low, high = max(0, min(ends[0][0], ends[1][0])), min(1, max(ends[0][1], ends[1][1]))
    exact = {"points": [other.mean(), one.mean()], "epsabs": 1e-13, "limit": 500}
    above = integrate.quad(lambda p: one.pdf(p) * other.cdf(p), low, high, **exact)[0]
    return above, integrate.quad(lambda p: one.cdf(p) * other.sf(p), low, high, **exact)[0]


if __name__ == "__main__":
    for part in (proportions, means, several, planning, looks, chances):
        part()
