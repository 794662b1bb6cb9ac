import pytest

from runtime.settings import Settings
from tests.support import live


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return live.settings(kafka, database, topic_prefix)
