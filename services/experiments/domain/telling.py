"""What was found, in sentences: the interval first, points and parts told apart, and no claim that the data does not carry."""

from collections.abc import Callable
from typing import NamedTuple

from schemas.experiments import Arm, Effect, Evaluation, Mean, Metric, Planning, Proportion, Reading, Verdict
from services.experiments.domain.comparing import Pair, Under, people, share, usual
from services.experiments.domain.planning import whole_people
from services.experiments.domain.split import Checked
from services.experiments.domain.telling_spans import Spoken, chance, lifts, size, spoken
from services.experiments.domain.words import SPACE, Language, counted, number, percent, places_of

Say = Callable[[Language], str]

_VERDICTS: dict[str, dict[Language, str]] = {
    "not_shown": {"en": "No difference shown", "ru": "Разница не показана"},
    "not_yet": {"en": "No difference shown so far", "ru": "Разница пока не показана"},
    "too_few": {"en": "Too few for a verdict", "ru": "Слишком мало для вывода"},
}
_AMONG: dict[Language, str] = {
    "en": "Among several comparisons this one alone is not enough.",
    "ru": "Среди нескольких сравнений этого недостаточно.",
}


class Told(NamedTuple):
    """What all sentences about one experiment know."""

    asked: Evaluation
    under: Under
    fair: Checked
    merges: Checked | None

    @property
    def early(self) -> bool:
        """A test with one look, before it."""
        planned = self.asked.plan.people
        return self.under.rule.name == "fixed" and planned is not None and self.under.rule.people < planned

    def blocked(self, lang: Language) -> str:
        """Why there is no verdict."""
        if self.fair.alarm:
            found = _listed(lang, [arm.assigned for arm in self.asked.arms])
            due = _listed(lang, list(self.fair.expected))
            chances = chance(lang, self.fair.p)
            if lang == "ru":
                return f"Вывода нет: люди распределились не так, как настроено: {found} вместо {due} (p {chances}). Сначала найдите причину."
            return f"No verdict: people did not fall into the arms as configured: {found} in place of {due} (p {chances}). Find out why first."
        rates = " / ".join(percent(lang, (arm.merged or 0) / arm.assigned, 2) for arm in self.asked.arms)
        chances = chance(lang, self.merges.p if self.merges else 1.0)
        if lang == "ru":
            return f"Вывода нет: в группах по-разному часто объединяются профили: {rates} (p {chances}). Сначала найдите причину."
        return f"No verdict: profiles merge at different rates in the arms: {rates} (p {chances}). Find out why first."

    def compared(self, lang: Language, metric: Metric, arm: Arm, pair: Pair, verdict: Verdict, among: int) -> str:
        """One comparison; among: how many its p is adjusted for, of all measures that share them."""
        if verdict == "blocked":
            return self.blocked(lang)
        says = spoken(lang, metric)
        ends = self._ends(lang, says, arm, pair.reading, metric)
        if self.early:
            return f"{says.title}: {self._early(lang)} ({ends})."
        parts = [f"{size(lang, says, pair.reading.interval)} ({ends}; {lifts(lang, pair.reading)})."]
        if verdict == "not_yet":
            parts.append(f"{_VERDICTS[verdict][lang]}{self._so_far(lang)}.")
        elif verdict in _VERDICTS:
            parts.append(f"{_VERDICTS[verdict][lang]}{self._missing(lang, metric, arm, verdict)}.")
        crossed = _apart(pair.reading)
        if among > 1 and crossed and verdict in ("not_shown", "not_yet"):
            parts.append(_AMONG[lang])
        parts += self._beside(lang, says, metric, pair)
        return " ".join(parts)

    def _ends(self, lang: Language, says: Spoken, arm: Arm, reading: Reading, metric: Metric) -> str:
        """What each of the two has."""
        base = self.asked.base
        one = f"{arm.name}: {self._value(lang, says, reading.value, metric, arm)}"
        return f"{one}, {base.name}: {self._value(lang, says, reading.control, metric, base)}"

    def _value(self, lang: Language, says: Spoken, value: float, metric: Metric, arm: Arm) -> str:
        if not isinstance(metric, Proportion):
            return says.value(lang, value)
        found = share(metric.of[arm.name], arm)
        of = "из" if lang == "ru" else "of"
        return f"{percent(lang, found.rate, 1 if found.rate >= 0.02 else max(2, places_of(found.rate * 100)))} {of} {number(lang, found.n)}"

    def _so_far(self, lang: Language) -> str:
        fraction = self.under.look.fraction
        if fraction is None or self.under.rule.name != "sequential":
            return ""
        part = percent(lang, fraction, 0)
        return f": пройдено {part} плана" if lang == "ru" else f": {part} of the plan"

    def _early(self, lang: Language) -> str:
        planned, now = self.asked.plan.people or 0, self.under.rule.people
        due, there = counted(lang, planned, "person"), number(lang, now)
        if lang == "ru":
            return f"смотреть рано, нужно {due}, а сейчас {there}: этот тест читают один раз"
        return f"too early, it takes {due} and there are {there}: this test is read once"

    def _missing(self, lang: Language, metric: Metric, arm: Arm, verdict: Verdict) -> str:
        """How many more people it takes to see what is worth knowing."""
        needed = self._needed(metric, arm)
        smallest = self.asked.plan.effect
        effect = percent(lang, smallest, 0 if smallest >= 0.01 else places_of(smallest * 100, 2))
        if needed is None:
            return ""
        # Of whom the metric is, who may be fewer than were assigned.
        more = needed - sum(people(metric.of[one.name], one) for one in self.asked.arms)
        if more > 0:
            missing = counted(lang, _round(more), "person")
            if lang == "ru":
                return f"; чтобы увидеть {effect}, нужно ещё {missing}"
            return f"; to see {effect} you need {missing.replace(SPACE, f'{SPACE}more{SPACE}')}"
        if verdict == "too_few":
            return ""
        sure = percent(lang, self.asked.plan.power, 0)
        if lang == "ru":
            return f"; разницу в {effect} такой тест показывает с вероятностью {sure}"
        return f"; a difference of {effect} is seen by such a test with a chance of {sure}"

    def _needed(self, metric: Metric, arm: Arm) -> int | None:
        """People of all arms. None where the control says nothing about what is usual."""
        base, plan = self.asked.base, self.asked.plan
        found = usual(metric, base)
        if found is None:
            return None
        mean, deviation = found
        up = isinstance(metric, Proportion) and mean * (1 + plan.effect) >= 1
        effect = -plan.effect if up else plan.effect
        if isinstance(metric, Proportion) and not 0 < mean * (1 + effect) < 1:
            return None
        asked = Planning.model_construct(
            kind="proportion" if isinstance(metric, Proportion) else "mean",
            base=mean,
            deviation=deviation,
            effect=Effect.model_construct(relative=effect, points=None),
            alpha=plan.alpha,
            power=plan.power,
            shares=(base.share, *(one.share for one in self.asked.arms if one is not base)),
        )
        assert arm is not base
        return whole_people(asked)

    def _beside(self, lang: Language, says: Spoken, metric: Metric, pair: Pair) -> list[str]:
        """Outliers with the result without the rule; what was known before."""
        found = []
        if isinstance(metric, Mean) and metric.outliers is not None and pair.without_rule is not None:
            changed = counted(lang, metric.outliers.changed, "value")
            cap, without = says.value(lang, float(metric.outliers.cap)), size(lang, says, pair.without_rule.interval, bare=True)
            cut = metric.outliers.rule == "winsorized"
            if lang == "ru":
                what = f"до {cap} урезано: {changed}" if cut else f"больше {cap} и поэтому не учтено: {changed}"
                found.append(f"Выбросы: {what}; без этого правила {without}.")
            else:
                what = f"{changed} cut to {cap}" if cut else f"{changed} above {cap} left out"
                found.append(f"Outliers: {what}; without this rule {without}.")
        if pair.cuped is not None and pair.cuped.used:
            gain = percent(lang, pair.cuped.gain, 0)
            plain = size(lang, says, pair.cuped.plain.interval, bare=True)
            if lang == "ru":
                found.append(f"С учётом прошлого (CUPED) разброс меньше на {gain}; без этого {plain}.")
            else:
                found.append(f"What was known before (CUPED) takes {gain} of the variance away; without it {plain}.")
        return found


def _apart(reading: Reading) -> bool:
    """Whether 0 lies outside the interval."""
    low, high = reading.interval.low, reading.interval.high
    return (low is not None and low > 0) or (high is not None and high < 0)


def _round(people: int) -> int:
    """Up, to two digits that matter: such a figure is no better known."""
    step: int = 10 ** max(0, len(str(people)) - 2)
    return -(-people // step) * step


def _listed(lang: Language, figures: list[int] | list[float]) -> str:
    return " / ".join(number(lang, round(one)) for one in figures)
