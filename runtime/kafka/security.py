"""How every client of ours reaches the brokers: addresses, encryption, and who we are."""

from typing import Any

from aiokafka.helpers import create_ssl_context

from runtime.settings import Settings


def connection(settings: Settings) -> dict[str, Any]:
    """The client's arguments. With a protocol of SSL the brokers' certificates are checked, against `kafka_ca` where it is given."""
    found: dict[str, Any] = {"bootstrap_servers": settings.kafka, "security_protocol": settings.kafka_protocol}
    if "SSL" in settings.kafka_protocol:
        files = (settings.kafka_ca, settings.kafka_certificate, settings.kafka_certificate_key)
        ca, certificate, key = (str(path) if path else None for path in files)
        found["ssl_context"] = create_ssl_context(cafile=ca, certfile=certificate, keyfile=key)
    if "SASL" in settings.kafka_protocol:
        found["sasl_mechanism"] = settings.kafka_mechanism
        found["sasl_plain_username"] = settings.kafka_username
        found["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return found
