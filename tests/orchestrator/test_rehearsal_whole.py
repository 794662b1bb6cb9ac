"""A rehearsal from the lake's files to its report: facts read by the orchestrator, conditions answered by the segmenter, over HTTP."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from bench.seeded.lake import learn
from runtime import definitions
from runtime.batch import Item
from runtime.batches import frames
from runtime.process import Context, open_context
from runtime.service import Service
from schemas.facts import PROFILE_CHANGED, Fact, encode
from schemas.ids import derive
from schemas.messages import Decision
from schemas.unnamed import conditions
from services.orchestrator.domain.book import MODELS
from services.orchestrator.rehearsal.playing import Asked, Rehearsal
from services.segmenter.rehearsing import routes
from services.warehouse import store
from services.warehouse.domain import sheets
from services.warehouse.domain.walk import Stored
from services.warehouse.files import Files
from tests.orchestrator.world import DAY, HOUR, T0, brand, journey, published, rule, send, wait
from tests.support.live import settings

PEOPLE = 1200  # some portions of the segmenter
SINCE, UNTIL = T0, T0 + 30 * DAY
BOUGHT = {"kind": "did", "event": "Ordered"}
DRAFT = journey(
    "basket", {"id": "omsk", "if": {"kind": "attribute", "name": "city", "op": "eq", "value": "Omsk"}, "then": "letter"},
    send("letter"), wait("pause", "2d"), send("more"), audience=BOUGHT, on="Added", goal={"event": "Paid"},
)  # fmt: skip
FRESH = journey("fresh", send("hi", **{"class": "service"}), on={"segment": "fresh", "change": "left"})
IN_FORCE = [
    brand(), published("template", {"key": "letter", "subject": "x", "text": "x"}), published("journey", FRESH),
    rule(quiet_hours={"from": "21:00", "to": "09:00"}, manager_only={"kind": "segment", "key": "managed"}),
]  # fmt: skip
SEGMENTS = {
    "fresh": {"kind": "did", "event": "Added", "within": DAY},
    "managed": {"kind": "attribute", "name": "plan", "op": "eq", "value": "team"},
}
_stored = msgspec.json.Decoder(Stored).decode


def lived(n: int) -> list[Fact]:
    """Every second bought before, others when it was too late; every third lives in Omsk, a fifth of all moves there after; every seventh has a manager; of ten one pays."""
    who, said = derive("person", n), {"city": "Omsk" if n % 3 == 0 else "Tomsk", "plan": "team" if n % 7 == 0 else "free"}
    given: dict[str, Any] = {
        "brand": "shop",
        "source": "site",
        "profile": who,
        "bucketing_id": who,
        "bucketed_at": SINCE - 20 * DAY,
    }

    def fact(what: str, at: int, kind: str = "track", event: str = "", **more: Any) -> Fact:
        return Fact(id=derive(what, n), type=kind, event=event, occurred_at=at, received_at=at, **given, **more)

    first = SINCE - 20 * DAY
    facts = [
        fact("i", first, "identify", attributes=said, identifiers=("user_id:1", "email:a@x")),
        fact("c", first, PROFILE_CHANGED, attributes={name: [first, value] for name, value in said.items()}, identifiers=("user_id:1", "email:a@x")),
        fact("a", SINCE + 2 * DAY + 10 * HOUR, event="Added"),
    ]  # fmt: skip
    facts += [fact("o", first + DAY, event="Ordered")] if n % 2 else []
    facts += [fact("l", SINCE + 9 * DAY, event="Ordered")] if n % 4 == 2 else []
    facts += [fact("m", SINCE + 2 * DAY, "identify", attributes={"city": "Omsk"})] if n % 5 == 0 else []
    facts += [fact("p", SINCE + 3 * DAY, event="Paid")] if n % 10 == 1 else []
    return facts


class Wired:
    """The segmenter's own routes, asked without a port."""

    def __init__(self, segmenter: Context) -> None:
        self._app = Starlette(routes=list(routes(segmenter)))

    async def frames(self, path: str, body: bytes, _seconds: float) -> AsyncGenerator[bytes, None]:
        transport = httpx.ASGITransport(self._app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://segmenter") as client,
            client.stream("POST", path, content=body) as answer,
        ):
            assert answer.status_code == 200
            async for frame in frames(answer.aiter_bytes()):
                yield frame


class Installed(NamedTuple):
    orchestrator: Context
    segmenter: Wired
    warehouse: Context


