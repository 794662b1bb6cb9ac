"""What the tests of the index share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audience.kept import Kept


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    found = Kept(tmp_path)
    yield found
    found.index.close()
    found.lake.close()
