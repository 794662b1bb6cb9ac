"""A fact that was sent after a document was published is decided by it, however busy the service is."""

from typing import Any

import msgspec

from runtime.kafka import Producer, Reader, create_topics
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import encode
from schemas.topics import DEFINITIONS, FACTS
from tests.support.live import fact, until


async def test_whatever_few_rows_are_asked_for_the_documents_of_the_same_answer_come_with_them(config: Settings) -> None:
    await create_topics(config, [DEFINITIONS, FACTS])
    reader, producer = Reader(config, "test", "live", ["definitions", "facts"]), await Producer(config, "test").start()
    document = Published(kind="journey", key="j", version=1, body=msgspec.Raw(b"{}"), pointer=True)
    documents: list[Any] = [(b"journey:j@1", msgspec.json.encode(document), [])] * 5
    await reader.start()
    try:
        await until(reader.has_joined)
        for place in reader.assigned:
            reader.seek(place, 0)
        await producer.send("definitions", 0, documents)
        await producer.send("facts", 0, [(b"p", encode(fact(f"f{n}", "user_id:u")), []) for n in range(300)])
        while not reader.buffer:
            await reader.fetch(1000, 1)
        assert len(reader.buffer["definitions", 0]) == 5, "all of them, though one row was asked for"
        assert list(reader.take(100, 10**6)) == [("definitions", 0)], "alone, and before the facts beside it"
    finally:
        await reader.stop()
        await producer.stop()
