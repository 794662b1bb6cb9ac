"""Campaigns: launch, pilot, rollout, pause, resume, stop."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.campaigns import PILOT_MOST, Campaign, Launch
from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Problem
from services.gateway.handler import launching
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.documents import matches
from services.gateway.handler.finding import mine
from services.gateway.handler.keys import validated
from services.gateway.handler.noticing import warnings, with_warnings
from services.gateway.handler.publishing import Publishing
from services.gateway.store import launches

CAMPAIGN = KINDS["campaign"]


class Launching(BaseModel):
    """again: launch what was launched before once more, to everybody."""

    model_config = ConfigDict(extra="forbid")

    again: bool = False


class Piloting(Launching):
    """size: how many people of the audience, by chance."""

    size: int = Field(default=PILOT_MOST, ge=1, le=PILOT_MOST)


async def launch(call: Call, key: str, match: str | None, body: Any, *, pilot: bool) -> Answer:
    """Put the draft in force and launch it, or a pilot of it. What is launched already as it stands changes nothing."""
    asked = validated(Piloting if pilot else Launching, body if body is not None else {})
    publishing = await Publishing.begin(call)
    draft = await mine(call, CAMPAIGN, key)
    matches(draft, match, CAMPAIGN, key)
    campaign = read(CAMPAIGN, key, draft.body)
    assert isinstance(campaign, Campaign)
    before = await launches.last(call.connection, key, lock=True)
    version, changed, _ = await publishing.publish(CAMPAIGN.name, key, campaign, draft)
    size = asked.size if isinstance(asked, Piloting) else 0
    if before is not None and not asked.again:
        stands = before.launch
        same = (stands.version, stands.stage) == (version, "pilot" if pilot else "all") and (not pilot or stands.size == size)
        if changed or not same or stands.state == "stopped":
            raise Problem("campaign_launched", number=stands.number, version=stands.version)
        stood, changed = before, False
    else:
        await launching.retire(call, publishing)
        stood, changed = await launching.begin(call, publishing, campaign, version, size), True
        await call.audit("launch", f"campaign {key}", launch=stood.launch.number, version=version, size=size)
    await publishing.finish()
    (told,) = await warnings(call, [(CAMPAIGN, draft.body)])
    done = {"kind": CAMPAIGN.name, "key": key, "version": version, "changed": changed, "revision": draft.revision}
    return Answer(with_warnings({**done, "launch": shown(stood.launch)}, told))


async def change(call: Call, key: str, verb: str) -> Answer:
    """pause, resume or stop of what is under way, or rollout of the newest launch."""
    publishing = await Publishing.begin(call)
    await mine(call, CAMPAIGN, key)
    newest, numbers = await launching.change(call, publishing, key, verb)
    for number in numbers:
        await call.audit(verb, f"campaign {key}", launch=number)
    await publishing.finish()
    return Answer({"kind": CAMPAIGN.name, "key": key, "changed": bool(numbers), "launch": shown(newest)})


def shown(launch: Launch) -> dict[str, Any]:
    names = ("number", "version", "state", "stage", "size", "start_at", "changed_at")
    return {"id": launch.key, **{name: getattr(launch, name) for name in names}}
