"""ClickHouse finds whom `audience` finds: every statement of docs/clickhouse.md, over what the real warehouse wrote. Run by `make clickhouse`.

Named so that `make test`, which has no chdb, does not collect it.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import msgspec
import pytest

from runtime.following import look
from runtime.settings import Settings
from schemas import audience as a
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, PROFILE_MERGED, PROFILE_SPLIT, Fact, Split, SplitPart
from schemas.ids import derive
from services.audience.domain.world import World
from services.audience.store.answers import Answers
from services.audience.store.index import Index
from services.warehouse import store
from services.warehouse.__main__ import service
from services.warehouse.handler import Handler
from services.warehouse.settings import LakeSettings
from tests.clickhouse.page import PAGE, ClickHouse, Page
from tests.support.live import T0, publish, rows, running
from tests.warehouse.conftest import config, lake, passed, stored

__all__ = ["config", "lake"]

DAY = 86_400_000
PEOPLE = [f"p{n}" for n in range(40)]
EVENTS = ("Order Completed", "Product Added", "Product Viewed", "Signed In", "Email Opened")
HOME = derive("home", "q1")
# Some are before the newest fact: what had not happened by then does not count.
NOWS = (T0 - 20 * DAY, T0 - 1, T0, T0 + 1, T0 + DAY, T0 + 29 * DAY, T0 + 61 * DAY)


def happened(dice: random.Random, count: int, people: list[str], batch: str) -> list[Fact]:
    """Few instants, so that many are the same; some are heard a month late."""
    return [one(dice, f"{batch} {n}", dice.choice(people)) for n in range(count)]


def one(dice: random.Random, name: str, who: str) -> Fact:
    at = T0 - dice.choice((0, 0, 1, 1, 2, 14, 30, 60, 90)) * DAY + dice.choice((-3_600_000, -1, 0, 0, 1)) - 5 * dice.randrange(3)
    more: dict[str, Any] = {"event": dice.choice(EVENTS), "received_at": at + dice.choice((0, 0, 30 * DAY)), "properties": {}}
    if more["event"] == "Order Completed" and dice.random() < 0.9:
        amount = dice.choice((500, 2999, 3000, 3001, 6000, -500, 2**53, "3000", 9000.5))
        more["properties"] = {"total": {"minor": amount, "currency": dice.choice(("GBP", "RUB"))}, "products": [{"id": "a"}]}
    if more["event"].startswith("Product"):
        more["properties"] = {"category": dice.choice(("shoes", "hats", "bags", 5, None))}
    if dice.random() < 0.3:
        more["attributes"] = {
            "plan": dice.choice(("gold", "basic", "free", "a/b", None)), "score": dice.choice((5, 19, 20, 49, 50, 70, 49.5, "20", [20]))
        }  # fmt: skip
        more["ruled"] = dice.choice(((), (), ("plan",)))
    identifiers: tuple[str, ...] = ()
    if dice.random() < 0.2:
        identifiers = dice.choice((("email:x@y.example",), ("anonymous_id:1", "phone:+79160000000")))
    if dice.random() < 0.2:
        more["bucketing_id"], more["bucketed_at"] = f"b{dice.randrange(50)}", at
    if who == "q0" and dice.random() < 0.5:
        more["home"] = HOME
    return msgspec.structs.replace(stored(name, who, at, **more), identifiers=identifiers)


def merged(winner: str, loser: str, at: int) -> Fact:
    said = {"winner": derive("profile", winner), "loser": derive("profile", loser), "by": ""}
    return stored(f"{winner} {loser}", winner, at, type=PROFILE_MERGED, event="", properties=said)


def told_afterwards() -> list[Fact]:
    """Merges one after another, an unmerge of what had become one, an erasure, and words of profile."""
    q1, q2 = derive("profile", "q1"), derive("profile", "q2")
    cut = Split(act=derive("act"), parts=(SplitPart(profile=q1, homes=(HOME, q2), others=(q2,)),))
    act = {"act": derive("erasure"), "reason": "", "others": [derive("profile", "p31")]}
    return [
        merged("p0", "p1", T0 + 2),
        merged("p3", "p0", T0 + 3),
        merged("p4", "p5", T0 + 3),
        merged("p30", "p31", T0 + 4),
        stored(
            "split", "q0", T0 + 5, type=PROFILE_SPLIT, event="", properties=msgspec.to_builtins(cut), attributes={"plan": "gold"}
        ),
        stored(
            "is", "q1", T0 + 5, type=PROFILE_CHANGED, event="", attributes={"plan": [T0 - DAY, "basic"], "score": [T0 - DAY, 33]}
        ),
        stored("rule", "p7", T0 + 6, type=PROFILE_CHANGED, event="", attributes={"plan": [15 * 10**13 + 4, "gold"]}),
        stored("erased", "p30", T0 + 7, type=PROFILE_ERASED, event="", properties=act),
    ]


class Loads:
    """The page's loading, of one shard or of several."""

    def __init__(self, home: Path, postgres: str, folder: Path, page: Page) -> None:
        server = urlsplit(postgres)
        self._home, self._page, self._folder, self._load = home, page, folder, 0
        self.click = ClickHouse(page, folder)
        self._postgres = {
            "postgres": f"{server.hostname}:{server.port}", "database": server.path.lstrip("/"), "user": unquote(server.username or ""),
            "password": unquote(server.password or ""),
        }  # fmt: skip

    def create(self) -> None:
        self.click.do("lake", **self._postgres)

    def tables(self) -> None:
        self.click.do("facts", "said", "begin", "whose", "cut", "views")

    def take(self, shard: int = 0, shards: int = 1, *, cut_short: bool = False, without: int | None = None) -> int:
        """How many files were read. cut_short: the process ends before it says where it is. without: a file that goes before the load."""
        self._load += 1
        self.click.do("bounds", load=self._load)
        lake = self._home / "lake"
        files = [row["file"] for row in self.click.do("files", load=self._load)]
        if files:
            self._rest([str(lake / file) for file in files])
            if without is not None:
                (lake / files[without]).unlink()
            given = {"load": self._load, "files": f"{lake}/{{{','.join(files)}}}"}
            self.click.do("load", **given, rest=str(self._folder / "rest.parquet"), shard=shard, shards=shards)
            if not cut_short:
                self.click.do("place", **given, count=len(files))
        self.click.do("look again")
        return len(files)

    def _rest(self, files: list[str]) -> None:
        self.click.did.add("rest, by DuckDB")
        (copy,) = self._page.steps["rest, by DuckDB"]
        duckdb.connect().execute(copy.replace("'rest.parquet'", f"'{self._folder / 'rest.parquet'}'"), {"files": files})

    def rows_of_the_erased(self) -> int:
        """In all tables, whoever may see them."""
        tables = ("facts", "said", "kind", "bucketing", "piece")
        counts = " + ".join(f"(SELECT count() FROM {table} WHERE dictHas('gone', tuple(profile)))" for table in tables)
        return int(self.click.ask(f"SELECT {counts} AS found")[0]["found"])

    def people(self, sql: str, now: int) -> set[str]:
        return {row["person"] for row in self.click.ask(sql, {"now": now})}


