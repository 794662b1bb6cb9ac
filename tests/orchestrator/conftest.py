"""An installation of the test's own."""

import pytest

from runtime.settings import Settings
from tests.support.live import settings


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)
