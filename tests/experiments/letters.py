"""What statsmodels, tea-tasting and scipy make of Hillstrom's letters, from the rows of the file alone: deploy/hillstrom/expected.json.

Nothing of ours counts here but the reading of the file. In a virtual environment with `pip install statsmodels==0.15.0 tea-tasting==1.14.0
scipy==1.17.1`: `python -m tests.experiments.letters`.
"""

import json
import math

from deploy.hillstrom.figures import EXPECTED
from deploy.hillstrom.letters import ARMS, CAP, SHARES, load, sample
from tests.experiments.oracles import difference

OTHERS = ("mens", "womens")
FEW = 5  # less are expected in a cell: the exact test


def counted(rows):
    """arm -> columns of numbers; money in cents."""
    found = {name: {"visit": [], "order": [], "spend": [], "capped": []} for name in SHARES}
    for row in rows:
        of, cents = found[ARMS[row["segment"]]], round(float(row["spend"]) * 100)
        of["visit"].append(int(row["visit"]))
        of["order"].append(int(row["conversion"]))
        of["spend"].append(cents)
        of["capped"].append(min(cents, CAP))
    return found


def proportions(arms, what):
    from scipy import stats
    from statsmodels.stats import proportion as sm

    told, p = {}, []
    x0, n0 = sum(arms["control"][what]), len(arms["control"][what])
    for name in OTHERS:
        x1, n1 = sum(arms[name][what]), len(arms[name][what])
        low, high = difference((x1, n1), (x0, n0))  # statsmodels' own is wrong in 0.15.0 (docs/adr/0025)
        lift_low, lift_high = sm.confint_proportions_2indep(x1, n1, x0, n0, compare="ratio", method="score", correction=False)
        few = min(n1, n0) * (x1 + x0) / (n1 + n0) < FEW
        exact = stats.fisher_exact([[x1, n1 - x1], [x0, n0 - x0]])[1]
        p.append(exact if few else sm.proportions_ztest([x1, x0], [n1, n0])[1])
        figures = {"value": x1 / n1, "control": x0 / n0, "difference": x1 / n1 - x0 / n0, "lift": x1 / n1 / (x0 / n0) - 1, "p": p[-1],
                   "low": low, "high": high, "lift_low": lift_low - 1, "lift_high": lift_high - 1}  # fmt: skip
        told |= {f"{what}.{name}.{key}": value for key, value in figures.items()}
    table = [[sum(arms[name][what]) for name in arms], [len(arms[name][what]) - sum(arms[name][what]) for name in arms]]
    told[f"{what}.gate"] = stats.chi2_contingency(table, correction=False)[1]
    return told, p


def means(arms, column, prefix):
    import numpy as np
    import tea_tasting as tt
    from scipy import stats

    told, p = {}, []
    columns = {name: np.array(arms[name][column], dtype=float) for name in arms}
    for name in OTHERS:
        # Of a table of rows it now and then answers other variances, so it gets these.
        both = (
            tt.aggr.Aggregates(count_=len(of), mean_={"y": of.mean()}, var_={"y": of.var(ddof=1)})
            for of in (columns["control"], columns[name])
        )
        one = tt.Mean("y").analyze_aggregates(*both)
        welch = stats.ttest_ind(columns[name], columns["control"], equal_var=False)
        assert math.isclose(one.pvalue, welch.pvalue, rel_tol=1e-9), "two libraries, one figure"
        p.append(one.pvalue)
        figures = {"value": one.treatment, "control": one.control, "difference": one.effect_size, "lift": one.rel_effect_size, "p": one.pvalue,
                   "low": one.effect_size_ci_lower, "high": one.effect_size_ci_upper,
                   "lift_low": one.rel_effect_size_ci_lower, "lift_high": one.rel_effect_size_ci_upper}  # fmt: skip
        told |= {f"revenue.{name}.{prefix}{key}": float(value) for key, value in figures.items()}
    spread = {name: of.var(ddof=1) / len(of) for name, of in columns.items()}
    apart = np.array([columns[name].mean() - columns["control"].mean() for name in OTHERS])
    covariance = np.full((2, 2), spread["control"]) + np.diag([spread[name] for name in OTHERS])
    gate = float(stats.chi2(len(OTHERS)).sf(apart @ np.linalg.solve(covariance, apart)))
    return told, p, gate


def worked_out(rows):
    """All figures of some rows."""
    from scipy import stats
    from statsmodels.stats.multitest import multipletests

    arms = counted(rows)
    told = {f"people.{name}": len(of["visit"]) for name, of in arms.items()}
    expected = [share / 100 * len(rows) for share in SHARES.values()]
    told["split.p"] = float(stats.chisquare([len(of["visit"]) for of in arms.values()], expected)[1])
    visits, primary = proportions(arms, "visit")
    orders, secondary = proportions(arms, "order")
    capped, more, gate = means(arms, "capped", "")
    plain, _, _ = means(arms, "spend", "plain.")
    told |= {**visits, **orders, **capped, **plain, "revenue.gate": gate, "revenue.cap": CAP,
             "revenue.changed": sum(cents > CAP for of in arms.values() for cents in of["spend"])}  # fmt: skip
    for name, p in zip(OTHERS, multipletests(primary, method="holm")[1], strict=True):
        told[f"visit.{name}.p_adjusted"] = p
    names = [f"{what}.{name}.p_adjusted" for what in ("order", "revenue") for name in OTHERS]
    told |= dict(zip(names, multipletests(secondary + more, method="fdr_bh")[1], strict=True))
    for name, of in arms.items():
        told |= {
            f"report.{name}.people": len(of["visit"]),
            f"report.{name}.converted": sum(of["order"]),
            f"report.{name}.revenue": sum(of["spend"]),
        }
    return {name: value if isinstance(value, int) else float(f"{float(value):.12g}") for name, value in told.items()}


if __name__ == "__main__":
    every = load()
    EXPECTED.write_text(json.dumps({"whole": worked_out(every), "sample": worked_out(sample(every))}, indent=1) + "\n")
