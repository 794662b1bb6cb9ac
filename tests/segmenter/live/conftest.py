"""A segmenter that is opened and not run: its database and its documents are the test's."""

from collections.abc import AsyncIterator

import pytest

from runtime.process import Context
from services.segmenter.__main__ import service as segmenter
from tests.runtime.toys import opened
from tests.support import live


@pytest.fixture
async def context(kafka: str, database: str, topic_prefix: str) -> AsyncIterator[Context]:
    config = live.settings(kafka, database, topic_prefix)
    async with opened(segmenter(config), config) as found:
        yield found
