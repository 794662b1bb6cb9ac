"""Whether a service has nothing left to do (law 5): every watermark at its log end, outbox empty, no timer due, nothing under way."""

import asyncio
from typing import TYPE_CHECKING, Any

from runtime import watermark
from runtime.db import TRANSIENT

if TYPE_CHECKING:
    from runtime.lane import Lane
    from runtime.process import Context


async def state(context: "Context") -> dict[str, Any]:
    """`{"quiet", "busy": [why], "ends": {"facts-0": 17}}` of the whole service, save that only the process itself knows what it
    has under way: each of them is to be asked.

    Two answers in a row that are quiet with the same `ends` mean that nothing moved between them.
    """
    busy: list[str] = []
    ends: dict[str, int] = {}
    loop = context.loop
    if loop is None or not context.ready.is_set():
        return {"quiet": False, "busy": ["starting"], "ends": {}}
    try:
        for lane in loop.lanes:
            await _lane(context, lane, busy, ends)
        if not await context.relay.drained():
            busy.append("outbox")
        if context.service.timers is not None:
            async with context.db.connection() as connection:
                everywhere = range(context.settings.partitions)
                if await context.service.timers.due(connection, everywhere, context.clock.last_known_ms()):
                    busy.append("timers")
        if await context.service.busy():
            busy.append("under way")
    except TRANSIENT as error:
        busy.append(type(error).__name__)
    return {"quiet": not busy, "busy": busy, "ends": ends}


async def _lane(context: "Context", lane: "Lane", busy: list[str], ends: dict[str, int]) -> None:
    if not lane.reader.has_joined():
        busy.append(f"{lane.name} lane")
        return
    places = [(topic, partition) for topic in lane.reader.topics for partition in range(context.settings.partitions)]
    highs, lows = await asyncio.gather(lane.reader.ends(places), lane.reader.begins(places))
    async with context.db.connection() as connection:
        marks = await watermark.read(connection, lane.reader.topics)
    for place in places:
        ends[f"{place[0]}-{place[1]}"] = highs[place]
        # Control records and compacted offsets at the end hold no record: a position past them counts too.
        reached = max(marks[place][0] if place in marks else -1, lane.reached(place), lows[place])
        if reached < highs[place]:
            busy.append(f"{place[0]}-{place[1]}: {highs[place] - reached}")
