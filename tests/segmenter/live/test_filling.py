"""A condition that is published late knows what everybody did before: profile, segmenter and warehouse on real Kafka and PostgreSQL."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.clock import wall_ms
from runtime.drive import set_clock
from runtime.process import Context
from runtime.settings import Settings
from schemas.facts import Fact
from services.profile.__main__ import service as profile
from services.segmenter.__main__ import service as segmenter
from services.segmenter.domain import state
from services.segmenter.gathered import Gathered, gather
from services.warehouse.__main__ import service as warehouse
from tests.profile.test_profile_live import people
from tests.segmenter.live.test_segmenter_live import define
from tests.support import live
from tests.support.live import T0, driven, fact, read, rows, running, until
from tests.support.live import publish as send

ROOT = Path(__file__).parents[3]
BUY: dict[str, Any] = {"event": "Order Completed"}
DAY = 86_400_000


def bought(op: str, value: int, **more: Any) -> dict[str, Any]:
    return {"kind": "did", "event": "Order Completed", "op": op, "value": value, **more}


EARLY = {"one": bought("ge", 1, within=DAY)}
LATE = {
    "two in a day": bought("ge", 2, within=DAY),
    "two": bought("eq", 2),
    "never": {"kind": "not", "of": bought("ge", 1)},
    "spent": {"kind": "total", "event": "Order Completed", "sum": "total.minor", "op": "ge", "value": 500},
    "spent today": {"kind": "total", "event": "Order Completed", "sum": "total.minor", "op": "ge", "value": 500, "within": DAY},
    "books": bought("ge", 1, where=[{"path": "products", "op": "contains", "value": "book"}]),
    "gifts": bought("ge", 1, where=[{"path": "gift", "op": "exists"}]),
    "long ago": {"kind": "age", "event": "Order Completed", "which": "first", "op": "older", "age": DAY},
    "page": {"kind": "did", "event": "page"},
}


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path: Any) -> Settings:
    return live.settings(kafka, database, topic_prefix, home=tmp_path)


async def standing(context: Context) -> dict[str, set[str]]:
    found = await rows(context, "SELECT id::text AS id, state FROM person WHERE merged_into IS NULL AND erased_at IS NULL")
    return {row["id"]: set(state.decode(row["state"]).members) for row in found}


async def test_what_was_done_before_it_was_published_counts(config: Settings) -> None:
    await define(config, EARLY)
    ann, bob, visitor = "user_id:ann", "email:bob@e.org", "anonymous_id:v"
    async with driven(config, profile(), segmenter(config), warehouse(pace_s=0)) as ((context, seg, _), conductor):
        await conductor.settle()

        async def at(instant: int, *facts: Fact) -> None:
            await set_clock(context.db, instant)
            await send(config, facts)
            await conductor.settle()

        def buy(n: int, who: str, minor: int, when: int, **more: Any) -> Fact:
            said = {"total": {"minor": minor, "currency": "RUB"}, **more}
            return fact(f"b{n}", who, at=when, properties=said, **BUY)

        await at(T0 + 10, buy(1, ann, 100, T0 + 1, products=["book", "pen"]), buy(2, bob, 300, T0 + 2, gift={"to": {"whom": "x"}}))
        await at(T0 + 20, buy(3, bob, 300, T0 + 12), fact("seen", visitor, at=T0 + 15, type="page", event=""))
        await define(config, LATE)
        await conductor.settle()
        whose = {name: person for person, names in (await people(context)).items() for name in names}
        assert await standing(seg) == {
            whose[ann]: {"one", "books"},
            whose[bob]: {"one", "two", "two in a day", "spent", "spent today", "gifts"},
            whose[visitor]: {"never", "page"},
        }
        await at(T0 + DAY + 5, buy(4, ann, 1, T0 + DAY + 5))
        assert (await standing(seg))[whose[ann]] == {"one", "two", "books", "long ago"}
        assert [tuple(row) for row in await rows(seg, "SELECT filling, scope FROM plan")] == [(0, [])]
    told = [m for m in await read(config, "memberships") if m["type"] == "entered" and m["at"] == T0 + 20]
    assert {m["why"] for m in told if m["segment"] in LATE} == {"backfill"}


async def test_history_that_cannot_be_read_is_tried_again_and_stops_nobody(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    async def broken_at_first(*given: Any) -> Gathered:
        tries.append(given)
        if len(tries) == 1:
            raise RuntimeError("a query that DuckDB does not take")
        return await gather(*given)

    monkeypatch.setattr("services.segmenter.filler.gather", broken_at_first)
    monkeypatch.setattr("services.segmenter.history.AGAIN_S", 0.3)
    await define(config, EARLY)
    async with running(config, profile(), segmenter(config), warehouse(pace_s=0)) as (context, seg, _):
        await send(config, [fact(f"b{n}", "user_id:ann", at=wall_ms() - 1000 + n, **BUY) for n in range(2)])
        await until(lambda: heard(context, 2))
        await define(config, LATE)

        async def right() -> bool:
            return list((await standing(seg)).values()) == [{"one", "two", "two in a day"}]

        await until(right, 60)
        assert len(tries) == 2 and not seg.stopping.is_set()


def killed(config: Settings, home: Path, log: Path) -> subprocess.Popen[bytes]:
    """A segmenter in a process of its own, that a test may kill at its failpoints."""
    given = {
        "KAFKA": config.kafka, "TOPIC_PREFIX": config.topic_prefix, "PARTITIONS": config.partitions, "SESSION_TIMEOUT_MS": 6000,
        "HOME": home, "FAILPOINTS": home / "failpoints", "TIMER_ROWS": 10, "GATHER_MS": 20, "GATHER_BULK_MS": 20,
    }  # fmt: skip
    named = {"DATABASE_URL": config.database_url, **{f"OTKLIK_{name}": str(value) for name, value in given.items()}}
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "services.segmenter"], cwd=ROOT, env={**os.environ, **named}, stdout=out, stderr=out
        )


def arm(home: Path, point: str) -> None:
    draft = home / "failpoints" / "draft"
    draft.parent.mkdir(exist_ok=True)
    draft.write_text("kill")
    draft.rename(draft.with_name(f"segmenter.{point}"))


@pytest.mark.timeout(150)
async def test_killed_while_history_is_added_everybody_has_it_once(config: Settings, tmp_path: Path) -> None:
    """Published in the middle of a stream; killed when it was read, and when half of a partition has it."""
    now, log, crowd = wall_ms(), tmp_path / "segmenter.log", 200

    def buy(n: int, time: int) -> Fact:
        said = {"total": {"minor": 300, "currency": "RUB"}, "products": ["book"] if n % 5 == 0 else ["pen"]}
        return fact(f"b{n}.{time}", f"user_id:u{n}", at=now - 1000 + time, properties=said, **BUY)

    await define(config, EARLY)
    async with running(config, profile(), warehouse(pace_s=0)) as (context, _):
        process = killed(config, tmp_path, log)
        await send(config, [buy(n, time) for n in range(crowd) for time in range(n % 4)])

        async def standing_now() -> dict[str, set[str]]:
            whose = await people(context)
            found = await rows(context, STANDING)
            states = {row["id"]: set(state.decode(row["state"]).members) for row in found}
            return {next(iter(whose[person])): members for person, members in states.items()}

        def expected(n: int, count: int) -> set[str]:
            told = {
                "one": count >= 1,
                "two in a day": count >= 2,
                "two": count == 2,
                "spent": count >= 2,
                "spent today": count >= 2,
            }
            told |= {"books": count >= 1 and n % 5 == 0, "never": count == 0}
            return {key for key, true in told.items() if true}

        await until(lambda: heard(context, sum(n % 4 for n in range(crowd))), 60)
        for point in ("history_read", "history_added"):
            arm(tmp_path, point)
            if point == "history_read":
                await define(config, LATE)
                await send(config, [buy(n, 10) for n in range(0, crowd, 2)])
            await until(lambda one=process: one.poll() is not None, 60)
            assert process.returncode == -signal.SIGKILL, log.read_text()[-2000:]
            if point == "history_added":
                ((half,),) = await rows(context, "SELECT count(*) FROM segmenter.filled WHERE last_id IS NOT NULL AND NOT done")
                assert half == 1
            process = killed(config, tmp_path, log)
        try:
            counts = {n: n % 4 + (n % 2 == 0) for n in range(crowd)}
            wanted = {f"user_id:u{n}": expected(n, count) for n, count in counts.items() if count}

            async def right() -> bool:
                return await standing_now() == wanted

            await until(right, 60)
            ((filling,),) = await rows(context, "SELECT filling FROM segmenter.plan")
            assert filling == 0
        finally:
            process.terminate()
            assert process.wait(20) == 0


STANDING = "SELECT id::text AS id, state FROM segmenter.person WHERE merged_into IS NULL AND erased_at IS NULL"


async def heard(context: Context, count: int) -> bool:
    """Whether the segmenter counts that many facts."""
    if not (await rows(context, "SELECT to_regclass('segmenter.person') IS NOT NULL"))[0][0]:
        return False
    found = await rows(context, "SELECT state FROM segmenter.person")
    return sum(series.count for row in found for series in state.decode(row["state"]).series.values()) >= count
