"""Birthdays that were said before a condition asked for them: profile and segmenter on real Kafka and PostgreSQL."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from runtime.clock import wall_ms
from runtime.drive import set_clock
from runtime.neighbours import Neighbour
from runtime.process import Context
from runtime.settings import Settings
from schemas.facts import Fact
from services.profile.__main__ import service as profile
from services.segmenter.__main__ import service as segmenter
from services.segmenter.domain import state
from tests.profile.test_profile_live import handled, people
from tests.segmenter.live.test_filling import arm, killed
from tests.segmenter.live.test_segmenter_live import define
from tests.support import live
from tests.support.live import T0, driven, fact, read, rows, running, until
from tests.support.live import publish as send
from tests.support.reachable import reachable

CITY = {"city": {"kind": "attribute", "name": "city", "op": "exists"}}
BORN = {"born": {"kind": "attribute", "name": "birthday", "op": "starts_with", "value": "1990"}}
ASKED = {"~journey.j.1.b": {"kind": "not", "of": BORN["born"]}}
ALIVE = "SELECT id::text AS id, state FROM segmenter.person WHERE merged_into IS NULL AND erased_at IS NULL"


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path: Any) -> Settings:
    return live.settings(kafka, database, topic_prefix, home=tmp_path)


def says(message: str, *who: str, at: int = T0, **traits: Any) -> Fact:
    return fact(message, *who, at=at, type="identify", event="", attributes=traits)


async def standing(context: Context) -> dict[str, set[str]]:
    """An identifier of each -> where he stands."""
    whose = await people(context)
    states = {row["id"]: state.decode(row["state"]) for row in await rows(context, ALIVE)}
    return {name: set(states[person].members) for person, names in whose.items() if person in states for name in names}


async def progress(context: Context, key: str) -> Any:
    app = Starlette(routes=context.service.api(context))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://segmenter") as http:
        return (await http.get(f"/segments/{key}/progress")).json()


async def test_who_said_his_birthday_before_it_was_asked_for_is_in_as_soon_as_profile_answers(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.segmenter.hearing.AGAIN_S", 0.05)
    await define(config, CITY)
    async with driven(config, profile(), segmenter(config)) as ((context, seg), conductor):
        await conductor.settle()
        said = [says(f"{n}", f"user_id:u{n}", at=T0 + 1, city="Omsk", birthday=f"199{n}-05-01") for n in range(3)]
        await set_clock(context.db, T0 + 1)
        await send(config, [*said, says("city", "user_id:zoe", at=T0 + 1, city="Omsk")])
        await conductor.settle()
        await define(config, BORN | ASKED)
        await conductor.settle()
        assert (await standing(context))["user_id:u0"] == {"city", "~journey.j.1.b"}
        told = await progress(seg, "born")
        assert not told["complete"]
        assert (told["attributes"]["names"], told["attributes"]["done"]) == (["birthday"], 0)
        assert (await progress(seg, "city"))["complete"]

        def answers(records: list[dict[str, Any]]) -> int:
            return sum(m["type"] == "mark" and m["topic"] in ASKED for m in records)

        assert answers(await read(config, "memberships")) == 0  # silence is no answer yet
        async with reachable(context):

            async def complete() -> bool:
                await conductor.settle()
                return bool((await progress(seg, "born"))["complete"])

            await until(complete)
        assert await standing(context) == {
            "user_id:u0": {"city", "born"}, "user_id:u1": {"city", "~journey.j.1.b"}, "user_id:u2": {"city", "~journey.j.1.b"},
            "user_id:zoe": {"city", "~journey.j.1.b"},
        }  # fmt: skip
        records = await read(config, "memberships")
        assert answers(records) == config.partitions
        assert [(m["why"], m["at"]) for m in records if m.get("segment") == "born"] == [("backfill", T0 + 1)]
        await send(config, [says("late", "user_id:u1", at=T0 + 2, birthday="1990-01-01")])
        await set_clock(context.db, T0 + 2)
        await conductor.settle()
        told = [m for m in await read(config, "memberships") if m.get("segment") == "born"]
        assert sorted((m["at"], m.get("why", "fact")) for m in told) == [(T0 + 1, "backfill"), (T0 + 2, "fact")]


@contextmanager
def segmenter_apart(config: Settings, home: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own, which is gone with the block."""
    process = killed(config, home, log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(150)
async def test_killed_while_it_is_told_everybody_has_his_newest_word_once(config: Settings, tmp_path: Path) -> None:
    """Newer words, merges and an erasure come in the middle of it."""
    now, log, crowd = wall_ms(), tmp_path / "segmenter.log", 120
    await define(config, CITY)
    async with running(config, profile()) as (context,), reachable(context):
        with ExitStack() as started:
            process = started.enter_context(segmenter_apart(config, tmp_path, log))
            first = [says(f"a{n}", f"user_id:u{n}", at=now - 900, city="Omsk", birthday="1990-05-01") for n in range(crowd)]
            halves = [(says(f"d{n}", f"email:d{n}@e.org", at=now - 900, birthday="1990-05-01"), says(f"e{n}", f"user_id:m{n}", at=now - 900, plan="x"))
                      for n in range(10)]  # fmt: skip
            await send(config, [*first, *(one for pair in halves for one in pair)])
            await until(lambda: count(context, crowd + 20), 60)
            arm(tmp_path, "attributes_told")
            await define(config, BORN)
            await until(lambda: process.poll() is not None, 60)
            assert process.returncode == -signal.SIGKILL, log.read_text()[-2000:]
            later = [says(f"b{n}", f"user_id:u{n}", at=now - 500, birthday="1991-01-01") for n in range(0, crowd, 3)]
            older = [says(f"c{n}", f"user_id:u{n}", at=now - 950, birthday="1980-01-01") for n in range(1, crowd, 3)]
            merged = [fact(f"m{n}", f"user_id:m{n}", f"email:d{n}@e.org", at=now - 400) for n in range(10)]
            whose = {name: person for person, names in (await people(context)).items() for name in names}
            erased = fact("gone", about=whose["user_id:u2"], type="erase", event="", properties={"reason": "asked"}, at=now)
            await send(config, [*later, *older, *merged, erased])
            await handled(context, 2 * crowd // 3 + crowd + 31)
            process = started.enter_context(segmenter_apart(config, tmp_path, log))

            async def over() -> bool:
                return not (await rows(context, "SELECT unheard FROM segmenter.plan"))[0][0] and await right()

            async def right() -> bool:
                found = await standing(context)
                wanted = {f"user_id:u{n}": {"city"} | ({"born"} if n % 3 else set()) for n in range(crowd) if n != 2}
                wanted |= {name: {"born"} for n in range(10) for name in (f"user_id:m{n}", f"email:d{n}@e.org")}
                return found == wanted

            await until(over, 60)
            told = [m for m in await read(config, "memberships") if m.get("segment") == "born"]
            stands: dict[str, list[str]] = {}
            for one in told:
                stands.setdefault(one["profile"], []).append(one["type"])
            assert all(types in (["entered"], ["entered", "left"]) for types in stands.values())
            process.terminate()
            assert process.wait(20) == 0


async def count(context: Context, wanted: int) -> bool:
    if not (await rows(context, "SELECT to_regclass('segmenter.heard') IS NOT NULL"))[0][0]:
        return False
    return len(await rows(context, ALIVE)) >= wanted


async def test_profile_tells_what_is_asked_for_and_of_nobody_who_is_gone(config: Settings) -> None:
    async with running(config, profile()) as (context,):
        await send(config, [
            says("1", "user_id:a", birthday="1990-05-01", name="Ann"), says("2", "user_id:b", name='Bob "x"\n\u2028'),
            says("3", "user_id:c", birthday="1991-05-01"), says("4", "email:m@e.org", birthday=7),
        ])  # fmt: skip
        await handled(context, 4)
        whose = {name: person for person, names in (await people(context)).items() for name in names}
        merged = fact("5", "email:m@e.org", "user_id:b", at=T0 + 5)
        erase = fact("6", about=whose["user_id:c"], type="erase", event="", properties={"reason": "x"}, at=T0 + 5)
        await send(config, [merged, erase])
        await handled(context, 6)
        winner = min(whose["user_id:b"], whose["email:m@e.org"])
        app = Starlette(routes=context.service.api(context))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://profile") as http:
            asked = {"ids": list(whose.values()), "names": ["birthday", "city"]}
            found = (await http.post("/profiles/said", json=asked)).json()
            assert found == {whose["user_id:a"]: {"birthday": [T0, "1990-05-01"]}, winner: {"birthday": [T0, 7]}}
            assert (await http.post("/profiles/said", json={"ids": ["x"], "names": []})).status_code == 422

            async def values(name: str) -> list[Any]:
                lines = (await http.get(f"/attributes/{name}/values")).content.split(b"\n")[:-1]
                return sorted(msgspec.json.decode(line) for line in lines)

            assert await values("birthday") == sorted([[whose["user_id:a"], "1990-05-01"], [winner, 7]])
            assert await values("name") == sorted([[whose["user_id:a"], "Ann"], [winner, 'Bob "x"\n\u2028']])
            assert await values("none") == []
            async with reachable(context), Neighbour(context, "profile") as neighbour:
                lines = [line async for line in neighbour.lines("/attributes/name/values", 5)]
                assert sorted(map(msgspec.json.decode, lines)) == await values("name")
