"""What goes wrong is told in the logs by ids, kinds and places: no log line holds anything of a customer."""

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from deploy.local.settings import LocalSettings
from runtime.log import JsonFormatter
from tests.support.installation import Installation, installed
from tests.support.live import until
from tests.support.shop import Shop, journey, send, template

SECRET = {
    "email": "zinaida.quux@mailbox.example",
    "phone": "+79161234567",
    "firstName": "Zinaidaquux",
    "lastName": "Frobnicate-Ivanova",
    "city": "Quuxograd",
}
SAID = "size-of-her-shoes-4711"
WORDS = ("zinaida", "mailbox.example", "9161234567", "frobnicate", "quuxograd", "size-of-her-shoes")


def lines(*folders: Path) -> list[tuple[str, str]]:
    """(file, line) of all logs there."""
    files = sorted(path for folder in folders for path in folder.rglob("*.log*") if path.is_file())
    return [(path.name, line) for path in files for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]


@asynccontextmanager
async def refusing_smtp(port: int) -> AsyncIterator[list[str]]:
    """A server that knows no address, and says which one it does not know. Yields the addresses."""
    refused: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode():
            if line.upper().startswith("RCPT"):
                refused.append(line.strip())
                writer.write(f"550 5.1.1 {line.strip()}: no such user here\r\n".encode())
            else:
                writer.write(b"221 bye\r\n" if line.upper().startswith("QUIT") else b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    try:
        yield refused
    finally:
        server.close()


async def cut_off(installation: Installation) -> None:
    """Every connection to the database ends, as when it restarts."""
    connection = await asyncpg.connect(str(installation.settings.database_url))
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await connection.fetch(query)
    await connection.close()


async def poison(installation: Installation) -> None:
    """Straight to the topic: text that is no JSON, and JSON that is no fact."""
    said = json.dumps({**SECRET, "said": SAID})
    for value in (said[:-1], said):
        await installation.log.write("facts.raw", SECRET["email"], value.encode())


async def refuse_in_the_database(installation: Installation) -> None:
    """From now on it takes no identifier with this word, and tells of each which row it refuses."""
    connection = await asyncpg.connect(str(installation.settings.database_url))
    await connection.execute("ALTER TABLE profile.identifier ADD CHECK (key NOT LIKE '%refused%') NOT VALID")
    await connection.close()


async def test_a_run_in_which_much_fails_logs_nothing_of_the_customer(
    local_settings: object, kafka: str, postgres: str, servers: LocalSettings
) -> None:
    async with installed(local_settings, kafka, postgres, mail=False) as found:  # type: ignore[arg-type]
        shop = await Shop(found, "quiet").open_live()
        b = shop.brand
        endless = "{{ person.first_name }}{% for i in (1..99999999) %}{% for j in (1..99999999) %}x{% endfor %}{% endfor %}"
        steps = [send(name, b, **{"class": "service"}) for name in ("endless", "hello")]
        await shop.publish(template("hello", b), template("endless", b, text=endless), journey("two", b, "Asked", *steps))
        async with refusing_smtp(found.settings.smtp_port) as refused:
            await shop.post(shop.is_("ann", **SECRET), shop.did("ann", "Asked", said=SAID))
            await until(lambda: refused, 60)
            await poison(found)
            await refuse_in_the_database(found)
            await cut_off(found)
            again = {**SECRET, "email": f"refused.{SECRET['email']}", "phone": None}
            await shop.post(shop.did("ann", "Asked", said=SAID), shop.is_("ben", **again))
            bad = {"batch": [shop.call("track", "ann", event="Asked", properties=SAID)]}
            await found.public.post("/v1/batch", auth=(shop.write_keys["site"], ""), json=bad)

            async def told() -> bool:
                letters = {one["reason"] for one in (await shop.api("GET", "/api/dead-letters"))["items"]}
                verdicts = {(one["step"], one["verdict"]) for one in await found.log.records("decisions") if "step" in one}
                return {"undecodable", "unhandled"} <= letters and {("hello", "failed"), ("endless", "failed")} <= verdicts

            await until(told, 60)
        logged = lines(found.settings.logs, servers.logs)
    assert SECRET["email"] in refused[0]
    assert [line for line in logged if re.search("|".join(WORDS), line[1], re.IGNORECASE)] == []
    whats = {json.loads(line)["what"] for _, line in logged if line.startswith('{"at"')}
    assert "batch failed, halving" in whats, "what fails is in the log"


def test_an_error_that_nobody_fetched_is_told_without_its_text() -> None:
    async def fails() -> None:
        raise ValueError(SECRET["email"])

    async def forgotten() -> None:
        task = asyncio.ensure_future(fails())
        await asyncio.wait({task})

    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter("toy", ""))
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        asyncio.run(forgotten())
    finally:
        logger.removeHandler(handler)
    line = json.loads(out.getvalue())
    assert (line["what"], line["error"]) == ("Task exception was never retrieved", "ValueError")
    assert SECRET["email"] not in out.getvalue()
