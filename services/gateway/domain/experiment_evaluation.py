"""The statistics of an experiment as a question to whom judges it (schemas/experiments.py). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from schemas.experiment_documents import Experiment, Metric
from schemas.experiments import Evaluation
from schemas.reports import faults_of
from services.gateway.domain.experiment_looks import Look, earlier, people_of, planned
from services.gateway.domain.experiments import Weights, within
from services.gateway.domain.problems import Fault

RULES = {"sequential": "sequential", "open": "always_valid", "fixed": "fixed"}
OUTLIERS = {"cap": "winsorized", "quantile": "winsorized", "mean": "ten_times"}
KINDS = {"conversion": "proportion", "mean": "mean", "ratio": "ratio"}

Arms = Mapping[str, Mapping[str, Any]]  # as the audience service tells a period


class Question(NamedTuple):
    """body: of an Evaluation; None: nothing can be judged. faults: why not, or why a secondary measure was left out."""

    body: dict[str, Any] | None
    faults: Sequence[Fault]


def question(document: Experiment, shares: Weights, period: Mapping[str, Any], look: Look | None) -> Question:
    """By the arms of this period. look: None where one may look at any time. Secondary measures of which nothing can be said are left out, and
    told.
    """
    arms: Arms = within(period["arms"], shares)
    people = people_of(arms)
    plan: dict[str, Any] = {"rule": RULES[document.rule], "alpha": document.alpha, "power": document.power,
                            "people": planned(document, people, final=look is not None and look.final),
                            "looks": earlier(look.before, people) if look is not None else []}  # fmt: skip
    if document.effect is not None:
        plan["effect"] = document.effect
    metrics = {metric.key: _metric(metric, arms, period["outliers"].get(metric.key)) for metric in document.metrics}
    told: list[Fault] = []
    if look is not None and look.short:
        told.append(Fault("size", "ended_early", params={"people": people, "size": document.size}))
    while True:
        body = {
            "arms": [{"name": name, "share": shares[name], "assigned": arms[name]["people"], "merged": arms[name]["merged"]} for name in arms],
            "metrics": list(metrics.values()), "control": document.control, "primary": document.primary.key,
            "plan": plan,
        }  # fmt: skip
        try:
            Evaluation.model_validate(body)
        except ValidationError as error:
            faults = [Fault(one.path, one.code, one.message, one.params) for one in faults_of(error)]
            told += faults
            spoilt = {list(metrics)[int(one.path.split(".")[1])] for one in faults if one.path.startswith("metrics.")}
            if not spoilt or document.primary.key in spoilt or len(spoilt) < len({_of(one) for one in faults}):
                return Question(None, told)
            metrics = {key: metric for key, metric in metrics.items() if key not in spoilt}
            continue
        return Question(body, told)


def _of(fault: Fault) -> str:
    return ".".join(fault.path.split(".")[:2])


def _metric(metric: Metric, arms: Arms, cut: Mapping[str, Any] | None) -> dict[str, Any]:
    title = {"title": {"en": metric.name, "ru": metric.name}} if metric.name else {}
    told: dict[str, Any] = {"key": metric.key, "kind": KINDS[metric.kind], **title}
    if cut is not None and cut["cap"] is not None:
        told["outliers"] = {"rule": OUTLIERS[cut["rule"]], "cap": cut["cap"], "changed": cut["changed"]}
    else:
        cut = None
    told["of"] = {name: _sums(metric, arm["measures"][metric.key], trimmed=cut is not None) for name, arm in arms.items()}
    return told


def _sums(metric: Metric, found: Mapping[str, Any], *, trimmed: bool) -> dict[str, Any]:
    whole = found["all"]
    if metric.kind == "conversion":
        return {"x": whole["sum_y"], "n": whole["n"]}
    money = {"currency": found["currency"]} if found["currency"] else {}
    if metric.kind == "ratio":
        names = {"y": "sum_y", "x": "sum_d", "yy": "sum_yy", "xx": "sum_dd", "xy": "sum_yd"}
        return {"n": whole["n"], **{name: whole[of] for name, of in names.items()}, **money}
    sums = found["trimmed"] if trimmed else whole
    told = {**_plain(sums), **money}
    if "sum_x" in sums:
        told["before"] = {"sum": sums["sum_x"], "squares": sums["sum_xx"], "cross": sums["sum_yx"]}
    return {**told, "without_rule": {**_plain(whole), **money}} if trimmed else told


def _plain(sums: Mapping[str, int]) -> dict[str, int]:
    return {"n": sums["n"], "sum": sums["sum_y"], "squares": sums["sum_yy"]}


def valued(document: Experiment, judged: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict with what the document says of each measure: whether more of it is good is not for statistics to say."""
    better = {metric.key: metric.better for metric in document.metrics}
    return {**judged, "metrics": [{**one, "better": better[one["key"]]} for one in judged["metrics"]]}
