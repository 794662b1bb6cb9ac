"""What the segmenter keeps of a person, for his copy of it."""

from collections.abc import Sequence
from typing import Any

from runtime.db import Connection
from schemas.journeys import CONDITION
from services.segmenter.domain import state

STATES = "SELECT state FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL"


async def held(connection: Connection, people: Sequence[str]) -> dict[str, Any]:
    """{segments: {key: since}}: those in which he stands; conditions of journeys have no names."""
    states = [state.decode(row["state"]) for row in await connection.fetch(STATES, list(people))]
    named = {key: since for one in states for key, since in one.members.items() if not key.startswith(CONDITION)}
    return {"segments": dict(sorted(named.items()))}
