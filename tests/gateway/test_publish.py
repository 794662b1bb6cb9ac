"""Publishing: what reaches `definitions`, in which order, and what is refused."""

import asyncio

import msgspec
import pytest

from schemas.audience_reading import parse
from schemas.definitions import Published
from schemas.ids import partition_of
from schemas.journeys import Journey
from schemas.segments import Segment
from schemas.unnamed import conditions
from services.orchestrator.__main__ import service as orchestrator
from services.profile.__main__ import service as profile
from tests.gateway.conftest import faults_of, open_site, problem_of
from tests.support.live import read, rows

EVERYBODY = {"kind": "all", "of": []}
BUYER = {"kind": "did", "event": "Order Completed"}
WELCOME = {"key": "welcome", "subject": "Hi", "text": "Hello"}


def segment(key, *asks, **more):
    return {"key": key, "condition": {"kind": "all", "of": [{"kind": "segment", "key": one} for one in asks]}, **more}


def journey(key, **more):
    steps = [{"id": "mail", "template": "welcome"}]
    return {"key": key, "brand": "shop", "trigger": {"event": "Signed Up"}, "steps": steps, **more}


async def records(site, kind=None):
    await site.relayed()
    found = await read(site.config, "definitions")
    return [one for one in found if kind in (None, one["kind"])]


@pytest.fixture
async def fresh(config):
    async with open_site(config) as made:
        yield made


async def test_a_version_reaches_definitions_with_its_pointer_src_and_seq(fresh):
    assert await fresh.publish("segments", {**segment("vip"), "name": "VIP"}) == 1
    assert await fresh.publish("segments", {**segment("vip"), "name": "Very"}) == 2
    assert await fresh.publish("segments", segment("other")) == 1
    found = sorted(await records(fresh, "segment"), key=lambda one: one["seq"])
    assert [(one["key"], one["version"], one["pointer"]) for one in found] == [
        ("vip", 1, True),
        ("vip", 2, True),
        ("other", 1, True),
    ]
    assert all(one["src"] == "gateway:api" and one["received_at"] > 1_700_000_000_000 for one in found)
    seqs = [tuple(one["seq"]) for one in found]
    assert sorted(set(seqs)) == seqs
    assert {one["_partition"] for one in found if one["key"] == "vip"} == {partition_of("segment:vip", 4)}
    first, second = (one for one in found if one["key"] == "vip")
    assert first["_offset"] < second["_offset"]
    assert Segment.model_validate(second["body"]).name == "Very"
    decoded = msgspec.json.Decoder(Published).decode(msgspec.json.encode({k: v for k, v in second.items() if k[0] != "_"}))
    assert (decoded.kind, decoded.key, decoded.version) == ("segment", "vip", 2)


async def test_what_is_in_force_already_is_not_published_again(fresh):
    assert await fresh.publish("segments", segment("vip")) == 1
    answer = (await fresh.http.post("/api/segments/vip/publish")).json()
    assert (answer["version"], answer["changed"]) == (1, False)
    await fresh.publish("segments", segment("vip", name="x"))
    assert await fresh.publish("segments", segment("vip")) == 3  # back to what version 1 said is a new version
    assert len(await records(fresh, "segment")) == 3
    versions = (await fresh.http.get("/api/segments/vip/versions", params={"limit": 2})).json()
    assert [one["version"] for one in versions["items"]] == [3, 2] and versions["next"] == 2
    old = (await fresh.http.get("/api/segments/vip/versions/2")).json()
    assert old["body"]["name"] == "x" and old["published_by"] == "installation"
    assert (await fresh.http.get("/api/segments/vip")).json()["_meta"]["published_version"] == 3


