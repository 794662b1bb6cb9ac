from bench.backlog import facts_into
from runtime.kafka import create_topics
from schemas.topics import FACTS
from tests.support.live import fact, read, settings
async def test_it(kafka, database, topic_prefix):
    config = settings(kafka, database, topic_prefix)
    await create_topics(config, [FACTS])
    await facts_into(config, config.partitions, ((f"p{n%7}", fact(str(n), "user_id:1")) for n in range(500)))
    assert len(await read(config, "facts")) == 500
