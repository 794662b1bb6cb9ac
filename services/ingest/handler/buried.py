"""Events that were acknowledged and not understood go into the machine's dead letters, sealed."""

from collections.abc import Sequence

import msgspec

from runtime import metrics
from runtime.db import TRANSIENT, Database
from runtime.poison import BURY, KEEP_MS, Vault, name_of
from services.ingest.ports import Unavailable, Unread


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed: the event's text with all that reading it again takes. Bytes that are no UTF-8 show as escapes."""

    brand: str
    source: str
    lane: str
    currency: str | None
    region: str
    kind: str | None
    index: int
    received_at: int
    path: str
    event: str


class DeadLetters:
    """Buries in `ingest.dead_letter` under the topic "http:<kind>"; the offset is the event's place in its batch."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    async def bury(self, faults: Sequence[Unread]) -> None:
        topics = [f"http:{one.kind or 'batch'}" for one in faults]
        indexes = [one.index for one in faults]
        sealed = [
            self._vault.seal(msgspec.json.encode(_letter(one)), name_of(topic, 0, one.index))
            for topic, one in zip(topics, faults, strict=True)
        ]
        reasons = [one.fault.code for one in faults]
        details = [_clean(_detail(one)) for one in faults]
        now = max(one.received_at for one in faults)
        try:
            async with self._db.transaction() as connection:
                await connection.execute(BURY, topics, [0] * len(faults), indexes, reasons, details, sealed, now, KEEP_MS)
        except TRANSIENT as error:
            raise Unavailable from error
        for reason in reasons:
            metrics.dead_letters.labels("ingest", reason).inc()


def _letter(one: Unread) -> Letter:
    source = one.source
    return Letter(
        brand=source.brand,
        source=source.name,
        lane=source.lane,
        currency=source.currency,
        region=source.region,
        kind=one.kind,
        index=one.index,
        received_at=one.received_at,
        path=one.fault.path,
        event=one.raw.decode("utf-8", "backslashreplace"),
    )


def _detail(one: Unread) -> str:
    fault = one.fault
    return f"{one.source.name}: {fault.path or 'event'}: {fault.message} Mend: {fault.mend}."


def _clean(text: str) -> str:
    """A path names the sender's own fields: they may hold what PostgreSQL's text cannot."""
    return text.replace("\x00", "\\0").encode("utf-8", "replace").decode()
