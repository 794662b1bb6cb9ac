"""Settings of a whole local run of a test's own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import processes
from deploy.local.settings import LocalSettings
from tests.support.installation import row_of_ports


@pytest.fixture
def settings(local_settings) -> Iterator[LocalSettings]:
    # Not pytest's own folder: that one is closed to every other user, and so to PostgreSQL's.
    with tempfile.TemporaryDirectory(prefix="otklik-whole-", ignore_cleanup_errors=True) as folder:
        chosen = local_settings(Path(folder), kafka_heap_mb=256, admin_port=row_of_ports())
        try:
            yield chosen
        finally:
            processes.end_run(chosen.home)
