"""Settings, first format and command line of the one broker."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

from deploy.local.errors import LocalRunError
from deploy.local.settings import ROOT, LocalSettings

JARS = ROOT / ".venv" / "kafka"
LOGGING = Path(__file__).with_name("log4j2.yaml")


def properties(settings: LocalSettings) -> str:
    """Text of server.properties. Topics are created by the services, never by a typing error in a client."""
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{settings.kafka_controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{settings.kafka_port},CONTROLLER://127.0.0.1:{settings.kafka_controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{settings.kafka_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(settings.home / "kafka" / "data"),
        "auto.create.topics.enable": "false",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.retention.hours": "168",
        # Retention counts from arrival: old facts and a driven clock must not be deleted or refused at once.
        "log.message.timestamp.type": "LogAppendTime",
        # A killed broker's registration must run out before the same broker may come back.
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def prepare(settings: LocalSettings) -> None:
    """Writes the settings and, the first time, formats the log folder under a random cluster id which then stays."""
    folder = settings.home / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.properties").write_text(properties(settings), encoding="utf-8")
    if (folder / "data" / "meta.properties").exists():
        return
    shutil.rmtree(folder / "data", ignore_errors=True)  # a format that was killed half-way
    cluster = base64.urlsafe_b64encode(b"\x00" + os.urandom(15)).decode().rstrip("=")  # never begins with a dash
    tool = (
        *_java(heap_mb=128, short_lived=True),
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        cluster,
    )
    done = subprocess.run([*tool, "--config", str(folder / "server.properties")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalRunError(f"Kafka could not format {folder / 'data'}:\n{done.stdout}{done.stderr}")


def command(settings: LocalSettings) -> tuple[str, ...]:
    java = _java(settings.kafka_heap_mb, short_lived=settings.kafka_short_lived)
    return (*java, "kafka.Kafka", str(settings.home / "kafka" / "server.properties"))


def _java(heap_mb: int, *, short_lived: bool) -> tuple[str, ...]:
    java = shutil.which("java")
    if java is None:
        raise LocalRunError("java was not found: install Java 17 or newer (for example the package `default-jre-headless`)")
    if not any(JARS.glob("kafka_*.jar")):
        raise LocalRunError(f"Kafka's jars are not in {JARS}: run `make setup`")
    # One small heap on a small machine: the serial collector starts faster and takes less memory than G1.
    flags = (f"-Xmx{heap_mb}m", "-Xms128m", "-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true")
    compiled = ("-XX:TieredStopAtLevel=1",) if short_lived else ()
    return (java, *flags, *compiled, f"-Dlog4j2.configurationFile={LOGGING}", "-cp", f"{JARS}/*")
