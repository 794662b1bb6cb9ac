"""The mail catcher takes what real senders send, keeps it over a kill, and shows it without running it."""

import asyncio
import contextlib
import hashlib
import json
import smtplib
from email.message import EmailMessage

import httpx
import pytest

from deploy.local.catcher.letter import read
from deploy.local.catcher.page import application
from deploy.local.catcher.server import listen
from deploy.local.catcher.store import MailStore


@pytest.fixture
def store(tmp_path):
    with contextlib.closing(MailStore(tmp_path)) as opened:
        yield opened


def letter(subject="Привет, Анна", html="<p>Здравствуйте</p>") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.test", "anna@example.test", subject
    message["Message-ID"] = "<1@shop.example.test>"
    message.set_content("Здравствуйте")
    message.add_alternative(html, subtype="html")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="счёт.pdf")
    return message


def client(store: MailStore) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(application(store)), base_url="http://catcher")


async def test_a_mail_sent_over_smtp_is_kept_and_found(store, tmp_path):
    server = await listen(store, 0)
    port = server.sockets[0].getsockname()[1]

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.send_message(letter())
            smtp.send_message(letter(subject="второе"))

    await asyncio.to_thread(send)
    server.close()
    async with client(store) as http:
        listed = (await http.get("/api/mails")).json()
        one = (await http.get("/api/mails/1")).json()
        later = (await http.get("/api/mails", params={"after": 1, "limit": 5})).json()["mails"]
    assert listed["total"] == 2
    assert one["subject"] == "Привет, Анна" and one["to"] == ["anna@example.test"]
    assert one["message_id"] == "<1@shop.example.test>" and one["text"].strip() == "Здравствуйте"
    assert one["attachments"] == [{"name": "счёт.pdf", "type": "application/pdf", "size": 5}]
    assert [mail["subject"] for mail in later] == ["второе"]
    lines = [json.loads(line) for line in (tmp_path / "mail.log").read_text().splitlines()]
    assert [line["n"] for line in lines] == [1, 2]
    assert lines[0]["to_sha256_16"] == hashlib.sha256(b"anna@example.test").hexdigest()[:16]
    assert "anna" not in (tmp_path / "mail.log").read_text()


def test_a_kill_at_any_byte_loses_no_whole_mail(tmp_path):
    with contextlib.closing(MailStore(tmp_path)) as store:
        for number in range(3):
            store.add(number, "a@example.test", ["b@example.test"], b"Subject: x%d\r\n\r\nbody" % number)
    index, log = (tmp_path / "index.jsonl").read_bytes(), (tmp_path / "mail.log").read_bytes()
    second = index.index(b"\n", index.index(b"\n") + 1) + 1
    for cut in range(second, len(index)):
        (tmp_path / "index.jsonl").write_bytes(index[:cut])
        (tmp_path / "mail.log").write_bytes(log[: log.index(b"\n") + 5])  # torn as well
        with contextlib.closing(MailStore(tmp_path)) as store:
            assert [entry.subject for entry in store.after(0, 10)] == ["x0", "x1"]
            assert store.add(9, "a@example.test", ["b@example.test"], b"Subject: x3\r\n\r\nnew") == 3
            entry = store.entry(3)
            assert entry and store.content(entry) == b"Subject: x3\r\n\r\nnew"
        counted = [json.loads(line)["n"] for line in (tmp_path / "mail.log").read_text().splitlines()]
        assert counted == [1, 2, 3]


async def test_a_mail_cannot_run_code_in_the_page(store):
    script = "<script>alert(1)</script>"
    store.add(0, "a@example.test", [f'"{script}"@example.test'], letter(script, f'"{script}').as_bytes())
    async with client(store) as http:
        pages = [await http.get("/"), await http.get("/mails/1")]
    for page in pages:
        assert script not in page.text and "&lt;script&gt;" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "allow-scripts" not in pages[1].text and "allow-same-origin" not in pages[1].text


async def test_the_listing_shows_the_newest_first_and_leads_to_older_ones(store):
    for number in range(150):
        store.add(number, "a@example.test", ["b@example.test"], b"Subject: mail-%d.\r\n\r\n" % number)
    async with client(store) as http:
        first, older = (await http.get("/")).text, (await http.get("/", params={"before": 51})).text
    assert first.index("mail-149.") < first.index("mail-148.") and "mail-49." not in first
    assert 'href="/?before=51"' in first
    assert "mail-49." in older and "mail-0." in older and "older" not in older


def test_a_header_in_bare_utf_8_is_read(store):
    store.add(0, "a@example.test", ["b@example.test"], "Subject: Привет\r\nX: ы\r\n\r\n".encode())
    entry = store.entry(1)
    assert entry and entry.subject == "Привет"
    assert read(store.content(entry)).headers == (("Subject", "Привет"), ("X", "ы"))


async def test_an_unknown_mail_is_not_found(store):
    async with client(store) as http:
        assert (await http.get("/api/mails/1")).status_code == 404


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"no headers at all",
        b"Subject: \xd0\x9f\r\n\r\nx",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\nbody",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Subject: =?utf-8?b?broken\r\n\r\n",
        b"Subject: =?nonsense?b?YWJj?=\r\n\r\n",
    ],
)
async def test_a_broken_mail_is_kept_and_shown(store, content):
    store.add(0, "", ["b@example.test"], content)
    assert read(content)
    async with client(store) as http:
        assert {(await http.get(path)).status_code for path in ("/", "/mails/1", "/mails/1/raw", "/api/mails/1")} == {200}