async def test_a_journey_takes_its_unnamed_conditions_along_in_one_transaction(fresh):
    await fresh.publish("templates", WELCOME)
    await fresh.publish("segments", segment("vip"))
    steps = [
        {"id": "rich", "if": BUYER, "then": "mail", "else": "known"},
        {"id": "known", "if": {"kind": "segment", "key": "vip"}, "then": "mail"},
        {"id": "mail", "template": "welcome"},
    ]
    body = journey("hello", steps=steps, audience={"kind": "not", "of": BUYER})
    assert await fresh.publish("journeys", body) == 1
    found = {one["key"]: one for one in await records(fresh) if one["kind"] in ("segment", "journey")}
    made = found["hello"]
    wanted = conditions(Journey.model_validate(made["body"]), 1)
    asked = {f"~journey.hello.1.{step}" for step in ("rich", "known", "audience")}  # a plain reference too
    assert set(wanted) == asked == set(found) - {"hello", "vip"}
    for key, condition in wanted.items():
        assert parse(found[key]["body"]["condition"]) == condition
        assert found[key]["seq"][:2] == made["seq"][:2]  # one transaction
        assert found[key]["seq"][2] < made["seq"][2]
        assert found[key]["body"]["brand"] == "shop"
    problem_of(await fresh.http.put("/api/segments/~journey.hello.1.rich", json={"condition": BUYER}), 422, "invalid")


async def test_what_a_document_mentions_must_be_in_force(fresh):
    steps = [
        {"id": "a", "template": "welcome", "topic": "news"},
        {"id": "b", "if": {"kind": "not", "of": {"kind": "segment", "key": "inner"}}, "then": "c"},
        {"id": "c", "template": "welcome", "channel": "sms"},
    ]
    body = journey("j", steps=steps, exit_segment="gone", brand="nowhere", trigger={"segment": "start"})
    body["audience"] = {"kind": "segment", "key": "who"}
    await fresh.http.put("/api/journeys/j", json=body)
    missing = {
        ("brand", "unknown_reference"),
        ("trigger.segment", "unknown_reference"),
        ("exit_segment", "unknown_reference"),
        ("audience", "unknown_reference"),
        ("steps.0.template", "unknown_reference"),
        ("steps.0.topic", "unknown_reference"),
        ("steps.1.if", "unknown_reference"),
        ("steps.2.template", "unknown_reference"),
    }
    assert faults_of(await fresh.http.post("/api/journeys/j/publish")) == missing
    await fresh.http.put("/api/templates/welcome", json=WELCOME)  # a draft is not enough
    assert faults_of(await fresh.http.post("/api/journeys/j/publish")) == missing
    await fresh.publish("templates", WELCOME)
    left = faults_of(await fresh.http.post("/api/journeys/j/publish"))
    assert ("steps.0.template", "unknown_reference") not in left and ("steps.2.template", "other_channel") in left
    assert await records(fresh, "journey") == []
    cap = {"key": "r", "caps": [{"name": "c", "class": "mass", "most": 1, "per": "day", "brand": "nowhere"}]}
    saved = await fresh.http.put("/api/rules/r", json=cap)
    assert saved.status_code == 201, saved.text
    assert faults_of(await fresh.http.post("/api/rules/r/publish")) == {("caps.0.brand", "unknown_reference")}


async def test_a_journey_of_one_brand_cannot_send_what_is_anothers(fresh):
    await fresh.publish("brands", {"key": "school", "name": "School"})
    await fresh.publish("templates", {**WELCOME, "brand": "school"})
    await fresh.http.put("/api/journeys/j", json=journey("j"))
    assert faults_of(await fresh.http.post("/api/journeys/j/publish")) == {("steps.0.template", "other_brand")}


