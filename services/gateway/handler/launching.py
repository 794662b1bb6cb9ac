"""How launches of campaigns begin and change: each change is told to the services as a new version of the launch's document."""

from typing import Any

from schemas.campaigns import EXPIRES_MOST_MS, LAUNCHES, Campaign, Launch
from schemas.ids import derive
from schemas.unnamed import conditions
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Problem
from services.gateway.handler.call import Call
from services.gateway.handler.publishing import Publishing
from services.gateway.store import documents, launches
from services.gateway.store.launches import Stood

CAMPAIGN = KINDS["campaign"]
WHILE_MS = EXPIRES_MOST_MS + 10 * 86_400_000  # after the last change something of a launch may be decided for so long

STATES = {"pause": "paused", "resume": "running", "rollout": "running", "stop": "stopped"}


async def begin(call: Call, publishing: Publishing, campaign: Campaign, version: int, size: int) -> Stood:
    """Launch a version; size: of the pilot, 0 for everybody."""
    before, now = await launches.last(call.connection, campaign.key), publishing.now
    number = before.launch.number + 1 if before else 1
    launch = Launch(
        key=derive("launch", campaign.key, number),
        campaign=campaign.key,
        brand=campaign.brand,
        version=version,
        number=number,
        stage="pilot" if size else "all",
        size=size,
        start_at=campaign.starts_at(now),
        changed_at=now,
    )
    publishing.answer_conditions(campaign, version)
    return await _tell(call, publishing, Stood(launch, 1))


async def change(call: Call, publishing: Publishing, key: str, verb: str) -> tuple[Launch, list[int]]:
    """pause, resume or stop all launches of a campaign that are under way, or rollout of its newest: how the newest stands now, and the
    numbers of those that stand otherwise than before. Raises Problem.
    """
    last = await launches.last(call.connection, key)
    if last is None:
        raise Problem("not_launched")
    number = last.launch.number
    going = await launches.under_way(call.connection, key)
    if verb == "rollout":
        going = [one for one in going if one.launch.number == number]
    if not going and verb != "stop":
        raise Problem("launch_stopped")
    if verb == "rollout" and last.launch.stage != "pilot":
        raise Problem("no_pilot")
    told: dict[int, Launch] = {}
    for stood in going:
        wanted = await _wanted(call, stood.launch, verb)
        if any(getattr(stood.launch, name) != value for name, value in wanted.items()):
            told[stood.launch.number] = await _change(call, publishing, stood, **wanted)
    return told.get(number, last.launch), list(told)


async def _wanted(call: Call, launch: Launch, verb: str) -> dict[str, Any]:
    if verb != "rollout":
        return {"state": STATES[verb]}
    return {"state": STATES[verb], "stage": "all", "round": launch.round + (1 if await _is_live(call, launch) else 0)}


async def _change(call: Call, publishing: Publishing, stood: Stood, **wanted: Any) -> Launch:
    changed = stood.launch.model_copy(update={**wanted, "changed_at": publishing.now})
    return (await _tell(call, publishing, Stood(changed, stood.revision + 1))).launch


async def stop_all(call: Call, publishing: Publishing, campaign: str) -> None:
    """A campaign is taken out of force: what of it is under way goes no further."""
    for stood in await launches.under_way(call.connection, campaign):
        await _change(call, publishing, stood, state=STATES["stop"])


async def retire(call: Call, publishing: Publishing) -> None:
    """Let the services forget launches of which nothing may be decided any more, and with them what they ask of people."""
    for launch, revision in await launches.over(call.connection, publishing.now):
        publishing.emit(LAUNCHES, launch.key, revision, None)
        if await launches.retire(call.connection, launch):
            found = await documents.version(call.connection, CAMPAIGN.name, launch.campaign, launch.version)
            for key in conditions(Campaign.model_validate(found["body"]), launch.version) if found else ():
                publishing.emit("segment", key, 1, None)


async def _is_live(call: Call, launch: Launch) -> bool:
    found = await documents.version(call.connection, CAMPAIGN.name, launch.campaign, launch.version)
    return found is not None and Campaign.model_validate(found["body"]).audience_at == "live"


async def _tell(call: Call, publishing: Publishing, stood: Stood) -> Stood:
    launch = stood.launch
    await launches.tell(call.connection, stood, max(launch.start_at, launch.changed_at) + WHILE_MS)
    publishing.emit(LAUNCHES, launch.key, stood.revision, launch.model_dump(mode="json"))
    return stood
