"""E-mail over SMTP: a pool of kept connections to one relay.

Up to the answer to DATA every failure is safe to repeat (nothing was offered). From the letter's closing dot on, no answer means `unknown`:
the server may have taken it.
"""

import asyncio
import ssl
from functools import lru_cache

from services.sender.content.header_words import MimeError
from services.sender.content.mime import Letter, write

from .addresses import AddressError, mailbox
from .contract import Outcome, Rendered, Result, Started
from .smtp_session import Envelope, RefusedError, Session
from .smtp_settings import SmtpSettings
from .smtp_wire import LostError, Wire

_ours = lru_cache(maxsize=256)(mailbox)  # a mailing has one sender


class SmtpChannel:
    """The e-mail adapter (see `contract.Channel`)."""

    def __init__(self, settings: SmtpSettings) -> None:
        self.connections = settings.connections
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[Session] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, message: Rendered, started: Started | None = None) -> Result:
        try:
            to = mailbox(message.address)
        except AddressError:
            return Result(Outcome.PERMANENT_ADDRESS, code="address_syntax")
        try:
            envelope = Envelope(
                mailbox(message.return_path) if message.return_path else _ours(message.sender), to, write(_letter(message, to))
            )
        except MimeError as error:
            return Result(Outcome.PERMANENT_CONTENT, code=f"header {error.field}")
        except AddressError:
            return Result(Outcome.PERMANENT_CONTENT, code="sender_address_syntax")
        async with self._slots:
            return await self._attempt(envelope, _once(started))

    async def _attempt(self, envelope: Envelope, started: Started | None) -> Result:
        while True:
            session = self._kept()
            kept = session is not None
            try:
                session = session or await self._open()
                return await self._deliver(session, envelope, started)
            except RefusedError as error:
                return error.result
            except LostError as error:
                if not kept:
                    return Result(Outcome.TRANSIENT, code=error.reason)
                continue  # a kept connection may have been ended by the server at any time

    async def _deliver(self, session: Session, envelope: Envelope, started: Started | None) -> Result:
        """Gives the session back only after a clean end: one cut short (cancelled, `started` failed) waits for a letter."""
        clean = False
        try:
            result = await session.deliver(envelope, started)
            clean = True
            return result
        finally:
            if clean and session.usable and not self._closed:
                self._keep(session)
            else:
                session.close()

    def _kept(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.usable:
                return session
            session.close()
        return None

    def _keep(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        session.idle_since = loop.time()
        self._idle.append(session)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._settings.idle_s, self._sweep)

    def _sweep(self) -> None:
        """Ends connections that nobody used for `idle_s`; a server ends them anyway, with less grace."""
        loop = asyncio.get_running_loop()
        limit = loop.time() - self._settings.idle_s
        old = [session for session in self._idle if session.idle_since <= limit]
        self._idle = [session for session in self._idle if session.idle_since > limit]
        for session in old:
            session.close()
        self._sweeper = loop.call_later(self._settings.idle_s, self._sweep) if self._idle else None

    async def _open(self) -> Session:
        loop = asyncio.get_running_loop()
        settings = self._settings
        context = (settings.tls_context or ssl.create_default_context()) if settings.tls == "implicit" else None
        try:
            async with asyncio.timeout(settings.timeouts.connect):
                _, wire = await loop.create_connection(lambda: Wire(loop), settings.host, settings.port, ssl=context)
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(Result(Outcome.POLICY, code="tls_certificate")) from error
        except TimeoutError as error:
            raise LostError("connect_timeout") from error
        except OSError as error:
            raise LostError("connect") from error
        session = Session(wire, settings)
        try:
            await session.greet()
        except BaseException:
            wire.abort("greeting")
            raise
        return session

    async def close(self) -> None:
        """Ends idle connections; a letter on its way finishes first."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        idle, self._idle = self._idle, []
        await asyncio.gather(*(session.quit(self._settings.timeouts.connect) for session in idle))


def _once(started: Started | None) -> Started | None:
    """A second try on a fresh connection is the same start."""
    if started is None:
        return None
    done = False

    async def once() -> None:
        nonlocal done
        if not done:
            await started()
            done = True

    return once


def _letter(message: Rendered, to: str) -> Letter:
    return Letter(
        sender=_ours(message.sender),
        to=to,
        subject=message.subject,
        text=message.text,
        html=message.html,
        message_id=message.message_id,
        date_ms=message.date_ms,
        sender_name=message.sender_name,
        name=message.name,
        reply_to=_ours(message.reply_to) if message.reply_to else "",
        headers=message.headers,
    )
