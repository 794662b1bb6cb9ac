"""The official SDKs, unmodified, against a real server on the loopback."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from segment.analytics.client import Client

from schemas.facts import Fact, decode
from tests.ingest.kit import KEY, keys_file, serving
from tests.support.live import read, rows, settings

NODE = Path(__file__).parent / "node"
WHEN = datetime(2026, 11, 22, 9, 59, tzinfo=UTC)
KINDS = ["identify", "track", "page", "screen", "group", "alias"]


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.listens.set()


@pytest.fixture
async def host(stage) -> AsyncIterator[str]:
    server = Server(uvicorn.Config(stage.app, host="127.0.0.1", port=0, log_level="warning"))
    running = asyncio.create_task(server.serve())
    await server.listens.wait()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


@pytest.mark.parametrize("gzip", [False, True])
async def test_python(stage, host, gzip):
    await python_sends(host, "wk_site", gzip=gzip)
    check(stage.log.facts, [(one.fault.path, one.fault.code) for one in stage.buried.unread])


async def python_sends(host: str, key: str, *, gzip: bool) -> None:
    errors = []

    def send() -> None:
        client = Client(key, host=host, gzip=gzip, on_error=lambda error, _: errors.append(error), max_retries=2)
        client.identify("u1", {"email": "Ann@Example.org"}, timestamp=WHEN)
        client.track("u1", "Order Completed", {"revenue": 19.99, "currency": "GBP"}, timestamp=WHEN)
        client.page("u1", "Blog", "Home", timestamp=WHEN)
        client.screen("u1", "App", "Main", timestamp=WHEN)
        client.group("u1", "g1", {"name": "Company"}, timestamp=WHEN)
        client.alias("a1", "u1", timestamp=WHEN)
        client.track(None, "Half a pair \ud800 of surrogates", anonymous_id="a2", timestamp=WHEN)
        client.track(None, "Last", anonymous_id="a2", timestamp=WHEN)
        client.shutdown()

    await asyncio.to_thread(send)
    assert errors == []


@pytest.mark.timeout(120)
async def test_node(stage, host, tmp_path):
    await node_sends(host, "wk_site", tmp_path)
    check(stage.log.facts, [(one.fault.path, one.fault.code) for one in stage.buried.unread])


async def node_sends(host: str, key: str, tmp_path: Path) -> None:
    folder = tmp_path / "node"
    shutil.copytree(NODE, folder, ignore=shutil.ignore_patterns("node_modules"))
    await run("npm", "ci", "--no-progress", "--loglevel=error", folder=folder)
    await run("node", "send.mjs", host, key, folder=folder)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("sdk", ["python", "node"])
async def test_against_the_service_itself(kafka, database, topic_prefix, tmp_path, sdk):
    """From the SDK to the log and the dead letters."""
    config = settings(kafka, database, topic_prefix, keys_file=keys_file(tmp_path))
    async with serving(config) as (context, client):
        host = str(client.base_url).rstrip("/")
        await (python_sends(host, KEY, gzip=True) if sdk == "python" else node_sends(host, KEY, tmp_path))
        letters = await rows(context, "SELECT detail, reason FROM dead_letter")
    found = [decode(json.dumps(one).encode()) for one in await read(config, "facts.raw")]
    order = {name: number for number, name in enumerate([*KINDS, "Last"])}
    found.sort(key=lambda fact: order["Last" if fact.event == "Last" else fact.type])
    check(found, [(row["detail"].split(": ")[1], row["reason"]) for row in letters])


async def run(*command: str, folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def check(found: list[Fact], faults: list[tuple[str, str]]) -> None:
    """Both SDKs send the same eight calls, one of them with text that cannot be stored."""
    assert [fact.type for fact in found] == [*KINDS, "track"]
    identify, track, page, screen, group, alias, last = found
    assert identify.identifiers == ("user_id:u1", "email:ann@example.org")
    assert track.properties == {"revenue": {"minor": 1999, "currency": "GBP"}, "currency": "GBP"}
    assert (page.properties["name"], screen.properties["name"]) == ("Home", "Main")
    assert group.properties == {"group_id": "g1", "name": "Company"}
    assert alias.identifiers == ("user_id:u1", "user_id:a1", "anonymous_id:a1")
    assert (last.event, last.identifiers) == ("Last", ("anonymous_id:a2",))
    assert faults == [("event", "bad_text")]
    assert len({fact.id for fact in found}) == len(found)
