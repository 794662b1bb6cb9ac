"""Experiments: what they compare is looked up when they are published, and what runs is not changed."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from schemas.experiment_documents import Experiment, GlobalOf
from services.gateway.domain import experiments as domain
from services.gateway.domain.experiments import Compared, Run
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Fault, Problem
from services.gateway.handler.call import Call
from services.gateway.store import documents

EXPERIMENT = KINDS["experiment"]


async def run_of(call: Call, key: str) -> Run | None:
    """The last run of an experiment, if there was one."""
    return domain.run_of(await documents.history(call.connection, EXPERIMENT.name, key))


async def refuse_change(call: Call, key: str, document: BaseModel | None) -> None:
    """Raises Problem where a draft, or (None) its deletion, would change an experiment that runs."""
    draft = await documents.get(call.connection, EXPERIMENT.name, key)
    run = await run_of(call, key) if draft is not None and draft.published_version is not None else None
    if run is None or run.stopped_at is not None:
        return
    if document is None:
        raise Problem("experiment_running", key=key)
    if faults := list(domain.changed(run.body, document.model_dump(mode="json", by_alias=True, exclude_none=True))):
        raise Problem("invalid", faults)


async def refuse(call: Call, document: Experiment) -> None:
    """Raises Problem where it does not agree with what it compares, or changes what runs."""
    await refuse_change(call, document.key, document)
    bodies = await compared_of(call, document)
    if not bodies:
        raise Problem("invalid", [Fault("of", "nothing_compared")])
    if faults := list(domain.faults(document, bodies[max(bodies)])):
        raise Problem("invalid", faults)


async def compared_of(call: Call, document: Experiment) -> dict[int, Compared | None]:
    """What each version of the journey or campaign draws, or the rule that has a global control group. A campaign that was never launched is
    its draft, as version 0.
    """
    bodies: Mapping[int, Mapping[str, Any]]
    if isinstance(document.of, GlobalOf):
        rules = (await documents.of_kind(call.connection, "rule")).values()
        whole = [body for body in rules if body.get("global_control") and body.get("brand") in (None, document.brand)]
        bodies = {1: whole[0]} if whole else {}
    else:
        kind, _, key = str(document.document).partition(":")
        bodies = await documents.bodies(call.connection, kind, key)
        draft = await documents.get(call.connection, kind, key) if kind == "campaign" and not bodies else None
        bodies = {0: draft.body} if draft is not None else bodies
    return {version: domain.compared(document.of, body) for version, body in bodies.items()}
