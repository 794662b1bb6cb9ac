"""Revenue, thrown with a known truth: halves of the same people, and intervals with what was known before and with a cap. For bench.experiments."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from deploy.demo import source
from deploy.demo.story import DAY
from services.experiments.domain import means
from services.experiments.domain.means import Both, Sample

Figure = tuple[str, float, float, float, dict[str, Any]]  # what, found, from, to, settings
ALPHA = 0.05
BEGUN_DAYS, WINDOW_DAYS = 15, 7  # of the demo's experiment (deploy/demo/documents/experiments.yaml)
PEOPLE, ACTIVE = 4000, 0.2  # of an arm; of them, who spend anything at all


def halves(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    """The people of the demo's December, halved by chance anew each time: what they spent cannot differ but by chance. As they are, a few
    wholesale buyers decide each throw; and with the cap of the demo's experiment.
    """
    spent = december()
    cap = int(np.quantile(spent[spent > 0], 0.99, method="higher"))
    arms = (rng.random((runs, len(spent))) < 0.5).astype(float)
    for name, of in (("", spent), ("_capped", np.minimum(spent, cap))):
        below = _apart(of, arms)
        more = {"people": len(of), "buyers": int((of > 0).sum()), "largest_pence": int(of.max())}
        yield f"aa_halves_of_december{name}", below / runs, 0.0, 0.057, more


def december() -> Any:
    """Pence that each customer who first ordered in the first days of the demo's month spent in the week after that order."""
    first: dict[str, int] = {}
    spent: dict[str, int] = {}
    orders = [one for one in source.load() if one.customer and one.sold and not one.cancels]
    start = min(one.at for one in orders) // DAY * DAY
    for one in orders:
        since = first.setdefault(one.customer, one.at)
        if since < start + BEGUN_DAYS * DAY and one.at <= since + WINDOW_DAYS * DAY:
            spent[one.customer] = spent.get(one.customer, 0) + (round(one.revenue * 100) if one.at > since else 0)
    return np.array(list(spent.values()), dtype=np.int64)


def _apart(spent: Any, arms: Any) -> int:
    """In how many throws the two halves differ, by p below alpha. Floats hold these sums exactly."""
    columns = np.stack([np.ones(len(spent)), spent, spent**2], axis=1)
    whole = [int(of) for of in columns.sum(axis=0)]
    below = 0
    for row in arms @ columns:
        n, total, squares = (int(one) for one in row)
        arm, control = means.sample(n, total, squares), means.sample(whole[0] - n, whole[1] - total, whole[2] - squares)
        below += means.welch(arm, control).p < ALPHA
    return below


def _sample(spent: Any) -> Sample:
    return means.sample(PEOPLE, int(spent.sum()), int((spent**2).sum()))


def coverage(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    """Of what people spend: the difference adjusted by what they had spent before, where everybody spends a tenth more; and with amounts cut at
    the 99.9th percentile of both arms together, where nothing differs.
    """
    truth = ACTIVE * 0.5 * 2 * 2500 * math.exp(0.32) * 0.1
    past = capped = used = 0
    gain = 0.0
    for _ in range(runs):
        arm, control = _people(rng, 1.1), _people(rng, 1.0)
        adjusted = means.cuped(_both(*arm), _both(*control))
        past += means.welch(adjusted.samples[0], adjusted.samples[1]).interval(ALPHA).holds(truth)
        used, gain = used + adjusted.used, gain + adjusted.gain
        one, other = control[0], _people(rng, 1.0)[0]
        together = np.concatenate((one, other))
        cap = int(np.quantile(together[together > 0], 0.999, method="higher"))
        cut = [_sample(np.minimum(of, cap)) for of in (one, other)]
        capped += means.welch(cut[0], cut[1]).interval(ALPHA).holds(0.0)
    settings = {"people": 2 * PEOPLE, "buyers": ACTIVE / 2}
    yield "coverage_means_cuped", past / runs, 0.94, 0.96, {**settings, "used": used / runs, "gain": round(gain / runs, 3)}
    yield "coverage_means_capped", capped / runs, 0.94, 0.96, settings


def _people(rng: np.random.Generator, times: float) -> tuple[Any, Any]:
    """(cents after, cents before) of those who spend anything; half of these buy after."""
    active = rng.binomial(PEOPLE, ACTIVE)
    taste = rng.lognormal(0, 0.8, active) * 2500
    after = taste * rng.integers(1, 4, active) * (rng.random(active) < 0.5) * times
    return np.rint(after).astype(np.int64), np.rint(taste * rng.integers(1, 4, active)).astype(np.int64)


def _both(after: Any, before: Any) -> Both:
    return Both(
        PEOPLE, int(after.sum()), int(before.sum()), int((after**2).sum()), int((before**2).sum()), int((after * before).sum())
    )
