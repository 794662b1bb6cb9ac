"""Expected values with the source of each. "published": real tests, with the sizes that their confidence needs.

statsmodels 0.15.0, tea-tasting 1.14.0 and scipy 1.17.1 by tests/experiments/oracles.py. Published figures have the digits they were printed with.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from services.experiments.domain import chances, looks, means, planning, proportions, several, split
from services.experiments.domain.curves import p_of, z_of
from services.experiments.domain.means import Both, Sample
from services.experiments.domain.planning import Aim
from services.experiments.domain.proportions import Share
from tests.experiments.hillstrom import CONTROL, MENS, WOMENS, Sums
from tests.experiments.power import power_of

Z95 = 1.959963984540054
AIM80, AIM90 = Aim(0.05, 0.8), Aim(0.05, 0.9)


class Case(NamedTuple):
    """near: how far a value may be off, relatively, or in its last printed digit (a negative power of ten: absolutely)."""

    what: str
    found: Callable[[], tuple[float | None, ...]]
    expected: tuple[float | None, ...]
    source: str
    relative: float = 1e-6
    absolute: float = 1e-12


def _pair(arm: tuple[int, int], control: tuple[int, int]) -> tuple[Share, Share]:
    return Share(*arm), Share(*control)


def _published(
    what: str, found: Callable[[], tuple[float | None, ...]], expected: tuple[float | None, ...], source: str, digits: int
) -> Case:
    return Case(what, found, expected, source, 0, 0.5000001 * 10**-digits)


PAIRS = {
    "P01 profile filled in, 6.1 against 4.5 %": ((92, 1507), (68, 1507)),
    "P02 dynamic block, 1.5 against 1.2 %": ((171, 11369), (136, 11369)),
    "P03 welcome chain, +35.5 % of 5 %": ((168, 2474), (124, 2474)),
    "P04 1.3 against 1.0 %": ((130, 10000), (100, 10000)),
    "P05 few people": ((9, 50), (2, 50)),
    "P06 AMP, 0.96 against 0.75 %": ((142, 14769), (111, 14769)),
    "men's letter, visits": ((MENS.visits, MENS.n), (CONTROL.visits, CONTROL.n)),
    "men's letter, conversions": ((MENS.conversions, MENS.n), (CONTROL.conversions, CONTROL.n)),
    "women's letter, conversions": ((WOMENS.conversions, WOMENS.n), (CONTROL.conversions, CONTROL.n)),
}
# z, p; lift; difference; P(arm > control) and what choosing the arm loses
VALUES = (
    (1.949826147, 0.05119684397, -0.001557568274, 0.8340257061, -8.365014281e-05, 0.03220882411, 0.9742078112, 8.04091999e-05),
    (2.011178742, 0.04430658028, 0.005823710658, 0.5718433985, 7.886917606e-05, 0.006113689606, 0.9777612897, 1.271829822e-05),
    (2.654419814, 0.007944491896, 0.08222619659, 0.6965373345, 0.004679134651, 0.03105397102, 0.9960250212, 8.277307005e-06),
    (1.989614787, 0.04663338604, 0.00389536617, 0.68352626, 4.507195265e-05, 0.006001359515, 0.9765621012, 1.331147099e-05),
    (2.237209702, 0.02527263753, 0.1716919774, 16.94778566, 0.01991321901, 0.2743856323, 0.9860256187, 0.0003252947048),
    (1.95735393, 0.050305871, -0.0003266992588, 0.6371421299, -2.819780495e-06, 0.004230843996, 0.9747268164, 1.030510527e-05),
    (22.48604083, 5.685165483e-112, 0.6404376185, 0.8064675648, 0.06996000823, 0.08323386633, 1.0, 0.0),
    (7.385114411, 1.523223501e-13, 0.7687574425, 1.707839648, 0.005024311026, 0.008649345827, 1.0, 0.0),
    (3.779560958, 0.0001571051291, 0.230724556, 0.9353703277, 0.001507327954, 0.004750738059, 0.999923849, 1.489611634e-08),
)  # fmt: skip


def _of_pairs():
    for (name, given), value in zip(PAIRS.items(), VALUES, strict=True):
        arm, control = _pair(*given)
        z, p, *rest = value
        yield Case(
            f"{name}: z, p",
            lambda a=arm, c=control: (proportions.pooled_z(a, c), proportions.tested(a, c)[2]),
            (z, p),
            "statsmodels proportions_ztest",
        )
        yield Case(
            f"{name}: lift",
            lambda a=arm, c=control: tuple(proportions.koopman(a, c, Z95)),
            tuple(rest[:2]),
            "statsmodels confint_proportions_2indep(compare='ratio', method='score')",
            absolute=1e-9,
        )
        yield Case(
            f"{name}: difference",
            lambda a=arm, c=control: tuple(proportions.mee(a, c, Z95)),
            tuple(rest[2:4]),
            "scipy brentq over the likelihood (statsmodels is wrong here, its issue 10269)",
            absolute=1e-10,
        )
        yield Case(
            f"{name}: chances", lambda a=arm, c=control: tuple(chances.read(a, c))[:2], tuple(rest[4:]), "scipy quad", 1e-6, 1e-11
        )


NEWCOMBE = "Newcombe 1998, Statistics in Medicine 17:873, table II, method 5 (Mee)"
SMALL = (
    ((56, 70), (48, 80), 0.0533, 0.3377),
    ((9, 10), (3, 10), 0.1821, 0.8370),
    ((6, 7), (2, 7), 0.0544, 0.8478),
    ((5, 56), (0, 29), -0.0313, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.7225, 1.0),
    ((10, 10), (0, 10), 0.6777, 1.0),
)


SINGLE = "Newcombe 1998, Statistics in Medicine 17:857, table I, method 3 (Wilson)"
PILOTS = "published: Selectel's pilots of up to 1,000, clicks of 1.1 and 0.2 % (intervals by an independent program)"
OWN = (
    ((81, 263), 0.2553, 0.3662, SINGLE, 4),
    ((15, 148), 0.0624, 0.1605, SINGLE, 4),
    ((0, 20), 0.0, 0.1611, SINGLE, 4),
    ((1, 29), 0.0061, 0.1718, SINGLE, 4),
    ((11, 1000), 0.0062, 0.0196, PILOTS, 4),
    ((2, 1000), 0.0005, 0.0073, PILOTS, 4),
)


def _of_few():
    for one, other, low, high in SMALL:
        yield _published(
            f"difference of {one} and {other}",
            lambda a=one, c=other: tuple(proportions.mee(*_pair(a, c), Z95)),
            (low, high),
            NEWCOMBE,
            4,
        )
    yield _published(
        "lift of 36 of 40 and 16 of 80",
        lambda: tuple(1 + end for end in proportions.koopman(*_pair((36, 40), (16, 80)), Z95)),
        (2.94, 7.15),
        "Koopman 1984, Biometrics 40:513, example",
        2,
    )
    yield Case(
        "a control without any: no lift",
        lambda: (proportions.lift(*_pair((9, 50), (0, 50))), proportions.koopman(*_pair((9, 50), (0, 50)), Z95)),
        (None, None),
        "convention: null, never infinite",
    )
    for one, low, high, source, digits in OWN:
        yield _published(
            f"own rate of {one[0]} of {one[1]}",
            lambda s=one: tuple(proportions.wilson(Share(*s), Z95)),
            (low, high),
            source,
            digits,
        )
    for one, other, p in (
        ((3, 40), (0, 40), 0.2405063291),
        ((1, 30), (6, 25), 0.03858270229),
        ((4, 20), (1, 500), 7.844674967e-06),
    ):
        yield Case(
            f"Fisher {one} {other}", lambda a=one, c=other: (proportions.tested(*_pair(a, c))[2],), (p,), "scipy fisher_exact"
        )


def _sample(of: Sums, *, capped: bool = False) -> Sample:
    return means.sample(of.n, of.capped, of.capped2) if capped else means.sample(of.n, of.spend, of.spend2)


def _with_history(of: Sums) -> Both:
    return Both(of.n, of.spend, of.history, of.spend2, of.history2, of.history_spend)


def _by_visit(of: Sums) -> Both:
    """Who spends has visited."""
    return Both(of.n, of.spend, of.visits, of.spend2, of.visits, of.spend)


def _welch(arm: Sample, control: Sample) -> tuple[float, ...]:
    found = means.welch(arm, control)
    lift, span = means.lifted(arm, control, 0.05)
    return (arm.mean, control.mean, *found.interval(0.05), found.p, lift, *span)


MEANS = {
    "men's letter, spend": (MENS, _sample, (142.2616511, 65.27893551, 48.51397326, 105.4514579, 1.163814968e-07, 1.17928877, 0.6284321112, 1.916486056)),
    "women's letter, spend": (WOMENS, _sample, (107.7201571, 65.27893551, 16.89567899, 67.9867642, 0.001129397102, 0.6501518639, 0.2180303839, 1.235577379)),
    "men's letter, spend by visit": (MENS, _by_visit, (778.4203903, 614.8687003, -29.92986776, 357.0332479, 0.09756277312, 0.2659944961, -0.05020263495, 0.687456844)),
    "women's letter, spend by visit": (WOMENS, _by_visit, (711.4919704, 614.8687003, -99.09094519, 292.3374854, 0.3332229773, 0.1571445579, -0.1422906639, 0.5611157203)),
}  # fmt: skip
CUPED = {
    "men's letter": (
        MENS,
        (142.1422211, 65.39837114, 48.28128538, 105.2064145, 1.265314467e-07, 1.17348259, 0.6245978245, 1.907812935),
    ),
    "women's letter": (
        WOMENS,
        (107.6347548, 65.36466249, 16.72937916, 67.81080547, 0.001180204734, 0.6466811073, 0.2157080302, 1.230435764),
    ),
}


def _of_means():
    for name, (arm, make, expected) in MEANS.items():

        def found(arm=arm, make=make):
            one, other = make(arm), make(CONTROL)
            if make is _by_visit:
                one, other = means.ratio(one), means.ratio(other)
            return _welch(one, other)

        yield Case(f"{name}: means, interval, p, lift", found, expected, "tea-tasting Mean, RatioOfMeans")
    for name, (arm, expected) in CUPED.items():

        def adjusted(arm=arm):
            both = means.cuped(_with_history(arm), _with_history(CONTROL))
            return _welch(*both.samples)

        yield Case(f"{name}, spend with CUPED: the same", adjusted, expected, "tea-tasting Mean with a covariate")


def _of_several():
    p = [0.01, 0.04, 0.03, 0.005, 0.2]
    yield Case("Holm", lambda: tuple(several.holm(p)), (0.04, 0.09, 0.09, 0.025, 0.2), "statsmodels multipletests(holm)")
    yield Case(
        "Benjamini-Hochberg", lambda: tuple(several.bh(p)), (0.025, 0.05, 0.05, 0.025, 0.2), "statsmodels multipletests(fdr_bh)"
    )
    arms = [Share(one.conversions, one.n) for one in (CONTROL, MENS, WOMENS)]
    yield Case("gate of three arms", lambda: (several.alike(arms),), (1.002003153e-12,), "scipy chi2_contingency(correction=False)")
    yield Case(
        "split 5200 4800 at 50 50", lambda: (split.against_shares((5200, 4800), (50, 50)).p,), (6.334248367e-05,), "scipy chisquare"
    )
    yield Case(
        "split of the letters",
        lambda: (split.against_shares((21306, 21307, 21387), (1, 1, 1)).p,),
        (0.9036929576,),
        "scipy chisquare",
    )
    yield Case(
        "split 1000 8950 at 10 90", lambda: (split.against_shares((1000, 8950), (10, 90)).p,), (0.8673032452,), "scipy chisquare"
    )
    yield Case(
        "merges 120 180 of 5000",
        lambda: (split.merged_alike((120, 180), (5000, 5000)).p,),
        (0.0004360226944,),
        "scipy chi2_contingency(correction=False)",
    )


SELECTEL = "published: Selectel, published at 95 %"
JIVO = "published: Jivo, +35.5 % published at 99.2 %"
# the least people of each arm for the published confidence; those that should have been planned for 80 % and 90 %
TESTS = (
    ("profile filled in", 0.045, 0.061, 0.05, (1507, 3077, 4119), SELECTEL),
    ("dynamic block", 0.012, 0.015, 0.05, (11369, 23228, 31095), SELECTEL),
    ("AMP", 0.0075, 0.0096, 0.05, (14769, 30174, 40393), SELECTEL),
    ("welcome chain at 1 %", 0.01, 0.01355, 0.008, (12989, None, None), JIVO),
    ("welcome chain at 2 %", 0.02, 0.0271, 0.008, (6417, None, None), JIVO),
    ("welcome chain at 3 %", 0.03, 0.04065, 0.008, (4227, None, None), JIVO),
    ("welcome chain at 5 %", 0.05, 0.06775, 0.008, (2474, None, None), JIVO),
    ("welcome chain at 10 %", 0.10, 0.1355, 0.008, (1160, None, None), JIVO),
    ("forecast of +11 % at 5 %", 0.05, 0.0555, 0.05, (None, 25929, None), "published: Jivo, the plan"),
    ("first letter opened, with and without signature", 0.2067, 0.3073, 0.10, (103, 233, None), "published: Jivo, published at 90 %"),
    ("last letter paid, +14 % of 2 %", 0.02, 0.0228, 0.10, (14454, None, None), "published: Jivo, not significant at 90 %"),
    ("last letter paid, +14 % of 5 %", 0.05, 0.057, 0.10, (5592, None, None), "published: Jivo, not significant at 90 %"),
    ("last letter paid, +14 % of 10 %", 0.10, 0.114, 0.10, (2638, None, None), "published: Jivo, not significant at 90 %"),
    ("NPS, 1.9 points of 5 %", 0.05, 0.069, 0.05, (1191, None, None), "published: Splav, if points are meant"),
    ("NPS, 1.9 points of 10 %", 0.10, 0.119, 0.05, (2076, None, None), "published: Splav, if points are meant"),
    ("NPS, 1.9 points of 20 %", 0.20, 0.219, 0.05, (3525, None, None), "published: Splav, if points are meant"),
    ("NPS, 1.9 % of 5 %", 0.05, 0.05095, 0.05, (408002, None, None), "published: Splav, if parts are meant"),
    ("NPS, 1.9 % of 10 %", 0.10, 0.1019, 0.05, (193157, None, None), "published: Splav, if parts are meant"),
    ("lead bot, 0.6 points of 2 %", 0.02, 0.026, 0.05, (4796, None, None), "published: SkillFactory, before and after"),
    ("lead bot, 0.6 points of 5 %", 0.05, 0.056, 0.05, (10712, None, None), "published: SkillFactory, before and after"),
    ("lead bot, 0.6 points of 10 %", 0.10, 0.106, 0.05, (19718, None, None), "published: SkillFactory, before and after"),
    ("repeat applications, 40 to 5 %", 0.40, 0.05, 0.05, (11, None, None), "published: SkillFactory, before and after"),
    ("top-up of companies, +5 % of 80 %", 0.80, 0.84, 0.05, (None, 1447, None), 'published: "several years" (telecom top-ups)'),
    ("top-up of people, +5 % of 30 %", 0.30, 0.315, 0.05, (None, 14856, None), 'published: "several years" (telecom top-ups)'),
)  # fmt: skip


def _sizes(base: float, other: float, alpha: float, wanted: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """With a power of a half the rates that were planned for are just at the bound: one more, and they are below alpha."""
    shown, *planned = (planning.of_control(base, other, 1, Aim(alpha, power)) for power in (0.5, 0.8, 0.9))
    found = (math.floor(shown) + 1, *(math.ceil(one) for one in planned))
    return tuple(None if want is None else one for one, want in zip(found, wanted, strict=True))


SEEN = {0.01: (78, 52, 35, 21, 14), 0.05: (32, 22, 15, 9.2, 6.3), 0.10: (23, 16, 11, 6.7, 4.6)}


def _of_planning():
    for name, base, other, alpha, expected, source in TESTS:
        yield Case(f"people for {name}", lambda b=base, o=other, a=alpha, e=expected: _sizes(b, o, a, e), expected, source, 0)
    table = "a global control group in 389,000 people at 80 %, by an independent program (statsmodels' power, inverted)"
    for place, (share, expected) in enumerate(SEEN.items()):
        for rate, uplift in zip(planning.CONTROL_RATES, expected, strict=True):
            yield Case(
                f"seen by {share:.0%} at {rate:.1%}",
                lambda p=place, r=rate: (_control(p, r),),
                (uplift,),
                table,
                0,
                0.51 if uplift >= 10 else 0.051,
            )
    for base, other, n, power in (
        (0.045, 0.061, 3077, 0.8000645191),
        (0.05, 0.0555, 25929, 0.8000065086),
        (0.012, 0.015, 23228, 0.8000080402),
    ):
        yield Case(
            f"power of {base} against {other} with {n}",
            lambda b=base, o=other, n=n: (power_of(b, o, (n, n), 0.05),),
            (power,),
            "statsmodels power_proportions_2indep",
        )
    for ratio, n in ((1, 1569.772102), (4, 981.1075615)):
        yield Case(
            f"people for a tenth of a deviation, 1 to {ratio}",
            lambda r=ratio: (planning.of_control_mean(1, 0.1, r, AIM80),),
            (n,),
            "statsmodels NormalIndPower, which counts the far tail too",
            5e-6,
        )


def _control(row: int, rate: float) -> float:
    found = planning.control_table(389_000, AIM80)
    uplift = found.rows[row].relative[found.rates.index(rate)]
    assert uplift is not None
    return uplift * 100


def _of_looks():
    bounds = (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)
    source = "Reboussin et al. 2000, Controlled Clinical Trials 21:190 (program ld98), O'Brien-Fleming spending, five looks"
    yield Case("boundaries of five looks", lambda: looks.boundaries(0.05, (1, 2, 3, 4, 5), 5), bounds, source, 0, 1.2e-4)
    spent = (0.000788622411, 0.007615839162, 0.02442436991, 0.05000309625)
    for k, total in zip(range(2, 6), spent, strict=True):
        yield Case(
            f"crossed after {k} looks",
            lambda k=k: (_crossed(bounds[:k]),),
            (total,),
            "scipy multivariate_normal.cdf in k dimensions",
            1e-4,
        )
    yield Case(
        "one look is a fixed test", lambda: (looks.boundaries(0.05, (700,), 700)[0],), (z_of(0.05),), "definition of spending", 1e-9
    )
    for people, tuned, width in (
        (10_000, 5_000, 3.0614772188674158),
        (3_000, 5_000, 3.060838836504904),
        (60_000, 30_000, 3.0614772188674175),
    ):
        yield Case(
            f"confidence sequence at {people} of {tuned}",
            lambda n=people, t=tuned: (looks.sequence_width(0.05, n, looks.tuned(0.05, t)),),
            (width,),
            "gbstats 0.8.0 SequentialTwoSidedTTest, its interval over its standard error",
            1e-12,
        )
    rule = looks.Rule("always_valid", 0.05, 60_000, 30_000)
    yield Case(
        "p of a confidence sequence",
        lambda: (rule.p(p_of(2.847811394346012)),),
        (0.09055096078636446,),
        "gbstats 0.8.0 SequentialTwoSidedTTest.p_value",
        1e-9,
    )


def _crossed(bounds: tuple[float, ...]) -> float:
    walk = looks.Walk()
    for place, bound in enumerate(bounds, 1):
        walk.go(place / 5, bound)
    return walk.upper + walk.lower


CASES = (*_of_pairs(), *_of_few(), *_of_means(), *_of_several(), *_of_planning(), *_of_looks())
