"""Reading: one lane of one service. Positions live in PostgreSQL; Kafka's own commits are a hint for lag tools."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from runtime.kafka.records import Place, Record
from runtime.kafka.security import connection
from runtime.settings import Settings
from schemas.topics import DEFINITIONS

log = logging.getLogger(__name__)

HINT_S = 1.0
CALM_WAIT_MS = 200  # how long the broker holds a fetch that finds nothing; questions wait behind it
HURRY_WAIT_MS = 10
GATHER_BYTES = 1_000_000  # an answer of this size is full
RULING = DEFINITIONS.name  # documents, which what comes after them is decided by


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]
    """One lane of one service: the partitions it owns, fetched ahead, handed out in bounded batches.

    A rebalance waits for the batch in flight (`in_flight`) and forgets what was fetched; whoever owns a partition next starts at its
    watermark. `fresh` holds partitions that were assigned (or have to be looked at again) and not positioned yet. `joining` is true
    while nobody knows who owns what: before the group has formed and during a rebalance.
    """

    def __init__(self, settings: Settings, service: str, lane: str, topics: Sequence[str]) -> None:
        self._settings, self._service, self._lane = settings, service, lane
        self.topics = topics
        self._prefix = len(settings.topic_prefix)
        self.in_flight = asyncio.Lock()
        self.assigned: set[Place] = set()
        self.fresh: set[Place] = set()
        self.joining = True
        self.buffer: dict[Place, list[Record]] = {}
        self.on_assigned: Callable[[], None] = lambda: None
        self._consumer: Any = None
        self._joined = asyncio.Event()
        self._hinting: asyncio.Task[None] | None = None
        self._questions: set[asyncio.Future[Any]] = set()
        self._stopping = False

    async def start(self) -> None:
        s = self._settings
        self._consumer = AIOKafkaConsumer(
            **connection(s),
            group_id=f"{s.topic_prefix}{self._service}.{self._lane}",
            group_instance_id=f"{s.instance}.{self._lane}" if s.instance else None,
            client_id=f"otklik-{s.instance or self._service}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=s.session_timeout_ms,
            heartbeat_interval_ms=max(100, s.session_timeout_ms // 4),
            rebalance_timeout_ms=s.rebalance_timeout_ms,
            fetch_max_wait_ms=CALM_WAIT_MS,
            metadata_max_age_ms=30_000,
        )
        self._consumer.subscribe([s.topic(name) for name in self.topics], listener=self)
        await self._consumer.start()

    async def stop(self) -> None:
        self._stopping = True
        if self._questions:
            await asyncio.wait(self._questions, timeout=5)
        if self._consumer is not None:
            await self._consumer.stop()
        if self._hinting is not None:
            self._hinting.cancel()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        async with self.in_flight:
            self.joining = True
            self.assigned -= set(map(self._place, revoked))
            self.fresh &= self.assigned
            self.buffer.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.assigned = set(map(self._place, assigned))
        self.fresh = set(self.assigned)
        self.joining = False
        self._joined.set()
        self.on_assigned()

    def has_joined(self) -> bool:
        return self._joined.is_set()

    async def fetch(self, timeout_ms: int, rows: int) -> None:
        """Wait until records are there (or the time is over) and put them into `buffer`."""
        self._keep(await self._consumer.getmany(timeout_ms=timeout_ms, max_records=rows))
        if ruling := [self._tp(place) for place in self.assigned if place[0] == RULING]:
            # One answer of the broker holds all topics, but the client hands out only `rows` of it: the documents must be among them.
            self._keep(await self._consumer.getmany(*ruling, timeout_ms=0))

    def _keep(self, fetched: Mapping[TopicPartition, list[Record]]) -> None:
        for tp, records in fetched.items():
            place = self._place(tp)
            if place in self.assigned:
                self.buffer.setdefault(place, []).extend(records)

    def front(self) -> list[Place]:
        """What of the buffer is to be handled next: documents, as long as there are some, for they rule from the next transaction on and
        facts that came after them are to meet them; then everything else.
        """
        return sorted(place for place in self.buffer if place[0] == RULING) or sorted(self.buffer)

    def gather(self, wait_ms: int) -> None:
        """From the next fetch on the broker waits `wait_ms` for a fuller answer; 0: it answers with the first record."""
        self._fetches(*((GATHER_BYTES, wait_ms) if wait_ms else (1, CALM_WAIT_MS)))

    def hurry(self) -> None:
        """From the next fetch on the broker answers with what there is: for who knows what is there, and asks it other things next."""
        self._fetches(1, HURRY_WAIT_MS)

    def _fetches(self, least_bytes: int, wait_ms: int) -> None:
        fetcher = self._consumer._fetcher  # noqa: SLF001  (it reads these for each request, and the client has no setter)
        fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = least_bytes, wait_ms  # noqa: SLF001

    def listen(self, places: Iterable[Place]) -> None:
        """Fetch from these of the assigned partitions and from no others. What is assigned later is fetched from until the next call."""
        wanted = set(places)
        for place in self.assigned:
            with contextlib.suppress(KafkaError):  # no longer assigned: its next owner reads it
                (self._consumer.resume if place in wanted else self._consumer.pause)(self._tp(place))

    def take(self, rows: int, size: int) -> dict[Place, list[Record]]:
        """Up to `rows` records and `size` bytes of the `front` of the buffer, at least one record, in partition order."""
        taken: dict[Place, list[Record]] = {}
        for place in self.front():
            if rows <= 0 or size <= 0:
                break
            waiting = self.buffer[place]
            count = 0
            for record in waiting[:rows]:
                count += 1
                size -= len(record.value or b"")
                if size <= 0:
                    break
            rows -= count
            taken[place] = waiting[:count]
            if count == len(waiting):
                del self.buffer[place]
            else:
                self.buffer[place] = waiting[count:]
        return taken

    def seek(self, place: Place, offset: int) -> None:
        self.buffer.pop(place, None)
        with contextlib.suppress(KafkaError):  # no longer assigned: its next owner positions it
            self._consumer.seek(self._tp(place), offset)

    async def begins(self, places: Iterable[Place]) -> dict[Place, int]:
        return await self._ask(self._consumer.beginning_offsets, places)

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        return await self._ask(self._consumer.end_offsets, places)

    async def _ask(self, method: Callable[[list[TopicPartition]], Awaitable[Any]], places: Iterable[Place]) -> dict[Place, int]:
        """A question to the broker. It goes on where its caller is cancelled: ended in mid-air it would leave a connection behind."""
        if self._stopping:
            raise ConnectionError("Kafka: this reader has stopped")
        question = asyncio.ensure_future(method([self._tp(p) for p in places]))
        self._questions.add(question)
        question.add_done_callback(self._questions.discard)
        with _as_connection_error():
            found = await asyncio.shield(question)
        return {self._place(tp): offset for tp, offset in found.items()}

    def position(self, place: Place) -> int:
        """The next offset that the client will hand out: past the end of what a fetch found, control records included."""
        with contextlib.suppress(KafkaError, AttributeError):
            state = self._consumer._subscription.subscription.assignment.state_value(self._tp(place))  # noqa: SLF001
            return int(state.position) if state is not None and state.has_valid_position else 0
        return 0

    async def hint(self, offsets: Mapping[Place, int]) -> None:
        """Tell Kafka how far we are, for lag tools. It may fail at any time and nothing depends on it."""
        if self._hinting is None or self._hinting.done():
            mine = {self._tp(place): offset for place, offset in offsets.items() if place in self.assigned}
            self._hinting = asyncio.create_task(self._commit(mine))
        # Without the broker the client tries for ever: let it, but do not wait. Cancelled, it would leave connections behind.
        await asyncio.wait({self._hinting}, timeout=HINT_S)

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        with contextlib.suppress(KafkaError):
            await self._consumer.commit(offsets)

    def _tp(self, place: Place) -> TopicPartition:
        return TopicPartition(self._settings.topic_prefix + place[0], place[1])

    def _place(self, tp: TopicPartition) -> Place:
        return tp.topic[self._prefix :], tp.partition


@contextlib.contextmanager
def _as_connection_error() -> Iterator[None]:
    """Trouble with the broker in words that the loop retries on."""
    try:
        yield
    except KafkaError as error:
        raise ConnectionError(f"Kafka: {type(error).__name__}") from error
