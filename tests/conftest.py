"""A real Kafka and a real PostgreSQL for the tests that want them: started once per session, both at once, on free ports.

OTKLIK_TEST_KAFKA (bootstrap) and OTKLIK_TEST_DATABASE_URL (a superuser's) name servers to use in place of our own.
Nothing is started for tests that ask for neither.
"""

import os
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local import processes, run, secrets
from deploy.local.settings import PORTS, LocalSettings
from tests.support import databases

HOMES = Path(tempfile.gettempdir())

# One commit has one answer: properties try the same examples each time, and new ones where they are looked for (`make explore`).
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)  # a timing never decides a test
hypothesis.settings.register_profile("new", derandomize=False, deadline=None)
hypothesis.settings.load_profile(os.environ.get("OTKLIK_TEST_EXAMPLES", "same"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A row of CASES is shown on a whole real installation, through its public interfaces; a claim of less fails the run."""
    for item in items:
        if item.get_closest_marker("case") and "installation" not in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(
                f"{item.nodeid} claims a case without a whole installation: ask for the fixture `installation` "
                "(tests/cases/conftest.py), or take the mark `case` off"
            )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; all are held until the last is found, so that they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def make_settings(home: Path, **changed: object) -> LocalSettings:
    """Settings of a run of its own: free ports, nothing from the environment. The home is open to PostgreSQL's user."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    ports = dict(zip((*PORTS, "admin_port"), free_ports(len(PORTS) + 1), strict=True))
    return LocalSettings(**{"home": home, "workers": {}, "database_url": None, "kafka_short_lived": True, **ports, **changed})


def end_killed_sessions() -> None:
    """A test session that was killed leaves its servers: they end here, with their folder."""
    for home in HOMES.glob("otklik-tests-*"):
        pid = re.search(r"-(\d+)-", home.name)
        if pid and not psutil.pid_exists(int(pid[1])):
            processes.end_run(home)
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def local_settings() -> Callable[..., LocalSettings]:
    """`make_settings`, for tests that start a run of their own."""
    return make_settings


@pytest.fixture(scope="session")
def servers() -> Iterator[LocalSettings]:
    """Settings of the session's own Kafka and PostgreSQL; what the environment names is not started."""
    end_killed_sessions()
    home = Path(tempfile.mkdtemp(prefix=f"otklik-tests-{os.getpid()}-", dir=HOMES))
    # Nothing is killed in these tests: waiting for the disk would prove nothing. tests/chaos runs with fsync.
    settings = make_settings(home, postgres_fsync=False, kafka_heap_mb=512)
    given = {"kafka": "OTKLIK_TEST_KAFKA" in os.environ, "postgres": "OTKLIK_TEST_DATABASE_URL" in os.environ}
    try:
        run.up(settings, say=lambda _: None, only=[name for name, external in given.items() if not external])
        yield settings
    finally:
        run.down(settings, say=lambda _: None)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """Bootstrap address of a real broker."""
    if given := os.environ.get("OTKLIK_TEST_KAFKA"):
        return given
    settings: LocalSettings = request.getfixturevalue("servers")
    return settings.kafka


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> str:
    """URL of a superuser of a real PostgreSQL, whose databases come and go."""
    if given := os.environ.get("OTKLIK_TEST_DATABASE_URL"):
        return given
    return secrets.database_url(request.getfixturevalue("servers"))


@pytest.fixture(scope="session")
async def admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def topic_prefix(admin: AIOKafkaAdminClient) -> AsyncIterator[str]:
    """Differs for each test, so that tests share a broker without meeting. The topics go afterwards: kept by thousands, their partitions
    fill the broker's memory before the last test.
    """
    prefix = f"t{os.urandom(4).hex()}."
    yield prefix
    if mine := [topic for topic in await admin.list_topics() if topic.startswith(prefix)]:
        await admin.delete_topics(mine)


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[str]:
    """URL of an empty database of this test alone; dropped afterwards, whoever is still connected."""
    async with databases.empty(postgres) as url:
        yield url
