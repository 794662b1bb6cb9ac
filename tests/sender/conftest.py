from collections.abc import AsyncIterator

import pytest

from services.sender.channels.fakes.smtp import SmtpFake


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpFake]:
    """A mail server that keeps what it takes; `port` is its own."""
    fake = SmtpFake(keep_data=True)
    fake.port = await fake.start()
    yield fake
    await fake.stop()
