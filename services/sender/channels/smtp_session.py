"""One SMTP session: greeting, TLS, log in, and letters one after another, pipelined where the server allows it."""

import asyncio
import base64
import re
import ssl
from dataclasses import dataclass, field

from .contract import Outcome, Result, Started
from .smtp_codes import Stage, classify, label
from .smtp_settings import SmtpSettings
from .smtp_wire import LostError, Reply, Wire

_QUEUED = re.compile(r"(?:queued as|id=|queue id:?)\s*([A-Za-z0-9._-]{1,64})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """return_path and to as MAIL and RCPT take them (`addresses.mailbox`); data with CRLF line ends, not yet dot-stuffed."""

    return_path: str = field(repr=False)
    to: str = field(repr=False)
    data: bytes = field(repr=False)


class RefusedError(Exception):
    """The server said no before a letter was offered."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.code)
        self.result = result


class Session:
    """letters: offered so far. idle_since: loop time of its last letter."""

    def __init__(self, wire: Wire, settings: SmtpSettings) -> None:
        self._wire = wire
        self._settings = settings
        self._timeouts = settings.timeouts
        self._extensions: dict[str, str] = {}
        self._dirty = False
        self.letters = 0
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        return self._wire.usable and self.letters < self._settings.letters_per_connection

    async def greet(self) -> None:
        """Greeting to log-in; RefusedError or LostError when it does not come about."""
        _expect(Stage.CONNECT, await self._wire.reply(self._timeouts.greeting), 220)
        await self._hello()
        if self._settings.tls in {"required", "offered"}:
            await self._secure()
        if self._settings.username:
            await self._log_in()

    async def _hello(self) -> None:
        reply = await self._command(f"EHLO {self._settings.helo}")
        _expect(Stage.CONNECT, reply, 250)
        words = [line.partition(" ") for line in reply.text.split("\n")[1:]]
        self._extensions = {name.upper(): value for name, _, value in words}

    async def _secure(self) -> None:
        if "STARTTLS" not in self._extensions:
            if self._settings.tls == "required":
                raise RefusedError(Result(Outcome.POLICY, code="starttls_not_offered"))
            return
        reply = await self._command("STARTTLS")
        if reply.code != 220:
            raise RefusedError(Result(Outcome.TRANSIENT, code=f"starttls {label(*reply)}"))
        context = self._settings.tls_context or ssl.create_default_context()
        try:
            await self._wire.start_tls(context, self._settings.host, self._timeouts.greeting)
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(Result(Outcome.POLICY, code="tls_certificate")) from error
        except LostError:
            raise
        except OSError as error:
            raise LostError("tls_handshake") from error
        await self._hello()  # what was offered in the clear may have been forged

    async def _log_in(self) -> None:
        if self._settings.tls != "never" and not self._wire.secure:
            raise RefusedError(Result(Outcome.AUTH, code="no_tls_for_password"))
        ways = self._extensions.get("AUTH", "").upper().split()
        user, password = self._settings.username.encode(), self._settings.password.encode()
        if "PLAIN" in ways:
            reply = await self._command("AUTH PLAIN " + _b64(b"\0".join((b"", user, password))))
        elif "LOGIN" in ways:
            reply = await self._command("AUTH LOGIN")
            for secret in (user, password):
                if reply.code == 334:
                    reply = await self._command(_b64(secret))
        else:
            raise RefusedError(Result(Outcome.AUTH, code="auth_not_offered"))
        _expect(Stage.AUTH, reply, 235)

    async def deliver(self, envelope: Envelope, started: Started | None) -> Result:
        """One letter. LostError: nothing was handed over, a repeat is safe. After the closing dot an end without an answer is `unknown`."""
        refusal = self._unfit(envelope)
        if refusal is not None:
            return refusal
        self.letters += 1
        refusal = await self._offer(envelope)
        if refusal is not None:
            return refusal
        if started is not None:
            await started()
        self._wire.write(_stuffed(envelope.data))
        try:
            reply = await self._wire.reply(self._timeouts.accept)
        except LostError as error:
            return Result(Outcome.UNKNOWN, code=f"after_data {error.reason}")
        self._dirty = False
        if 200 <= reply.code < 300:
            queued = _QUEUED.search(reply.text)
            return Result(Outcome.ACCEPTED, queued.group(1) if queued else None, label(*reply))
        if reply.code < 400:
            self._wire.abort("not_smtp")
            return Result(Outcome.UNKNOWN, code=f"after_data {reply.code}")
        return self._refused(Stage.DATA, reply)

    def _unfit(self, envelope: Envelope) -> Result | None:
        if not envelope.to.isascii() and "SMTPUTF8" not in self._extensions:
            return Result(Outcome.PERMANENT_ADDRESS, code="smtputf8_not_offered")
        limit = self._extensions.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < len(envelope.data):
            return Result(Outcome.PERMANENT_CONTENT, code="size_limit")
        return None

    async def _offer(self, envelope: Envelope) -> Result | None:
        """MAIL, RCPT, DATA. None when the server waits for the letter."""
        parameters = f" SIZE={len(envelope.data)}" if "SIZE" in self._extensions else ""
        if not (envelope.to.isascii() and envelope.return_path.isascii()):
            parameters += " BODY=8BITMIME SMTPUTF8"
        commands = [
            (Stage.MAIL, f"MAIL FROM:<{envelope.return_path}>{parameters}"),
            (Stage.RCPT, f"RCPT TO:<{envelope.to}>"),
            (Stage.DATA, "DATA"),
        ]
        if self._dirty:
            commands.insert(0, (Stage.CONNECT, "RSET"))
        replies = await (self._pipelined(commands) if "PIPELINING" in self._extensions else self._one_by_one(commands))
        self._dirty = True
        for (stage, _), reply in zip(commands, replies, strict=False):
            if reply.code == 421 and stage in {Stage.CONNECT, Stage.MAIL} and self.letters > 1:
                self._wire.abort("farewell")  # enough of this connection, not of us
                raise LostError("farewell")
            if reply.code >= 400:
                if replies[-1].code == 354:  # it waits for a letter that nobody may get: only the end of the connection is safe
                    self._wire.abort("data_after_refusal")
                return self._refused(stage, reply)
        if replies[-1].code != 354:
            self._wire.abort("not_smtp")
            raise LostError("not_smtp")
        return None

    async def _pipelined(self, commands: list[tuple[Stage, str]]) -> list[Reply]:
        self._wire.write("".join(f"{line}\r\n" for _, line in commands).encode())
        replies: list[Reply] = []
        for _ in commands:
            try:
                replies.append(await self._wire.reply(self._timeouts.command))
            except LostError:
                if replies and replies[-1].code >= 400:
                    break  # "421 closing" ends the dialogue early; its answer counts
                raise
        return replies

    async def _one_by_one(self, commands: list[tuple[Stage, str]]) -> list[Reply]:
        replies: list[Reply] = []
        for _, line in commands:
            replies.append(await self._command(line))
            if replies[-1].code >= 400:
                break
        return replies

    async def _command(self, line: str) -> Reply:
        self._wire.write(f"{line}\r\n".encode())
        return await self._wire.reply(self._timeouts.command)

    def _refused(self, stage: Stage, reply: Reply) -> Result:
        if reply.code == 421:
            self._wire.close()
        return Result(classify(stage, reply.code, reply.text), code=label(*reply))

    def close(self) -> None:
        self._wire.close()

    async def quit(self, seconds: float) -> None:
        """Says good-bye and waits for the end of the connection, not longer than `seconds`."""
        try:
            self._wire.write(b"QUIT\r\n")
        except LostError:
            return
        self._wire.close()
        await asyncio.wait([self._wire.ended], timeout=seconds)


def _expect(stage: Stage, reply: Reply, code: int) -> None:
    if reply.code == code:
        return
    if reply.code < 400:
        raise LostError("not_smtp")
    raise RefusedError(Result(classify(stage, reply.code, reply.text), code=f"{stage} {label(*reply)}"))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _stuffed(data: bytes) -> bytes:
    if b"\n." in data:
        data = data.replace(b"\n.", b"\n..")
    return (b"." + data if data.startswith(b".") else data) + b".\r\n"
