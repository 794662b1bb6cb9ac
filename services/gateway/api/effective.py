"""/api/rules/effective: the rules in force over everything that is sent, in words."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from runtime.db import Row
from schemas.journeys import Journey
from schemas.rules import Rule
from services.gateway.api.desk import Desk
from services.gateway.domain.contact import shut_by_others
from services.gateway.domain.contact_text import Line, of_journey, of_rule
from services.gateway.handler.titles import titles
from services.gateway.store import documents as store


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["rules"])

    @router.get("/api/rules/effective")
    async def effective(request: Request, brand: str | None = None) -> Response:
        """`rules`: each part of each rule in force as a sentence, `{rule, version, path, text}`; all of them hold. `journeys`: what journeys
        say of their own beside them, `{journey, version, path, text}`. `brand`: without what is of others. `warnings`: windows that
        the quiet hours of all rules together leave nothing of.
        """
        async with desk.calling(request, "read") as call:
            if brand is not None:
                call.key.needs_brand(brand)
            named = await titles(call, call.language)
            rows = [row for row in await store.contact(call.connection) if call.key.sees(row["brand"])]
        rules = [(row, Rule.model_validate_json(row["body"])) for row in rows if row["kind"] == "rule"]
        journeys = [(row, Journey.model_validate_json(row["body"])) for row in rows if row["kind"] == "journey"]
        told = {
            "rules": [_said("rule", row, line) for row, one in rules for line in of_rule(one, call.language, named, brand)],
            "journeys": [
                _said("journey", row, line)
                for row, one in journeys
                if brand in (None, one.brand)
                for line in of_journey(one, call.language)
            ],
            "warnings": [
                fault.told(call.language) for fault in shut_by_others([rule for _, rule in rules], [one for _, one in journeys])
            ],
        }
        return JSONResponse({"lang": call.language, "brand": brand, **told})

    return router


def _said(kind: str, row: Row, line: Line) -> dict[str, Any]:
    return {kind: row["key"], "version": row["version"], "path": line[0], "text": line[1]}