async def opened(name: str, config) -> Context:
    return await open_context(Service(name=name, migrations=(f"services.{name}.migrations",)), config)


async def told(context: Context, documents) -> None:
    async with context.db.transaction() as connection:
        items = [Item(("definitions", 0), n, one, b"", None, None, 0) for n, one in enumerate(documents)]
        await definitions.store(connection, items)


async def entries(context: Context, home: Path) -> None:
    """That every third entered the journey the day before the first one, twice."""
    verdicts = [
        Decision(id=derive("entry", n, at), brand="shop", profile=derive("person", n), verdict="entered", by="orchestrator", received_at=at,
                 document="journey:basket", version=1, occurrence=derive("run", n))
        for n in range(0, PEOPLE, 3) for at in (SINCE - 3 * DAY, SINCE - DAY)
    ]  # fmt: skip
    files = Files(home / "lake", threads=1)
    async with context.db.transaction() as connection:
        sheet = sheets.decisions([("decisions", 0, n, one) for n, one in enumerate(verdicts)])
        await store.add(connection, [files.write(sheet, 3)], SINCE)
    files.close()


async def written(context: Context, home: Path) -> None:
    """The facts as the warehouse writes them, in two files."""
    facts = sorted((fact for n in range(PEOPLE) for fact in lived(n)), key=lambda fact: fact.received_at)
    files, half = Files(home / "lake", threads=1), len(facts) // 2
    for number, part in enumerate((facts[:half], facts[half:])):
        sheet = sheets.facts([("facts", 0, number * half + n, _stored(encode(one))) for n, one in enumerate(part)])
        async with context.db.transaction() as connection:
            await learn(connection, sheet, SINCE)
            await store.add(connection, [files.write(sheet, number + 1)], SINCE)
            await connection.execute(
                "INSERT INTO watermark (topic, partition, next_offset) VALUES ('facts', 0, $1) "
                "ON CONFLICT (topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset",
                len(facts),
            )
    files.close()


@pytest.fixture
async def installed(database: str, tmp_path: Path):
    config = settings("127.0.0.1:1", database, "", home=tmp_path)
    warehouse, segmenter, orchestrator = [await opened(name, config) for name in ("warehouse", "segmenter", "orchestrator")]
    await written(warehouse, tmp_path)
    await told(orchestrator, IN_FORCE)
    asked = {key: one.model_dump(mode="json", by_alias=True) for d in IN_FORCE if d.kind in ("journey", "rule")
             for key, one in conditions(MODELS[d.kind].model_validate_json(bytes(d.body)), 1).items()}  # fmt: skip
    await told(segmenter, [published("segment", {"key": key, "condition": one}) for key, one in {**SEGMENTS, **asked}.items()])
    yield Installed(orchestrator, Wired(segmenter), warehouse)
    for context in (warehouse, segmenter, orchestrator):
        await context.clock.stop()
        await context.db.close()


@pytest.fixture
async def entered(installed: Installed) -> Installed:
    await entries(installed.warehouse, installed.warehouse.settings.home)
    return installed


async def rehearsed(installed: Installed, draft=DRAFT, said=None, **more: Any) -> dict[str, Any]:
    async def go_on(_done: int, _total: int) -> bool:
        return True

    asked = Asked("journey", "basket", draft, days=30, until=UNTIL, **more)
    report: dict[str, Any] = await Rehearsal(installed.orchestrator, installed.segmenter, asked, said or go_on).run()
    return report


def expected(people) -> dict[str, int]:
    """Counted by hand."""
    bought = [n for n in people if n % 2]
    omsk = [n for n in bought if n % 3 == 0 or n % 5 == 0]
    open_to = [n for n in omsk if n % 7]
    paid = sum(n % 10 == 1 for n in omsk)
    return {
        "runs": len(bought), "audience": len(people) - len(bought), "manager_only": sum(n % 7 == 0 for n in omsk if n % 10 == 1) + 2 * sum(n % 7 == 0 for n in omsk if n % 10 != 1),
        "letter": len(open_to), "more": sum(n % 10 != 1 for n in open_to), "goals": paid, "end": len(bought) - paid,
    }  # fmt: skip


def counted(report: dict[str, Any]) -> dict[str, int]:
    steps = {step: one["sent"] for step, one in report["messages"]["by_step"].items()}
    entrants = report["entrants"]
    return {
        "runs": entrants["runs"], "audience": entrants["refused"]["audience"], "manager_only": report["displaced"]["manager_only"]["skipped"],
        "letter": steps["letter"], "more": steps["more"], "goals": report["goals"], "end": report["exits"]["end"],
    }  # fmt: skip


