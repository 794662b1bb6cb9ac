"""How one SMTP relay (or MX) is reached."""

import ssl
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class SmtpTimeouts:
    """Seconds that each stage may take; RFC 5321 allows servers minutes at the end of DATA, and cutting it short makes letters doubtful."""

    connect: float = 15.0
    greeting: float = 60.0
    command: float = 60.0
    data: float = 60.0
    accept: float = 300.0


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """tls: `implicit` (port 465), `required` (STARTTLS or nothing), `offered` (STARTTLS if the server has it), `never` (a relay on the
    same machine). A password is sent in the clear only with `never`. letters_per_connection and idle_s: when a kept connection is ended.
    """

    host: str
    port: int = 587
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["implicit", "required", "offered", "never"] = "required"
    tls_context: ssl.SSLContext | None = None
    helo: str = "localhost"
    connections: int = 10
    letters_per_connection: int = 100
    idle_s: float = 30.0
    timeouts: SmtpTimeouts = field(default_factory=SmtpTimeouts)

    def __post_init__(self) -> None:
        if self.connections < 1 or self.letters_per_connection < 1:
            raise ValueError("smtp: connections and letters_per_connection must be at least 1")
        if not self.helo.isascii() or not self.helo.isprintable() or " " in self.helo or not self.helo:
            raise ValueError("smtp: helo must be this host's name in ASCII without spaces")