async def test_what_is_published_anew_must_fit_whoever_uses_it(fresh):
    """A journey in force sends this template by e-mail: as a text message, or another brand's, it could not go on."""
    await fresh.publish("templates", WELCOME)
    await fresh.publish("journeys", journey("hello"))
    await fresh.publish("brands", {"key": "school", "name": "School"})
    for changed, code in (({"channel": "sms"}, "other_channel"), ({"brand": "school"}, "other_brand")):
        await fresh.http.put("/api/templates/welcome", json={**WELCOME, **changed})
        told = problem_of(await fresh.http.post("/api/templates/welcome/publish"), 409, "used_otherwise")
        assert "journey hello, step mail" in told["detail"]
        assert [(one["path"], one["code"]) for one in told["errors"]] == [("journeys.hello.steps.0.template", code)]
    assert [one["version"] for one in await records(fresh, "template")] == [1]
    assert await fresh.publish("templates", {**WELCOME, "subject": "Hello", "brand": "shop"}) == 2
    by_sms = [{"id": "mail", "template": "welcome", "channel": "sms"}]
    both = [
        {"kind": "template", "body": {**WELCOME, "channel": "sms"}},
        {"kind": "journey", "body": journey("hello", steps=by_sms)},
    ]
    problem_of(await fresh.http.post("/api/documents/import", json={"documents": both[:1]}), 409, "used_otherwise")
    assert (await fresh.http.post("/api/documents/import", json={"documents": both})).status_code == 200


async def test_segments_in_a_circle_are_refused(fresh):
    await fresh.http.put("/api/segments/self", json=segment("self", "self"))
    assert faults_of(await fresh.http.post("/api/segments/self/publish")) == {("condition", "cycle")}
    await fresh.publish("segments", segment("a"))
    await fresh.publish("segments", segment("b", "a"))
    await fresh.publish("segments", segment("c", "b"))
    await fresh.http.put("/api/segments/a", json=segment("a", "c"))
    assert faults_of(await fresh.http.post("/api/segments/a/publish")) == {("condition", "cycle")}
    assert await fresh.publish("segments", segment("a", name="no circle")) == 2


async def test_what_others_mention_is_not_deleted(config):
    async with open_site(config, orchestrator()) as site:  # it says in which versions people stand
        await _what_others_mention(site)


async def _what_others_mention(fresh):
    await fresh.publish("templates", WELCOME)
    await fresh.publish("segments", segment("vip"))
    await fresh.publish("segments", segment("inner", "vip"))
    await fresh.publish("journeys", journey("j"))
    assert "segment inner" in problem_of(await fresh.http.delete("/api/segments/vip"), 409, "referenced")["detail"]
    assert "journey j" in problem_of(await fresh.http.delete("/api/templates/welcome"), 409, "referenced")["detail"]
    assert (await fresh.http.delete("/api/journeys/j")).status_code == 204
    assert (await fresh.http.delete("/api/templates/welcome")).status_code == 204
    gone = await records(fresh, "template")
    assert [(one["version"], one.get("deleted", False), "body" in one) for one in gone] == [(1, False, True), (1, True, False)]
    assert gone[0]["_partition"] == gone[1]["_partition"] and gone[0]["_offset"] < gone[1]["_offset"]
    assert await fresh.publish("templates", WELCOME) == 2  # versions go on counting


async def test_taking_out_of_force_needs_the_right_to_publish(fresh):
    await fresh.publish("segments", segment("vip"))
    writer = await fresh.new_key("write")
    problem_of(await fresh.as_key("DELETE", "/api/segments/vip", writer), 403, "scope_missing")
    await fresh.http.put("/api/segments/draft", json=segment("draft"))
    assert (await fresh.as_key("DELETE", "/api/segments/draft", writer)).status_code == 204


async def test_publishing_at_the_same_time_gives_each_its_version(fresh):
    """All of them count their emits in one row: nobody sees a world that another is changing."""
    bodies = [segment("a", "b"), segment("b", "a")]
    for body in (segment("a"), segment("b")):
        await fresh.publish("segments", body)
    for body in bodies:
        await fresh.http.put(f"/api/segments/{body['key']}", json=body)
    answers = await asyncio.gather(*(fresh.http.post(f"/api/segments/{key}/publish") for key in ("a", "b")))
    assert sorted(answer.status_code for answer in answers) == [200, 422]  # together they would be a circle
    seqs = [tuple(one["seq"]) for one in await records(fresh)]
    assert len(set(seqs)) == len(seqs)