async def test_from_the_files_of_the_lake_to_the_report(installed):
    report = await rehearsed(installed, compare=True)
    assert report["people"] == {"all": PEOPLE, "chosen": PEOPLE, "played": PEOPLE}
    assert counted(report) == expected(range(PEOPLE))
    assert report["messages"]["by_step"]["letter"]["by_day"].keys() == {"2010-11-24"}
    # Everybody left the segment a day after, by time alone, and the other journey in force wrote to him.
    assert report["documents"]["journey:fresh"] == PEOPLE
    assert report["compared"]["by_document"]["journey:fresh"] == [PEOPLE, PEOPLE]
    assert report["compared"]["by_document"]["journey:basket"][0] == 0
    assert {one["code"] for one in report["unknown"]} == {"consents", "deliveries", "merges", "before", "campaigns"}


async def test_a_sample_is_of_the_same_people_for_both_services(installed):
    report = await rehearsed(installed, most=700, alone=True, compare=True)
    assert report["compared"]["by_document"] == {"journey:basket": [0, report["messages"]["sent"]]}
    first = sorted(range(PEOPLE), key=lambda n: derive("person", n))[:700]
    assert report["people"] == {"all": PEOPLE, "chosen": 700, "played": 700}
    assert counted(report) == expected(first)
    assert report["documents"].keys() == {"journey:basket"}


async def test_who_entered_before_is_known_of_those_who_are_played_where_the_journey_asks_for_it(entered, monkeypatch):
    known: list[dict[str, dict[str, int]]] = []
    standing = Rehearsal._known_entries

    async def noted(self, snapshot, stages):
        known.append(await standing(self, snapshot, stages))
        return known[-1]

    monkeypatch.setattr(Rehearsal, "_known_entries", noted)
    first = sorted(range(PEOPLE), key=lambda n: derive("person", n))[:700]
    report = await rehearsed(entered, {**DRAFT, "reentry": {"mode": "never"}}, most=700, alone=True)
    assert known[0] == {derive("person", n): {"basket": SINCE - DAY} for n in first if n % 3 == 0}
    refused = report["entrants"]["refused"]
    assert refused["reentry"] == sum(n % 3 == 0 for n in first)
    assert refused["reentry"] + refused["audience"] + report["entrants"]["runs"] == len(first)
    await rehearsed(entered, {**DRAFT, "reentry": {"mode": "outside"}}, most=700, alone=True)
    assert known[1] == {}


async def test_a_launch_reaches_the_audience_of_its_start_at_its_pace_and_everybody_has_one_verdict(installed):
    async def go_on(_done: int, _total: int) -> bool:
        return True

    news = {"key": "news", "brand": "shop", "audience": BOUGHT, "template": "letter", "throttle": {"most": 30, "per": "hour"}}
    asked = Asked("campaign", "news", news, days=30, until=UNTIL, at=SINCE + 9 * HOUR, compare=True, most=1000)
    report = await Rehearsal(installed.orchestrator, installed.segmenter, asked, go_on).run()
    played = sorted(range(PEOPLE), key=lambda n: derive("person", n))[:1000]
    bought = [n for n in played if n % 2]
    managed = sum(n % 7 == 0 for n in bought)
    assert report["launched_at"] == SINCE + 9 * HOUR
    assert report["audience"]["people"] == [
        {"verdict": "sent", "rule": "", "people": len(bought) - managed},
        {"verdict": "skipped", "rule": "manager_only", "people": managed},
    ]
    assert report["audience"]["audience"] == len(bought)
    days = report["messages"]["by_day"]
    assert sum(days.values()) == report["messages"]["sent"] == len(bought) - managed
    assert len(days) == 2, "six hundred people at thirty an hour are twenty hours, and the night between them is quiet"
    assert report["displaced"]["quiet_hours"]["people"] > 0
    assert {one["code"] for one in report["unknown"]} >= {"sample", "throttle"}
    assert report["displaces"] == {}, "no cap is in force"


async def test_it_ends_where_it_is_when_nobody_wants_it_any_more(installed):
    heard: list[int] = []

    async def said(done: int, _total: int) -> bool:
        heard.append(done)
        return len(heard) < 2

    report = await rehearsed(installed, said=said)
    assert (report["complete"], heard, report["people"]["played"]) == (False, [0, 500], 500)
