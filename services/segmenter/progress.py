"""How far a segment's conditions have come: brought before everybody, and filled with what was done before they were published."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.db import Connection
from runtime.process import Context
from services.segmenter.domain.filling import incomplete
from services.segmenter.domain.hearing import incomplete as incomplete_hearing
from services.segmenter.domain.plan import Plan
from services.segmenter.filling import Cuts
from services.segmenter.hearing import stood
from services.segmenter.history import there
from services.segmenter.plans import Live, Plans

STOOD = """
SELECT p.number, p.filling, p.filling_since, d.revision <= p.revision AS planned,
       (SELECT count(*) FROM sweep s WHERE s.revision = p.number AND s.done) AS swept,
       (SELECT count(*) FROM filled f WHERE f.filling = p.filling AND f.done) AS filled,
       (SELECT coalesce(sum(f.people), 0) FROM filled f WHERE f.filling = p.filling) AS people
FROM plan p CROSS JOIN definition_revision d
"""


class Trouble(NamedTuple):
    """What could not be done a moment ago: read the lake, ask profile."""

    lake: bool
    profile: bool


def routes(context: Context, plans: Plans, cuts: Cuts, trouble: Callable[[], Trouble]) -> Sequence[BaseRoute]:
    partitions = context.settings.partitions

    async def progress(request: Request) -> Response:
        """`GET /segments/{key}/progress`, see `told`. 404: nothing of this key is in force here."""
        key = request.path_params["key"]
        async with context.db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            ruling = await plans.seen(connection)
            if ruling is None or key not in ruling.plan.place:
                return JSONResponse({"code": "unknown"}, 404)
            state = "adding" if await cuts.passed(connection, ruling.plan.filling.number) else "waiting"
            state = state if there(context) and not trouble().lake else "unreadable"
            found = await told(connection, key, ruling, partitions, state=state)
            attributes = await _attributes(connection, key, ruling, partitions, waits=trouble().profile)
            return JSONResponse({**found, "complete": found["complete"] and not attributes["names"], "attributes": attributes})

    return [Route("/segments/{key}/progress", progress)]


async def told(connection: Connection, key: str, ruling: Live, partitions: int, *, state: str) -> dict[str, Any]:
    """{segment, version, complete, people: {partitions, done}, history: {state, since, partitions, done, people, without}}.

    people: of how many partitions everybody has been asked. history: of how many everybody has what he did before; state: `complete`;
    `waiting` for the lake to come so far; `adding`; `unreadable`: the lake's files are not here or cannot be read now, so it counts from `since` (ms) on.
    people: to how many something was added. without: properties that the lake does not have, so that what asks for them counts from
    its publication on.
    """
    row = await connection.fetchrow(STOOD)
    asked = _asked(key, ruling.plan)
    filling = key in incomplete(ruling.plan)
    swept = row["planned"] and row["swept"] >= partitions
    history = {
        "state": state if filling else "complete",
        "since": row["filling_since"] if filling else None,
        "partitions": partitions,
        "done": row["filled"] if filling else partitions,
        "people": int(row["people"]) if filling else None,
        "without": sorted({path for id_ in asked if (one := ruling.plan.accumulators[id_]).personal for path in one.paths}),
    }
    return {
        "segment": key,
        "version": ruling.versions.get(key, 0),
        "complete": bool(swept) and not filling,
        "people": {"partitions": partitions, "done": row["swept"]},
        "history": history,
    }


async def _attributes(connection: Connection, key: str, ruling: Live, partitions: int, *, waits: bool) -> dict[str, Any]:
    """{names, state, partitions, done, people}: the personal attributes that profile is still to tell; state: `complete`, `telling`, or
    `waiting` for a profile that does not answer. done: of how many partitions all was told; people: of how many something was.
    """
    hearing = ruling.hearing
    if key not in incomplete_hearing(ruling.plan, hearing):
        return {"names": [], "state": "complete", "partitions": partitions, "done": partitions, "people": None}
    done, people = await stood(connection, hearing.number)
    state = "waiting" if waits else "telling"
    return {"names": sorted(hearing.names), "state": state, "partitions": partitions, "done": done, "people": people}


def _asked(key: str, plan: Plan) -> set[int]:
    """The accumulators that a segment reads, and those that the segments read about which it asks."""
    readers = {plan.place[key]}
    for index in range(plan.place[key] - 1, -1, -1):  # whom a segment asks about stands before it
        if readers.intersection(plan.segments[index].dependents):
            readers.add(index)
    return {one.id for one in plan.accumulators.values() if readers.intersection(one.readers)}
