"""Experiments: what they compare is looked up when they are published, and what runs is not changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from schemas.experiment_documents import Experiment, GlobalOf, ImportedOf
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


async def refuse_change(call: Call, key: str, document: BaseModel | None, now: int) -> None:
    """Raises Problem where a draft, or (None) its deletion, would change an experiment that runs. now: of the installation, ms."""
    draft = await documents.get(call.connection, EXPERIMENT.name, key)
    run = await run_of(call, key) if draft is not None and draft.published_version is not None else None
    if run is None or run.stopped_at is not None:
        return
    if document is None:
        raise Problem("experiment_running", key=key)
    if faults := list(domain.changed(run.body, document.model_dump(mode="json", by_alias=True, exclude_none=True), now)):
        raise Problem("invalid", faults)


async def refuse(call: Call, document: Experiment, now: int) -> None:
    """Raises Problem where it does not agree with what it compares, or changes what runs. It may always be stopped."""
    await refuse_change(call, document.key, document, now)
    if document.stopped is not None:
        return
    await _refuse_of_others(call, document)
    bodies = await compared_of(call, document)
    if not bodies:
        raise Problem("invalid", [Fault("of", "nothing_compared")])
    if faults := list(domain.faults(document, bodies[max(bodies)])):
        raise Problem("invalid", faults)


async def _refuse_of_others(call: Call, document: Experiment) -> None:
    """A campaign of another brand. Of journeys publishing asks: an experiment mentions them, while a campaign may be launched after it."""
    kind, _, key = (document.document or "").partition(":")
    if isinstance(document.of, ImportedOf) or kind != "campaign":
        return
    draft = await documents.get(call.connection, kind, key)
    if draft is not None and draft.brand != document.brand:
        raise Problem("invalid", [Fault("of.campaign", "other_brand", params={"kind": kind, "key": key, "brand": draft.brand})])


async def compared_of(call: Call, document: Experiment) -> dict[int, Compared | None]:
    """What each version of the journey or campaign draws; of the global control group, what it is from each instant on. A campaign that was never
    launched is its draft, as version 0. What another brand had under this key is nothing of ours: versions outlive a deletion.
    """
    if isinstance(document.of, ImportedOf):
        return {0: domain.drawn_elsewhere(document)}
    if isinstance(document.of, GlobalOf):
        return domain.held_back(await documents.ruled(call.connection))
    kind, _, key = str(document.document).partition(":")
    bodies = {
        version: body
        for version, body in (await documents.bodies(call.connection, kind, key)).items()
        if body.get("brand") == document.brand
    }
    draft = await documents.get(call.connection, kind, key) if kind == "campaign" and not bodies else None
    if draft is not None and draft.brand == document.brand:
        bodies = {0: draft.body}
    return {version: domain.compared(document.of, body) for version, body in bodies.items()}


async def running(call: Call) -> list[Experiment]:
    """Those in force that were not stopped, but for tests of others."""
    found = (await documents.of_kind(call.connection, EXPERIMENT.name)).values()
    read = (Experiment.model_validate(body) for body in found if body.get("stopped") is None)
    return [one for one in read if not isinstance(one.of, ImportedOf | GlobalOf)]


async def unsettled(call: Call, running: Sequence[Experiment], kind: str, body: Mapping[str, Any]) -> list[Fault]:
    """Warnings of a journey or campaign: experiments on it that run, and whose arms are others in this version than before."""
    key, brand = str(body.get("key")), body.get("brand")
    asked = [one for one in running if (one.document, one.brand) == (f"{kind}:{key}", brand)]
    before = await documents.bodies(call.connection, kind, key) if asked else {}
    others = [one for _, one in sorted(before.items()) if one.get("brand") == brand and one != body]
    found = []
    for document in asked:
        drawn = [one for one in (domain.compared(document.of, other) for other in others) if one is not None]
        if domain.unsettled(document, drawn[-1] if drawn else None, domain.compared(document.of, body)):
            found.append(Fault("", "experiment_unsettled", params={"key": document.key}))
    return found
