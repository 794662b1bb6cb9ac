"""Launches: what is told of them, what may follow on what, and that they are forgotten with what they ask of people."""

import pytest

from runtime.drive import set_clock
from services.gateway.handler.launching import WHILE_MS
from tests.gateway.conftest import open_site, problem_of
from tests.support.live import T0, read

DAY = 86_400_000


@pytest.fixture
async def site(config):
    async with open_site(config) as made:
        await set_clock(made.context.db, T0)
        await made.publish("brands", {"key": "shop", "name": "Shop"})
        await made.publish("templates", {"key": "news", "brand": "shop", "subject": "News", "text": "Hello"})
        yield made


def news(key="news", **more):
    return {"key": key, "brand": "shop", "audience": {"kind": "all", "of": []}, "template": "news", **more}


async def write(site, **more):
    saved = await site.http.put("/api/campaigns/news", json=news(**more))
    assert saved.status_code in (200, 201), saved.text


async def act(site, verb, body=None):
    return await site.http.post(f"/api/campaigns/news/{verb}", json=body)


async def told(site, kind="launch"):
    await site.relayed()
    return sorted((one for one in await read(site.config, "definitions") if one["kind"] == kind), key=lambda one: one["seq"])


async def test_each_change_is_told_as_a_version_of_the_launch_and_only_what_fits_may_follow(site):
    await write(site)
    problem_of(await act(site, "pause"), 409, "not_launched")
    assert (await act(site, "pilot", {"size": 1001})).status_code == 422
    first = (await act(site, "pilot", {"size": 50})).json()
    assert first["changed"] and first["launch"]["number"] == 1
    assert (await act(site, "pilot", {"size": 50})).json()["changed"] is False
    problem_of(await act(site, "pilot", {"size": 60}), 409, "campaign_launched")
    for verb in ("pause", "pause", "resume", "rollout"):
        assert (await act(site, verb)).status_code == 200
    problem_of(await act(site, "rollout"), 409, "no_pilot")
    assert (await act(site, "stop")).json()["launch"]["state"] == "stopped"
    problem_of(await act(site, "resume"), 409, "launch_stopped")
    problem_of(await act(site, "publish"), 409, "campaign_launched")
    again = (await act(site, "publish", {"again": True})).json()
    assert again["launch"]["number"] == 2 and again["launch"]["id"] != first["launch"]["id"] and again["version"] == 1
    found = [(one["version"], one["body"]["state"], one["body"]["stage"]) for one in await told(site)]
    assert found == [
        (1, "running", "pilot"), (2, "paused", "pilot"), (3, "running", "pilot"), (4, "running", "all"), (5, "stopped", "all"),
        (1, "running", "all"),
    ]  # fmt: skip


async def test_launches_that_go_on_at_once_are_paused_and_stopped_together_and_a_past_one_is_left_alone(site):
    await write(site)
    for _ in range(2):
        await act(site, "pilot", {"size": 50, "again": True})
    assert (await act(site, "pause")).json()["launch"]["state"] == "paused"
    await act(site, "rollout")
    assert [(one["body"]["number"], one["version"], one["body"]["state"], one["body"]["stage"]) for one in await told(site)] == [
        (1, 1, "running", "pilot"), (2, 1, "running", "pilot"), (1, 2, "paused", "pilot"), (2, 2, "paused", "pilot"), (2, 3, "running", "all"),
    ]  # fmt: skip
    assert (await act(site, "stop")).json()["launch"]["number"] == 2
    assert (await act(site, "stop")).json()["changed"] is False
    assert [(one["body"]["number"], one["body"]["state"]) for one in (await told(site))[5:]] == [(1, "stopped"), (2, "stopped")]
    await act(site, "publish", {"again": True})
    await set_clock(site.context.db, T0 + WHILE_MS)
    await site.http.put("/api/campaigns/other", json=news("other"))
    await site.http.post("/api/campaigns/other/publish")
    problem_of(await act(site, "pause"), 409, "launch_stopped")


async def test_an_import_launches_nothing_and_a_deletion_stops_what_is_under_way(site):
    answer = await site.http.post("/api/documents/import", json={"documents": [{"kind": "campaign", "body": news()}]})
    assert answer.status_code == 200, answer.text
    assert await told(site) == [] and await told(site, "segment") == []
    await act(site, "publish")
    assert [one["key"] for one in await told(site, "segment")] == ["~campaign.news.1.audience"]
    assert (await site.http.delete("/api/campaigns/news")).status_code == 204
    assert [one["body"]["state"] for one in await told(site)] == ["running", "stopped"]


async def test_a_launch_long_past_is_forgotten_with_what_it_asks_unless_it_is_launched_again(site):
    await write(site)
    await act(site, "publish")
    await write(site, expires="2d")
    await set_clock(site.context.db, T0 + DAY)
    await act(site, "publish", {"again": True})
    await set_clock(site.context.db, T0 + WHILE_MS)
    await site.http.put("/api/campaigns/other", json=news("other"))
    assert (await site.http.post("/api/campaigns/other/publish")).status_code == 200
    gone = [(one["kind"], one["key"]) for kind in ("launch", "segment") for one in await told(site, kind) if one.get("deleted")]
    first = next(one for one in await told(site) if one["body"]["number"] == 1)
    assert gone == [("launch", first["key"]), ("segment", "~campaign.news.1.audience")]


async def test_a_key_of_another_brand_neither_launches_nor_sees(site):
    await write(site)
    other = await site.new_key("read", "write", "publish", brands=("other",))
    for verb in ("publish", "stop", "preflight"):
        problem_of(await site.as_key("POST", f"/api/campaigns/news/{verb}", other), 404, "document_not_found")
    reader = await site.new_key("read")
    problem_of(await site.as_key("POST", "/api/campaigns/news/publish", reader), 403, "scope_missing")
