"""How large a test of a document is to be: the question to whom plans (schemas/experiments.py), with the traffic that there really is. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from schemas.experiment_documents import Experiment, ImportedOf
from schemas.experiments import Flow
from services.gateway.domain.experiments import Weights

FLOW_DAYS = 28  # four of each day of the week
USUAL_EFFECT = 0.1
ASKS = frozenset(("effect", "people", "global_base"))


def flows(document: Experiment) -> bool:
    """Whether people come to its arms day by day: a campaign comes at once, and what was imported comes no more."""
    if isinstance(document.of, ImportedOf):
        return False
    return document.document is None or document.document.startswith("journey:")


def flow(days: Iterable[Mapping[str, Any]], today: str) -> Flow | None:
    """What came each day, over the days that are over, from the first of them on which somebody came. None: there is no such day.

    days: {day, arms: people by arm}, of any period, local days as texts.
    """
    came: Counter[str] = Counter()
    for one in days:
        came[one["day"]] += sum(one["arms"].values())
    over = {day: people for day, people in came.items() if people and day < today}
    if not over:
        return None
    since, people = min(over), sum(over.values())
    length = (date.fromisoformat(today) - date.fromisoformat(since)).days
    return Flow(since=since, days=length, people=people, per_day=people / length)


def planning(document: Experiment, shares: Weights, found: Flow | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The question: what is asked goes before what the document says, and that before what is usual."""
    arms = (document.control, *(name for name in shares if name != document.control))
    told: dict[str, Any] = {"shares": [shares[name] / 100 for name in arms], "alpha": document.alpha, "power": document.power}
    if found is not None:
        told["per_day"] = found.per_day
    if not ASKS & asked.keys():
        told["effect"] = {"relative": document.effect or USUAL_EFFECT}
    return {**told, **asked}
