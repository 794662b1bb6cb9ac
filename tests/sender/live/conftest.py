from collections.abc import AsyncIterator

import pytest

from runtime.settings import Settings
from services.sender.channels.fakes.smtp import SmtpFake
from tests.support import live


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpFake]:
    fake = SmtpFake(keep_data=True)
    fake.port_used = await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return live.settings(kafka, database, topic_prefix)
