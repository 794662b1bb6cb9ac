"""The adapter of webhooks against a receiver that checks what it is told to check, with all that may go wrong between them."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.poison import Vault
from schemas.webhooks import secret_of, shown
from services.sender.channels import webhook
from services.sender.channels.contract import Outcome, Rendered
from services.sender.channels.fakes.webhook import WebhookFake
from services.sender.channels.webhook import WebhookChannel, WebhookSettings, read_answer, retry_after_ms
from tests.support.live import until

HOST = "hooks.example"  # no resolver of the world knows it: what reaches the fake went to the number that was checked
SECRET = secret_of(Vault("s"), "shop", "crm", 1)
OTHER = secret_of(Vault("s"), "shop", "crm", 2)
HERE = (ip_network("127.0.0.1/32"),)
NOW = 1_700_000_000_000


class Names:
    """A resolver whose answers are scripted; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise OSError("no such name")
        return found


@pytest.fixture
async def fake() -> AsyncIterator[WebhookFake]:
    fake = WebhookFake()
    fake.port = await fake.start()
    fake.secrets["/crm"] = shown(SECRET)
    yield fake
    await fake.stop()


def channel(*answers: list[str], http: bool = True, allowed=HERE, tls=None) -> WebhookChannel:
    return WebhookChannel(WebhookSettings(allowed, http, connections=4), Names(*(answers or (["127.0.0.1"],))), tls)


def call(url: str, *secrets: bytes, timeout_s: float = 5, text: str = '{"привет": 1}', **more) -> Rendered:
    options = {"secrets": secrets or (SECRET,), "timeout_s": timeout_s, "content_type": "application/json", "version": 1}
    return Rendered("6f1d3c5e-0b55-5c0e-9d0b-000000000001", url, text, options=options, **more)


async def sent(fake, started, fault: str = "", *answers: list[str], timeout_s: float = 5):
    if fault:
        fake.script.put("/crm", [fault])
    made = channel(*answers)
    try:
        return await made.send(call(f"http://{HOST}:{fake.port}/crm", timeout_s=timeout_s), started)
    finally:
        await made.close()


@pytest.mark.parametrize(
    ("fault", "outcome", "code", "after", "taken"),
    [
        ("", Outcome.ACCEPTED, "webhook:204", None, 1),
        ("endless", Outcome.ACCEPTED, "webhook:200", None, 1),
        ("408", Outcome.TRANSIENT, "webhook:408", None, 0),
        ("429", Outcome.THROTTLED, "webhook:429", None, 0),
        ("429 after 7", Outcome.THROTTLED, "webhook:429", 7000, 0),
        ("503 after 3600", Outcome.TRANSIENT, "webhook:503", 3_600_000, 0),
        ("500", Outcome.TRANSIENT, "webhook:500", None, 0),
        ("502", Outcome.UNKNOWN, "webhook:502", None, 0),
        ("504 after 7", Outcome.UNKNOWN, "webhook:504", 7000, 0),
        ("410", Outcome.GONE, "webhook:410", None, 0),
        ("400", Outcome.REJECTED, "webhook:400", None, 0),
        ("404", Outcome.REJECTED, "webhook:404", None, 0),
        ("302", Outcome.REJECTED, "webhook:302", None, 0),
        ("307", Outcome.REJECTED, "webhook:307", None, 0),
        ("drop", Outcome.UNKNOWN, "webhook:RemoteProtocolError", None, 1),
    ],
)
async def test_each_outcome(fake, started, fault, outcome, code, after, taken):
    result = await sent(fake, started, fault)
    assert (result.outcome, result.code, result.retry_after_ms) == (outcome, code, after)
    assert (len(fake.record.accepted), started.count, fake.server.requests) == (taken, 1, 1), "a redirect is not followed"


async def test_what_is_no_http_never_leaves_and_is_in_no_doubt(fake, started):
    made = channel()
    result = await made.send(call(f"http://{HOST}:{fake.port}/crm", headers=(("X-A", "1 "),)), started)
    assert (result.outcome, result.code, fake.server.requests) == (Outcome.REJECTED, "webhook:LocalProtocolError", 0)
    await made.close()


async def test_without_an_answer_in_time_it_may_have_been_taken(fake, started):
    result = await sent(fake, started, "hang", timeout_s=0.3)
    assert (result.outcome, result.code, started.count) == (Outcome.UNKNOWN, "webhook:timeout", 1)


