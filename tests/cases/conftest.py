"""One installation under the driven clock for all of these tests; each test has a brand, a source and customers of its own."""

import os
from collections.abc import AsyncIterator

import pytest

from tests.support.installation import Installation, installed
from tests.support.shop import Shop


@pytest.fixture(scope="package")
async def installation(local_settings, kafka: str, postgres: str) -> AsyncIterator[Installation]:
    async with installed(local_settings, kafka, postgres) as found:
        yield found


@pytest.fixture
async def shop(installation: Installation) -> Shop:
    return await Shop(installation, new_brand()).open()


@pytest.fixture
async def sister(installation: Installation) -> Shop:
    """Another brand of the same company."""
    return await Shop(installation, new_brand()).open()


def new_brand() -> str:
    return f"b{os.urandom(4).hex()}"
