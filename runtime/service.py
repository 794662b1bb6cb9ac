"""What a service is to the machine: a value. `run` in runtime/process.py makes it live."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from starlette.routing import BaseRoute

from runtime.batch import At, Decode, Emit, Item, Tx
from runtime.db import Connection
from runtime.settings import Settings
from schemas.topics import Topic

if TYPE_CHECKING:
    from runtime.process import Context


@dataclass(frozen=True, slots=True)
class Consumes:
    """One input: decode answers a value with `received_at` (and `src`, `seq` where it has them), or None to pass it by."""

    topic: Topic
    decode: Decode
    lane: str = "live"


@dataclass(frozen=True, slots=True)
class Fired:
    """What a round of timers did. oldest: due instant (ms) of the first one."""

    emits: Sequence[Emit] = ()
    count: int = 0
    oldest: int = 0


class Timers(Protocol):
    """The timer lane of a service. `fire` handles up to `limit` due timers of the partitions in `ats`, oldest first."""

    async def due(self, connection: Connection, partitions: Sequence[int], now: int) -> bool: ...
    async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired: ...


async def _nothing(_tx: Tx, _items: Sequence[Item]) -> list[Emit]:
    return []


async def _no_hook() -> None:
    return None


def _always(_lane: str) -> bool:
    return True


async def _settled() -> bool:
    return False


async def _keeps_nothing(_connection: Connection, _people: Sequence[str]) -> dict[str, Any]:
    return {}


async def _never_heard(_connection: Connection, _person: str) -> dict[str, int | None]:
    return {}


def _as_given(settings: Settings) -> Settings:
    return settings


def _no_api(_context: "Context") -> Sequence[BaseRoute]:
    return ()


@asynccontextmanager
async def _no_life(_context: "Context") -> AsyncIterator[None]:
    yield


@dataclass(frozen=True, slots=True)
class Service:
    """handle: decide and save a batch inside `tx`, answer the emits in the order of the items.

    life: a context manager around the whole run for what else the service keeps (HTTP server, connections, tasks).
    committed: called after each commit. settle: finishes what is under way (open attempts) in a driven turn, True if it did
    anything; busy: whether anything is under way, for the quiet question. api: routes for other services, under /internal beside
    /livez (runtime/internal.py), with paths that are unique in an installation. may_read: whether a lane ("live", "bulk") may be read now, for a service whose own queue is full. knows_its_age: topics of the
    first lane of which it or those behind it ask how old its knowledge is (runtime/freshness.py). failpoints: names
    beside those of the machine. settings: the bounds of a batch that suit this service, made of those the process has.
    held: what it keeps of a person (ids: he and who became one with him), for the copy that the law gives him. erased: what it has done
    about the erasure of a person -> when (ms), None: not yet.
    """

    name: str
    consumes: Sequence[Consumes] = ()
    handle: Callable[[Tx, Sequence[Item]], Awaitable[list[Emit]]] = _nothing
    timers: Timers | None = None
    migrations: Sequence[str] = ()
    topics_written: Sequence[Topic] = ()
    life: Callable[["Context"], AbstractAsyncContextManager[Any]] = _no_life
    committed: Callable[[], Awaitable[None]] = _no_hook
    settle: Callable[[], Awaitable[bool]] = _settled
    busy: Callable[[], Awaitable[bool]] = _settled
    api: Callable[["Context"], Sequence[BaseRoute]] = _no_api
    may_read: Callable[[str], bool] = _always
    knows_its_age: Sequence[Topic] = ()
    settings: Callable[[Settings], Settings] = _as_given
    failpoints: Sequence[str] = ()
    held: Callable[[Connection, Sequence[str]], Awaitable[dict[str, Any]]] = _keeps_nothing
    erased: Callable[[Connection, str], Awaitable[dict[str, int | None]]] = _never_heard
    checks: Mapping[str, Callable[[], Awaitable[bool]]] = field(default_factory=dict)

    def topics(self, lane: str) -> list[str]:
        return [c.topic.name for c in self.consumes if c.lane == lane]
