"""Experiments beside what they compare: do the arms agree, and what may change while one runs. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.experiment_documents import CONTROL, TREATMENT, WHOLE, ControlOf, Experiment, GlobalOf, SplitOf, VariantsOf
from services.gateway.domain.problems import Fault

Weights = Mapping[str, int]  # arm -> its share of WHOLE
# What may change while it runs: what it is called, when it ends, and the shares of a ramp.
FREE = frozenset(("name", "ends", "stopped"))


class Compared(NamedTuple):
    """Arms as the document says that draws them. salt: of their exposures, where others are told of it too; "" any."""

    weights: Weights
    salt: str = ""


def compared(of: SplitOf | VariantsOf | ControlOf | GlobalOf, body: Mapping[str, Any]) -> Compared | None:
    """What a version of the journey or campaign draws, or a rule; None: it draws nothing of that kind."""
    match of:
        case SplitOf():
            return _split(of, body)
        case VariantsOf():
            return _variants(body)
        case ControlOf():
            return _control(of, body)
        case GlobalOf():
            whole = body.get("global_control")
            return Compared(_pair(whole["share"]), whole["salt"]) if whole else None


def _split(of: SplitOf, body: Mapping[str, Any]) -> Compared | None:
    step = next((one for one in body.get("steps", ()) if one.get("id") == of.step and "split" in one), None)
    return None if step is None else Compared({arm["name"]: arm["share"] * (WHOLE // 100) for arm in step["split"]})


def _variants(body: Mapping[str, Any]) -> Compared | None:
    """The shares of variants are of those who are in no control group."""
    variants, control = body.get("variants", ()), body.get("control", 0)
    if not variants and not control:
        return None
    shares = {one["name"]: one["share"] * (100 - control) for one in variants} or {TREATMENT: WHOLE - control * 100}
    return Compared({**shares, **({CONTROL: control * 100} if control else {})})


def _control(of: ControlOf, body: Mapping[str, Any]) -> Compared | None:
    if of.campaign is not None:
        control = body.get("control", 0)
        return Compared(_pair(control * 100)) if control else None
    control = body.get("control")
    return Compared(_pair(control["share"]), control.get("salt") or str(of.journey)) if control else None


def _pair(share: int) -> Weights:
    return {CONTROL: share, TREATMENT: WHOLE - share}


def faults(document: Experiment, found: Compared | None) -> Iterator[Fault]:
    """Where an experiment does not agree with what it compares."""
    if found is None:
        yield Fault("of", "nothing_compared")
        return
    names = {"names": ", ".join(found.weights)}
    if document.control not in found.weights:
        yield Fault("control", "unknown_arm", params={"name": document.control, **names})
    for place, arm in enumerate(document.arms):
        if arm.name not in found.weights:
            yield Fault(f"arms.{place}.name", "unknown_arm", params={"name": arm.name, **names})
        elif arm.weight is not None and arm.weight != found.weights[arm.name]:
            yield Fault(f"arms.{place}.share", "share_differs", params={"share": found.weights[arm.name] / 100})
    if document.arms and (missing := [name for name in found.weights if name not in {arm.name for arm in document.arms}]):
        yield Fault("arms", "arms_missing", params={"names": ", ".join(missing)})


def changed(running: Mapping[str, Any], draft: Mapping[str, Any]) -> Iterator[Fault]:
    """What a draft changes of a running experiment and may not: one fault for each field."""
    for field in dict.fromkeys((*running, *draft)):
        if field in FREE or running.get(field) == draft.get(field):
            continue
        if field == "arms" and _names(running.get(field, ())) == _names(draft.get(field, ())):
            continue
        yield Fault(field, "experiment_running")


def _names(arms: Sequence[Mapping[str, Any]]) -> list[str]:
    return [arm["name"] for arm in arms]


class Run(NamedTuple):
    """From its publication to the version before the next start. version: of its first; body: as it stands now; until: when it was stopped, or
    is to end (ms).
    """

    version: int
    started_at: int
    body: Mapping[str, Any]
    stopped_at: int | None


def run_of(versions: Sequence[tuple[int, int, Mapping[str, Any]]]) -> Run | None:
    """The last run. versions: (number, published_at, body), rising. What comes after a version that was stopped begins anew."""
    run: Run | None = None
    for number, at, body in versions:
        stopped = body.get("stopped")
        fresh = run is None or run.stopped_at is not None
        if fresh and stopped is not None:
            continue
        run = Run(number, at, body, None) if fresh else run._replace(body=body, stopped_at=stopped)  # type: ignore[union-attr]
    return run


def periods(bodies: Mapping[int, Compared | None]) -> tuple[list[Weights], dict[int, int]]:
    """Versions of what is compared with equal shares are one period: (the shares of each, version -> period)."""
    shares: list[Weights] = []
    of: dict[int, int] = {}
    for version, found in sorted(bodies.items()):
        if found is None:
            continue
        if not shares or shares[-1] != found.weights:
            shares.append(found.weights)
        of[version] = len(shares) - 1
    return shares, of