async def test_what_is_said_is_signed_and_the_receiver_can_tell(fake, started):
    made = channel()
    url = f"http://{HOST}:{fake.port}/crm?a=1"
    for secrets in ((SECRET,), (OTHER, SECRET), (OTHER,)):
        fake.record.accepted.clear()
        result = await made.send(call(url, *secrets, headers=(("X-Kind", "lead"),)), started)
        assert result.outcome is (Outcome.ACCEPTED if SECRET in secrets else Outcome.REJECTED)
    assert dict(fake.record.refused) == {"signature": 1}
    await made.send(call(url, headers=(("X-Kind", "lead"),)), started)
    (taken,) = fake.record.accepted
    headers = taken["headers"]
    assert (taken["id"], taken["body"], headers["x-kind"]) == ("6f1d3c5e-0b55-5c0e-9d0b-000000000001", '{"привет": 1}', "lead")
    assert headers["host"] == f"{HOST}:{fake.port}" and headers["content-type"] == "application/json"
    await made.close()


async def test_a_repeat_has_the_same_id_and_cookies_are_not_kept(fake, started):
    made = channel()
    first = call(f"http://{HOST}:{fake.port}/crm")
    for one in (first, first, replace(first, key="6f1d3c5e-0b55-5c0e-9d0b-000000000002")):
        assert (await made.send(one, started)).outcome is Outcome.ACCEPTED
    assert (len(fake.record.accepted), fake.repeats) == (2, [first.key])
    assert all("cookie" not in taken["headers"] for taken in fake.record.accepted), "every answer sets one"
    await made.close()


@pytest.mark.parametrize("bad", ["127.0.0.2", "10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:127.0.0.1", "0.0.0.0"])
async def test_a_name_that_leads_inside_is_refused_also_on_its_second_look_and_beside_a_good_one(fake, started, bad):
    made = channel(["127.0.0.1"], [bad], ["127.0.0.1", bad], ["127.0.0.1"])
    url, outcomes = f"http://{HOST}:{fake.port}/crm", []
    for _ in range(4):
        outcomes.append((await made.send(call(url), started)).outcome)
    good, refused = Outcome.ACCEPTED, Outcome.FORBIDDEN_ADDRESS
    assert outcomes == [good, refused, refused, good]
    assert (fake.server.requests, started.count) == (2, 2), "what is refused is never called, and nothing has started"
    assert made._dial._resolve.asked == [(HOST, fake.port)] * 4, "a call asks once: what was checked is what is called"
    await made.close()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://localhost/", "ftp://hooks.example/"],
)  # fmt: skip
async def test_numbers_in_whatever_spelling_are_looked_at_as_they_will_be_called(started, url):
    made = WebhookChannel(WebhookSettings(http=True))
    result = await made.send(call(url), started)
    assert (result.outcome, started.count) == (Outcome.FORBIDDEN_ADDRESS, 0)
    await made.close()


async def test_a_name_that_nobody_answers_for_keeps_one_thread_and_holds_up_no_other_name(started, monkeypatch):
    asked, answer = [], threading.Event()

    def slow(host: str, port: int, *_kind):
        asked.append(host)
        if host == "dead.example":
            answer.wait(20)
            raise OSError("no answer")
        return [(0, 0, 0, "", ("127.0.0.2", port))]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(webhook, "CONNECT_S", 0.1)
    made = WebhookChannel(WebhookSettings(http=True, connections=1))
    for _ in range(2):
        dead = await asyncio.gather(*(made.send(call("http://dead.example/"), started) for _ in range(8)))
        assert {one.code for one in dead} == {"webhook:unresolved"}
    quick = [await made.send(call(f"http://{name}.example/"), started) for name in ("a", "b")]
    answer.set()
    assert {one.outcome for one in quick} == {Outcome.FORBIDDEN_ADDRESS} and asked == ["dead.example", "a.example", "b.example"]
    await until(lambda: not made._dial._lookups._asked)
    await made.close()


async def test_plain_http_needs_the_installations_word(fake, started):
    made = channel(http=False)
    result = await made.send(call(f"http://{HOST}:{fake.port}/crm"), started)
    assert (result.outcome, result.code, fake.server.requests) == (Outcome.FORBIDDEN_ADDRESS, "webhook:http", 0)
    await made.close()


