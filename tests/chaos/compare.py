"""The end of a chaos run: what was accepted, against what is known, told, sent and kept."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from runtime.settings import Settings
from tests.chaos import verify
from tests.chaos.acts.compared import Seen, check, texts
from tests.chaos.acts.log import Log
from tests.chaos.lake import check_lake
from tests.chaos.ledger import check_rest, judgement, ledger
from tests.chaos.standing import check_standing
from tests.chaos.verify import Findings

HERE = Path(__file__).resolve().parent
RACES = 0.02  # of the letters that must go: more than that, and the margins of the oracle say nothing about this run


CLASSES = ("service", "triggered", "mass")


def oracle(name: str, *files: Path) -> dict[str, Any]:
    """The answer of one of the oracles, a program of its own."""
    answer: dict[str, Any] = json.loads(
        subprocess.run((sys.executable, str(HERE / name), *map(str, files)), capture_output=True, check=True).stdout
    )
    return answer


class Comparison:
    """Fills `found` and `figures`. home: has what got a 2xx, and the logs of the SMTP server and of the chats; log: what was done beside."""

    def __init__(self, settings: Settings, connection: asyncpg.Connection, home: Path, log: Log) -> None:
        self._settings, self._connection, self._log = settings, connection, log
        self._accepted, self._mails, self._chats = (home / f"{name}.jsonl" for name in ("accepted", "mails", "chats"))
        self._cuts = home / "cuts.json"
        self.found = Findings()
        self.figures: dict[str, int] = {}
        self.doubted = 0

    async def run(self, keys: Mapping[str, str]) -> None:
        """keys: message -> source key."""
        self._cuts.write_text(json.dumps([pair.other.names for pair in self._log.pairs]), encoding="utf-8")
        people = oracle("oracle.py", self._accepted, self._cuts)
        records = await self._records("facts", "facts.bulk")
        verify.check_facts(self.found, records, people["facts"], dict(keys))
        await verify.check_journals(self.found, self._connection)
        owner = await verify.check_people(self.found, self._connection, records, people["people"])
        check_standing(self.found, await self._records("memberships"), owner, people["people"])
        self.figures |= {"facts.in": len(people["facts"]), "people": len(people["people"])}
        await self._letters(records, owner)
        self.figures["lake.facts"] = await check_lake(self.found, self._settings, records)

    async def _letters(self, records: Sequence[Mapping[str, Any]], owner: Mapping[str, str]) -> None:
        expected = oracle("letters.py", self._accepted, self._mails)
        intents = await self._records(*(f"messages.{channel}.{name}" for channel in ("email", "telegram") for name in CLASSES))
        mails = [json.loads(line) for line in self._mails.read_text(encoding="utf-8").splitlines()]
        lines, decisions = [*mails, *texts(self._chats, intents)], await self._records("decisions")
        book = await ledger(self._connection, intents, lines, decisions)
        book.check(self.found)
        book.check_facts(self.found, records)
        judge = await judgement(self._connection, book, records)
        judge.judge(self.found, expected)
        await check_rest(self.found, self._connection)
        if judge.raced > RACES * expected["must"] + 5:
            self.found.add("state.differences", f"{judge.raced} letters raced what forbade them, of {expected['must']}")
        seen = Seen(owner, records, decisions, intents, book.rows, lines)
        self.figures |= await check(self.found, self._log, seen, self._connection)
        self.doubted = book.doubted()
        self.figures |= {
            "intents": len(book.intents),
            **book.counts(),
            "letters.taken": sum(book.sent.values()),
            "letters.must": expected["must"],
            "letters.either": expected["either"],
            "letters.raced": judge.raced,
            "letters.dropped": len(book.dropped),
        }

    async def _records(self, *topics: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for topic in topics:
            kept, again = await verify.consumed(self._settings, topic)
            found.extend(kept)
            self.figures["repeats"] = self.figures.get("repeats", 0) + again
        return found
