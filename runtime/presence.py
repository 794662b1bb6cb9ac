"""Which processes a service has and where each can be asked: some questions only the process itself can answer.

An address that stands for several processes (of a Kubernetes Service, of a scaled compose service) reaches one of them by chance.
"""

import asyncio
import contextlib
import logging
import socket

from runtime.clock import set_within, wall_ms
from runtime.db import TRANSIENT, Database
from runtime.settings import Settings

log = logging.getLogger(__name__)

SAY_S = 2.0
GONE_MS = 15_000  # who has said nothing for so long was killed
SAY = """
INSERT INTO runtime.process (service, address, seen_at) VALUES ($1, $2, $3)
ON CONFLICT (service, address) DO UPDATE SET seen_at = EXCLUDED.seen_at
"""
FORGET = "DELETE FROM runtime.process WHERE (service = $1 AND address = $2) OR seen_at < $3"
LIVE = "SELECT service, address FROM runtime.process WHERE seen_at > $1 ORDER BY service, address"


def address(settings: Settings) -> str | None:
    """Of this process's admin port, as its neighbours reach it; None when it has none that could be told."""
    if not settings.admin_port_own:
        return None
    host = settings.host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - not bound here: told where it is bound
        try:
            host = socket.gethostbyname(socket.gethostname())
        except OSError:
            return None
    return f"http://{host}:{settings.admin_port_own}"


async def keep(db: Database, service: str, here: str | None, ending: asyncio.Event) -> None:
    """Say every other second that this process is there, until it ends."""
    while here and not ending.is_set():
        try:
            async with db.transaction() as connection:
                await connection.execute(SAY, service, here, wall_ms())
        except TRANSIENT as error:
            log.warning("could not say where it is", extra={"why": type(error).__name__})
        await set_within(ending, SAY_S)


async def leave(db: Database, service: str, here: str | None) -> None:
    """The process ends. Takes along whoever could not say so himself; without a database the others see it by the time."""
    with contextlib.suppress(*TRANSIENT):
        async with db.transaction() as connection:
            await connection.execute(FORGET, service, here, wall_ms() - GONE_MS)


async def live(db: Database) -> dict[str, list[str]]:
    """Service -> addresses of its processes."""
    found: dict[str, list[str]] = {}
    async with db.connection() as connection:
        for row in await connection.fetch(LIVE, wall_ms() - GONE_MS):
            found.setdefault(row["service"], []).append(row["address"])
    return found