@pytest.fixture
def page() -> Page:
    return Page(PAGE.read_text(encoding="utf-8"))


@pytest.fixture
def loads(config: Settings, page: Page, tmp_path: Path) -> Iterator[Loads]:
    found = Loads(config.home, config.database_url, tmp_path, page)
    yield found
    found.click.close()


async def answered(context: Any, config: Settings, page: Page, folder: Path) -> list[dict[int, set[str]]]:
    """Of each condition of the page whom `audience` finds at each instant."""
    index = Index(folder / "index.duckdb", threads=1)
    news = await look(context.db, config.home, {}, "")
    assert news is not None
    index.take(news)
    found: list[dict[int, set[str]]] = [{} for _ in page.pairs]
    for now in NOWS:
        with Answers(index).view(now, World({})) as view:
            for people, pair in zip(found, page.pairs, strict=True):
                people[now] = set(view.ids(list(view.members(a.ADAPTER.validate_python(pair.condition)))))
    index.close()
    return found


def agree(found: list[dict[int, set[str]]], page: Page, ask: Any) -> None:
    for people, pair in zip(found, page.pairs, strict=True):
        assert any(0 < len(of) < len(PEOPLE) for of in people.values()), ("it must tell people apart", pair.condition)
        for now, of in people.items():
            assert ask(pair.sql, now) == of, (pair.condition, now - T0)


