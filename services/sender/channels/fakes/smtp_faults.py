"""The faults of the SMTP fake: what a recipient's prefix does, and how the server itself may misbehave."""

import ssl
from dataclasses import dataclass

FAULTS = {
    "bounce550": "550 5.1.1 user unknown at RCPT",
    "text550": "550 with words only, in Russian",
    "full452": "452 4.2.2 mailbox full at RCPT",
    "grey451-once": "451 4.7.1 greylisted, then accepted",
    "slow421-once": "421 4.7.0 at RCPT and the connection ends, then accepted",
    "late421": "421 4.7.0 after the closing dot: not accepted",
    "policy554": "554 5.7.1 after the closing dot",
    "dmarc550": "550 5.7.26 after the closing dot",
    "big552": "552 5.3.4 after the closing dot",
    "odd354": "550 at RCPT, and yet 354 to DATA",
    "hangrcpt": "no answer to RCPT",
    "hangdata": "no answer to DATA",
    "hangdot": "no answer after the closing dot; not accepted",
    "droprcpt": "the connection ends at RCPT",
    "drop": "ACCEPTED, and the connection ends without an answer",
    "dropdata": "the connection ends after DATA was asked for",
    "babble": "an answer that is no SMTP",
}
PREFIXES = {name.removesuffix("-once"): name for name in FAULTS}
AT_RCPT = {
    "bounce550": "550 5.1.1 <x>: user unknown",
    "text550": "550 Пользователь не найден",
    "full452": "452 4.2.2 mailbox full",
    "grey451": "451 4.7.1 greylisted, try again",
    "odd354": "550 5.1.1 no such user",
}
AT_DOT = {
    "policy554": "554 5.7.1 rejected as spam",
    "dmarc550": "550 5.7.26 unauthenticated",
    "big552": "552 5.3.4 message too big",
    "late421": "421 4.7.0 too many, closing",
}


@dataclass
class Manners:
    """How the server itself behaves, whoever the recipient is. greeting, starttls, auth: `ok`, or a fault by its name.

    letters: after so many on one connection it says 421 to the next MAIL.
    """

    greeting: str = "ok"  # ok, refuse, hang, drop, babble
    starttls: str = "off"  # off, ok, refuse, garbage, inject
    auth: str = "off"  # off, plain, login
    password: str = "secret"  # noqa: S105 the fake's own
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000", "ENHANCEDSTATUSCODES")
    letters: int = 1_000_000
    tls: ssl.SSLContext | None = None
