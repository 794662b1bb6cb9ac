"""The job that counts for BI tools: what it asks for, when it is due, and what of it goes on where something is refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.clock import ClockState, wall_ms
from runtime.serving import serving
from schemas.reports import DAY_MS
from services.gateway.api import dashboards
from services.gateway.api.counting import RefusedError
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import dashboards as domain
from services.gateway.domain.problems import Problem
from services.gateway.settings import GatewaySettings
from services.gateway.store import dashboards as store
from tests.gateway.conftest import faults_of
from tests.support.live import until


def test_target_actions_of_settings_have_names_of_their_own() -> None:
    assert GatewaySettings().bi_targets[0].asked() == {
        "event": "Order Completed",
        "where": [],
        "value": "total",
        "window": 604_800_000,
    }
    with pytest.raises(ValidationError, match="name of its own"):
        GatewaySettings.model_validate({"bi_targets": [{"name": "a", "event": "X"}, {"name": "a", "event": "Y"}]})


def test_a_setting_that_compose_passes_on_empty_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTKLIK_BI_TARGETS", "OTKLIK_BI_TEAMS", "OTKLIK_BI_DAYS", "OTKLIK_FIRST_CURRENCY"):
        monkeypatch.setenv(name, "")
    assert GatewaySettings() == GatewaySettings(bi_days=14, first_currency="")
    monkeypatch.setenv("OTKLIK_BI_TARGETS", '[{"name": "paid", "event": "Paid"}]')
    assert [one.name for one in GatewaySettings().bi_targets] == ["paid"]


async def test_days_that_are_none_are_refused_each_with_its_fault(site: Any) -> None:
    asked = await site.http.post("/api/bi/refresh", json={"from": "soon", "to": 5, "since": "2026-01-01"})
    assert faults_of(asked) == {("from", "date"), ("to", "date"), ("since", "extra_forbidden")}
    assert faults_of(await site.http.post("/api/bi/refresh", json={"to": "0001-01-01"})) == {("to", "date_range")}


async def test_a_turn_is_a_lease_and_whoever_lost_it_changes_nothing(site: Any) -> None:
    def lease() -> store.Lease:
        return store.Lease("a turn", 500, 60)

    async with site.context.db.transaction() as connection:
        mine, other = lease(), lease()
        assert await mine.taken(connection, 1_000) and not await other.taken(connection, 1_059)
        assert await mine.renewed(connection, 1_050) and not await other.taken(connection, 1_109)
        assert (
            await other.taken(connection, 1_110)
            and not await mine.renewed(connection, 1_111)
            and not await mine.done(connection, 1_000)
        )
        assert await other.done(connection, 1_110)
        assert not await mine.taken(connection, 1_609) and await mine.taken(connection, 1_610)


SEVEN = (date(2020, 3, 1), date(2020, 3, 7))


class Audience:
    """A neighbour that answers with a row a day of each brand, and refuses as the real one does."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.most, self.mixed, self.refused, self.silent = 99, False, "", ""
        self.waits: asyncio.Event | None = None
        routes = [Route("/internal/audience/{question:path}", self.answer, methods=["POST"])]
        self.app = Starlette(routes=routes)

    async def answer(self, request: Request) -> Response:
        question, body = request.path_params["question"], await request.json()
        asked = body.get("asked", body)
        self.asked.append((question, asked))
        if self.waits is not None:
            await self.waits.wait()
        if self.silent in asked["brands"]:
            return JSONResponse({}, 503)
        if question == "experiment":
            arms = {name: {"people": 2} for name in asked["arms"]}
            periods = [{"period": 0, "arms": arms, "reached": [None for _ in asked["marks"]]}]
            told = {"people": 4, "periods": periods, "as_of": body["as_of"], "complete_up_to": 0, "took_ms": 1}
            return JSONResponse(told)
        first = domain.EPOCH + timedelta(milliseconds=asked["since"])
        target = asked.get("target")
        if self.mixed and target and not target.get("currency"):
            return _refusal("target.currency", "currencies_mixed", {"names": "EUR, RUB"})
        if question == "reports/channels":
            row = {"from": str(first), "name": "email", "conversions": 5, "revenue": 7, "share": 1.0}
            told = {"currency": (target or {}).get("currency"), "by": {"channel": [row], "mechanic": []}, "as_of": 9}
            return JSONResponse(told)
        days = (asked["until"] - asked["since"]) // DAY_MS
        if days > self.most or self.refused in asked["brands"]:
            return _refusal("by", "rows", {"limit": 1})
        return JSONResponse(
            {"rows": [_row(str(first + timedelta(days=n)), (target or {}).get("currency")) for n in range(days)], "as_of": 9}
        )

    def brands(self, question: str) -> set[str]:
        return {asked["brands"][0] for name, asked in self.asked if name == question}


def _row(day: str, currency: str | None) -> dict[str, Any]:
    words = ("step", "variant", "template")
    figures = {what: {"messages": 2, "people": 1} for what in domain.MESSAGES}
    done = {"converted": {"people": 3}, "credited": {"actions": 4}, "revenue": {"minor": 7, "currency": currency}}
    return {
        "day": day,
        "document": "campaign:x",
        "channel": "email",
        "class": "mass",
        **dict.fromkeys(words, ""),
        **figures,
        **done,
    }


def _refusal(path: str, code: str, params: dict[str, Any]) -> Response:
    return JSONResponse({"code": "invalid", "errors": [{"path": path, "code": code, "message": "m", "params": params}]}, 422)


