"""Ports, folder and process counts of a local run, all from the environment; nothing else reads it."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deploy.local.errors import LocalRunError

ROOT = Path(__file__).resolve().parents[2]
# How many processes each service has, in the order in which their admin ports are given out.
SERVICES = {"ingest": 1, "profile": 1, "segmenter": 1, "orchestrator": 1, "sender": 1, "warehouse": 1, "audience": 1, "gateway": 1}
# What has no process of its own: it lives in that service's (docs/adr/0025).
HOSTED = {"experiments": "gateway"}
Port = Annotated[int, Field(ge=1, le=65535)]

# Settings of one port each; the admin ports lie side by side from `admin_port` on.
PORTS = (
    "port", "kafka_port", "kafka_controller_port", "postgres_port", "smtp_port", "mail_port", "fakes_port", "ingest_port", "public_port",
)  # fmt: skip


class LocalSettings(BaseSettings):
    """Ports are on 127.0.0.1. `home` holds all state of a run. `workers` is `service=count,...`, on top of SERVICES.

    `database_url` (DATABASE_URL) is a PostgreSQL of your own: then none is started. `kafka_heap_mb` is the JVM's heap.
    `kafka_short_lived` is for brokers of minutes: the JVM does not optimise what it runs (9 CPU-seconds less at its start; slower under load).
    `postgres_fsync=false` is for tests that kill nothing. `ready_seconds` is how long `up` waits for each program.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_", frozen=True, extra="ignore", validate_by_name=True)

    home: Path = ROOT / ".otklik"
    port: Port = 8080
    kafka_port: Port = 19092
    kafka_controller_port: Port = 19093
    postgres_port: Port = 15432
    smtp_port: Port = 11025
    mail_port: Port = 18025
    fakes_port: Port = 18090
    ingest_port: Port = 18081
    public_port: Port = 18082
    admin_port: Port = 18100
    workers: Annotated[dict[str, int], NoDecode] = Field(default_factory=dict)
    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL", repr=False)
    kafka_heap_mb: int = Field(default=512, ge=128)
    kafka_short_lived: bool = False
    postgres_fsync: bool = True
    ready_seconds: float = Field(default=120, gt=0)

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @field_validator("workers", mode="before")
    @classmethod
    def _counts(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        counts: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in given.split(","))):
            name, _, number = part.partition("=")
            if name not in SERVICES or not number.isdecimal():
                known = ", ".join(SERVICES)
                raise ValueError(f"{part!r} is not `service=count`; services are {known}")
            counts[name] = int(number)
        return counts

    @classmethod
    def from_environment(cls) -> Self:
        """Settings of this process's environment; a fault names the variable."""
        try:
            return cls()
        except ValidationError as error:
            faults = [f"{_variable(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
            raise LocalRunError("the environment does not fit:\n  " + "\n  ".join(faults)) from None

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def keys_file(self) -> Path:
        return self.home / "keys.json"

    @property
    def kafka(self) -> str:
        """Bootstrap address."""
        return f"127.0.0.1:{self.kafka_port}"


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "OTKLIK_*"
    return name if name == "DATABASE_URL" else f"OTKLIK_{name.upper().removeprefix('OTKLIK_')}"
