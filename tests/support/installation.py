"""A whole local run (every service and the mail catcher, as `make up` starts them) on the test session's Kafka and PostgreSQL."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from deploy.local import processes, run
from deploy.local.programs import services
from deploy.local.settings import LocalSettings
from services.sender.channels.fakes.smsc import SmscFake
from services.sender.channels.fakes.telegram import TelegramFake
from services.sender.channels.fakes.vk import VkFake
from services.sender.channels.fakes.webhook import WebhookFake
from tests.support.log import Log

PARTITIONS = 4  # fewer than in an installation of one's own: what is shown here does not depend on it, and a turn is shorter
REPORTS = "cases-reports"  # the end of the address to which SMSC reports
NEIGHBOURS = 12  # admin ports lie side by side


@dataclass
class Installation:
    """What somebody outside has of it: addresses and keys. telegram, vk, sms: what stands there in place of the providers; hooks: a
    customer's system, which takes webhooks at `hooks_url`.
    """

    settings: LocalSettings
    api: httpx.AsyncClient
    public: httpx.AsyncClient
    catcher: httpx.AsyncClient
    log: Log
    telegram: TelegramFake
    vk: VkFake
    sms: SmscFake
    hooks: WebhookFake
    hooks_url: str
    now: int = 0  # of the driven clock; 0 while it is live


@asynccontextmanager
async def installed(
    make_settings: Callable[..., LocalSettings], kafka: str, postgres: str, *, mail: bool = True
) -> AsyncIterator[Installation]:
    """Up, with a database and topics of its own; down and gone afterwards. mail: with the catcher, else the test has that port."""
    # The session's pid in its name: should the session be killed, the next one ends what is left.
    home = Path(tempfile.mkdtemp(prefix=f"otklik-tests-{os.getpid()}-cases-"))
    name = home.name.rpartition("-")[2].lower()
    database = await _database(postgres, f"cases_{name}")
    port = urlsplit(f"//{kafka}").port
    settings = make_settings(home, kafka_port=port, database_url=database, admin_port=row_of_ports())
    telegram, vk, sms, hooks = TelegramFake(), VkFake(), SmscFake(), WebhookFake()
    hooks_url = f"http://127.0.0.1:{await hooks.start()}"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTKLIK_TOPIC_PREFIX", f"{name}.")
        environment.setenv("OTKLIK_PARTITIONS", str(PARTITIONS))
        environment.setenv("OTKLIK_TELEGRAM_URL", f"http://127.0.0.1:{await telegram.start()}")
        environment.setenv("OTKLIK_TELEGRAM_TOKEN", "1:cases")
        environment.setenv("OTKLIK_VK_URL", f"http://127.0.0.1:{await vk.start()}")
        environment.setenv("OTKLIK_VK_TOKEN", "cases")
        environment.setenv("OTKLIK_SMSC_URL", f"http://127.0.0.1:{await sms.start()}")
        environment.setenv("OTKLIK_SMSC_APIKEY", "cases")
        environment.setenv("OTKLIK_SMSC_REPORT_SECRET", REPORTS)
        environment.setenv("OTKLIK_WEBHOOK_ALLOW", "127.0.0.1/32")
        environment.setenv("OTKLIK_WEBHOOK_HTTP", "true")
        environment.setenv("OTKLIK_CHECK_LINKS", "false")
        environment.setenv("OTKLIK_BI_TEAMS", '{"campaign": "promo"}')
        programs = [*(["mail"] if mail else []), *(program.name for program in services(settings))]
        await asyncio.to_thread(run.up, settings, lambda _: None, programs)
    try:
        async with _clients(settings) as (api, public, catcher), Log(kafka, f"{name}.") as log:
            yield Installation(settings, api, public, catcher, log, telegram, vk, sms, hooks, hooks_url)
    finally:
        await asyncio.to_thread(run.down, settings, lambda _: None)
        assert processes.of_run(settings.home) == [], "a process of the run is left"
        await telegram.stop()
        await vk.stop()
        await sms.stop()
        await hooks.stop()
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def _clients(settings: LocalSettings) -> AsyncIterator[tuple[httpx.AsyncClient, ...]]:
    """For the management API, for links and tracking calls, and for the mail catcher."""
    key = json.loads(settings.keys_file.read_text(encoding="utf-8"))["api_key"]
    gateway, mail = f"http://127.0.0.1:{settings.port}", f"http://127.0.0.1:{settings.mail_port}"
    more: dict[str, Any] = {"timeout": 60, "trust_env": False, "limits": httpx.Limits(keepalive_expiry=2)}
    async with (
        httpx.AsyncClient(base_url=gateway, headers={"Authorization": f"Bearer {key}"}, **more) as api,
        httpx.AsyncClient(base_url=gateway, **more) as public,
        httpx.AsyncClient(base_url=mail, **more) as catcher,
    ):
        yield api, public, catcher


async def _database(postgres: str, name: str) -> str:
    """URL of a new database; it goes with the session's server."""
    server = await asyncpg.connect(postgres)
    try:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY FILE_COPY")
    finally:
        await server.close()
    return urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))


def row_of_ports() -> int:
    """The first of free ports side by side. Each session begins to look elsewhere: two that start at once would find the same ones, and
    each would hold the other's processes for its own.
    """
    places = range(22_000, 26_000, NEIGHBOURS)
    turned = (places[(os.getpid() + n) % len(places)] for n in range(len(places)))
    return next(base for base in turned if all(processes.is_free(base + n) for n in range(NEIGHBOURS)))
