"""A broker that wants encryption and a password: our clients bring both, and nobody gets in without."""

import datetime as dt
import ipaddress
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from deploy.local import ready
from deploy.local.kafka import broker
from runtime.kafka import Producer, SendFailed, create_topics
from runtime.settings import Settings
from schemas.topics import FACTS
from tests.conftest import free_ports, make_settings
from tests.support.live import fact, publish, read, until

USER, PASSWORD = "otklik", "a secret of this test"


def certificate(folder: Path) -> tuple[str, str]:
    """A self-signed certificate of 127.0.0.1 and its key, as PEM; the certificate also as `ca.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    (folder / "ca.pem").write_text(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return pem, private


def guarded(text: str, port: int, pem: str, private: str) -> str:
    """server.properties with a second listener that wants TLS and a password."""
    jaas = (
        f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{USER}" password="{PASSWORD}" '
        f'user_{USER}="{PASSWORD}";'
    )
    lines = {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": jaas,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": pem.replace("\n", "\\n"),
        "ssl.keystore.key": private.replace("\n", "\\n"),
    }
    for name in ("listeners", "advertised.listeners"):
        text = text.replace(f"\n{name}=", f"\n{name}=SASL_SSL://127.0.0.1:{port},")
    return text + "".join(f"{name}={value}\n" for name, value in lines.items())


@pytest.fixture(scope="module")
def guarded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("guarded")
    settings = make_settings(folder / "home", kafka_heap_mb=256)
    (port,) = free_ports(1)
    broker.prepare(settings)
    file = settings.home / "kafka" / "server.properties"
    file.write_text(guarded(file.read_text(), port, *certificate(folder)))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(broker.command(settings), stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        yield Settings(
            kafka=f"127.0.0.1:{port}", DATABASE_URL="postgresql://none", partitions=2, kafka_protocol="SASL_SSL",
            kafka_mechanism="PLAIN", kafka_username=USER, kafka_password=SecretStr(PASSWORD), kafka_ca=folder / "ca.pem",
            home=settings.home, admin_port_own=settings.kafka_port,
        )  # fmt: skip
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def config(guarded_broker: Settings) -> Settings:
    await until(lambda: ready.kafka(guarded_broker.admin_port_own), 60)
    return guarded_broker


async def test_facts_go_in_and_come_out(config):
    await publish(config, [fact("f1", "user_id:1")], topic=FACTS.name)
    assert [record["identifiers"] for record in await read(config, FACTS.name)] == [["user_id:1"]]


async def test_another_password_is_refused(config):
    stranger = config.model_copy(update={"kafka_password": SecretStr("guessed")})
    with pytest.raises(KafkaError):
        await create_topics(stranger, [FACTS])
    with pytest.raises(SendFailed):
        await Producer(stranger, "test").start()


async def test_a_broker_whose_certificate_nobody_vouches_for_is_refused(config):
    with pytest.raises(KafkaError):
        await create_topics(config.model_copy(update={"kafka_ca": None}), [FACTS])
    with pytest.raises(SendFailed):
        await Producer(config.model_copy(update={"kafka_ca": None}), "test").start()