@pytest.fixture(scope="module")
async def two(site: Any) -> Any:
    """Two brands, and an experiment of the second."""
    for key in ("other", "shop"):
        body = {"key": key, "name": key}
        await site.http.put(f"/api/brands/{key}", json=body)
        await site.http.post(f"/api/brands/{key}/publish")
    arms = [{"name": "control", "share": 50}, {"name": "b", "share": 50}]
    await site.publish(
        "experiments",
        {"key": "old", "brand": "shop", "of": {"kind": "imported", "document": "campaign:old"}, "arms": arms,
         "primary": {"key": "did", "target": {"event": "A"}}, "size": 100, "start": "2020-03-03T00:00:00Z", "ends": "2020-03-05T00:00:00Z"},
    )  # fmt: skip
    return site


@pytest.fixture
async def asking(two: Any) -> AsyncIterator[tuple[Any, Audience, dashboards.Dashboards]]:
    """The job, with an audience of ours beside it. Nothing was counted yet."""
    audience = Audience()
    async with serving(audience.app, "127.0.0.1", 0, asyncio.Event()) as port:
        neighbours = Neighbours({"audience": (f"http://127.0.0.1:{port}",)}, "token")
        async with two.context.db.transaction() as connection:
            for table in ("refresh", "outcome_day", "conversion_day", "channel_quarter", "experiment_day"):
                await connection.execute(f"DELETE FROM {table}")
        yield (
            two,
            audience,
            dashboards.Dashboards(Desk(two.context), neighbours, GatewaySettings(bi_every_s=900, bi_nightly_days=14)),
        )
        await neighbours.close()


async def rows_of(site: Any, query: str) -> list[tuple[Any, ...]]:
    async with site.context.db.connection() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def due_in(site: Any, name: str, every: int) -> int:
    """ms from now until the turn can be taken."""
    ((at,),) = await rows_of(site, f"SELECT at FROM refresh WHERE name = '{name}'")
    return int(at) + every - wall_ms()


async def test_days_with_too_many_rows_are_asked_in_halves_and_currencies_one_by_one(asking: Any) -> None:
    site, audience, board = asking
    audience.most, audience.mixed = 2, True
    told = await board.refresh(*SEVEN)
    assert told == {"outcomes": 14, "conversions": 42, "channels": 6, "experiments": 10}
    spans = [
        (asked["until"] - asked["since"]) // DAY_MS
        for name, asked in audience.asked
        if name == "outcomes" and "target" not in asked
    ]
    assert spans == [7, 4, 2, 2, 3, 2, 1] * 2
    of_a_day = "SELECT currency, actions, revenue::int FROM bi.conversions WHERE brand = 'shop' AND day = '2020-03-04' ORDER BY 1"
    assert await rows_of(site, of_a_day) == [("EUR", 0, 7), ("RUB", 0, 7), (None, 4, 0)]
    assert await rows_of(site, "SELECT currency, conversions, revenue::int FROM bi.channels WHERE brand = 'shop' ORDER BY 1") == [
        ("EUR", 0, 7), ("RUB", 0, 7), (None, 5, 0)]  # fmt: skip
    # From its start until those who came last had their seven days.
    assert await rows_of(site, "SELECT DISTINCT day, verdict FROM bi.experiments ORDER BY day") == [
        (date(2020, 3, day), "no_look_yet") for day in range(3, 8)
    ]


async def test_what_one_brand_is_refused_keeps_the_others_from_nothing(asking: Any) -> None:
    site, audience, board = asking
    audience.refused = "other"
    with pytest.raises(RefusedError):
        await board.refresh(*SEVEN)
    assert await rows_of(site, "SELECT * FROM outcome_day") == [], "who asked for it hears of it at once"
    await board.look()
    assert {row[0] for row in await rows_of(site, "SELECT brand FROM outcome_day")} == {"shop"}
    assert {row[0] for row in await rows_of(site, "SELECT brand FROM channel_quarter")} == {"shop", "other"}
    assert await due_in(site, "often", 900_000) > 800_000, "in a minute it would be refused again"
    asked = len(audience.asked)
    await board.look()
    assert len(audience.asked) == asked


async def test_whoever_does_not_answer_is_asked_again_in_a_minute(asking: Any) -> None:
    site, audience, board = asking
    audience.silent = "other"
    with pytest.raises(Problem, match="service_unavailable"):
        await board.look()
    assert {row[0] for row in await rows_of(site, "SELECT brand FROM outcome_day")} == {"shop"}
    assert sum("other" in asked["brands"] for _, asked in audience.asked) == 1, "and not for each of its parts"
    assert 0 < await due_in(site, "often", 900_000) <= 60_000
    assert await rows_of(site, "SELECT * FROM refresh WHERE name = 'nightly'") == []


async def test_a_turn_that_lasts_is_renewed_and_one_that_died_is_due(asking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site, audience, board = asking
    monkeypatch.setattr(dashboards, "LEASE_S", 2.0)
    audience.waits = asyncio.Event()
    working = asyncio.create_task(board.look())
    await until(lambda: audience.asked)
    first = await rows_of(site, "SELECT at FROM refresh")
    await until(lambda: _differs(site, first))
    async with dashboards.turn(site.context.db, "often", 900_000) as mine:
        assert not mine
    working.cancel()
    await asyncio.wait({working})
    assert await due_in(site, "often", 900_000) <= 2_000, "nobody has said that it was done"
    audience.waits.set()


async def _differs(site: Any, before: list[Any]) -> bool:
    return await rows_of(site, "SELECT at FROM refresh") != before


async def test_it_comes_by_itself_but_not_while_time_is_driven(asking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site, audience, board = asking
    with monkeypatch.context() as driven:
        driven.setattr(site.context.clock, "read", _driven)
        await board.look()
        assert not audience.asked
    monkeypatch.setattr(dashboards, "LOOK_S", 0.01)
    async with board.life():
        await until(lambda: audience.brands("outcomes") == {"shop", "other"})


async def _driven() -> ClockState:
    return ClockState(driven=True, at=1)
