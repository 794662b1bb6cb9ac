"""Experiments beside what they compare: do the arms agree, and what may change while one runs. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from schemas.attributes import date_ms
from schemas.experiment_documents import CONTROL, TREATMENT, WHOLE, ControlOf, Experiment, GlobalOf, ImportedOf, SplitOf, VariantsOf
from services.gateway.domain.problems import Fault

Weights = Mapping[str, int]  # arm -> its share of WHOLE
# What may change while it runs: what it is called, when it ends (from now on: what is over stays), and the shares of a ramp.
FREE = frozenset(("name", "ends", "stopped"))


class Compared(NamedTuple):
    """Arms as the document says that draws them. salt: of their exposures, where others are told of it too; "" any."""

    weights: Weights
    salt: str = ""


def compared(of: SplitOf | VariantsOf | ControlOf | GlobalOf | ImportedOf, body: Mapping[str, Any]) -> Compared | None:
    """What a version of the journey or campaign draws; None: it draws nothing of that kind."""
    match of:
        case SplitOf():
            return _split(of, body)
        case VariantsOf():
            return _variants(body)
        case ControlOf():
            return _control(of, body)
        case GlobalOf() | ImportedOf():
            return None  # `held_back`, `drawn_elsewhere`


def drawn_elsewhere(document: Experiment) -> Compared:
    """What was imported has the shares that the experiment itself says."""
    return Compared({arm.name: arm.weight or 0 for arm in document.arms})


class Ruled(NamedTuple):
    """A rule document as it stands from an instant (ms) on. control: its global control group; None: it has none, or is out of force."""

    at: int
    key: str
    control: Mapping[str, Any] | None


def held_back(ruled: Iterable[Ruled]) -> dict[int, Compared | None]:
    """The global control group from each instant on at which it changed; None: there is none.

    All rules in force hold together: in it is whoever falls into any of their groups. Groups of different salts are drawn independently; of
    one salt the smaller lies in the larger.
    """
    found: dict[int, Compared | None] = {}
    rules: dict[str, Mapping[str, Any] | None] = {}
    for at, key, control in sorted(ruled, key=lambda one: one.at):
        rules[key] = control
        groups: dict[str, int] = {}
        for group in filter(None, rules.values()):
            groups[group["salt"]] = max(group["share"], groups.get(group["salt"], 0))
        share = round(WHOLE * (1 - prod(1 - one / WHOLE for one in groups.values())))
        found[at] = Compared(_pair(share)) if share else None
    moved: dict[int, Compared | None] = {}
    for at, one in found.items():
        if not moved or next(reversed(moved.values())) != one:
            moved[at] = one
    return moved


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


def changed(running: Mapping[str, Any], draft: Mapping[str, Any], now: int) -> Iterator[Fault]:
    """What a draft changes of a running experiment and may not: one fault for each field. now: of the installation, ms. It ends at no instant
    that is past, or it could be chosen by what it showed.
    """
    for field in dict.fromkeys((*running, *draft)):
        if running.get(field) == draft.get(field):
            continue
        if field == "stopped" and draft.get(field) != now:
            yield Fault(field, "experiment_stopped_by")
        if field == "ends" and any(at is not None and at < now for at in (date_ms(one.get(field)) for one in (running, draft))):
            yield Fault(field, "experiment_over")
        if field in FREE:
            continue
        if field == "arms" and _names(running.get(field, ())) == _names(draft.get(field, ())):
            continue
        yield Fault(field, "experiment_running")


def unsettled(document: Experiment, known: Compared | None, found: Compared | None) -> bool:
    """Would a version with the arms `found` unsettle an experiment that runs? known: the arms before."""
    if found is None or document.control not in found.weights:
        return True
    expected = {arm.name for arm in document.arms} or set(known.weights if known is not None else found.weights)
    return expected != set(found.weights)


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
    """Consecutive versions of what is compared with equal shares are one period: (the shares of each, version -> period)."""
    shares: list[Weights] = []
    of: dict[int, int] = {}
    for version, found in sorted(bodies.items()):
        if found is None:
            continue
        if not shares or shares[-1] != found.weights:
            shares.append(found.weights)
        of[version] = len(shares) - 1
    return shares, of


def arms_of(document: Experiment, shares: Sequence[Weights]) -> list[str]:
    """All that are asked for: those that the document names, then those of every period, so that what was drawn once is not forgotten when a later
    version draws otherwise.
    """
    named = [arm.name for arm in document.arms]
    return list(dict.fromkeys((*named, *(name for one in reversed(shares) for name in one)))) or [CONTROL, TREATMENT]


def within(arms: Mapping[str, Any], shares: Weights) -> dict[str, Any]:
    """Of what is told of arms, those of one period. Somebody in another is one of two who became one since."""
    return {name: arms[name] for name in shares if name in arms}
