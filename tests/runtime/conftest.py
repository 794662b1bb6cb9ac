"""Settings of one test: its own database and its own topics."""

import pytest

from runtime.settings import Settings
from tests.support.live import settings


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)
