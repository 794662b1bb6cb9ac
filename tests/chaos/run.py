"""`make chaos`: a seeded stream through real services on a real Kafka and PostgreSQL, while everything that can break is broken.

Then all is left to come to rest, and what was accepted is compared with what is known. `$OTKLIK_HOME/chaos.json` has the figures.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
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
from tests.chaos import judged, verify  # noqa: E402
from tests.chaos.acts import offers  # noqa: E402
from tests.chaos.acts.actor import Actor  # noqa: E402
from tests.chaos.acts.eye import Eye  # noqa: E402
from tests.chaos.acts.log import Log  # noqa: E402
from tests.chaos.compare import Comparison  # noqa: E402
from tests.chaos.disturb import CALM, FAST, FULL, Chaos  # noqa: E402
from tests.chaos.entry import Entry, HttpEntry, TopicEntry  # noqa: E402
from tests.chaos.fleet import SERVICES, Fleet  # noqa: E402
from tests.chaos.load import Load  # noqa: E402
from tests.chaos.servers import Chats, Mail, Servers  # noqa: E402
from tests.chaos.stream import Stream  # noqa: E402
from tests.chaos.welcome import documents, publish  # noqa: E402
from tests.support.live import until  # noqa: E402

MOST_IN_DOUBT = 64  # for each kill of the sender
QUIET_S = 420.0  # the journey of who registered last goes to its end


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
    parser.add_argument(
        "--calm", action="store_true", help="no trouble at all, and an SMTP server without faults: nothing may be in doubt"
    )
    given = parser.parse_args()
    given.seed = int.from_bytes(os.urandom(4)) if given.seed is None else given.seed
    given.facts = given.facts or (2_000 if given.calm else 5_000 if given.fast else 20_000)
    return given


class Run:
    """One chaos run in a folder of its own."""

    def __init__(self, given: argparse.Namespace, home: Path) -> None:
        self._given, self._home, self._began = given, home, time.monotonic()
        self._plan = CALM if given.calm else FAST if given.fast else FULL
        if given.minutes:
            self._plan = replace(self._plan, seconds=given.minutes * 60)
        self._servers = Servers(home)
        self._mail: Mail | None = None
        self._chats: Chats | None = None
        self.load: Load | None = None

    def say(self, what: str) -> None:
        facts = self.load.accepted if self.load else 0
        print(f"{time.monotonic() - self._began:6.1f} s  {facts:6} facts  {what}", flush=True)

    async def run(self) -> dict[str, Any]:
        """Start, disturb, come to rest, compare. Returns the figures."""
        self._mail = Mail(self._home, self._given.seed, faults=not self._given.calm)
        await asyncio.to_thread(self._servers.up)
        self._chats = Chats(self._home)
        fleet = Fleet(self._home, self._servers.environment() | self._mail.environment() | self._chats.environment())
        fleet.start()
        entry: Entry | None = None
        try:
            await self._ready()
            entry = await self._door(fleet)
            chaos = Chaos(fleet, self._servers, self._home / "failpoints", self._given.seed, self._plan, self.say)
            stream = Stream(self._given.seed, self._given.facts / self._plan.posting)
            self.load = Load(stream, entry, self._home / "accepted.jsonl", self._given.facts, self._plan.posting)
            log = await self._disturbed(chaos, self.load, fleet)
            self.say(f"all posted, {chaos.kills} kills; coming to rest")
            compared = await self._compared(fleet, log)
        finally:
            await fleet.stop()
            if entry:
                await entry.close()
        return self._figures(chaos, compared, fleet)

    async def _ready(self) -> None:
        """The services have made their tables and topics, and know the documents."""
        connection = await self._servers.connect()
        try:
            await until(lambda: connection.fetchval("SELECT to_regclass('runtime.move')"), 120)
            everybody = f"SELECT count(*) = {len(SERVICES)} FROM runtime.move"
            await until(lambda: connection.fetchval(everybody), 120)
            published = [*documents(), *offers.documents()]
            assert await publish(self._servers.settings(), published)
            for service in ("segmenter", "orchestrator", "sender"):
                kind = {"segmenter": "segment", "orchestrator": "journey", "sender": "template"}[service]
                wanted = sum(document.kind == kind for document in published)
                query = f"SELECT count(*) = {wanted} FROM {service}.definition_current WHERE kind = '{kind}'"
                await until(lambda query=query: connection.fetchval(query), 60)
        finally:
            await connection.close()
        self.say("services are up")

    async def _door(self, fleet: Fleet) -> Entry:
        settings = self._servers.settings()
        if self._given.entry == "topic":
            return TopicEntry(settings)
        service, internal = (f"http://127.0.0.1:{port}" for port in fleet.ports["ingest-1"].values())
        return await HttpEntry(settings, service, internal, token(secret(settings))).open()

    async def _disturbed(self, chaos: Chaos, load: Load, fleet: Fleet) -> Log:
        settings = self._servers.settings()
        (port,) = fleet.ports["profile-1"].values()
        parts = f"http://127.0.0.1:{port}", token(secret(settings))
        actor = Actor(settings, load, Eye(self._servers), parts, self.say)
        posting = asyncio.create_task(load.run())
        await asyncio.gather(chaos.run(load.enough), actor.run())
        load.finish()
        await posting
        return actor.log

    async def _compared(self, fleet: Fleet, log: Log) -> Comparison:
        settings = self._servers.settings()
        connection = await self._servers.connect()
        try:
            assert self.load is not None
            compared = Comparison(settings, connection, self._home, log)
            if busy := await verify.settled(settings, connection, QUIET_S):
                compared.found.add("state.differences", f"not quiet after {QUIET_S:.0f} s: {busy}")
            for name, code in (await fleet.stop()).items():
                if code:
                    compared.found.add("state.differences", f"{name} ended with {code} when it was asked to stop")
            self.say("quiet; comparing")
            await compared.run(self.load.keys)
        finally:
            await connection.close()
        return compared

    def _figures(self, chaos: Chaos, compared: Comparison, fleet: Fleet) -> dict[str, Any]:
        kills = chaos.kills_of("sender")
        if compared.doubted > MOST_IN_DOUBT * kills:
            compared.found.add("state.differences", f"{compared.doubted} letters in doubt after {kills} kills of the sender")
        for example in compared.found.examples:
            print(f"  {example}")
        for name, codes in fleet.crashes().items():
            print(f"  {name} ended by itself with {codes}, see {self._home}/logs/{name}.log (kept with --keep)")
        return {
            **compared.figures,
            **{name: compared.found.counts[name] for name in judged.COUNTED},
            "intents.in_doubt": compared.figures["intents.in_doubt"],
            "kills": chaos.kills,
            "kills.sender": kills,
            "failpoints.total": len(chaos.points),
            "failpoints.hit": chaos.hit(),
            "freezes": chaos.hits("stop").total(),
            "exits": sum(map(len, fleet.crashes().values())),
            "seconds": round(time.monotonic() - self._began),
            "seed": self._given.seed,
        }

    def down(self) -> None:
        self._servers.down()
        for witness in (self._mail, self._chats):
            if witness is not None:
                witness.down()


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
        report(figures)
        wrong = judged.wrong(figures, calm=given.calm)
        failed = bool(wrong)
        for one in wrong:
            print(f"  {one}")
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
