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
from services.orchestrator import recipients
from services.orchestrator.domain import book as books
from services.orchestrator.domain import decide, state
from services.orchestrator.domain.book import Book

if TYPE_CHECKING:
    from runtime.db import Row
    from runtime.process import Context

STATES = """
SELECT id::text AS id, state FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL AND state <> ''
"""
DID = ("opened", "clicked", "bounced", "left")


def routes(context: "Context") -> Sequence[BaseRoute]:
    async def launch(request: Request) -> Response:
        """`GET /launches/{id}`, see `told`."""
        key = str(UUID(request.path_params["id"]))
        async with context.db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            upto = await connection.fetchval(recipients.UPTO, key)
            rows = await connection.fetch(recipients.REPORT, key, upto if upto is not None else -1)
            progress = await connection.fetchrow(recipients.PROGRESS, key)
        return JSONResponse(told(rows, progress))

    definitions = Definitions(books.KINDS, books.build)

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


def told(rows: "Sequence[Row]", progress: "Row") -> dict[str, Any]:
    """{audience, complete, people: [{verdict, rule, people}], variants, pilot, walk}. verdict `undecided`: his turn is yet to come. The people
    add up to the audience, which is complete when everybody was looked at. pilot: the same of its people alone, where there was one.
    """
    piloted = [row for row in rows if row["pilot"]]
    whole = progress["partitions"] > 0 and progress["chosen"] == progress["partitions"]
    return {
        "audience": sum(row["people"] for row in rows),
        "complete": whole,
        "people": _people(rows),
        "variants": _variants(rows),
        "pilot": {"audience": sum(r["people"] for r in piloted), "people": _people(piloted), "variants": _variants(piloted)}
        if piloted
        else None,
        "walk": {"going": bool(progress["open"]), "issued": int(progress["issued"]), "settled": int(progress["settled"])},
    }


def _people(rows: "Sequence[Row]") -> list[dict[str, Any]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        found[row["verdict"] or "undecided", row["rule"]] += row["people"]
    return [{"verdict": verdict, "rule": rule, "people": people} for (verdict, rule), people in sorted(found.items())]


def _variants(rows: "Sequence[Row]") -> list[dict[str, Any]]:
    """By the letter that they were to get: how many there are, how many the provider took, and who did what with it."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        of = found.setdefault(row["variant"], Counter())
        of["people"] += row["people"]
        of["accepted"] += row["people"] if row["verdict"] == "accepted" else 0
        for name in DID:
            of[name] += row[name]
    return [{"variant": name, **{key: of[key] for key in ("people", "accepted", *DID)}} for name, of in sorted(found.items())]
