"""What the gateway asks of the orchestrator: how a launch of a campaign stands."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.definitions import Definitions
from schemas.campaigns import Campaign
from services.orchestrator import forgetting
from services.orchestrator.domain import book as books
from services.orchestrator.domain import decide, state
from services.orchestrator.domain.book import Book

if TYPE_CHECKING:
    from runtime.process import Context

STATES = """
SELECT id::text AS id, state FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL AND state <> ''
"""


def routes(context: "Context", definitions: Definitions[Book]) -> Sequence[BaseRoute]:
    async def launch(request: Request) -> Response:
        """`GET /launches/{id}`, see `forgetting.told`."""
        key = str(UUID(request.path_params["id"]))
        async with context.db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            report = await forgetting.report(connection, key)
        return JSONResponse(report)

    async def supposed(request: Request) -> Response:
        """`POST /launches/supposed` `{campaign, people, at}`, see `held_back`."""
        asked = await request.json()
        now = max(int(asked["at"]), context.clock.last_known_ms())
        async with context.db.connection() as connection:
            book = await definitions.at(connection, await connection.fetchval("SELECT revision FROM definition_revision"))
            rows = await connection.fetch(STATES, asked["people"])
        return JSONResponse(
            held_back(book, Campaign.model_validate(asked["campaign"]), {row["id"]: row["state"] for row in rows}, now)
        )

    return [Route("/launches/supposed", supposed, methods=["POST"]), Route("/launches/{id}", launch)]


def held_back(book: Book, campaign: Campaign, people: Mapping[str, bytes], now: int) -> dict[str, Any]:
    """[{verdict, rule, people}]: what would be decided first about these people, if it were launched at `now`. Nobody is changed."""
    would_rule, launched = books.supposed(book, campaign, now)
    found: Counter[tuple[str, str]] = Counter()
    for who, kept in people.items():
        outcome = decide.on_launch(would_rule, who, state.decode(kept), launched, now)
        told = [one for one in outcome.decisions if one.occurrence == launched.id and one.verdict != "exposed"]
        found[(told[-1].verdict, told[-1].rule) if told else ("undecided", "")] += 1
    return {"people": [{"verdict": verdict, "rule": rule, "people": n} for (verdict, rule), n in sorted(found.items())]}
