"""Files through the whole way: upload, facts in the second lane, people in profile; twice, and across kills."""

import asyncio
import csv
import io
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from runtime import internal
from runtime.process import open_context
from runtime.settings import Settings
from schemas.ids import derive
from services.ingest.__main__ import service
from services.ingest.settings import IngestSettings
from services.ingest.store import Imports
from services.profile.__main__ import service as profile
from tests.conftest import free_ports
from tests.ingest.kit import inside, keys_file
from tests.support.live import T0, driven, read, rows, running, until
from tests.support.live import settings as make_settings

DATA = Path(__file__).parent / "data"
SAMPLE = DATA / "online_retail_sample.csv"
MAPPING = (DATA / "online_retail_mapping.json").read_text()
ROWS = 393
ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> Settings:
    return make_settings(kafka, database, topic_prefix, keys_file=keys_file(tmp_path))


def said(**changed) -> IngestSettings:
    return IngestSettings(ingest_port=0, first_brand="school", first_source="till", import_rows=50, **changed)


async def send(client: httpx.AsyncClient, text: bytes | None = None, mapping: str = MAPPING, **headers) -> str:
    body = SAMPLE.read_bytes() if text is None else text
    form = {"mapping": (None, mapping), "file": ("retail.csv", body, "text/csv")}
    answer = await client.post("/internal/imports", files=form, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def finished(client: httpx.AsyncClient, job: str) -> dict:
    async def ended():
        found = (await client.get(f"/internal/imports/{job}")).json()
        return found if found["ended_at"] else None

    return await until(ended, 30)


def check(found: dict) -> None:
    assert found["state"] == "done", found
    assert found["lines"] == found["accepted"] + found["refused"] == ROWS
    assert sum(found["reasons"].values()) == found["refused"] > 50
    assert set(found["reasons"]) >= {"no customer", "price zero or less"}
    assert found["bytes_done"] == found["bytes"] == SAMPLE.stat().st_size
    assert found["rate"] > 0


async def test_a_file_becomes_facts_of_people_once(config):
    async with running(config, service(said()), profile()) as (context, people), inside(context) as client:
        first = await finished(client, await send(client))
        check(first)
        refused = (await client.get(f"/internal/imports/{first['id']}/refused")).content.decode("utf-8-sig")
        facts = await read(config, "facts.raw.bulk")
        assert len(facts) == first["facts"] == len({f["id"] for f in facts})
        assert {f["brand"] for f in facts} == {"school"}
        again = await finished(client, await send(client))
        check(again)
        assert again["id"] != first["id"] and (again["facts"], again["repeats"]) == (0, first["facts"])
        assert len(await read(config, "facts.raw.bulk")) == first["facts"]

        async def taken() -> bool:
            query = (
                "SELECT coalesce(sum(next_offset), 0)::int AS n FROM watermark WHERE topic = 'facts.raw.bulk' AND next_offset > 0"
            )
            return (await rows(people, query))[0]["n"] == first["facts"] and await people.relay.drained()

        await until(taken)
        listed = (await client.get("/internal/imports", params={"limit": 1})).json()
        rest = (await client.get("/internal/imports", params={"after": listed["next"]})).json()
        assert [one["id"] for one in listed["items"] + rest["items"]] == [again["id"], first["id"]]
        assert await rows(context, "SELECT * FROM import_part") == []
    told = [f for f in await read(config, "facts.bulk") if f["type"] == "track"]
    assert sorted(f["id"] for f in told) == sorted(f["id"] for f in facts)  # importing twice added none
    customers = {line["CustomerID"] for line in csv.DictReader(SAMPLE.read_text().splitlines())} - {""}
    assert {f["identifiers"][0] for f in told} <= {f"user_id:{customer}" for customer in customers}
    assert len({f["profile"] for f in told}) == len({f["identifiers"][0] for f in told})
    lines = SAMPLE.read_text().splitlines()
    table = list(csv.reader(io.StringIO(refused)))
    assert table[0] == ["line", "reason", "text"]
    assert len(table) - 1 == first["refused"]
    assert all(lines[int(number) - 1] == text for number, _, text in table[1:])


@asynccontextmanager
async def process(config: Settings, folder: Path):
    """Ingest as a process of its own; its admin port's client."""
    child, base = await started(config, folder)
    try:
        async with httpx.AsyncClient(
            base_url=base, headers={"authorization": f"Bearer {internal.token('ak')}"}, timeout=20
        ) as client:
            yield child, client
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
        await asyncio.wait_for(child.wait(), 20)


async def started(config: Settings, folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    """The process, ready, and its admin address. Somebody may take a free port first: then it ends, and another one is tried."""
    while True:
        (admin,) = free_ports(1)
        environment = {
            **os.environ, "OTKLIK_KAFKA": config.kafka, "DATABASE_URL": config.database_url, "OTKLIK_TOPIC_PREFIX": config.topic_prefix,
            "OTKLIK_PARTITIONS": str(config.partitions), "OTKLIK_KEYS_FILE": str(config.keys_file), "OTKLIK_INGEST_PORT": "0",
            "OTKLIK_ADMIN_PORT_OWN": str(admin), "OTKLIK_SESSION_TIMEOUT_MS": "6000", "OTKLIK_IMPORT_ROWS": "50",
            "OTKLIK_FAILPOINTS": str(folder), "OTKLIK_FIRST_SOURCE": "till",
        }  # fmt: skip
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.ingest", cwd=ROOT, env=environment)
        base = f"http://127.0.0.1:{admin}"
        async with httpx.AsyncClient(base_url=base) as client:

            async def known(client: httpx.AsyncClient = client, child: asyncio.subprocess.Process = child) -> str:
                if child.returncode is not None:
                    return "ended"
                try:
                    answer = await client.get("/readyz")
                except httpx.HTTPError:
                    return ""
                return "ready" if answer.status_code == 200 and "ingest" in answer.json().get("services", {}) else ""

            if await until(known, 60) == "ready":
                return child, base


@pytest.mark.parametrize("point", ["import_published", "import_noted"])
async def test_a_killed_import_goes_on_where_it_was(config, tmp_path, point):
    folder = tmp_path / "failpoints"
    folder.mkdir()
    (folder / f"ingest.{point}").write_text("kill")
    async with process(config, folder) as (child, client):
        job = await send(client)
        assert await asyncio.wait_for(child.wait(), 20) == -signal.SIGKILL
    context = await open_context(service(said()), config)
    (halfway,) = await rows(context, "SELECT rows, accepted, refused, facts, state FROM import")
    await context.clock.stop()
    await context.db.close()
    assert halfway["state"] == "running"
    assert halfway["rows"] == halfway["accepted"] + halfway["refused"]
    assert (0 < halfway["rows"] < ROWS) if point == "import_noted" else halfway["rows"] == 0
    async with process(config, folder) as (_, client):
        found = await finished(client, job)
        check(found)
        text = (await client.get(f"/internal/imports/{job}/refused")).content.decode("utf-8-sig")
    assert len(list(csv.reader(io.StringIO(text)))) - 1 == found["refused"]
    sent = [f["id"] for f in await read(config, "facts.raw.bulk")]
    assert len(set(sent)) == found["facts"]
    repeated = len(sent) - len(set(sent))
    assert (repeated == 0) if point == "import_noted" else (0 < repeated <= 50)


async def test_under_the_driven_clock_a_turn_waits_for_the_import(config):
    async with driven(config, service(said()), profile(), at=T0 + 40 * 86_400_000) as ((context, _), conductor):
        client = inside(context)
        async with client:
            job = await send(client)
            await conductor.settle()
            found = (await client.get(f"/internal/imports/{job}")).json()
            check(found)
    told = [f for f in await read(config, "facts.bulk") if f["type"] == "track"]
    assert len(told) == found["facts"]
    assert all(f["received_at"] == f["occurred_at"] for f in told)


async def test_ways_to_send_a_file(config):
    contacts = {"call": "identify", "identifiers": {"email": "почта"}, "attributes": {"name": "имя"}, "message_id": "{почта}"}
    text = "почта;имя\nann@example.org;Анна\nnobody;=1+1\n".encode("cp1251")
    async with running(config, service(said())) as (context,), inside(context) as client:
        raw = await client.post("/internal/imports", content=text, params={"mapping": json.dumps(contacts), "name": "x.csv"})
        found = await finished(client, raw.json()["id"])
        assert (found["name"], found["lines"], found["facts"], found["state"]) == ("x.csv", 2, 1, "done")
        refused = (await client.get(f"/internal/imports/{found['id']}/refused")).content.decode("utf-8-sig")
        assert refused.splitlines()[1].split(",")[0] == "3"
        once = await send(client, text, json.dumps(contacts), **{"idempotency-key": "k1"})
        assert await send(client, text, json.dumps(contacts), **{"idempotency-key": "k1"}) == once
        await finished(client, once)
        assert len((await client.get("/internal/imports")).json()["items"]) == 2
    (fact,) = await read(config, "facts.raw.bulk")
    assert (fact["attributes"]["name"], fact["identifiers"]) == ("Анна", ["email:ann@example.org"])


async def test_the_file_of_a_killed_upload_may_be_sent_again_under_its_key(config):
    contacts = json.dumps({"call": "identify", "identifiers": {"email": "a"}})
    async with running(config, service(said())) as (context,), inside(context) as client:
        gone, _ = await Imports(context.db, context.vault).create("x.csv", "k1", T0)  # and here the process was killed
        again = await send(client, b"a\nann@example.org\n", contacts, **{"idempotency-key": "k1"})
        assert again != gone
        assert (await finished(client, again))["facts"] == 1


async def test_a_key_reaches_its_brands_alone(config):
    contacts = {"call": "identify", "identifiers": {"email": "a"}}
    async with running(config, service(said())) as (context,), inside(context) as client:

        async def post(brands: str, **more) -> httpx.Response:
            params = {"brands": brands, "mapping": json.dumps({**contacts, **more})}
            return await client.post("/internal/imports", content=b"a\nann@example.org\n", params=params)

        assert (await post("north,south")).json()["code"] == "brand_forbidden"
        assert (await post("north", brand="south")).json()["code"] == "brand_forbidden"
        assert (await post("", brand="south")).json()["code"] == "brand_forbidden"
        job = (await post("north")).json()["id"]
        for ending in ("", "/refused"):
            asked = [
                (await client.get(f"/internal/imports/{job}{ending}", params={"brands": brands})).status_code
                for brands in ("north", "a,north", "south", "")
            ]
            assert asked == [200, 200, 404, 404]
        items = [
            len((await client.get("/internal/imports", params={"brands": brands})).json()["items"]) for brands in ("north", "south")
        ]
        assert items == [1, 0]
        await finished(client, job)
    assert [f["brand"] for f in await read(config, "facts.raw.bulk")] == ["north"]


async def test_what_cannot_be_imported_is_told_and_leaves_nothing(config):
    good = json.dumps({"call": "identify", "identifiers": {"email": "a"}})
    cases = [
        ({"mapping": "{}", "file": b"a\n1\n"}, "mapping_wrong"),
        (
            {"mapping": json.dumps({"call": "identify", "identifiers": {"email": "b", "phone": "c"}}), "file": b"a\n1\n"},
            "mapping_wrong",
        ),
        ({"file": b"a\n1\n"}, "mapping_missing"),
        ({"mapping": good, "file": b""}, "file_missing"),
        ({"mapping": good}, "file_missing"),
        ({"mapping": good, "file": b"\n\n"}, "header_missing"),
        ({"mapping": good, "file": "a\n1\n".encode("utf-16-le")}, "encoding_unsupported"),
        ({"mapping": good, "file": b"a\n" + b"1\n" * 6_000}, "file_too_large"),
        ({"mapping": json.dumps({**json.loads(good), "encoding": "ebcdic"}), "file": b"a\n1\n"}, "mapping_wrong"),
    ]
    async with running(config, service(said(import_max_bytes=10_000))) as (context,):
        async with inside(context) as client:
            for fields, code in cases:
                form = {name: (None if name == "mapping" else "f.csv", value) for name, value in fields.items()}
                answer = await client.post("/internal/imports", files=form)
                assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
                assert all(one["message"] and one["mend"] for one in answer.json()["errors"])
            two = await client.post(
                "/internal/imports", files={"mapping": (None, cases[1][0]["mapping"]), "file": ("f", b"a\n1\n")}
            )
            assert [one["path"] for one in two.json()["errors"]] == ["identifiers.email", "identifiers.phone"]
            cut = b'--x\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\na\n1'
            broken = await client.post(
                "/internal/imports", content=cut, headers={"content-type": "multipart/form-data; boundary=x"}
            )
            assert broken.json()["code"] == "multipart_broken"
            assert (await client.get("/internal/imports")).json() == {"items": [], "next": None}
            assert (await client.get(f"/internal/imports/{derive('x')}")).status_code == 404
            assert (await client.get(f"/internal/imports/{derive('x')}/refused")).status_code == 404
            assert (await client.get("/internal/imports", params={"limit": "x"})).status_code == 400
            open_ = await client.get("/internal/imports", headers={"authorization": ""})
            assert open_.status_code == 401
        assert await rows(context, "SELECT 1 FROM import UNION ALL SELECT 1 FROM import_part") == []