async def test_a_name_that_there_is_not_and_a_port_that_nobody_listens_on_may_be_tried_again(started, unused_port):
    made = channel([], ["127.0.0.1"])
    assert (await made.send(call(f"http://{HOST}:{unused_port}/"), started)).code == "webhook:unresolved"
    assert started.count == 0
    result = await made.send(call(f"http://{HOST}:{unused_port}/"), started)
    assert (result.outcome, result.code) == (Outcome.TRANSIENT, "webhook:ConnectError")
    await made.close()


@contextlib.contextmanager
def deaf(number: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """The port of a listener that takes no connection any more: who connects waits."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind((number, port))
        listener.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize(("scheme", "numbers"), [("http", 1), ("http", 3), ("https", 1)])
async def test_who_takes_no_connection_was_told_nothing_and_may_be_called_again(started, scheme, numbers):
    made = channel(["127.0.0.1"] * numbers)
    with deaf() as port:
        result = await made.send(call(f"{scheme}://{HOST}:{port}/", timeout_s=0.4), started)
    assert (result.outcome, result.code) == (Outcome.TRANSIENT, "webhook:ConnectTimeout")
    await made.close()


async def test_a_number_that_takes_no_connection_leaves_time_for_the_next_one(fake, started):
    made = channel(["127.0.0.2", "127.0.0.1"], allowed=(ip_network("127.0.0.0/30"),))
    with deaf("127.0.0.2", fake.port):
        result = await made.send(call(f"http://{HOST}:{fake.port}/crm", timeout_s=1), started)
    assert (result.outcome, len(fake.record.accepted)) == (Outcome.ACCEPTED, 1)
    await made.close()


async def test_nothing_is_called_when_the_start_could_not_be_written_down(fake, failing_start):
    made = channel()
    with pytest.raises(RuntimeError):
        await made.send(call(f"http://{HOST}:{fake.port}/crm"), failing_start)
    assert fake.server.requests == 0
    await made.close()


@pytest.mark.parametrize(("name", "outcome"), [(HOST, Outcome.ACCEPTED), ("other.example", Outcome.TRANSIENT)])
async def test_over_tls_the_certificate_is_that_of_the_name_though_the_number_is_called(started, tmp_path, name, outcome):
    server, client = certificates(tmp_path, HOST)
    fake = WebhookFake()
    port = await fake.start(tls=server)
    made = channel(http=False, tls=client)
    result = await made.send(call(f"https://{name}:{port}/"), started)
    assert result.outcome is outcome, result
    assert len(fake.record.accepted) == (outcome is Outcome.ACCEPTED)
    await made.close()
    await fake.stop()


def certificates(folder, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate of this name, and that of a client who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
        .not_valid_before(day).not_valid_after(day + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    chain, secret = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, secret)
    return server, ssl.create_default_context(cafile=str(chain))


async def test_no_more_calls_than_connections_are_on_their_way_and_what_never_left_is_in_no_doubt(fake):
    made = channel()
    fake.script.put("/crm", ["hang"] * 4)
    url = f"http://{HOST}:{fake.port}/crm"
    first = asyncio.gather(*(made.send(call(url, timeout_s=0.6)) for _ in range(4)))
    await until(lambda: fake.server.requests == 4)
    more = await asyncio.gather(*(made.send(call(url, timeout_s=0.1)) for _ in range(2)))
    assert [(one.outcome, one.code) for one in more] == [(Outcome.TRANSIENT, "webhook:timeout")] * 2
    assert fake.server.requests == 4
    assert {(one.outcome, one.code) for one in await first} == {(Outcome.UNKNOWN, "webhook:timeout")}
    assert (await made.send(call(url))).outcome is Outcome.ACCEPTED, "what was given up holds no connection"
    await made.close()


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0", 0), ("120", 120_000), (" 5 ", 5000), ("Tue, 14 Nov 2023 22:13:30 GMT", 10_000), ("Tue, 14 Nov 2023 00:00:00 GMT", 0),
     ("", None), ("soon", None), ("-1", None), ("9" * 40, None), ("1.5", None)],
)  # fmt: skip
def test_how_long_to_wait_is_said_in_seconds_or_by_a_date(text, ms):
    assert retry_after_ms(text, NOW) == ms


def test_every_status_means_something():
    for status in range(100, 600):
        outcome = read_answer(status, {}, NOW).outcome
        assert (outcome is Outcome.ACCEPTED) == (200 <= status < 300)
        doubtful = status in (502, 504)
        assert (outcome is Outcome.UNKNOWN) == doubtful
        assert (outcome in (Outcome.TRANSIENT, Outcome.THROTTLED)) == (status in (408, 429) or (status >= 500 and not doubtful))
