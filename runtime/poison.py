"""Records that could not be understood: isolated by halving the batch, buried with their reason, and limited.

A service that cannot handle one record goes on without it. One that can handle none is broken and stops, rather than drain the
topic into the dead letters.
"""

import base64
import hashlib
import hmac
from collections import deque
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace

from runtime import metrics
from runtime.batch import Bad, Item
from runtime.db import Connection

KEEP_MS = 30 * 86_400_000
BURY = """
INSERT INTO dead_letter (topic, partition, "offset", reason, detail, record, buried_at, expires_at)
SELECT u.topic, u.partition, u.at, u.reason, u.detail, u.record, $7::bigint, $7::bigint + $8::bigint
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::bytea[]) AS u (topic, partition, at, reason, detail, record)
"""


class TooMuchPoison(RuntimeError):  # noqa: N818
    """The service stops: so many records in a row (or in the window) failed that the code is broken, not the records."""


class Poisoned(Exception):  # noqa: N818
    """Deciding failed: the record's fault or our code's, not the machine's. `cause` is the error itself."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


class Vault:
    """Encrypts what holds personal data, and makes unguessable words and hashes. Its keys derive from the installation's secret."""

    def __init__(self, secret: str) -> None:
        self._words = hashlib.sha256(b"otklik words:" + secret.encode()).digest()
        self._blinds = hashlib.sha256(b"otklik blinds:" + secret.encode()).digest()
        self._cipher = AESGCM(hashlib.sha256(b"otklik dead letters:" + secret.encode()).digest())

    def seal(self, data: bytes, name: str) -> bytes:
        # The nonce derives from what it names: one record of one place is sealed once, and a rerun gives the same bytes.
        # Under a key: else who can guess what is sealed could see that he is right.
        nonce = hmac.digest(self._blinds, f"{name}:".encode() + data, "sha256")[:12]
        return nonce + self._cipher.encrypt(nonce, data, name.encode())

    def token(self, name: str) -> str:
        """32 characters of a-z and 2-7 that only who knows the secret can make of this name."""
        return base64.b32encode(hmac.digest(self._words, name.encode(), "sha256")[:20]).decode().lower()

    def blind(self, value: str) -> bytes:
        """A hash (32 bytes) that tells who knows the secret whether two values are the same, and anybody else nothing."""
        return hmac.digest(self._blinds, value.encode(), "sha256")

    def open(self, sealed: bytes, name: str) -> bytes:
        return self._cipher.decrypt(sealed[:12], sealed[12:], name.encode())


def name_of(topic: str, partition: int, offset: int) -> str:
    return f"{topic}-{partition}@{offset}"


async def bury(connection: Connection, vault: Vault, service: str, items: Sequence[Item], now: int) -> None:
    """Write dead letters in the batch's own transaction: burying cannot fail apart from the watermark."""
    rows = [(*item.place, item.offset, item.value.reason, item.value.detail, item.raw) for item in items]
    sealed = [vault.seal(row[5], name_of(*row[:3])) for row in rows]
    clean = [row[4].replace("\x00", "\\0").encode("utf-8", "replace").decode() for row in rows]
    columns = [[row[i] for row in rows] for i in range(4)]
    await connection.execute(BURY, *columns, clean, sealed, now, KEEP_MS)
    for item in items:
        metrics.dead_letters.labels(service, item.value.reason).inc()


def as_bad(item: Item, error: BaseException) -> Item:
    """The item with its failure in place of its value: the kind alone, as an error's text may quote an address."""
    return replace(item, value=Bad("unhandled", type(error).__name__))


class Limit:
    """Counts failures of our own code: `row` in a row, or more than `share` of the last `window` records, is too much."""

    def __init__(self, row: int, window: int, share: float) -> None:
        self._row, self._window, self._share = row, window, share
        self._in_a_row = 0
        self._outcomes: deque[tuple[int, int]] = deque()  # (good, bad) of each batch
        self._good = self._bad = 0

    def good(self, count: int) -> None:
        if count:
            self._in_a_row = 0
            self._note(count, 0)

    def bad(self) -> None:
        """Raises TooMuchPoison when the limit is passed."""
        self._in_a_row += 1
        self._note(0, 1)
        if self._in_a_row > self._row:
            raise TooMuchPoison(f"{self._in_a_row} records in a row could not be handled")
        if self._bad > self._share * self._window:
            raise TooMuchPoison(f"{self._bad} of the last {self._good + self._bad} records could not be handled")

    def _note(self, good: int, bad: int) -> None:
        self._outcomes.append((good, bad))
        self._good += good
        self._bad += bad
        while self._outcomes and self._good + self._bad > self._window:
            old = self._outcomes.popleft()
            self._good -= old[0]
            self._bad -= old[1]
