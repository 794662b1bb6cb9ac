"""The whole way: facts in Kafka, the warehouse's files, the index, and answers over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from runtime.process import Context
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import PROFILE_ERASED, encode
from schemas.ids import derive
from services.audience.__main__ import service
from services.audience.handler.following import Follower
from services.audience.settings import AudienceSettings
from services.profile.__main__ import service as profile
from services.warehouse.__main__ import service as warehouse
from services.warehouse.handler import Handler
from tests.runtime.toys import opened
from tests.support.live import T0, fact, publish, running, settings, until
from tests.support.reachable import reachable
from tests.warehouse.conftest import stored

BOUGHT = {"kind": "did", "event": "Order Completed"}
ANN, BOB, CID = (derive("profile", who) for who in ("ann", "bob", "cid"))


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path: Any) -> Settings:
    return settings(kafka, database, topic_prefix, home=tmp_path)


class Asked:
    """A running audience service, asked as the gateway asks."""

    def __init__(self, context: Context) -> None:
        app = Starlette(routes=context.service.api(context))
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://audience")

    async def ask(self, question: str, **body: Any) -> tuple[int, Any]:
        answer = await self._http.post(f"/audience/{question}", json={"as_of": T0 + 1000, **body})
        return answer.status_code, answer.json()

    async def count(self, condition: Any, **more: Any) -> Any:
        status, told = await self.ask("preview", condition=condition, **more)
        return told["count"] if status == 200 else None


@pytest.fixture
async def live(config: Settings) -> AsyncIterator[tuple[Asked, Context]]:
    async with running(config, warehouse(pace_s=0), service(AudienceSettings(follow_s=0.05))) as (lake, audience):
        yield Asked(audience), lake


def bought(message: str, person: str, **more: Any) -> Any:
    return stored(message, person, event="Order Completed", **more)


def defined(key: str, condition: Any) -> bytes:
    body = msgspec.Raw(msgspec.json.encode({"key": key, "condition": condition}))
    return msgspec.json.encode(Published(kind="segment", key=key, version=1, body=body, pointer=True))


async def test_facts_are_counted_once_while_the_lake_is_merged_under_the_reader(config: Settings, live: Any) -> None:
    asked, context = live
    keeper = Handler(0)
    async with keeper.life(context):
        for part in range(20):
            await publish(config, [bought(f"{part}-{who}", who) for who in ("ann", "bob")], "facts", key="k")
            if part % 4 == 3:
                await until(lambda n=part: _is(asked.count({**BOUGHT, "value": n + 1}), 2))
                await keeper.compact()
    await until(lambda: _is(asked.count({**BOUGHT, "op": "eq", "value": 20}), 2))
    assert await asked.count({**BOUGHT, "value": 21}) == 0
    status, told = await asked.ask("preview", condition=BOUGHT)
    assert status == 200 and sorted(told["sample"]) == sorted([ANN, BOB])
    assert told["complete_up_to"] == T0 and told["as_of"] == T0 + 1000 and sum(told["offsets"]["facts"].values()) == 40


async def _is(found: Any, wanted: Any) -> bool:
    return await found == wanted


async def test_who_is_credited_with_what_came_by_the_log(config: Settings, live: Any) -> None:
    asked, _ = live
    came = stored(
        "v1", "ann", event="Page Viewed", type="page", context={"campaign": {"source": "ads", "medium": "cpc", "name": "spring"}}
    )
    clicked = stored("k1", "bob", event="Email Link Clicked", properties={"document": "journey:welcome", "channel": "email"})
    paid = [bought(f"o{who}", who, properties={"total": {"minor": 700, "currency": "GBP"}}) for who in ("ann", "bob", "cid")]
    await publish(config, [came, clicked, *paid], "facts", key="k")
    await until(lambda: _is(asked.count(BOUGHT), 3))
    question = {
        "since": T0 - 1000,
        "until": T0 + 1000,
        "level": "campaign",
        "target": {"event": "Order Completed", "value": "total"},
    }
    status, told = await asked.ask("reports/attribution", **question)
    assert status == 200 and told["unattributed"]["markov"] == {"conversions": 1, "revenue": 700}
    assert {row["label"]: row["linear"]["revenue"] for row in told["rows"]} == {"paid: spring": 700, "email: journey:welcome": 700}
    status, told = await asked.ask("reports/attribution", **{**question, "level": "planet", "until": 0})
    assert status == 422 and {one["path"] for one in told["errors"]} == {"level"}


async def test_difference_overlap_and_explanation_of_what_is_in_force(config: Settings, live: Any) -> None:
    asked, _ = live
    twice = {**BOUGHT, "value": 2, "within": 5000}
    await publish(config, [defined("once", BOUGHT), defined("both", {"kind": "all", "of": [{"kind": "segment", "key": "once"}, twice]})],
                  "definitions", key="k")  # fmt: skip
    facts = [bought("a1", "ann", properties={"total": {"minor": 7}}), bought("a2", "ann"), bought("b1", "bob"), stored("c1", "cid")]
    await publish(config, [*facts, stored("c2", "cid", event="", type="identify", attributes={"plan": "x"})], "facts", key="k")
    await until(lambda: _is(asked.count({"kind": "all", "of": []}), 3))
    await until(lambda: _is(asked.count({"kind": "segment", "key": "both"}), 1))

    _, told = await asked.ask("diff", key="once", condition={**BOUGHT, "op": "eq", "value": 1})
    assert (told["before"], told["after"], told["stay"]) == (2, 1, 1)
    assert told["enter"] == {"count": 0, "sample": []} and told["leave"] == {"count": 1, "sample": [ANN]}
    _, told = await asked.ask("diff", key="never published", condition=BOUGHT)
    assert told["enter"]["count"] == 2

    _, told = await asked.ask("overlap", sets={"once": {"key": "once"}, "c": {"condition": {"kind": "not", "of": BOUGHT}}})
    assert {tuple(one["of"]): (one["count"], one["only"]) for one in told["intersections"]} == {
        ("once",): (2, 2), ("c",): (1, 1), ("once", "c"): (0, 0),
    }  # fmt: skip

    _, told = await asked.ask("explain", key="both", profile=ANN)
    assert told["truth"] and [part["truth"] for part in told["tree"]["of"]] == [True, True]
    assert told["tree"]["of"][1]["facts"] == {"count": 2, "first": T0, "last": T0, "newest": [T0, T0]}
    _, told = await asked.ask("explain", key="both", profile=BOB)
    assert not told["truth"] and [part["truth"] for part in told["tree"]["of"]] == [True, False]
    personal = {"kind": "any", "of": [{"kind": "attribute", "name": "email", "op": "exists"}, BOUGHT]}
    assert (await asked.ask("explain", condition=personal, profile=BOB))[1]["truth"] is True
    assert (await asked.ask("explain", condition=personal, profile=CID))[1]["truth"] is None
    assert await asked.ask("explain", key="both", profile=derive("nobody")) == (404, {"code": "profile_not_found"})


async def test_what_cannot_be_answered_is_named_with_its_place(config: Settings, live: Any) -> None:
    asked, _ = live
    await publish(config, [stored("c1", "cid")], "facts", key="k")
    await publish(config, [defined("old", {"kind": "attribute", "name": "email", "op": "exists"})], "definitions", key="k")
    await until(lambda: _is(asked.count({"kind": "all", "of": []}), 1))
    parts = [{"kind": "not", "of": {"kind": "attribute", "name": "email", "op": "exists"}}, {"kind": "segment", "key": "gone"},
             {"kind": "did", "event": "x", "where": [{"path": "a.email", "op": "exists"}]}, {"kind": "segment", "key": "old"}]  # fmt: skip

    async def refused() -> Any:
        status, told = await asked.ask("preview", condition={"kind": "all", "of": parts})
        return status == 422 and [(one["path"], one["code"]) for one in told["errors"]]

    expected = [
        ("condition.of.0.of.name", "not_in_lake"), ("condition.of.1.key", "unknown_segment"),
        ("condition.of.2.where.0.path", "not_in_lake"), ("condition.of.3.key", "not_in_lake"),
    ]  # fmt: skip
    await until(lambda: _is(refused(), expected))
    status, told = await asked.ask("preview", condition={"kind": "did", "event": "x", "op": "near"})
    assert status == 422 and told["errors"][0]["path"] == "condition.op"


async def test_a_birthday_is_counted_as_soon_as_profile_can_be_asked_and_held_for_a_moment(config: Settings) -> None:
    born = {"kind": "attribute", "name": "birthday", "op": "starts_with", "value": "1990"}
    own = AudienceSettings(follow_s=0.05, personal_s=0.5)
    async with running(config, profile(), warehouse(pace_s=0), service(own)) as (people, _, audience):
        asked = Asked(audience)

        def says(message: str, who: str, birthday: Any) -> Any:
            return fact(message, f"user_id:{who}", type="identify", event="", attributes={"birthday": birthday, "city": "Omsk"})

        await publish(config, [says("1", "ann", "1990-05-01"), says("2", "bob", "1991-05-01")])
        await until(lambda: _is(asked.count({"kind": "attribute", "name": "city", "op": "exists"}), 2))
        assert await asked.ask("preview", condition=born) == (503, {"code": "profile_unreachable"})
        async with reachable(people):
            assert await asked.count(born) == 1
            assert await asked.count({"kind": "not", "of": born}) == 1
            (found,) = (await asked.ask("preview", condition=born))[1]["sample"]
            _, told = await asked.ask("explain", condition=born, profile=found)
            assert told["truth"] is True and told["tree"]["facts"] == {"value": "1990-05-01"}
            await publish(config, [says("3", "cid", "1990-06-01")])
            await until(lambda: _is(asked.count(born), 2))
            await publish(config, [fact("gone", about=found, type="erase", event="", properties={"reason": "asked"})])
            await until(lambda: _is(asked.count(born), 1))


async def test_who_is_erased_is_counted_no_more_and_a_new_process_answers_the_same(config: Settings) -> None:
    own = AudienceSettings(follow_s=0.05)
    async with running(config, warehouse(pace_s=0)):
        async with running(config, service(own)) as (audience,):
            asked = Asked(audience)
            await publish(config, [bought("a1", "ann"), bought("b1", "bob")], "facts", key="k")
            await until(lambda: _is(asked.count(BOUGHT), 2))
            gone = stored(
                "gone", "ann", type=PROFILE_ERASED, event="", properties={"act": derive("act"), "reason": "", "others": []}
            )
            await publish(config, [encode(gone)], "facts", key="k")
            await until(lambda: _is(asked.count(BOUGHT), 1))
        async with running(config, service(own)) as (audience,):
            again = Asked(audience)
            await until(lambda: _is(again.count(BOUGHT), 1))
            assert await again.count({"kind": "all", "of": []}) == 1


async def test_an_index_at_rest_catches_up_before_it_answers(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has asked for long: it looks at the lake once in ten minutes, and knows what came meanwhile all the same."""
    monkeypatch.setattr("services.audience.handler.following.AWAKE_S", 0.0)
    async with running(config, warehouse(pace_s=0), service(AudienceSettings(follow_s=0.05, rest_s=600))) as (lake, audience):
        asked = Asked(audience)
        await until(lambda: _is(asked.count(BOUGHT), 0))
        for number in range(1, 4):
            await publish(config, [bought(f"a{number}", "ann")], "facts", key="k")
            await until(lambda n=number: _there(lake, n))
            assert await asked.count({**BOUGHT, "op": "eq", "value": number}) == 1


async def test_only_while_people_ask_it_takes_more_than_the_thread_that_yields(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(service(), config) as context:
        follower = Follower(context, AudienceSettings(threads=3))
        taken: list[int] = []
        monkeypatch.setattr(follower.index, "use_threads", taken.append)
        async with follower.life():
            await until(lambda: follower.built)
            await follower.look()
            await follower.look()
            await follower.asked()
            await follower.look()
        assert taken == [1, 3]


async def _there(lake: Context, facts: int) -> bool:
    async with lake.db.connection() as connection:
        return bool(await connection.fetchval("SELECT coalesce(sum(rows), 0) FROM manifest WHERE removed_at IS NULL") == facts)
