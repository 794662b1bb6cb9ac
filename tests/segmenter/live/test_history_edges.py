"""What comes between while history is brought: merges of one who has it and one who has not, another plan, a lake that is not here."""

from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from runtime import watermark
from runtime.db import Again
from runtime.process import Context
from schemas.ids import derive, partition_of
from services.segmenter import recount
from services.segmenter.domain import state
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import State
from services.segmenter.filling import TOPICS, Step
from services.segmenter.gathered import Found
from tests.segmenter.live.by_hand import Process, publish
from tests.segmenter.live.test_unmerge import bought, merged, order, said, split
from tests.support.live import T0, fact, rows

SIZE = 4  # partitions
PAT = derive("id", "pat")
REX = next(one for n in range(99) if partition_of(one := derive("id", "rex", n), SIZE) == (partition_of(PAT, SIZE) + 1) % SIZE)
NEW = {"two": bought("ge", 2)}


class Lake:
    """What a process has read of each, whatever filling it is for: one order of before."""

    def __init__(self, context: Context, *people: str) -> None:
        self._context, self._people = context, people
        self.read = True

    def of(self, _filling: int) -> "Lake | Any":
        return Read(self._context, self._people) if self.read else None

    def hopeful(self) -> bool:
        return True

    def added(self, _step: Step) -> None:
        return None

    async def due(self, connection: Any, partitions: Any) -> bool:
        found = await connection.fetchrow("SELECT filling FROM plan")
        done = await connection.fetchval(
            "SELECT count(*) FROM filled WHERE filling = $1 AND done AND partition = ANY($2)", found[0], partitions
        )
        return self.read and found[0] > 0 and done < len(partitions)


class Read:
    def __init__(self, context: Context, people: tuple[str, ...]) -> None:
        self._context, self._people = context, people

    async def _has(self, people: Any) -> Found:
        found = await rows(self._context, "SELECT unnest(scope) AS id FROM plan")
        return {one: {row["id"]: Series(1, 1, T0, T0) for row in found} for one in people if one in self._people}

    async def next(self, share: int, after: str | None, _limit: int) -> tuple[Found, bool]:
        return await self._has(one for one in self._people if partition_of(one, SIZE) == share and one > (after or "")), False

    async def of(self, people: Any) -> Found:
        return await self._has(people)


async def published(context: Context, lake: Lake | None, **segments: Any) -> Process:
    """Somebody's orders stand below the cuts; then a condition about them is published. Its history waits."""
    process = Process(context)
    await below_the_cuts(context, process)
    for key, condition in (segments or NEW).items():
        await publish(context, "segment", key, condition=condition)
    await process.fire()
    process.handler._filler = lake  # type: ignore[assignment]
    return process


async def below_the_cuts(context: Context, process: Process) -> None:
    await publish(context, "segment", "kazan", condition={"kind": "attribute", "name": "city", "op": "eq", "value": "Kazan"})
    await process.take(
        *(fact(f"in{who}", profile=who, type="identify", event="", attributes={"city": "Omsk"}) for who in (PAT, REX))
    )
    async with context.db.transaction() as connection:
        await watermark.ensure(connection, [(topic, place) for topic in TOPICS for place in range(SIZE)])
        await connection.execute("UPDATE watermark SET next_offset = 3")


async def states(context: Context) -> dict[str, State]:
    found = await rows(context, "SELECT id::text AS id, state FROM person WHERE merged_into IS NULL")
    return {row["id"]: state.decode(row["state"]) for row in found}


async def asked(context: Context) -> dict[str, list[str]]:
    return {row["person"]: sorted(row["ids"]) for row in await rows(context, "SELECT person::text, ids::text[] FROM rebuild")}


async def test_two_who_became_one_before_it_came_have_what_both_did(context: Context) -> None:
    process = await published(context, Lake(context, PAT, REX))
    await process.take(merged(PAT, REX))
    told, _ = await process.fire([partition_of(REX, SIZE)])
    assert said(told) == [(PAT, "two", "entered", "backfill", False)]
    assert said((await process.fire())[0]) == [], "nobody gets it twice"
    assert await asked(context) == {} and (await rows(context, "SELECT filling FROM plan"))[0][0] == 0


async def test_who_has_it_and_becomes_one_with_somebody_who_has_not_is_counted_anew(context: Context) -> None:
    process = await published(context, Lake(context, PAT, REX))
    await process.fire([partition_of(PAT, SIZE)])
    assert [bool(one.series) for one in map((await states(context)).get, (PAT, REX)) if one] == [True, False]
    await process.take(merged(PAT, REX))
    assert await asked(context) == {PAT: sorted([PAT, REX])}
    assert ((await states(context))[PAT].owed, (await states(context))[PAT].awaits) == (1, 0)
    assert said((await process.fire())[0]) == [], "it comes with what he is counted anew by"


