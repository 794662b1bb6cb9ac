"""A segmenter that is opened and not run: its database and its documents are the test's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.process import Context
from services.segmenter.__main__ import service as segmenter
from tests.runtime.toys import opened
from tests.support import live


@pytest.fixture
async def context(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Context]:
    config = live.settings(kafka, database, topic_prefix, home=tmp_path)
    async with opened(segmenter(config), config) as found:
        yield found
