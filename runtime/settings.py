"""What one process needs to know of the outside, read once from the environment and passed down."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.topics import PARTITIONS


class Settings(BaseSettings):
    """Environment variables are these names in capitals behind `OTKLIK_` (`OTKLIK_KAFKA`), save `DATABASE_URL`.

    gather_ms and gather_bulk_ms say how long a busy loop at most lets a batch gather, in the first and the second lane: the largest
    lever there is between latency and cost (runtime/pace.py, docs/performance.md). batch_*: bounds of one transaction;
    batch_bulk_seconds is that of the second lane, and of a round of timers, while the first lane is in use, which cuts them to
    batch_rows_least rows at the least. *_timeout_s: after that the database ends a frozen process.
    webhook_http: webhooks may use plain http (docs/webhooks-out.md): the sender calls it, and the gateway lets such an address be written.
    """

    model_config = SettingsConfigDict(env_prefix="OTKLIK_", frozen=True, extra="ignore")

    kafka: str = "127.0.0.1:19092"
    kafka_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca: Path | None = None
    kafka_certificate: Path | None = None
    kafka_certificate_key: Path | None = None
    database_url: str = Field(default="postgresql://postgres@127.0.0.1:15432/otklik", validation_alias="DATABASE_URL")
    topic_prefix: str = ""
    partitions: int = PARTITIONS
    instance: str = ""
    home: Path = Path(".otklik")
    keys_file: Path | None = None
    admin_port_own: int = 0
    webhook_http: bool = False
    host: str = "127.0.0.1"

    gather_ms: int = 150
    gather_bulk_ms: int = 1000
    batch_rows: int = 2000
    batch_bytes: int = 4_000_000
    batch_seconds: float = 2.0
    batch_bulk_seconds: float = 0.4
    batch_rows_least: int = 300
    timer_rows: int = 1000
    timer_poll_ms: int = 200
    session_timeout_ms: int = 10_000
    rebalance_timeout_ms: int = 60_000
    transaction_timeout_s: int = 20
    watchdog_s: int = 60
    retention_ms: int | None = None
    replication: int = 1
    poison_in_a_row: int = 20
    poison_window: int = 10_000
    poison_share: float = 0.01

    failpoints: Path | None = None

    def topic(self, name: str) -> str:
        return self.topic_prefix + name
