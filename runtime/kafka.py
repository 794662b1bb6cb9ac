"""The only file that knows the Kafka client (docs/adr/0002). Positions live in PostgreSQL; Kafka's own commits are a hint for lag tools."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from runtime.db import TRANSIENT
from runtime.settings import Settings
from schemas.topics import Topic

log = logging.getLogger(__name__)

Place = tuple[str, int]  # topic without prefix, partition
Headers = list[tuple[str, bytes]]  # a list: the client insists
Out = tuple[bytes | None, bytes | None, Headers]  # key, value, headers
BATCH_BYTES = 950_000  # of one record batch; the broker's default limit is 1 MiB
ACK_S = 20.0  # how long a record batch may wait for its ack: the client itself would try for ever
HINT_S = 1.0
CALM_WAIT_MS = 200  # how long the broker holds a fetch that finds nothing; questions wait behind it
HURRY_WAIT_MS = 10
GATHER_BYTES = 1_000_000  # an answer of this size is full


class SendFailed(Exception):  # noqa: N818
    """Kafka did not acknowledge: it may or may not have the records."""


class Record(Protocol):
    """What the loop reads; tests make their own."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Fetched(msgspec.Struct, gc=False):
    """A record as it came from Kafka. gc=False: a batch has thousands, and none is in a cycle."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def _fetched(_self: PartitionRecords, tp: TopicPartition, record: Any) -> Fetched:
    return Fetched(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, record.headers)


# The client's own record is a frozen dataclass of eleven fields, which costs more than all the rest of reading (docs/adr/0002).
PartitionRecords._consumer_record = _fetched  # noqa: SLF001


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
            bootstrap_servers=s.kafka,
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
        fetched = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=rows)
        for tp, records in fetched.items():
            place = self._place(tp)
            if place in self.assigned:
                self.buffer.setdefault(place, []).extend(records)

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
        """Up to `rows` records and `size` bytes out of the buffer, at least one record, in partition order."""
        taken: dict[Place, list[Record]] = {}
        for place in sorted(self.buffer):
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


class Producer:
    """An idempotent producer that knows record batches only. One that failed is thrown away, never used again."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings, self._service = settings, service
        self._producer: Any = None

    async def start(self) -> "Producer":
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka,
            client_id=f"otklik-{self._service}",
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES + 50_000,
            request_timeout_ms=15_000,
            linger_ms=0,
        )
        try:
            await asyncio.wait_for(self._producer.start(), ACK_S)
        except (TimeoutError, KafkaError, OSError) as error:
            await self.stop()
            raise SendFailed(f"no producer: {type(error).__name__}") from error
        return self

    async def stop(self) -> None:
        """Close. Not a flush: what was not acknowledged is sent again by a new producer; who waits for an ack here gets SendFailed."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.stop(), timeout=2)
            return
        # The client's own stop waits for a dead broker, and given up on it goes on sending in the background.
        producer._message_accumulator.fail_all(KafkaError("closed"))  # noqa: SLF001
        if (sending := producer._sender.sender_task) is not None:  # noqa: SLF001
            sending.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.client.close(), timeout=2)
        if sending is not None:
            await asyncio.wait({sending}, timeout=2)

    async def send(self, topic: str, partition: int, records: Sequence[Out]) -> None:
        """Send records to one partition as record batches, each after the ack of the one before. Raises SendFailed."""
        name = self._settings.topic(topic)
        try:
            waiting = iter(records)
            record = next(waiting, None)
            while record is not None:
                batch = self._producer.create_batch()
                while record is not None and (batch.record_count() == 0 or batch.size() < BATCH_BYTES):
                    key, value, headers = record
                    if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                        break
                    record = next(waiting, None)
                if batch.record_count() == 0:
                    raise SendFailed(f"{topic}-{partition}: a record larger than a batch")
                await asyncio.wait_for(self._acknowledged(batch, name, partition), ACK_S)
        except (TimeoutError, KafkaError, OSError, AttributeError) as error:
            raise SendFailed(f"{topic}-{partition}: {type(error).__name__}") from error

    async def _acknowledged(self, batch: Any, topic: str, partition: int) -> None:
        await (await self._producer.send_batch(batch, topic, partition=partition))


async def create_topics(settings: Settings, topics: Iterable[Topic], patience_s: float = 60.0) -> None:
    """Make the topics that are missing, with the retention that `schemas.topics` states, and wait until they can be used."""
    wanted = {settings.topic(topic.name): topic for topic in topics}
    async with _admin(settings) as admin:
        have = set(await admin.list_topics())
        missing = [_new_topic(settings, name, topic) for name, topic in wanted.items() if name not in have]
        if missing:
            answer = await admin.create_topics(missing)
            for name, code, *_rest in answer.topic_errors:
                if code and code != TopicAlreadyExistsError.errno:
                    raise for_code(code)(f"topic {name}")
        end = asyncio.get_running_loop().time() + patience_s
        while not await _usable(admin, list(wanted), settings.partitions):
            if asyncio.get_running_loop().time() > end:
                raise NotReady(f"topics {sorted(wanted)} have no leaders after {patience_s:.0f} s")
            await asyncio.sleep(0.1)


class OtherPartitions(RuntimeError):  # noqa: N818
    """A topic has another number of partitions than the setting says: keys would be sent to places that nobody looks at."""


class NotReady(ConnectionError):  # noqa: N818
    """Kafka made the topics and does not serve them yet."""


def _new_topic(settings: Settings, name: str, topic: Topic) -> NewTopic:
    retention = settings.retention_ms or topic.retention_ms
    config = {"cleanup.policy": "compact"} if topic.compacted else {"retention.ms": str(retention)}
    return NewTopic(name, settings.partitions, settings.replication, topic_configs=config)


async def _usable(admin: Any, names: list[str], partitions: int) -> bool:
    """Every partition of every topic has a leader, by the broker's own word: a topic just made is unknown for a moment."""
    for topic in await admin.describe_topics(names):
        found = topic["partitions"]
        if topic["error_code"] or not found or any(p["leader"] < 0 for p in found):
            return False
        if len(found) != partitions:
            raise OtherPartitions(
                f"{topic['topic']} has {len(found)} partitions, OTKLIK_PARTITIONS says {partitions} (docs/operations.md)"
            )
    return True


@contextlib.contextmanager
def _as_connection_error() -> Iterator[None]:
    """Trouble with the broker in words that the loop retries on."""
    try:
        yield
    except KafkaError as error:
        raise ConnectionError(f"Kafka: {type(error).__name__}") from error


@contextlib.asynccontextmanager
async def _admin(settings: Settings) -> Any:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def wait_for(what: Callable[[], Awaitable[Any]], timeout: float, pause: float = 0.2) -> Any:
    """Call until it stops raising connection errors: at a cold start the servers may be a second behind us."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while True:
        try:
            return await what()
        except (KafkaError, *TRANSIENT):
            if loop.time() >= end:
                raise
            await asyncio.sleep(pause)
