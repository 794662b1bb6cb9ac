"""What the segmenter keeps of a person, for his copy of it."""

from collections.abc import Sequence
from typing import Any

from runtime.db import Connection
from schemas.permission import Said
from schemas.unnamed import UNNAMED
from services.segmenter.domain import state
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import State

STATES = "SELECT state FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL AND state <> ''"


async def held(connection: Connection, people: Sequence[str]) -> dict[str, Any]:
    """As `told`, of all whom these are by now."""
    return told([state.decode(row["state"]) for row in await connection.fetch(STATES, list(people))])


def told(states: Sequence[State]) -> dict[str, Any]:
    """{segments: {key: since}, conditions, attributes: {name: value}, kinds, bucketing, counted}. All that is kept but for when the
    clock may next move him, and what of an unmerge or of history is still to come; counted_since: what of `counted` came after that was
    asked for, until the rest is counted anew.

    conditions: those of journeys, which have no names. counted: how often he did what segments ask about, and the sum where they ask for
    one; series: the number of that question, times: the instants that still count (ms), amounts: theirs, or numbers that stand for the
    values where different ones are counted. permissions: words of consent, by subject.
    """
    members = {key: since for one in states for key, since in one.members.items()}
    named = {key: since for key, since in sorted(members.items()) if not key.startswith(UNNAMED)}
    since = [_counted(number, series) for one in states for number, series in sorted(one.since.items())]
    return {
        "segments": named,
        "conditions": {key: since for key, since in sorted(members.items()) if key not in named},
        "attributes": {name: value for one in states for name, (_, value) in sorted(one.attributes.items()) if value is not None},
        "kinds": sorted({kind for one in states for kind in one.kinds}),
        "bucketing": [{"at": at, "value": value} for at, value in sorted(one.bucketing for one in states if one.bucketing)],
        "permissions": {about: _said(said) for one in states for about, said in sorted(one.words.items())},
        "counted": [_counted(number, series) for one in states for number, series in sorted(one.series.items())],
        **({"counted_since": since} if since else {}),
    }


def _counted(number: int, series: Series) -> dict[str, Any]:
    return {
        "series": str(number),
        "count": series.count,
        "total": series.total,
        "first_at": series.first,
        "last_at": series.last,
        "times": series.times,
        "amounts": series.amounts,
    }


def _said(said: Said) -> dict[str, int]:
    """As the sender tells its copy: when the newest yes, no and request were said (ms), and when the yes ends."""
    told = {"yes": said.yes, "no": said.no, "requested": said.asked, "ends": -1 if said.until is None else said.until}
    return {name: at for name, at in told.items() if at >= 0}