async def test_who_is_to_be_counted_anew_when_more_is_published_is_counted_with_that(context: Context) -> None:
    process = await published(context, Lake(context, PAT, REX))
    await process.fire([partition_of(PAT, SIZE)])
    await process.take(merged(PAT, REX), order(1, PAT))
    ((act,),) = await rows(context, "SELECT act FROM rebuild")
    await publish(context, "segment", "seen", condition={"kind": "did", "event": "Seen"})
    await process.take(order(2, PAT))
    assert await asked(context) == {PAT: sorted([PAT, REX])}
    assert (await rows(context, "SELECT act FROM rebuild"))[0][0] != act
    his = (await states(context))[PAT]
    assert (his.owed, his.awaits, [one.count for one in his.since.values()]) == (1, 0, [1]), "what came since the newer asking"


async def test_what_was_read_for_an_older_asking_is_not_taken_for_the_newer(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More is published between: his row is read, he comes under the new plan in the very transaction that would count him."""
    process = await published(context, Lake(context, PAT, REX))
    await process.fire([partition_of(PAT, SIZE)])
    await process.take(merged(PAT, REX))
    (row,) = await rows(context, "SELECT person::text, partition, act::text FROM rebuild")

    async def ready(_connection: Any, _partitions: Any) -> list[recount.Recount]:
        return [recount.Recount(row["person"], row["partition"], row["act"], [PAT, REX], {})]

    class Nothing:
        async def read(self, found: list[recount.Recount], _events: Any) -> dict[str, list[Any]]:
            return {one.person: [] for one in found}

    monkeypatch.setattr(recount, "ready", ready)
    process.handler._history = Nothing()  # type: ignore[assignment]
    await publish(context, "segment", "seen", condition={"kind": "did", "event": "Seen"})
    async with context.db.transaction() as connection:
        await process.step(connection, range(SIZE), 1000)
    assert (await states(context))[PAT].owed == 1
    assert [one["act"] != row["act"] for one in await rows(context, "SELECT act::text FROM rebuild")] == [True]


async def test_nobody_is_asked_for_anew_before_every_place_has_its_cut(context: Context) -> None:
    """Another process is in the middle of a batch under the old plan: what it hears is neither below the cut nor gathered."""
    process = Process(context)
    await published(context, None)
    async with context.db.transaction() as other:
        await publish(context, "segment", "seen", condition={"kind": "did", "event": "Seen"})
        await other.execute("SELECT FROM watermark WHERE topic = 'facts' AND partition = 0 FOR UPDATE")
        with pytest.raises(Again, match="come under the plan"):
            await process.take(split(person=PAT))
    await process.take(split(person=PAT))


async def test_without_the_lake_it_counts_from_its_publication_on_and_says_so(context: Context) -> None:
    process = await published(context, None, two=bought("ge", 2), mine=bought("ge", 1, where=[{"path": "email", "op": "exists"}]))
    assert said(await process.take(order(1))) == []
    assert said(await process.take(order(2))) == [(order(2).profile, "two", "entered", "fact", False)]
    transport = httpx.ASGITransport(Starlette(routes=process.handler.api(context)))
    async with httpx.AsyncClient(transport=transport, base_url="http://segmenter") as client:
        two, mine, kazan = [(await client.get(f"/segments/{key}/progress")).json() for key in ("two", "mine", "kazan")]
        assert (await client.get("/segments/nothing/progress")).status_code == 404
    assert (two["complete"], two["people"], two["history"]["state"], two["history"]["since"]) == (
        False, {"partitions": SIZE, "done": SIZE}, "unreadable", T0,
    )  # fmt: skip
    assert (mine["complete"], mine["history"]["without"]) == (True, ["email"])
    assert (kazan["complete"], kazan["version"]) == (True, 1)


async def test_a_journey_hears_that_everybody_was_asked_behind_what_history_said(context: Context) -> None:
    """Until then it waits; a condition of which nothing of before is asked has its answer at once."""
    process, lake = Process(context), Lake(context, PAT)
    process.handler._filler, lake.read = lake, False  # type: ignore[assignment]
    await below_the_cuts(context, process)
    await publish(context, "segment", "~journey.j.1.two", condition=NEW["two"] | {"value": 1})
    await publish(
        context, "segment", "~journey.j.1.omsk", condition={"kind": "attribute", "name": "city", "op": "eq", "value": "Omsk"}
    )
    assert await heard_of(process) == {"~journey.j.1.omsk": ["entered", "entered", *["mark"] * SIZE]}
    lake.read = True
    assert (await heard_of(process))["~journey.j.1.two"] == ["entered", *["mark"] * SIZE]
    assert await process.fire() == ([], 0)


async def heard_of(process: Process) -> dict[str, list[str]]:
    """Of each condition of a journey, what is told of it."""
    told: dict[str, list[str]] = {}
    for one in [msgspec.json.decode(emit.value) for emit in (await process.fire())[0]]:
        told.setdefault(one.get("segment") or one["topic"], []).append(one["type"])
    return {key: sorted(kinds) for key, kinds in told.items()}
