"""What other rules of identity would do to people: /internal/identity/rehearse."""

from collections import Counter
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.process import Context
from schemas.identity import Identity
from services.profile import domain, store
from services.profile.domain import compiled

MOST, SAMPLE = 20_000, 20  # identifiers that are judged anew in one answer, and pairs that are shown


def routes(context: Context) -> Sequence[BaseRoute]:
    async def rehearse(request: Request) -> Response:
        """`POST /identity/rehearse` with rules: who would become one under them of those who were kept apart."""
        rules = compiled(Identity.model_validate_json(await request.body()), 0)
        async with context.db.connection() as connection:
            found, complete = await store.contradictions(connection, MOST)
            people = await store.people(connection, {person for one in found for person in (one.owner, one.person)})
        known = [one for one in found if one.owner in people and one.person in people]
        would = domain.rehearse(rules, known, people)
        return JSONResponse(
            {
                "contradictions": len(known),
                "merges": len(would),
                "by": dict(Counter(one.by for one in would)),
                "sample": [one._asdict() for one in would[:SAMPLE]],
                "complete": complete,
            }
        )

    return [Route("/identity/rehearse", rehearse, methods=["POST"])]