async def test_an_import_publishes_all_in_the_order_of_their_mentions_or_nothing(fresh):
    everything = {
        "documents": [
            {"kind": "journey", "body": journey("hello", audience={"kind": "segment", "key": "outer"})},
            {"kind": "segment", "body": segment("outer", "inner")},
            {"kind": "rule", "body": {"key": "caps"}},
            {"kind": "template", "body": WELCOME},
            {"kind": "segment", "body": segment("inner", brand="school")},
            {"kind": "topic", "body": {"key": "news", "name": {"en": "News"}}},
            {"kind": "brand", "body": {"key": "school", "name": "School"}},
        ]
    }
    broken = {"documents": [*everything["documents"], {"kind": "segment", "body": segment("bad", "nowhere")}]}
    assert faults_of(await fresh.http.post("/api/documents/import", json=broken)) == {
        ("documents.7.body.condition", "unknown_reference")
    }
    assert {one["kind"] for one in await records(fresh)} == {"brand", "write_key"}  # nothing but the first keys
    problem_of(await fresh.http.get("/api/segments/outer"), 404, "document_not_found")
    done = (await fresh.http.post("/api/documents/import", json=everything)).json()["documents"]
    assert [one["key"] for one in done].index("inner") < [one["key"] for one in done].index("outer")
    assert all(one["changed"] and one["version"] == 1 for one in done) and len(done) == 7
    again = (await fresh.http.post("/api/documents/import", json=everything)).json()["documents"]
    assert not any(one["changed"] for one in again)
    assert len([one for one in await records(fresh) if one["kind"] != "write_key"]) == 9  # and the first brand
    assert (await fresh.http.get("/api/segments/outer")).headers["etag"] == '"1"'


async def test_an_import_names_the_faults_of_every_document(fresh):
    body = {
        "documents": [
            {"kind": "segmnt", "body": {}},
            {"kind": "segment", "body": {}},
            {"kind": "segment", "body": {"key": "x", "condition": {"kind": "any", "of": []}}},
            {"kind": "topic", "body": {"key": "t", "name": {"en": ""}}},
            {"kind": "topic", "body": {"key": "ok", "name": {"en": "x"}}},
            {"kind": "topic", "body": {"key": "ok", "name": {"en": "x"}}},
        ]
    }
    assert faults_of(await fresh.http.post("/api/documents/import", json=body)) == {
        ("documents.0.kind", "document_kind"),
        ("documents.1.body.key", "missing"),
        ("documents.2.body.condition.of", "too_short"),
        ("documents.3.body.name.en", "string_too_short"),
        ("documents.5.body.key", "document_twice"),
    }
    assert faults_of(await fresh.http.post("/api/documents/import", json={"documents": []})) == {("documents", "too_short")}
    circle = [{"kind": "segment", "body": segment("a", "b")}, {"kind": "segment", "body": segment("b", "a")}]
    faults = faults_of(await fresh.http.post("/api/documents/import", json={"documents": circle}))
    assert {path for path, _ in faults} == {"documents.0.body.condition"}


async def nothing(_connection):
    return False


async def test_what_is_not_in_kafka_yet_is_sent_by_the_next_process(config, monkeypatch):
    async with open_site(config) as site:
        await site.relayed()
        monkeypatch.setattr(site.context.relay, "send_some", nothing)
        await site.http.put("/api/segments/late", json=segment("late"))
        assert (await site.http.post("/api/segments/late/publish")).status_code == 200
        assert (await rows(site.context, "SELECT count(*) AS n FROM gateway.outbox"))[0]["n"] == 1
    async with open_site(config) as site:
        assert [one["key"] for one in await records(site, "segment")] == ["late"]


async def test_documents_published_in_simulated_time_carry_it(config):
    async with open_site(config, profile()) as site:
        await site.http.put("/api/clock", json={"now": "2030-05-01"})
        await site.publish("segments", segment("vip"))
        assert {one["received_at"] for one in await records(site, "segment")} == {1_903_824_000_000}
