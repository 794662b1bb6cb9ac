"""The launch of a campaign that is only tried: its documents as if they were published, and when its start comes in the days that are played."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from pydantic import BaseModel

from schemas.campaigns import LAUNCHES, Campaign, Instant, Launch, Local
from schemas.definitions import Published
from schemas.ids import derive

DAY_MS, WEEK_MS = 86_400_000, 7 * 86_400_000


def moved(campaign: Campaign, since: int, until: int) -> Campaign:
    """As it is to be launched at `since` (ms): a start outside the days up to `until` comes on the first day of theirs that is the same day
    of the week, at the same time; where they are less than a week, on the first that comes, and where that time does not come in them, at once.
    """
    first = campaign.starts_at(0)
    if campaign.start == "now" or since <= first < until:
        return campaign
    weeks = (since - first) // -WEEK_MS * -WEEK_MS
    by = weeks if first + weeks < until else (since - first) // -DAY_MS * -DAY_MS
    return campaign.model_copy(update={"start": _later(campaign.start, by) if first + by < until else "now"})


def _later(start: Instant | Local | str, by: int) -> Instant | Local | str:
    if isinstance(start, Instant):
        return Instant(at=(datetime.fromisoformat(start.at) + timedelta(milliseconds=by)).isoformat())
    assert isinstance(start, Local)
    return Local(local=(datetime.fromisoformat(start.local) + timedelta(milliseconds=by)).isoformat(timespec="minutes"))


def documents(campaign: Campaign, version: int, at: int) -> list[Published]:
    """The campaign and its launch at an instant (ms)."""
    launch = Launch(
        key=derive("rehearsal", "launch", campaign.key),
        campaign=campaign.key,
        brand=campaign.brand,
        version=version,
        number=1,
        start_at=campaign.starts_at(at),
        changed_at=at,
    )
    return [_published("campaign", campaign, version), _published(LAUNCHES, launch, 1)]


def _published(kind: str, model: BaseModel, version: int) -> Published:
    body: Mapping[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return Published(kind=kind, key=body["key"], version=version, body=msgspec.Raw(msgspec.json.encode(body)), pointer=True)
