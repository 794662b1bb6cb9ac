"""docs/clickhouse.md as a program: its statements by name, its pairs of a condition and its SQL, and a ClickHouse that runs them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chdb.session import Session

PAGE = Path(__file__).parents[2] / "docs" / "clickhouse.md"
BLOCK = re.compile(r"^```(sql|json)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TITLE = re.compile(r"-- (.+)\n")


class Pair(NamedTuple):
    """A condition as a document, and the query for whom it is true of."""

    condition: dict[str, Any]
    sql: str


class Page:
    """steps: title -> statements; pairs: in the order of the page. Every block is one or the other."""

    def __init__(self, text: str) -> None:
        self.steps: dict[str, list[str]] = {}
        self.pairs: list[Pair] = []
        condition = None
        for language, block in BLOCK.findall(text):
            if language == "json":
                assert condition is None, f"no SQL follows {condition}"
                condition = json.loads(block)
            elif condition is not None:
                self.pairs.append(Pair(condition, block))
                condition = None
            else:
                title = TITLE.match(block)
                assert title and title[1] not in self.steps, f"not a step of its own: {block[:60]}"
                self.steps[title[1]] = list(statements(block[title.end() :]))
        assert text.count("\n```sql\n") == len(self.steps) + len(self.pairs)


def statements(block: str) -> Iterator[str]:
    for one in re.split(r";$", block, flags=re.MULTILINE):
        if one.strip():
            yield one.strip()


class ClickHouse:
    """A server in this process, with the page's database of one shard. did: the steps that it has run; renamed: texts
    of them that are others here."""

    def __init__(self, page: Page, folder: Path) -> None:
        config = folder / "clickhouse.xml"
        config.write_text(
            "<clickhouse><remote_servers><otklik><shard><replica><host>localhost</host><port>9000</port></replica></shard>"
            "</otklik></remote_servers></clickhouse>"
        )
        self._page, self._session = page, Session(f"{folder / 'clickhouse'}?config-file={config}")
        self.did: set[str] = set()
        self.renamed: dict[str, str] = {}

    def ask(self, sql: str, given: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        text = str(self._session.query(sql.rstrip().rstrip(";"), "JSONEachRow", params=dict(given or {})))
        return [json.loads(line) for line in text.splitlines()]

    def do(self, *titles: str, **given: Any) -> list[dict[str, Any]]:
        """Run steps; the rows of the last statement."""
        found: list[dict[str, Any]] = []
        for title in titles:
            self.did.add(title)
            for one in self._page.steps[title]:
                for old, new in self.renamed.items():
                    one = one.replace(old, new)
                found = self.ask(one, given)
        return found

    def create(self, database: str, *titles: str) -> None:
        """A database, from here on the one that is asked, with these steps done in it."""
        self.ask(f"CREATE DATABASE {database}")
        self.ask(f"USE {database}")
        self.do(*titles)

    def close(self) -> None:
        self._session.close()
