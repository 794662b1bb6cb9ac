"""Migrations: again is nothing, an edited file is refused, two processes at once are safe, a broken file leaves nothing."""

import asyncio
import sys

import asyncpg
import pytest

from runtime.migrate import MigrationChanged, migrate


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of SQL files that the test writes."""
    folder = tmp_path / "somesql"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "0001_first.sql").write_text("CREATE TABLE first (a int); INSERT INTO first VALUES (1);")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    sys.modules.pop("somesql", None)


async def value(config, query: str):
    connection = await asyncpg.connect(config.database_url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_rerun_is_nothing_and_new_files_run_in_order(config, package):
    assert await migrate(config, "s", "somesql") == ["somesql/0001_first.sql"]
    assert await migrate(config, "s", "somesql") == []
    (package / "0003_third.sql").write_text("INSERT INTO first SELECT max(a) * 10 FROM first;")
    (package / "0002_second.sql").write_text("INSERT INTO first SELECT max(a) + 1 FROM first;")
    assert await migrate(config, "s", "somesql") == ["somesql/0002_second.sql", "somesql/0003_third.sql"]
    assert await value(config, "SELECT max(a) FROM s.first") == 20


async def test_an_edited_file_is_refused_with_its_mend(config, package):
    await migrate(config, "s", "somesql")
    (package / "0001_first.sql").write_text("CREATE TABLE first (a bigint);")
    with pytest.raises(MigrationChanged, match=r"somesql/0001_first.sql was edited.*restore it, add a new file"):
        await migrate(config, "s", "somesql")


async def test_ten_at_once_run_each_file_once(config, package):
    ran = await asyncio.gather(*(migrate(config, schema, "somesql") for schema in ["s", "t"] * 5))
    assert sorted(len(names) for names in ran) == [0] * 8 + [1, 1]
    assert await value(config, "SELECT count(*) FROM s.first") == 1


async def test_a_broken_file_leaves_nothing_and_runs_when_mended(config, package):
    (package / "0002_second.sql").write_text("CREATE TABLE second (a int); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(config, "s", "somesql")
    assert await value(config, "SELECT to_regclass('s.second')") is None
    (package / "0002_second.sql").write_text("CREATE TABLE second (a int);")
    assert await migrate(config, "s", "somesql") == ["somesql/0002_second.sql"]
