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
    if before is not None and before.launch.version == version:
        publishing.answer_conditions(campaign, version)  # they may have been forgotten since
    return await _tell(call, publishing, Stood(launch, 1))


async def change(call: Call, publishing: Publishing, key: str, verb: str) -> tuple[Stood, bool]:
    """pause, resume, stop or rollout of a campaign's newest launch: how it stands now, and whether that is news. Raises Problem."""
    stood = await launches.last(call.connection, key, lock=True)
    if stood is None:
        raise Problem("not_launched")
    launch = stood.launch
    if launch.state == "stopped" and verb != "stop":
        raise Problem("launch_stopped")
    if verb == "rollout" and launch.stage != "pilot":
        raise Problem("no_pilot")
    more: dict[str, Any] = {"state": STATES[verb]}
    if verb == "rollout":
        more |= {"stage": "all", "round": launch.round + (1 if await _is_live(call, launch) else 0)}
    if all(getattr(launch, name) == value for name, value in more.items()):
        return stood, False
    changed = launch.model_copy(update={**more, "changed_at": publishing.now})
    return await _tell(call, publishing, Stood(changed, stood.revision + 1)), True


async def stop_all(call: Call, publishing: Publishing, campaign: str) -> None:
    """A campaign is taken out of force: what of it is under way goes no further."""
    for stood in await launches.under_way(call.connection, campaign):
        stopped = stood.launch.model_copy(update={"state": "stopped", "changed_at": publishing.now})
        await _tell(call, publishing, Stood(stopped, stood.revision + 1))


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
