"""Files of each kind through the service, previews, uploads that go on, and what comes back of bad rows."""

import csv
import io
import json
import signal

import httpx
import pytest

from runtime.settings import Settings
from services.ingest.__main__ import service
from services.ingest.store import Imports, OffsetWrong
from tests.ingest.kit import inside
from tests.ingest.test_imports_live import config as config  # noqa: PLC0414
from tests.ingest.test_imports_live import finished, process, said
from tests.ingest.workbook import Raw, workbook
from tests.support.live import T0, read, rows, running

CONTACTS = {"call": "identify", "identifiers": {"email": "email"}, "attributes": {"name": "name"}}
FILES = {
    "csv": "E-mail;Имя клиента\nann@example.org;Анна\nnobody;=1+1\nbob@example.org;Борис\n".encode("cp1251"),
    "utf-16": "E-mail\tИмя клиента\nann@example.org\tАнна\nnobody\t=1+1\nbob@example.org\tБорис\n".encode("utf-16"),
    "jsonl": (
        '{"E-mail": "ann@example.org", "Имя клиента": "Анна"}\n{"E-mail": "nobody", "Имя клиента": "=1+1"}\n'
        '{"E-mail": "bob@example.org", "Имя клиента": "Борис"}\n'
    ).encode(),
    "xlsx": workbook(
        ["E-mail", "Имя клиента"],
        ["ann@example.org", "Анна"],
        ["nobody", Raw('<c r="{r}" t="str"><f>A1</f><v>=1+1</v></c>')],
        ["bob@example.org", "Борис"],
    ),
}
MAPPING = {**CONTACTS, "attributes": {"name": "Имя клиента"}, "message_id": "client-{E-mail}"}


def asked(mapping=MAPPING, **more) -> dict:
    return {"mapping": json.dumps(mapping), **more}


