"""What was decided about a person, for the gateway: /internal/decisions, read from the lake."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.lake import Lake, Snapshot
from runtime.process import Context

FIELDS = (
    "id", "profile", "verdict", "decided_by", "document", "version", "step", "occurrence", "channel", "message_class", "rule",
    "intent", "attempt", "until_at", "occurred_at", "cause", "detail",
)  # fmt: skip
_TIMES = frozenset(("until_at", "occurred_at"))
_TEXTS = frozenset(("profile", "detail"))
# A verdict is told at one instant and in one place: (at, partition, offset) is where it stands in the list.
DECISIONS = """
SELECT {columns}, epoch_ms(occurred_at), kafka_partition, kafka_offset FROM {table}
WHERE profile IN ({people}) AND (occurred_at, kafka_partition, kafka_offset) < (make_timestamp(?::BIGINT * 1000), ?::INTEGER, ?::BIGINT)
ORDER BY occurred_at DESC, kafka_partition DESC, kafka_offset DESC LIMIT ?
"""


class Cursor(NamedTuple):
    """Only what stands before this place."""

    at: int
    partition: int
    offset: int

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Raises ValueError."""
        at, partition, offset = map(int, text.split("."))
        if not (0 <= at <= LATEST.at and 0 <= partition <= LATEST.partition and 0 <= offset <= LATEST.offset):
            raise ValueError(text)
        return cls(at, partition, offset)

    def __str__(self) -> str:
        return f"{self.at}.{self.partition}.{self.offset}"


LATEST = Cursor(253_402_300_799_999, 2**31 - 1, 2**63 - 1)


class Reading:
    """The warehouse's own reader of its lake, apart from what writes and merges."""

    def __init__(self) -> None:
        self._lake: Lake | None = None

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        self._lake = Lake(context.settings.home, context.db, threads=1)
        try:
            yield
        finally:
            self._lake.close()

    def api(self, _context: Context) -> Sequence[BaseRoute]:
        """`GET /decisions?profiles=a,b&limit=&next=`: newest first; `next` is null at the end."""
        return [Route("/decisions", self._decisions)]

    async def _decisions(self, request: Request) -> Response:
        try:
            people = [str(UUID(one)) for one in request.query_params["profiles"].split(",")]
            limit = max(1, min(1000, int(request.query_params.get("limit", "100"))))
            cursor = Cursor.read(given) if (given := request.query_params.get("next")) else LATEST
        except (KeyError, ValueError):
            return JSONResponse({"code": "bad_cursor"}, status_code=422)
        assert self._lake is not None
        snapshot = await self._lake.snapshot()
        try:
            return JSONResponse(await _page(snapshot, people, limit, cursor))
        finally:
            snapshot.close()


async def _page(snapshot: Snapshot, people: Sequence[str], limit: int, cursor: Cursor) -> dict[str, Any]:
    query = DECISIONS.format(
        columns=", ".join(map(_column, FIELDS)),
        table=snapshot.table("decisions", until=cursor.at),
        people=", ".join("?" for _ in people),
    )
    rows = await snapshot.query(query, [*people, *cursor, limit + 1])
    items = [_told(dict(zip(FIELDS, row, strict=False))) for row in rows[:limit]]
    return {"items": items, "next": str(Cursor(*rows[limit - 1][-3:])) if len(rows) > limit else None}


def _column(name: str) -> str:
    if name in _TIMES:
        return f"epoch_ms({name})"
    return f"{name}::JSON::VARCHAR" if name == "detail" else f"{name}::VARCHAR" if name in _TEXTS else name


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """As the API names it, without what was not said."""
    row["by"], row["at"], row["until"] = row.pop("decided_by"), row.pop("occurred_at"), row.pop("until_at")
    if row["detail"] is not None:
        row["detail"] = json.loads(row["detail"])
    return {name: value for name, value in row.items() if value not in (None, "")}
