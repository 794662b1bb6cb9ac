"""Warnings about conditions: what makes no sense, and what this installation does not know; and of experiments that a new version of what they
compare unsettles. They stand in no way of saving and publishing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from schemas.audience import Condition
from schemas.audience_reading import parse
from schemas.audience_walk import under
from schemas.experiment_documents import Experiment
from schemas.steps import Purge
from services.gateway.domain import acquaintance
from services.gateway.domain.acquaintance import Seen, events_of, unfamiliar
from services.gateway.domain.kinds import Kind
from services.gateway.domain.problems import Fault
from services.gateway.domain.sense import senseless
from services.gateway.handler import experiments
from services.gateway.handler.call import Call
from services.gateway.store.catalogue import seen

Placed = Sequence[tuple[str, Condition]]  # where a condition stands, and the condition
Told = dict[str, str]
_UNSAID = Purge.model_fields["keep"].default  # nobody has written it


async def warnings(call: Call, documents: Iterable[tuple[Kind, Mapping[str, Any]]]) -> list[list[Told]]:
    """Of each document, which can be read, its warnings as `{path, code, message}` in the caller's language."""
    given = list(documents)
    told = await warned(call, [_conditions(kind, body) for kind, body in given])
    compared = [
        (found, kind, body) for found, (kind, body) in zip(told, given, strict=True) if kind.name in ("journey", "campaign")
    ]
    for found, (kind, body) in zip(told, given, strict=True):
        if kind.name == "experiment":
            found += await warned_of(call, Experiment.model_validate(body))
    running = await experiments.running(call) if compared else []
    for found, kind, body in compared:
        found += [fault.told(call.language) for fault in await experiments.unsettled(call, running, kind.name, body)]
    return told


async def warned(call: Call, documents: Sequence[Placed]) -> list[list[Told]]:
    """The same of conditions by themselves."""
    events = {event for placed in documents for _, condition in placed for event in events_of(condition)}
    known = await seen(call.connection, events) if any(documents) else Seen()
    found = await asyncio.to_thread(lambda: [list(_faults(placed, known)) for placed in documents])  # others go on meanwhile
    return [[fault.told(call.language) for fault in faults] for faults in found]


async def warned_of(call: Call, asked: BaseModel, named: Callable[[str], str] = str) -> list[Told]:
    """The same of what a report or an experiment counts: names that were never seen. named: what a path is called by who asked."""
    known = await seen(call.connection, {deed.event for _, deed in acquaintance.deeds_of(asked)})
    return [replace(fault, path=named(fault.path)).told(call.language) for fault in acquaintance.unfamiliar_in(asked, known)]


def _conditions(kind: Kind, body: Mapping[str, Any]) -> Placed:
    found = ((".".join(map(str, path)), parse(document)) for path, document in kind.spots(body))
    return [(where, condition) for where, condition in found if condition != _UNSAID]


def _faults(placed: Placed, known: Seen) -> Iterable[Fault]:
    for where, condition in placed:
        for fault in (*senseless(condition), *unfamiliar(condition, known)):
            yield Fault(under(where, fault.path), fault.code, fault.message, fault.params)


def with_warnings(answer: dict[str, Any], told: Sequence[Told]) -> dict[str, Any]:
    """Nothing is added where there are none."""
    return {**answer, "warnings": list(told)} if told else answer
