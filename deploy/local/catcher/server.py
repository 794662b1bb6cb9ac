"""The SMTP side of the catcher: takes every mail from anyone on this machine."""

import asyncio
import time
from typing import Any

from aiosmtpd.smtp import SMTP

from deploy.local.catcher.store import MailStore

LARGEST_MAIL = 26_214_400  # bytes; what the large mailbox providers take


class Keep:
    """aiosmtpd's handler: a mail is kept before it is answered with 250."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        at_ms = time.time_ns() // 1_000_000
        number = self._store.add(at_ms, envelope.mail_from or "", envelope.rcpt_tos, envelope.content)
        return f"250 2.0.0 kept as {number}"


async def listen(store: MailStore, port: int) -> asyncio.Server:
    """An SMTP server on 127.0.0.1:port; the caller closes it."""
    loop = asyncio.get_running_loop()
    handler = Keep(store)

    def session() -> SMTP:
        return SMTP(handler, hostname="catcher.otklik.test", data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True, loop=loop)

    return await loop.create_server(session, "127.0.0.1", port, backlog=1024)
