"""Who stands where in a journey, as the orchestrator counts them: with a million inside that takes seconds."""

from typing import Any

import httpx

from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.problems import Problem


async def stands(neighbours: Neighbours, journey: str) -> dict[str, Any]:
    """{versions: version -> step -> people, entering, held, waiting, settled}. Raises Problem `service_unavailable`."""
    answer = await neighbours.stream("GET", "orchestrator", "/standing", params={"journey": journey, "service": "orchestrator"})
    try:
        await answer.aread()
    except httpx.HTTPError as error:
        raise Problem("service_unavailable", service="orchestrator") from error
    finally:
        await answer.aclose()
    if answer.status_code != 200:
        raise Problem("service_unavailable", service="orchestrator")
    found: dict[str, Any] = answer.json()
    return found