async def table(client: httpx.AsyncClient, job: str) -> list[list[str]]:
    answer = await client.get(f"/internal/imports/{job}/bad", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def test_one_file_in_four_formats_is_the_same_facts_once(config: Settings):
    async with running(config, service(said())) as (context,), inside(context) as client:
        found = {}
        for kind, data in FILES.items():
            answer = await client.post("/internal/imports", content=data, params=asked())
            assert answer.status_code == 202, answer.text
            found[kind] = await finished(client, answer.json()["id"])
            assert (found[kind]["state"], found[kind]["lines"], found[kind]["total"]) == ("done", 3, 3), found[kind]
        assert [(one["facts"], one["repeats"], one["refused"]) for one in found.values()] == [(2, 0, 1), *[(0, 2, 1)] * 3]
        assert [(one["format"], one["encoding"], one["delimiter"]) for one in found.values()] == [
            ("csv", "cp1251", ";"), ("csv", "utf-16", "\t"), ("jsonl", "utf-8", ""), ("xlsx", "", ""),
        ]  # fmt: skip
        assert "cp1251" in found["csv"]["note"] and not found["utf-16"]["note"]
        assert found["xlsx"]["sheet"] == "Лист1"
        for kind in ("csv", "utf-16", "xlsx"):
            head, bad = await table(client, found[kind]["id"])
            assert head == ["line", "column", "reason", "E-mail", "Имя клиента"]
            assert bad[:2] == ["3", "E-mail"] and bad[3:] == ["nobody", "'=1+1"]
        assert (await table(client, found["jsonl"]["id"]))[1][0] == "2"
        wrong = await client.get(f"/internal/imports/{found['csv']['id']}/bad", params={"format": "xlsx"})
        assert wrong.json()["code"] == "query_wrong"
    facts = await read(config, "facts.raw.bulk")
    assert sorted(f["attributes"]["name"] for f in facts) == ["Анна", "Борис"]


async def test_what_has_no_moment_is_said_anew_by_each_import(config: Settings):
    """Between the two he may have said yes on the site, moved, or been erased: the second file holds what is so now."""
    says = {"identifiers": {"email": "mail"}, "call": "identify", "attributes": {"city": "city"}, "consents": [
        {"answer": "withdrawn", "when": {"column": "status", "is": "equals", "value": "unsubscribed"}},
        {"answer": "withdrawn", "topic": "news", "timestamp": "since"},
    ]}  # fmt: skip
    text = b"mail,city,status,since\nann@example.org,Moscow,unsubscribed,2024-01-31\n"
    async with running(config, service(said())) as (context,), inside(context) as client:
        counted = []
        for _ in range(2):
            answer = await client.post("/internal/imports", content=text, params=asked(says))
            found = await finished(client, answer.json()["id"])
            counted.append((found["facts"], found["repeats"]))
        assert counted == [(3, 0), (2, 1)]
    facts = await read(config, "facts.raw.bulk")
    assert [f.get("event", f["type"]) for f in facts] == ["identify", *["Consent Withdrawn"] * 2, "identify", "Consent Withdrawn"]
    assert len({f["id"] for f in facts}) == 5


async def test_bad_rows_come_back_mended(config: Settings):
    async with running(config, service(said())) as (context,), inside(context) as client:
        first = await finished(client, (await client.post("/internal/imports", content=FILES["csv"], params=asked())).json()["id"])
        text = (await client.get(f"/internal/imports/{first['id']}/bad")).text.replace("nobody", "cyd@example.org")
        again = await finished(client, (await client.post("/internal/imports", content=text.encode(), params=asked())).json()["id"])
        assert (again["facts"], again["refused"]) == (1, 0)
    assert [f["attributes"]["name"] for f in await read(config, "facts.raw.bulk") if "cyd" in f["identifiers"][0]] == ["=1+1"]


async def test_a_preview_shows_facts_and_faults_and_keeps_nothing(config: Settings):
    async with running(config, service(said())) as (context,), inside(context) as client:
        for kind, data in FILES.items():
            told = (await client.post("/internal/imports/preview", content=data, params=asked())).json()
            assert (told["format"], told["columns"]) == (kind if kind != "utf-16" else "csv", ["E-mail", "Имя клиента"])
            assert [fact["identifiers"] for fact in told["facts"]] == [["email:ann@example.org"], ["email:bob@example.org"]]
            assert [(bad["line"], bad["column"]) for bad in told["bad"]] == [(2 if kind == "jsonl" else 3, "E-mail")]
            assert told["errors"] == [] and told["ready"] is None and len(told["rows"]) == 3
        bare = (await client.post("/internal/imports/preview", content=FILES["csv"])).json()
        assert bare["ready"] == "contacts" and bare["mapping"]["identifiers"] == {"email": "E-mail"}
        assert bare["facts"][0]["attributes"]["Имя клиента"] == "Анна"
        lacking = asked({**MAPPING, "attributes": {"name": "Имя", "city": "Город"}})
        wrong = (await client.post("/internal/imports/preview", content=FILES["csv"], params=lacking)).json()
        assert [fault["path"] for fault in wrong["errors"]] == ["attributes.name", "attributes.city"] and wrong["facts"] == []
        large = FILES["csv"] + b"cyd@example.org;x\n" * 100_000
        cut = (await client.post("/internal/imports/preview", content=large, params=asked())).json()
        assert len(cut["rows"]) == 20 and cut["lines"] is None
        assert (await client.post("/internal/imports/preview", content=b"")).json()["code"] == "file_missing"
        elsewhere = await client.post("/internal/imports/preview", content=FILES["csv"], params=asked(brands="north,south"))
        assert elsewhere.json()["code"] == "brand_forbidden"
        assert (await client.get("/internal/imports")).json()["items"] == []
        assert await rows(context, "SELECT 1 FROM import_part") == []
    assert await read(config, "facts.raw.bulk") == []


async def test_what_no_format_can_be_read_from_is_told(config: Settings):
    twins = b"email,email\na@x.ru,b@x.ru\n"
    cases = [
        (FILES["xlsx"][:-60], MAPPING, "file_broken"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 2_000, MAPPING, "file_unsupported"),
        (FILES["xlsx"], {**MAPPING, "sheet": "Лист9"}, "sheet_missing"),
        (b"[1]\n", {**MAPPING, "format": "jsonl"}, "header_missing"),
        (twins, CONTACTS, "mapping_wrong"),
        (FILES["csv"], {**MAPPING, "attributes": {"name": "Имя"}}, "mapping_wrong"),
        (FILES["csv"], {**MAPPING, "encoding": "utf-8"}, "encoding_wrong"),
    ]
    async with running(config, service(said())) as (context,), inside(context) as client:
        for data, mapping, code in cases:
            answer = await client.post("/internal/imports", content=data, params=asked(mapping))
            assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
        told = (await client.post("/internal/imports", content=twins, params=asked(CONTACTS))).json()["errors"][0]["message"]
        assert "'email (1)' (column 1) and 'email (2)' (column 2)" in told
        assert await rows(context, "SELECT 1 FROM import UNION ALL SELECT 1 FROM import_part") == []


async def test_bad_rows_of_every_kind_cost_only_themselves(config: Settings):
    wide = ",".join(["email", *(f"c{n}" for n in range(199))])
    lines = [
        wide,
        "ann@example.org" + "," * 199,
        "nul\x00@example.org" + "," * 199,
        "long@example.org," + "x" * 40_000 + "," * 198,
        "short@example.org,",
        "lone\r@example.org" + "," * 199,
        "bob@example.org" + "," * 199,
    ]
    async with running(config, service(said())) as (context,), inside(context) as client:
        text = lines[0] + "\r\n" + "\n".join(lines[1:]) + "\n"
        answer = await client.post(
            "/internal/imports", content=text.encode(), params=asked({**CONTACTS, "attributes": {}, "message_id": "{email}"})
        )
        found = await finished(client, answer.json()["id"])
        assert (found["lines"], found["facts"], found["refused"]) == (6, 2, 4), found
        head, *bad = await table(client, found["id"])
        assert len(head) == 203
        assert [row[0] for row in bad] == ["3", "4", "5", "6"]
        broken = b'{"email": "ann@example.org"}\n{"email": \n{"email": "dan@example.org"}\n'
        answer = await client.post(
            "/internal/imports", content=broken, params=asked({**CONTACTS, "attributes": {}, "message_id": "{email}"})
        )
        found = await finished(client, answer.json()["id"])
        assert (found["lines"], found["facts"], found["repeats"], found["refused"]) == (3, 1, 1, 1)
    assert len(await read(config, "facts.raw.bulk")) == 3


# ---- a file that comes in several requests


async def begun(client: httpx.AsyncClient, key: str = "k", **more) -> tuple[str, int]:
    headers = {"idempotency-key": key, "upload-complete": "?0"}
    answer = await client.post("/internal/imports", params=asked(**more), headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"], answer.json()["offset"]


async def patched(client: httpx.AsyncClient, job: str, offset: int, data: bytes, *, last: bool = False, **more) -> httpx.Response:
    headers = {"upload-offset": str(offset), "upload-complete": "?1" if last else "?0"}
    return await client.patch(f"/internal/imports/{job}", content=data, headers=headers, params=more)


async def test_an_upload_goes_on_where_it_was(config: Settings):
    data = FILES["csv"]
    async with running(config, service(said())) as (context,), inside(context) as client:
        job, offset = await begun(client)
        assert offset == 0
        assert (await patched(client, job, 0, data[:10])).json() == {"id": job, "offset": 10}
        assert await begun(client) == (job, 10)
        again = await patched(client, job, 0, data[:10])
        assert (again.status_code, again.json()["code"], again.json()["offset"]) == (409, "offset_wrong", 10)
        assert (await patched(client, job, 10, data[10:], last=True, brands="other")).status_code == 404
        assert (await patched(client, job, 10, data[10:], last=True)).status_code == 202
        assert (await finished(client, job))["facts"] == 2
        assert await begun(client) == (job, None)
        assert (await patched(client, job, len(data), b"x")).status_code == 404


async def test_a_mapping_that_does_not_fit_does_not_cost_the_upload(config: Settings):
    async with running(config, service(said())) as (context,), inside(context) as client:
        job, _ = await begun(client, mapping={**MAPPING, "attributes": {"name": "Имя"}})
        told = await patched(client, job, 0, FILES["csv"], last=True)
        assert (told.status_code, told.json()["code"]) == (400, "mapping_wrong")
        answer = await patched(client, job, len(FILES["csv"]), b"", last=True, mapping=json.dumps(MAPPING))
        assert answer.status_code == 202, answer.text
        assert (await finished(client, job))["facts"] == 2


async def test_an_upload_that_is_larger_than_may_be_is_not_imported(config: Settings):
    async with running(config, service(said(import_max_bytes=10))) as (context,), inside(context) as client:
        job, _ = await begun(client)
        await Imports(context.db, context.vault).add_part(job, 0, FILES["csv"], T0)  # when more was allowed
        answer = await patched(client, job, len(FILES["csv"]), b"", last=True)
        assert (answer.status_code, answer.json()["code"]) == (400, "file_too_large")


async def test_an_upload_that_a_kill_cut_goes_on(config: Settings, tmp_path):
    data = FILES["csv"] + b"".join(b"c%d@example.org;%s\n" % (n, b"x" * 1_000) for n in range(3_000))
    folder = tmp_path / "failpoints"
    folder.mkdir()
    async with process(config, folder) as (child, client):
        job, _ = await begun(client)
        assert (await patched(client, job, 0, data[:1_500_000])).status_code == 202

        async def dying():
            yield data[1_500_000:2_600_000]
            child.send_signal(signal.SIGKILL)
            await child.wait()
            yield data[2_600_000:]

        headers = {"upload-offset": "1500000", "upload-complete": "?1"}
        with pytest.raises(httpx.HTTPError):
            await client.patch(f"/internal/imports/{job}", content=dying(), headers=headers)
    async with process(config, folder) as (_, client):
        job_again, offset = await begun(client)
        assert job_again == job and 1_500_000 <= offset <= 2_600_000
        assert (await patched(client, job, offset, data[offset:], last=True)).status_code == 202
        found = await finished(client, job)
        assert (found["lines"], found["facts"]) == (3_003, 3_002)


async def test_of_two_requests_that_bring_the_same_bytes_one_is_refused(config: Settings):
    async with running(config, service(said())) as (context,):
        imports = Imports(context.db, context.vault)
        job, _ = await imports.create("x.csv", "k", context.clock.last_known_ms(), goes_on=True)
        await imports.add_part(job, 0, b"abc", T0)
        for kept in (0, 2, 4):
            with pytest.raises(OffsetWrong):
                await imports.add_part(job, kept, b"def", T0)
        await imports.add_part(job, 3, b"def", T0)
        assert [await imports.part(job, number) for number in range(3)] == [b"abc", b"def", None]
        assert (await imports.upload(job, None)).size == 6
