"""A journey while people are inside: it is published with a word about them, paused, archived and ended."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from schemas.controls import ANY, LEAVE, Entrants, Gate, GateState, Migration, gate_of
from schemas.journeys import Journey
from services.gateway.domain.kinds import KINDS, text_of
from services.gateway.domain.moves import moves_of
from services.gateway.domain.patterns import is_pattern
from services.gateway.domain.problems import Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.finding import mine
from services.gateway.handler.keys import validated
from services.gateway.handler.publishing import Publishing
from services.gateway.store import documents

JOURNEY = KINDS["journey"]
# What may be done in which state.
ALLOWED: Mapping[GateState, frozenset[GateState]] = {
    "paused": frozenset(("open", "paused")),
    "open": frozenset(("open", "paused", "archived", "ended")),
    "archived": frozenset(("open", "paused", "archived")),
    "ended": frozenset(("open", "paused", "archived", "ended")),
}


class Pause(BaseModel):
    """entrants: who would enter meanwhile is refused, and told so, or waits for the end of the pause."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entrants: Entrants = "refuse"


async def gate_in_force(call: Call, key: str) -> Gate:
    found = await documents.published(call.connection, "gate", gate_of(key))
    return Gate.model_validate(found) if found is not None else Gate(key=gate_of(key), state="open", at=0)


async def set_gate(call: Call, key: str, state: GateState, body: Any = None) -> Answer:
    """Pause a journey, open it again, archive or end it. What is so already stays as it is."""
    asked = validated(Pause, body if body is not None else {})
    publishing = await Publishing.begin(call)
    draft = await mine(call, JOURNEY, key)
    if draft.published_version is None:
        raise Problem("not_in_force", kind=JOURNEY.name, key=key)
    before = await gate_in_force(call, key)
    if before.state not in ALLOWED[state]:
        raise Problem("journey_state", key=key, state=before.state)
    entrants: Entrants = asked.entrants if state == "paused" else "refuse"
    changed = (before.state, before.entrants) != (state, entrants)
    if changed:
        before = Gate(key=gate_of(key), state=state, entrants=entrants, at=publishing.now)
        await _put(call, publishing, "gate", before.key, before)
        if state == "ended":
            versions = await documents.bodies(call.connection, JOURNEY.name, key)
            everybody = {version: {ANY: LEAVE} for version in versions}
            await _migrate(
                call, publishing, Migration(key=key, to=max(versions), moves=everybody, reason="ended", at=publishing.now)
            )
        await call.audit(state, f"{JOURNEY.name} {key}", entrants=entrants)
    await publishing.finish()
    return Answer({"key": key, "changed": changed, **told(before)})


def told(gate: Gate) -> dict[str, Any]:
    """state, since (ms; 0: always) and, of a pause, what becomes of entrants."""
    more = {"entrants": gate.entrants} if gate.state == "paused" else {}
    return {"state": gate.state, "since": gate.at, **more}


async def lead(
    call: Call, publishing: Publishing, journey: Journey, version: int, move: Mapping[str, str]
) -> dict[int, dict[str, str]]:
    """Send those who stand in earlier versions where the publisher said. Answers where that is. Raises Problem `invalid`."""
    earlier = {
        number: [step["id"] for step in body["steps"]]
        for number, body in (await documents.bodies(call.connection, JOURNEY.name, journey.key)).items()
        if number < version and not is_pattern(body)  # in one with parameters nobody stands
    }
    moves, faults = moves_of(move, [step.id for step in journey.steps], earlier)
    if faults:
        raise Problem("invalid", faults)
    if moves:
        await _migrate(call, publishing, Migration(key=journey.key, to=version, moves=moves, at=publishing.now))
        await call.audit("move", f"{JOURNEY.name} {journey.key}", version=version, move=dict(move))
    return moves


async def reopen(call: Call, publishing: Publishing, key: str) -> None:
    """A journey goes out of force: another one of its name shall not be shut. Raises Problem for one that is paused."""
    gate = await gate_in_force(call, key)
    if gate.state == "paused":
        raise Problem("journey_state", key=key, state=gate.state)
    if gate.state != "open":
        await _put(call, publishing, "gate", gate.key, Gate(key=gate.key, state="open", at=publishing.now))


async def _migrate(call: Call, publishing: Publishing, migration: Migration) -> None:
    await _put(call, publishing, "migration", migration.key, migration)


async def _put(call: Call, publishing: Publishing, kind: str, key: str, document: BaseModel) -> None:
    await documents.save(call.connection, kind, key, None, json.dumps(text_of(document)), call.now)
    draft = await documents.get(call.connection, kind, key)
    assert draft is not None
    await publishing.publish(kind, key, document, draft)
