"""The service on real Kafka and PostgreSQL: what it acknowledges is there, and it acknowledges nothing else."""

import asyncio
import base64
import json
from pathlib import Path

import msgspec
import pytest

from deploy.local import processes, ready, run
from deploy.local.supervision import Supervisor
from runtime.clock import wall_ms
from runtime.kafka import Producer
from runtime.poison import name_of
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import encode
from schemas.ids import derive, partition_of
from schemas.topics import DAY_MS
from schemas.write_keys import hash_of
from tests.ingest.kit import KEY, inside, keys_file, serving
from tests.support.live import read, rows, settings, until

TRACK = {"type": "track", "event": "E", "userId": "u1"}


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> Settings:
    return settings(kafka, database, topic_prefix, keys_file=keys_file(tmp_path))


async def test_what_is_acknowledged_is_in_the_log(config):
    events = [{**TRACK, "userId": f"u{n % 7}", "messageId": f"m{n}", "properties": {"price": 1.25}} for n in range(100)]
    async with serving(config) as (_, client):
        answer = await client.post("/v1/batch", json={"batch": events})
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        bulk = await client.post("/v1/import", json={"batch": events[:3]})
        assert bulk.status_code == 200
        pixel = base64.b64encode(json.dumps({"event": "Seen", "anonymousId": "a1", "messageId": "p1"}).encode()).decode()
        assert (await client.get("/v1/pixel/track", params={"data": pixel})).headers["content-type"] == "image/gif"
        found = await read(config, "facts.raw")
        assert [f["lane"] for f in await read(config, "facts.raw.bulk")] == ["bulk"] * 3
    by_id = {f["id"]: f for f in found}
    assert by_id.keys() == {derive("site", f"m{n}") for n in range(100)} | {derive("site", "p1")}
    assert len(found) == 101
    assert by_id[derive("site", "m0")]["properties"] == {"price": {"minor": 125, "currency": "GBP"}}
    assert {f["brand"] for f in found} == {"school"}
    for fact in found:  # a person's facts keep their order
        assert fact["_partition"] == partition_of(f"site|{fact['identifiers'][0]}", config.partitions)
    for user in {f["identifiers"][0] for f in found}:
        mine = [f["id"] for f in found if f["identifiers"][0] == user]
        assert mine == [
            derive("site", e["messageId"])
            for e in [*events, {"userId": "", "messageId": "p1"}]
            if derive("site", e["messageId"]) in mine
        ]


async def test_faults_are_buried_and_listed(config):
    bad = [{"type": "track", "userId": "ann@example.org"}, {"type": "trick", "userId": "u1", "a\x01": 1}]
    async with serving(config) as (context, client):
        assert (await client.post("/v1/batch", json={"batch": [bad[0], TRACK, bad[1]]})).status_code == 200
        assert (await client.post("/v1/track", json={"event": "E"})).status_code == 200
        async with inside(context) as neighbour:
            items = (await neighbour.get("/internal/dead-letters", params={"service": "ingest"})).json()["items"]
        letters = await rows(context, 'SELECT topic, partition, "offset", record FROM dead_letter ORDER BY id')
    told = [(item["topic"], item["offset"], item["reason"]) for item in items]
    assert told == [("http:batch", 0, "event_missing"), ("http:batch", 2, "call_unknown"), ("http:track", 0, "identifiers_missing")]
    assert all("site: " in item["detail"] and "Mend: " in item["detail"] for item in items)
    assert "ann@example.org" not in json.dumps(items)
    opened = [json.loads(context.vault.open(row["record"], name_of(row["topic"], 0, row["offset"]))) for row in letters]
    assert [json.loads(one["event"]) for one in opened] == [*bad, {"event": "E"}]
    assert {(one["brand"], one["source"], one["currency"]) for one in opened} == {("school", "site", "GBP")}
    assert len(await read(config, "facts.raw")) == 1


async def define(config: Settings, key: str, version: int, *, deleted: bool = False, **body) -> None:
    """As the gateway publishes a write key."""
    document = {"hash": hash_of(key), "brand": "school", "source": "till", **body}
    published = Published(
        kind="write_key", key=hash_of(key), version=version, pointer=True, deleted=deleted, received_at=wall_ms(),
        **({} if deleted else {"body": msgspec.Raw(encode(document))}),
    )  # fmt: skip
    producer = await Producer(config, "test").start()
    await producer.send("definitions", 0, [(published.key.encode(), encode(published), [])])
    await producer.stop()


