"""What the machine's own tables keep, and for how long: the journal a week, dead letters until they expire."""

from runtime.db import Database

JOURNAL_MS = 7 * 86_400_000
EVERY_S = 600
JOURNAL = "DELETE FROM journal WHERE now < $1"
LETTERS = "DELETE FROM dead_letter WHERE expires_at < $1"


async def forget(db: Database, now: int) -> None:
    """Delete what is past its time. now: ms."""
    async with db.transaction() as connection:
        await connection.execute(JOURNAL, now - JOURNAL_MS)
        await connection.execute(LETTERS, now)
