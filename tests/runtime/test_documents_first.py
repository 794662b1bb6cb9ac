"""A fact that was sent after a document was published is decided by it, however busy the service is."""

import msgspec

from runtime.kafka import Producer, Reader, create_topics
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.topics import DEFINITIONS, FACTS
from tests.support.live import fact, publish, until


async def test_of_what_the_broker_answered_at_once_documents_are_handed_out_with_the_first_rows(config: Settings) -> None:
    await create_topics(config, [DEFINITIONS, FACTS])
    await publish(config, [fact(f"f{n}", f"user_id:u{n}") for n in range(300)], "facts")
    producer = await Producer(config, "test").start()
    document = Published(kind="journey", key="j", version=1, body=msgspec.Raw(b"{}"), pointer=True)
    await producer.send("definitions", 0, [(b"journey:j@1", msgspec.json.encode(document), [])])
    await producer.stop()
    reader = Reader(config, "test", "live", ["definitions", "facts"])
    await reader.start()
    try:

        async def fetched() -> bool:
            await reader.fetch(200, 1)
            return bool(reader.buffer)

        await until(fetched)
        assert ("definitions", 0) in reader.buffer
        assert list(reader.take(100, 10**6)) == [("definitions", 0)], "alone, and before the facts beside it"
    finally:
        await reader.stop()