async def test_keys_come_and_go(config):
    async with serving(config) as (_, client):

        async def status(key: str) -> int:
            return (await client.post("/v1/track", json=TRACK, auth=(key, ""))).status_code

        assert [await status("wk_till"), await status(KEY)] == [401, 200]
        await define(config, "wk_till", 1, lane="bulk", currency="KWD", region="GB")

        async def accepted():
            return await status("wk_till") == 200

        await until(accepted)
        (fact,) = await read(config, "facts.raw.bulk")
        assert (fact["source"], fact["lane"]) == ("till", "bulk")
        await define(config, "wk_till", 1, deleted=True)
        await define(config, KEY, 1)
        await define(config, KEY, 1, deleted=True)  # the first key is withdrawn as any other

        async def refused():
            return [await status("wk_till"), await status(KEY)] == [401, 401]

        await until(refused)
    async with serving(config) as (_, client):  # and stays so after a restart
        assert (await client.post("/v1/track", json=TRACK)).status_code == 401


async def test_no_room_before_the_slowest_consumer_loses_anything(config):
    short = config.model_copy(update={"retention_ms": 7 * DAY_MS})
    async with serving(short) as (context, client):

        async def behind(ms: int) -> None:
            async with context.db.transaction() as connection:
                await connection.execute("DELETE FROM runtime.progress")
                mark = "INSERT INTO runtime.progress VALUES ('profile', $1, $2, $3)"
                now = wall_ms()
                await connection.execute(mark, "profile-1", now - ms, now)
                await connection.execute(mark, "profile-gone", now - 30 * DAY_MS, now - DAY_MS)  # scaled down long ago

        async def answers(code: int) -> bool:
            return (await client.post("/v1/track", json=TRACK)).status_code == code

        await behind(7 * DAY_MS // 2 - DAY_MS // 8)
        await until(lambda: answers(429))
        refused = await client.post("/v1/track", json=TRACK)
        assert (refused.json()["code"], int(refused.headers["retry-after"]) > 0) == ("overloaded", True)
        kept = len(await read(short, "facts.raw"))
        assert not await answers(200)
        assert len(await read(short, "facts.raw")) == kept
        await behind(3 * DAY_MS)
        await until(lambda: answers(200))


async def test_a_request_under_way_is_finished_when_the_service_stops(config):
    body = json.dumps({**TRACK, "messageId": "slow"}).encode()
    head = f"POST /v1/track?writeKey={KEY} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    async with serving(config) as (context, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", context.apps["ingest"])
        writer.write(head + body[:5])
        await writer.drain()
        probe = await asyncio.open_connection("127.0.0.1", context.apps["ingest"])
        probe[1].write(b"GET /v1/x HTTP/1.1\r\nhost: x\r\n\r\n")
        await probe[0].readline()  # the server has seen what came before on the other connection
        context.stopping.set()
        await until(lambda: refuses(context.apps["ingest"]))
        writer.write(body[5:])
        assert b" 200 " in await reader.readline()
        for one in (writer, probe[1]):
            one.close()
    assert [f["id"] for f in await read(config, "facts.raw")] == [derive("site", "slow")]


async def refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


@pytest.mark.timeout(300)
async def test_without_the_broker_nothing_is_claimed(
    local_settings, database, topic_prefix, tmp_path_factory, tmp_path, monkeypatch
):
    monkeypatch.setattr("runtime.kafka.producer.ACK_S", 2.0)
    own = local_settings(tmp_path_factory.mktemp("broker"), kafka_heap_mb=256)
    try:
        await asyncio.to_thread(run.up, own, lambda _: None, ["kafka"])
        config = settings(own.kafka, database, topic_prefix, keys_file=keys_file(tmp_path))
        async with serving(config) as (_, client):
            assert (await client.post("/v1/track", json={**TRACK, "messageId": "before"})).status_code == 200
            supervisor = Supervisor(own.home)
            await asyncio.to_thread(supervisor.stop_program, "kafka")
            await until(lambda: processes.is_free(own.kafka_port), 30)
            refused = await client.post("/v1/batch", json={"batch": [{**TRACK, "messageId": "during"}]})
            assert (refused.status_code, refused.json()["code"]) == (503, "log_unavailable")
            assert int(refused.headers["retry-after"]) > 0
            pixel = base64.b64encode(json.dumps({**TRACK, "messageId": "pixel"}).encode()).decode()
            assert (await client.get("/v1/pixel/track", params={"data": pixel})).status_code == 503
            await asyncio.to_thread(supervisor.start_program, "kafka")
            await until(lambda: asyncio.to_thread(ready.kafka, own.kafka_port), 60)

            async def taken() -> bool:
                return (await client.post("/v1/track", json={**TRACK, "messageId": "after"})).status_code == 200

            await until(taken, 30)
            found = {f["id"] for f in await read(config, "facts.raw")}
        assert {derive("site", "before"), derive("site", "after")} <= found
    finally:
        await asyncio.to_thread(run.down, own, lambda _: None)
