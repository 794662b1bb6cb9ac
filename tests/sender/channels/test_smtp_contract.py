"""The SMTP adapter against the fake: each outcome, and what has been handed over when it comes."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.sender.channels.contract import Outcome
from services.sender.channels.fakes.smtp import SmtpFake
from services.sender.channels.fakes.smtp_faults import Manners
from services.sender.channels.smtp import SmtpChannel
from services.sender.channels.smtp_settings import SmtpSettings, SmtpTimeouts

QUICK = SmtpTimeouts(connect=2, greeting=0.3, command=0.3, data=0.3, accept=0.3)


@pytest.fixture
async def channel(smtp: SmtpFake) -> AsyncIterator[SmtpChannel]:
    channel = SmtpChannel(SmtpSettings("127.0.0.1", smtp.port, tls="never", connections=2, timeouts=QUICK))
    yield channel
    await channel.close()


def ids(smtp: SmtpFake) -> list[str]:
    return [entry["message_id"] for entry in smtp.record.accepted]


@pytest.mark.parametrize(
    ("local", "outcome", "code", "starts", "accepted"),
    [
        ("ann", Outcome.ACCEPTED, "250 2.0.0", 1, True),
        ("bounce550-1", Outcome.PERMANENT_ADDRESS, "550 5.1.1", 0, False),
        ("text550-1", Outcome.PERMANENT_ADDRESS, "550", 0, False),
        ("full452-1", Outcome.TRANSIENT, "452 4.2.2", 0, False),
        ("grey451-1", Outcome.TRANSIENT, "451 4.7.1", 0, False),
        ("slow421-1", Outcome.THROTTLED, "421 4.7.0", 0, False),
        ("late421-1", Outcome.THROTTLED, "421 4.7.0", 1, False),
        ("policy554-1", Outcome.POLICY, "554 5.7.1", 1, False),
        ("dmarc550-1", Outcome.POLICY, "550 5.7.26", 1, False),
        ("big552-1", Outcome.PERMANENT_CONTENT, "552 5.3.4", 1, False),
        ("odd354-1", Outcome.PERMANENT_ADDRESS, "550 5.1.1", 0, False),
        ("hangrcpt-1", Outcome.TRANSIENT, "timeout", 0, False),
        ("hangdata-1", Outcome.TRANSIENT, "timeout", 0, False),
        ("droprcpt-1", Outcome.TRANSIENT, "connection_closed", 0, False),
        ("dropdata-1", Outcome.TRANSIENT, "connection_closed", 0, False),
        ("babble-1", Outcome.TRANSIENT, "not_smtp", 0, False),
        ("hangdot-1", Outcome.UNKNOWN, "after_data timeout", 1, False),
        ("drop-1", Outcome.UNKNOWN, "after_data connection_closed", 1, True),
    ],
)
@pytest.mark.parametrize("pipelining", [True, False])
async def test_each_outcome(smtp, channel, message, started, local, outcome, code, starts, accepted, pipelining):
    if not pipelining:
        smtp.manners.extensions = ("ENHANCEDSTATUSCODES",)
    letter = message(f"{local}@example.org")
    result = await channel.send(letter, started)
    assert (result.outcome, result.code) == (outcome, code)
    assert started.count == starts
    assert ids(smtp) == ([letter.message_id] if accepted else [])
    assert (await channel.send(message("next@example.org"))).outcome is Outcome.ACCEPTED  # whatever came before


async def test_the_letter_arrives_as_it_was_written(smtp, channel, message):
    letter = message("ann@пример.рф", text=".\n..two\n.", html=None, return_path="b+abc@bounce.shop.example")
    assert (await channel.send(letter)).provider_id == "Q1"
    entry = smtp.record.accepted[0]
    assert (entry["from"], entry["to"]) == ("b+abc@bounce.shop.example", ["ann@xn--e1afmkfd.xn--p1ai"])
    assert entry["data"].endswith("\r\n\r\n.\r\n..two\r\n.\r\n")


async def test_connections_are_kept_shared_and_ended_after_their_letters(smtp, message):
    settings = SmtpSettings("127.0.0.1", smtp.port, tls="never", connections=3, letters_per_connection=5, timeouts=QUICK)
    channel = SmtpChannel(settings)
    results = await asyncio.gather(*(channel.send(message(f"a{n}@example.org")) for n in range(45)))
    await channel.close()
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert len(set(ids(smtp))) == len(ids(smtp)) == 45
    assert smtp.connections == 9
    assert smtp.peak <= 3


async def test_a_refused_recipient_does_not_cost_the_connection_and_rset_clears_it(smtp, channel, message):
    for local in ("bounce550-1", "ann", "bounce550-2", "bob"):
        await channel.send(message(f"{local}@example.org"))
    assert smtp.connections == 1
    assert smtp.commands.count("RSET") == 2
    assert len(smtp.record.accepted) == 2


async def test_greylisting_and_421_pass_at_the_second_attempt(smtp, channel, message):
    for local in ("grey451-1", "slow421-1"):
        letter = message(f"{local}@example.org")
        assert (await channel.send(letter)).outcome in {Outcome.TRANSIENT, Outcome.THROTTLED}
        assert (await channel.send(letter)).outcome is Outcome.ACCEPTED


async def test_a_kept_connection_that_the_server_ended_is_replaced_within_the_same_start(smtp, channel, message, started):
    smtp.manners.letters = 1
    for n in range(3):
        assert (await channel.send(message(f"a{n}@example.org"), started)).outcome is Outcome.ACCEPTED
    assert smtp.connections == 3
    assert started.count == 3


async def test_a_server_that_ends_idle_connections_is_not_noticed(smtp, channel, message):
    await channel.send(message("a@example.org"))
    for task in list(smtp._open):
        task.cancel()
    assert (await channel.send(message("b@example.org"))).outcome is Outcome.ACCEPTED
    assert smtp.connections == 2


async def test_nothing_is_sent_when_the_start_cannot_be_recorded(smtp, channel, message, failing_start):
    with pytest.raises(RuntimeError, match="ledger"):
        await channel.send(message("ann@example.org"), failing_start)
    assert smtp.record.accepted == []
    assert (await channel.send(message("bob@example.org"))).outcome is Outcome.ACCEPTED
    assert smtp.connections == 2  # the one that waited for a letter was not used again


async def test_a_cancelled_send_leaves_no_half_used_connection(smtp, channel, message):
    reached = asyncio.Event()

    async def stuck() -> None:
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(channel.send(message("ann@example.org"), stuck))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await channel.send(message("bob@example.org"))).outcome is Outcome.ACCEPTED
    assert [entry["to"] for entry in smtp.record.accepted] == [["bob@example.org"]]


@pytest.mark.parametrize(
    ("greeting", "outcome", "code"),
    [
        ("refuse", Outcome.POLICY, "connect 554 5.7.1"),
        ("hang", Outcome.TRANSIENT, "timeout"),
        ("drop", Outcome.TRANSIENT, "connection_closed"),
        ("babble", Outcome.TRANSIENT, "not_smtp"),
    ],
)
async def test_greetings(smtp, channel, message, started, greeting, outcome, code):
    smtp.manners.greeting = greeting
    result = await channel.send(message("ann@example.org"), started)
    assert (result.outcome, result.code, started.count) == (outcome, code, 0)


async def test_nobody_listens(message):
    with socket.socket() as held:  # bound and not listening: connections are refused
        held.bind(("127.0.0.1", 0))
        channel = SmtpChannel(SmtpSettings("127.0.0.1", held.getsockname()[1], tls="never", timeouts=QUICK))
        result = await channel.send(message("ann@example.org"))
    assert (result.outcome, result.code) == (Outcome.TRANSIENT, "connect")


@pytest.mark.parametrize(
    ("changes", "outcome", "code"),
    [
        ({"address": "ann@example.org>\r\nRCPT TO:<eve@example.org"}, Outcome.PERMANENT_ADDRESS, "address_syntax"),
        ({"address": "ann\n@example.org"}, Outcome.PERMANENT_ADDRESS, "address_syntax"),
        ({"address": "nobody"}, Outcome.PERMANENT_ADDRESS, "address_syntax"),
        ({"subject": "x\r\nBcc: eve@example.org"}, Outcome.PERMANENT_CONTENT, "header Subject"),
        ({"name": "Ann\nBcc: eve@example.org"}, Outcome.PERMANENT_CONTENT, "header To"),
        ({"sender_name": "x\r\n\r\nbody"}, Outcome.PERMANENT_CONTENT, "header From"),
        ({"headers": (("X-A", "1\nB: 2"),)}, Outcome.PERMANENT_CONTENT, "header X-A"),
        ({"message_id": "1@x>\r\nBcc: <eve@x"}, Outcome.PERMANENT_CONTENT, "header Message-ID"),
        ({"return_path": "b@x> SIZE=1\r\nRSET"}, Outcome.PERMANENT_CONTENT, "sender_address_syntax"),
        ({"sender": "a@b>,<c@d"}, Outcome.PERMANENT_CONTENT, "sender_address_syntax"),
        ({"reply_to": "a@b\r\nX: y"}, Outcome.PERMANENT_CONTENT, "sender_address_syntax"),
    ],
)
async def test_no_line_is_slipped_in(smtp, channel, message, changes, outcome, code):
    result = await channel.send(message(**({"address": "ann@example.org"} | changes)))
    assert (result.outcome, result.code) == (outcome, code)
    assert smtp.connections == 0


async def test_an_address_beyond_ascii_needs_smtputf8(smtp, channel, message):
    assert (await channel.send(message("аня@example.org"))).outcome is Outcome.ACCEPTED
    assert "To: аня@example.org\r\n" in smtp.record.accepted[0]["data"]
    smtp.manners.extensions = ("PIPELINING",)
    plain = SmtpChannel(SmtpSettings("127.0.0.1", smtp.port, tls="never", timeouts=QUICK))
    result = await plain.send(message("аня@example.org"))
    await plain.close()
    assert (result.outcome, result.code) == (Outcome.PERMANENT_ADDRESS, "smtputf8_not_offered")


async def test_a_letter_over_the_servers_size_is_not_offered(smtp, message, started):
    smtp.manners.extensions = ("PIPELINING", "SIZE 100")
    channel = SmtpChannel(SmtpSettings("127.0.0.1", smtp.port, tls="never", timeouts=QUICK))
    result = await channel.send(message("ann@example.org"), started)
    await channel.close()
    assert (result.outcome, result.code, started.count) == (Outcome.PERMANENT_CONTENT, "size_limit", 0)


async def test_idle_connections_are_ended(smtp, message):
    channel = SmtpChannel(SmtpSettings("127.0.0.1", smtp.port, tls="never", idle_s=0.05, timeouts=QUICK))
    await channel.send(message("ann@example.org"))
    assert len(smtp._open) == 1
    async with asyncio.timeout(5):
        while smtp._open:
            await asyncio.wait(list(smtp._open), timeout=1)
    await channel.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server's context, a client's that trusts it)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + built.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))


def tls_channel(smtp: SmtpFake, client: ssl.SSLContext | None, **changes) -> SmtpChannel:
    return SmtpChannel(
        SmtpSettings(
            **({"host": "localhost", "port": smtp.port, "tls": "required", "tls_context": client, "timeouts": QUICK} | changes)
        )
    )


async def test_starttls_and_log_in(smtp, certificate, message):
    smtp.manners = Manners(starttls="ok", tls=certificate[0], auth="plain")
    for auth in ("plain", "login"):
        smtp.manners.auth = auth
        channel = tls_channel(smtp, certificate[1], username="shop", password="secret")
        assert (await channel.send(message("ann@example.org"))).outcome is Outcome.ACCEPTED
        await channel.close()


@pytest.mark.parametrize(
    ("manners", "changes", "trusted", "outcome", "code"),
    [
        ({"starttls": "off"}, {}, True, Outcome.POLICY, "starttls_not_offered"),
        ({"starttls": "refuse"}, {}, True, Outcome.TRANSIENT, "starttls 454 4.7.0"),
        ({"starttls": "garbage"}, {}, True, Outcome.TRANSIENT, "tls_handshake"),
        ({"starttls": "inject"}, {}, True, Outcome.TRANSIENT, "bytes_before_tls"),
        ({"starttls": "ok"}, {}, False, Outcome.POLICY, "tls_certificate"),
        ({"starttls": "ok", "auth": "plain"}, {"username": "shop", "password": "wrong"}, True, Outcome.AUTH, "auth 535 5.7.8"),
        ({"starttls": "ok"}, {"username": "shop", "password": "secret"}, True, Outcome.AUTH, "auth_not_offered"),
        (
            {"starttls": "off", "auth": "plain"},
            {"username": "shop", "password": "secret", "tls": "offered"},
            True,
            Outcome.AUTH,
            "no_tls_for_password",
        ),
    ],
)
async def test_tls_and_log_in_faults(smtp, certificate, message, started, manners, changes, trusted, outcome, code):
    smtp.manners = Manners(tls=certificate[0], **manners)
    channel = tls_channel(smtp, certificate[1] if trusted else None, **changes)
    result = await channel.send(message("ann@example.org"), started)
    await channel.close()
    assert (result.outcome, result.code, started.count) == (outcome, code, 0)
    assert smtp.record.accepted == []


async def test_a_script_goes_before_the_pattern(smtp, channel, message):
    smtp.script.put("ann@example.org", ["grey451", "drop"])
    letter = message("ann@example.org")
    assert [(await channel.send(letter)).outcome for _ in range(3)] == [Outcome.TRANSIENT, Outcome.UNKNOWN, Outcome.ACCEPTED]


def test_it_works_on_uvloop_too(message):
    async def run() -> list[Outcome]:
        smtp = SmtpFake()
        channel = SmtpChannel(SmtpSettings("127.0.0.1", await smtp.start(), tls="never", timeouts=QUICK))
        outcomes = [
            (await channel.send(message(f"{local}@example.org"))).outcome for local in ("ann", "drop-1", "bob", "hangrcpt-1")
        ]
        await channel.close()
        await smtp.stop()
        return outcomes

    wanted = [Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.ACCEPTED, Outcome.TRANSIENT]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(uvloop.run, run()).result() == wanted
