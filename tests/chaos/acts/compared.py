"""What was done beside the main stream, against what became of it: the oracles of this folder, fed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from tests.chaos.acts import campaigns, journeys
from tests.chaos.acts.journeys import Taken
from tests.chaos.acts.log import Log
from tests.chaos.verify import Findings

Row = Mapping[str, Any]
FIGURES = (*campaigns.FIGURES, *journeys.FIGURES)
RECIPIENTS = "SELECT launch::text AS launch, id::text AS profile, verdict FROM orchestrator.recipient"


@dataclass(frozen=True)
class Seen:
    """What there is in the end. owner: identifier -> profile; rows: intent -> its row in the sender's ledger; lines: of the witnesses."""

    owner: Mapping[str, str]
    facts: Sequence[Row]
    decisions: Sequence[Row]
    intents: Sequence[Row]
    rows: Mapping[str, Row]
    lines: Sequence[Row]


def texts(log: Path, intents: Iterable[Row]) -> list[dict[str, Any]]:
    """What the chats took, each under the intent that it is of: a text says which run it belongs to, and no more."""
    names = {
        (intent["template"], intent["data"]["event"]["message"]): intent["id"]
        for intent in intents
        if intent["channel"] == "telegram"
    }
    lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return [{**line, "message_id": f"{names.get((line['step'], line['started_by']), '')}@chat"} for line in lines]


async def check(found: Findings, log: Log, seen: Seen, connection: asyncpg.Connection) -> dict[str, int]:
    """Answers how much there was of each."""
    report = await connection.fetch(RECIPIENTS)
    figures = campaigns.judge(found, log, seen.owner, seen.decisions, seen.lines, seen.rows, report)
    taken = Taken(seen.lines, seen.intents, seen.rows)
    splits = {name: fact["_logged"] for fact in seen.facts if fact["type"] == "profile.split" for name in fact["lost"]}
    journeys.check_cascades(found, log, taken, seen.decisions)
    journeys.check_pause(found, log, taken, seen.rows)
    journeys.check_moves(found, log, taken, seen.decisions)
    journeys.check_parted(found, log, taken, seen.owner, splits)
    verdicts = [decision["verdict"] for decision in seen.decisions]
    shut = [*log.paused, *(one for launch in log.launches for one in launch.shut)]
    return {
        **figures,
        "campaign.held": sum(d["verdict"] == "held" and d["document"] == "campaign:spring" for d in seen.decisions),
        "cascade.fallbacks": verdicts.count("fallback"),
        "pause.held": sum(d["verdict"] == "held" and d["document"] == "journey:trail" for d in seen.decisions),
        "pause.known_after_ms": max((one.known - one.answered for one in shut), default=0),
        "move.moved": verdicts.count("moved"),
        "unmerge.parted": len(splits),
    }
