"""What `runtime/kafka` touches inside the client (docs/adr/0002): gone in another version of it, these turn red."""

from runtime.kafka import Fetched, Reader, create_topics
from runtime.kafka.reader import CALM_WAIT_MS, GATHER_BYTES, HURRY_WAIT_MS
from schemas.topics import FACTS
from tests.support.live import fact, publish


async def test_records_are_read_as_our_own_struct(config):
    await create_topics(config, [FACTS])
    await publish(config, [fact("f1", "user_id:1")], topic=FACTS.name)
    reader = Reader(config, "client", "live", [FACTS.name])
    await reader.start()
    try:
        while not reader.buffer:
            await reader.fetch(1000, 10)
        ((record,),) = reader.buffer.values()
        assert type(record) is Fetched
        assert record.topic.endswith(FACTS.name) and record.value and record.timestamp > 0
    finally:
        await reader.stop()


async def test_the_wait_of_a_fetch_is_what_the_client_was_made_with_until_it_is_changed(config):
    """Made through the client's public option: so the field is the one that its requests are filled from."""
    await create_topics(config, [FACTS])
    reader = Reader(config, "client", "live", [FACTS.name])
    await reader.start()
    try:
        fetcher = reader._consumer._fetcher
        assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (1, CALM_WAIT_MS)
        reader.gather(70)
        assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (GATHER_BYTES, 70)
        reader.hurry()
        assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (1, HURRY_WAIT_MS)
        reader.gather(0)
        assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (1, CALM_WAIT_MS)
    finally:
        await reader.stop()
