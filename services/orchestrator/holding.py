"""What the orchestrator keeps of a person, for his copy of it."""

from collections.abc import Sequence
from typing import Any

from runtime.db import Connection
from services.orchestrator.domain import state

STATES = "SELECT state FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL AND state <> ''"


async def held(connection: Connection, people: Sequence[str]) -> dict[str, Any]:
    """{runs: [{journey, version, step, started_at, next_at, data}], dialogues: [{bot, version, dialogue, step, moved_at, answers}],
    caps: [{class, brand, at}]}; times in ms. answers: question -> [value, points].
    """
    found = [state.decode(row["state"]) for row in await connection.fetch(STATES, list(people))]
    return {
        "runs": [
            {
                "journey": run.journey,
                "version": run.version,
                "step": run.step,
                "started_at": run.started_at,
                "next_at": run.due_at,
                "data": run.data,
            }
            for person in found
            for run in person.runs
        ],
        "dialogues": [
            {
                "bot": talk.bot,
                "version": talk.version,
                "dialogue": talk.dialogue,
                "step": talk.step,
                "moved_at": talk.at,
                "answers": talk.answers,
            }
            for person in found
            for talk in person.talks
        ],
        "caps": [{"class": one.message_class, "brand": one.brand, "at": one.at} for person in found for one in person.reservations],
    }
