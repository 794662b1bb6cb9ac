"""`make chaos`: a seeded stream through real services on a real Kafka and PostgreSQL, while everything that can break is broken.

Then all is left to come to rest, and what was accepted is compared with what is known. `$OTKLIK_HOME/chaos.json` has the figures.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)  # not this folder: its modules are tests.chaos.*

from runtime.internal import token  # noqa: E402
from runtime.process import secret  # noqa: E402
from tests.chaos import verify  # noqa: E402
from tests.chaos.disturb import FAST, FULL, Chaos  # noqa: E402
from tests.chaos.entry import Entry, HttpEntry, TopicEntry  # noqa: E402
from tests.chaos.fleet import SERVICES, Fleet  # noqa: E402
from tests.chaos.load import Load  # noqa: E402
from tests.chaos.servers import Servers  # noqa: E402
from tests.chaos.stream import Stream  # noqa: E402
from tests.support.live import until  # noqa: E402

ZERO = ("facts.lost", "facts.twice", "order.breaks", "state.differences")
QUIET_S = 180.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=None, help="of the stream and of the troubles; a new one each time if not given"
    )
    parser.add_argument("--facts", type=int, default=None, help="at least so many (20000; with --fast 5000)")
    parser.add_argument("--minutes", type=float, default=None, help="no new trouble after that")
    parser.add_argument("--fast", action="store_true", help="a short run: each point once, two freezes, every server restarted")
    parser.add_argument("--entry", choices=("http", "topic"), default="http", help="through ingest, or as a backend into the topic")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    given = parser.parse_args()
    given.seed = int.from_bytes(os.urandom(4)) if given.seed is None else given.seed
    given.facts = given.facts or (5_000 if given.fast else 20_000)
    return given


class Run:
    """One chaos run in a folder of its own."""

    def __init__(self, given: argparse.Namespace, home: Path) -> None:
        self._given, self._home, self._began = given, home, time.monotonic()
        self._plan = FAST if given.fast else FULL
        if given.minutes:
            self._plan = replace(self._plan, seconds=given.minutes * 60)
        self._servers = Servers(home)
        self.load: Load | None = None

    def say(self, what: str) -> None:
        facts = self.load.accepted if self.load else 0
        print(f"{time.monotonic() - self._began:6.1f} s  {facts:6} facts  {what}", flush=True)

    async def run(self) -> dict[str, Any]:
        """Start, disturb, come to rest, compare. Returns the figures."""
        await asyncio.to_thread(self._servers.up)
        fleet = Fleet(self._home, self._servers.environment())
        fleet.start()
        entry: Entry | None = None
        try:
            await self._ready()
            entry = await self._door(fleet)
            chaos = Chaos(fleet, self._servers, self._home / "failpoints", self._given.seed, self._plan, self.say)
            self.load = Load(Stream(self._given.seed), entry, self._home / "accepted.jsonl", self._given.facts, self._plan.posting)
            await self._disturbed(chaos, self.load)
            self.say(f"all posted, {chaos.kills} kills; coming to rest")
            found = await self._compared(fleet)
        finally:
            await fleet.stop()
            if entry:
                await entry.close()
        return self._figures(chaos, found, fleet)

    async def _ready(self) -> None:
        """The services have made their tables and topics."""
        connection = await self._servers.connect()
        try:
            await until(lambda: connection.fetchval("SELECT to_regclass('runtime.move')"), 60)
            everybody = f"SELECT count(*) = {len(SERVICES)} FROM runtime.move"
            await until(lambda: connection.fetchval(everybody), 60)
        finally:
            await connection.close()
        self.say("services are up")

    async def _door(self, fleet: Fleet) -> Entry:
        settings = self._servers.settings()
        if self._given.entry == "topic":
            return TopicEntry(settings)
        service, internal = (f"http://127.0.0.1:{port}" for port in fleet.ports["ingest"].values())
        return await HttpEntry(settings, service, internal, token(secret(settings))).open()

    async def _disturbed(self, chaos: Chaos, load: Load) -> None:
        posting = asyncio.create_task(load.run())
        await chaos.run(load.enough)
        load.finish()
        await posting

    async def _compared(self, fleet: Fleet) -> verify.Findings:
        found = verify.Findings()
        settings = self._servers.settings()
        connection = await self._servers.connect()
        try:
            if busy := await verify.settled(settings, connection, QUIET_S):
                found.add("state.differences", f"not quiet after {QUIET_S:.0f} s: {busy}")
            for name, code in (await fleet.stop()).items():
                if code:
                    found.add("state.differences", f"{name} ended with {code} when it was asked to stop")
            self.say("quiet; comparing")
            expected = self._oracle()
            records, dropped = [], 0
            for topic in ("facts", "facts.bulk"):
                kept, again = await verify.consumed(settings, topic)
                records.extend(kept)
                dropped += again
            self.say(f"{len(records)} records in facts, {dropped} repeats that consumers drop")
            assert self.load is not None
            verify.check_facts(found, records, expected["facts"], self.load.keys)
            await verify.check_journals(found, connection)
            await verify.check_people(found, connection, records, expected["people"])
            self.facts, self.people = len(expected["facts"]), len(expected["people"])
        finally:
            await connection.close()
        return found

    def _oracle(self) -> dict[str, Any]:
        words = (sys.executable, str(ROOT / "tests" / "chaos" / "oracle.py"), str(self._home / "accepted.jsonl"))
        answer: dict[str, Any] = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        return answer

    def _figures(self, chaos: Chaos, found: verify.Findings, fleet: Fleet) -> dict[str, Any]:
        for example in found.examples:
            print(f"  {example}")
        for name, codes in fleet.crashes().items():
            print(f"  {name} ended by itself with {codes}, see {self._home}/logs/{name}.log (kept with --keep)")
        return {
            "facts.in": self.facts,
            **{name: found.counts[name] for name in ZERO},
            "people": self.people,
            "kills": chaos.kills,
            "failpoints.total": len(chaos.points),
            "failpoints.hit": chaos.hit(),
            "intents.lost": None,  # measured once intents are made
            "intents.sent_twice": None,
            "intents.in_doubt": None,
            "freezes": chaos.hits("stop").total(),
            "exits": sum(map(len, fleet.crashes().values())),
            "seconds": round(time.monotonic() - self._began),
            "seed": self._given.seed,
        }

    def down(self) -> None:
        self._servers.down()


def main() -> int:
    given = arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away is our own doing
    home = Path(tempfile.mkdtemp(prefix="otklik-chaos-"))
    for folder in ("logs", "failpoints"):
        (home / folder).mkdir()
    print(f"seed {given.seed}, in {home}", flush=True)
    run = Run(given, home)
    failed = True
    try:
        figures = asyncio.run(run.run())
        failed = any(figures[name] for name in ZERO) or figures["failpoints.hit"] < figures["failpoints.total"]
        report(figures)
    finally:
        run.down()
        if failed or given.keep:
            print(f"kept: {home}")
        else:
            shutil.rmtree(home)
    print("FAILED" if failed else "nothing lost, nothing doubled, nothing out of order")
    return int(failed)


def report(figures: dict[str, Any]) -> None:
    """The table, and chaos.json in the home of the installation."""
    for name, value in figures.items():
        print(f"  {name:<20} {'not measured' if value is None else value}")
    target = Path(os.environ.get("OTKLIK_HOME", ROOT / ".otklik"))
    target.mkdir(parents=True, exist_ok=True)
    (target / "chaos.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
