"""The days' tables after a clock that was driven ahead and given back."""

from typing import Any

import asyncpg
import pytest

from runtime.db import Again
from services.profile.store import DAY_MS, Seen


class Connection:
    """Knows of tables: a day's maker drops what is older than yesterday."""

    def __init__(self) -> None:
        self.tables: set[str] = set()

    async def execute(self, query: str, *_: Any) -> None:
        words = query.replace('"', "").split()
        if words[0] == "CREATE":
            self.tables.add(words[5])
        elif words[0] == "DROP":
            self.tables.discard(words[2])

    async def fetch(self, query: str, *_: Any) -> list[dict[str, str]]:
        return [{"relname": name} for name in self.tables] if "pg_inherits" in query else []

    async def copy_records_to_table(self, table: str, **_: Any) -> None:
        if table not in self.tables:
            raise asyncpg.UndefinedTableError(table)


async def test_a_clock_that_is_given_back_finds_its_day_again() -> None:
    seen, connection = Seen(), Connection()
    for day in (20_000, 56_000):
        await seen.new(connection, ["a"], day * DAY_MS)
        seen.committed()
    with pytest.raises(Again):  # the same batch runs again
        await seen.new(connection, ["b"], 20_000 * DAY_MS)
    assert await seen.new(connection, ["b"], 20_000 * DAY_MS) == {"b"}
