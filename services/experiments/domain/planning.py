"""Before the start: how many people it takes, how long that is, and how small an effect can be seen at all."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from schemas.experiments import ControlRow, ControlTable, Needed, Planned, Planning, Seen, Text
from services.experiments.domain import looks, telling_plans
from services.experiments.domain.curves import quantile, root, z_of

LONGEST_DAYS = 56  # eight weeks: longer tests meet seasons, other tests, and people who are no longer there
CONTROL_SHARES = (0.01, 0.05, 0.10)
CONTROL_RATES = (0.005, 0.01, 0.02, 0.05, 0.10)


class Aim(NamedTuple):
    """alpha, two-sided, of one comparison; power: the chance to see what is there."""

    alpha: float
    power: float

    @property
    def z(self) -> tuple[float, float]:
        return z_of(self.alpha), quantile(self.power)


def of_control(base: float, other: float, ratio: float, aim: Aim) -> float:
    """People of the control, not rounded, that tell two rates apart by the pooled z. ratio: people of the arm for one of the control."""
    a, b = aim.z
    pooled = (base + ratio * other) / (1 + ratio)
    none = math.sqrt((1 + 1 / ratio) * pooled * (1 - pooled))
    some = math.sqrt(base * (1 - base) + other * (1 - other) / ratio)
    return ((a * none + b * some) / (other - base)) ** 2


def of_control_mean(deviation: float, effect: float, ratio: float, aim: Aim) -> float:
    """The same of two means."""
    return sum(aim.z) ** 2 * deviation**2 * (1 + 1 / ratio) / effect**2


def smallest(base: float, people: tuple[float, float], aim: Aim) -> float | None:
    """The smallest rise of a rate that (control, arm) people show, in points. None: not even up to 100 %."""
    control, arm = people

    def left(effect: float) -> float:
        return of_control(base, base + effect, arm / control, aim) - control

    most = (1 - base) * (1 - 1e-12)
    if left(most) > 0:
        return None
    return root(left, most * 1e-9, most)


def smallest_mean(deviation: float, people: tuple[float, float], aim: Aim) -> float:
    control, arm = people
    return sum(aim.z) * deviation * math.sqrt(1 / control + 1 / arm)


def control_table(people: int, aim: Aim) -> ControlTable:
    """The smallest relative uplift that a global control group shows, by its share and the base rate."""
    rows = []
    for share in CONTROL_SHARES:
        held = round(people * share)
        found = tuple(smallest(rate, (held, people - held), aim) for rate in CONTROL_RATES)
        relative = tuple(None if one is None else one / rate for one, rate in zip(found, CONTROL_RATES, strict=True))
        rows.append(ControlRow(share=share, people=held, relative=relative))
    return ControlTable(rates=CONTROL_RATES, rows=tuple(rows))


def plan(asked: Planning) -> Planned:
    """The answer to `POST /api/experiments/plan`."""
    aim = Aim(asked.alpha / (len(asked.shares) - 1), asked.power)
    more = looks.inflation(aim.alpha, aim.power, asked.looks)
    needed = None if asked.effect is None else _needed(asked, aim, more)
    seen = None if asked.people is None else _seen(asked, aim, more)
    table = None if asked.global_base is None else control_table(asked.global_base, Aim(asked.alpha, asked.power))
    refused = needed is not None and needed.too_long
    return Planned(needed=needed, seen=seen, control_groups=table, refused=refused, text=_told(asked, needed, seen))


def _needed(asked: Planning, aim: Aim, more: float) -> Needed:
    """Of each arm, by the comparison that takes most people; several comparisons share alpha, as Holm's first step does."""
    base, effect = asked.base, _points(asked)
    whole = 0.0
    for share in asked.shares[1:]:
        ratio = share / asked.shares[0]
        if asked.kind == "proportion":
            control = of_control(base, base + effect, ratio, aim)
        else:
            control = of_control_mean(asked.deviation or 0.0, effect, ratio, aim)
        whole = max(whole, control / asked.shares[0])
    arms = tuple(max(2, math.ceil(round(whole * share * more, 9))) for share in asked.shares)
    days = None if asked.per_day is None else math.ceil(sum(arms) / asked.per_day)
    too_long = days is not None and days > LONGEST_DAYS
    return Needed(arms=arms, people=sum(arms), inflation=more, days=days, too_long=too_long)


def whole_people(asked: Planning) -> int:
    """Of all arms together, for an effect that is said, without looks. For sentences about what is missing."""
    return _needed(asked, Aim(asked.alpha / (len(asked.shares) - 1), asked.power), 1.0).people


def _points(asked: Planning) -> float:
    assert asked.effect is not None
    if asked.effect.points is not None:
        return asked.effect.points
    assert asked.effect.relative is not None
    return asked.base * asked.effect.relative


def _seen(asked: Planning, aim: Aim, more: float) -> Seen:
    """With the people there are: of the comparison that sees least."""
    assert asked.people is not None
    found: list[float | None] = []
    for share in asked.shares[1:]:
        pair = _pair(asked.people / more, asked.shares, share)
        found.append(
            smallest(asked.base, pair, aim) if asked.kind == "proportion" else smallest_mean(asked.deviation or 0.0, pair, aim)
        )
    points = None if None in found else max(one for one in found if one is not None)
    return Seen(people=asked.people, points=points, relative=None if points is None else points / asked.base)


def _pair(people: float, shares: Sequence[float], share: float) -> tuple[float, float]:
    whole = sum(shares)
    return people * shares[0] / whole, people * share / whole


def _told(asked: Planning, needed: Needed | None, seen: Seen | None) -> Text:
    effect = None if asked.effect is None else (_points(asked), _points(asked) / asked.base)
    return Text(**{lang: telling_plans.say(lang, asked, effect, needed, seen) for lang in ("en", "ru")})