async def merge_files(context: Any) -> None:
    """All files into one: those of before are replaced."""
    keeper = Handler(0, LakeSettings(rewrite_s=0, grace_s=0))
    async with keeper.life(context):
        files = [r["file"] for r in await rows(context, "SELECT file FROM manifest WHERE removed_at IS NULL AND dataset = 'facts'")]
        await keeper._merge(store.Run("facts", None, None, 0, files))


WHO = [*PEOPLE, "q0", "q0", "q1", "q2"]


async def begun(context: Any, config: Settings, dice: random.Random) -> None:
    await publish(config, [merged("q0", "q2", T0 - 9), *happened(dice, 500, WHO, "before")], "facts", key="k")
    await passed(context, 501)


async def went_on(context: Any, config: Settings, dice: random.Random) -> None:
    await publish(config, happened(dice, 150, WHO, "bulk"), "facts.bulk", key="k")
    await publish(config, [*happened(dice, 150, WHO, "more"), *told_afterwards()], "facts", key="k")
    await publish(config, happened(dice, 60, WHO, "after"), "facts", key="k")
    await passed(context, 501 + 300 + 68)


async def test_clickhouse_finds_whom_audience_finds(config: Settings, page: Page, loads: Loads, tmp_path: Path) -> None:
    dice = random.Random(5)
    async with running(config, service(pace_s=0)) as (context,):
        await begun(context, config, dice)
        loads.create()
        loads.tables()
        assert loads.take(cut_short=True) > 0 and loads.take() > 0 and loads.take() == 0
        await went_on(context, config, dice)
        await merge_files(context)
        assert loads.take() == 1, "the one file in place of all"
        found = await answered(context, config, page, tmp_path)
        agree(found, page, loads.people)
        assert loads.rows_of_the_erased() > 0
        loads.click.do("erase", "one more property", "all shards")
        assert loads.rows_of_the_erased() == 0
        agree(found, page, loads.people)
        (differs,) = loads.click.do("dialect")
        assert all(differs.values()), differs
    assert loads.click.did == set(page.steps), "a statement of the page that nobody has run"


async def test_people_whose_pieces_lie_on_two_shards_are_whole(config: Settings, page: Page, loads: Loads, tmp_path: Path) -> None:
    dice = random.Random(6)
    async with running(config, service(pace_s=0)) as (context,):
        await begun(context, config, dice)
        await went_on(context, config, dice)
        loads.create()
        # Each shard is a database here, and what they know together lies in a third.
        for database in ("shard_0", "shard_1"):
            loads.click.create(database, "facts")
        loads.click.create("everywhere")
        loads.click.ask("CREATE VIEW facts AS SELECT * FROM merge(REGEXP('^shard_[01]$'), '^facts$')")
        loads.click.renamed["FROM facts WHERE name = "] = "FROM everywhere.facts WHERE name = "
        loads.click.do("whose", "cut")
        for shard in range(2):
            loads.click.ask(f"USE shard_{shard}")
            loads.click.do("said", "begin", "whose", "cut", "views")
            loads.take(shard, 2)
        loads.click.ask("USE everywhere")
        loads.click.do("look again")
        for view in ("happened", "told", "kinds", "buckets", "everybody"):
            loads.click.ask(f"CREATE VIEW {view} AS SELECT * FROM merge(REGEXP('^shard_[01]$'), '^{view}$')")
        agree(await answered(context, config, page, tmp_path), page, loads.people)


async def test_a_file_that_is_gone_stops_the_load(config: Settings, page: Page, loads: Loads) -> None:
    async with running(config, service(pace_s=0)) as (context,):
        await begun(context, config, random.Random(7))
        await publish(config, happened(random.Random(8), 9, WHO, "more"), "facts", key="k")
        await passed(context, 510)
    loads.create()
    loads.tables()
    with pytest.raises(RuntimeError, match="a file of the lake is gone"):
        loads.take(without=-1)
    assert loads.click.ask("SELECT * FROM place") == []
