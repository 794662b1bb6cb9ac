"""Signatures by the rules of Standard Webhooks: HMAC-SHA256 of "id.timestamp.body". Pure."""

import base64
import hmac
from collections.abc import Sequence


def headers(key: str, at_s: int, body: bytes, secrets: Sequence[bytes]) -> list[tuple[str, str]]:
    """key: webhook-id, the same for every repeat; at_s: seconds (UTC) of this attempt; secrets: all that sign, the current one first."""
    signed = b".".join((key.encode(), str(at_s).encode(), body))
    made = (f"v1,{base64.b64encode(hmac.digest(secret, signed, 'sha256')).decode()}" for secret in secrets)
    return [("webhook-id", key), ("webhook-timestamp", str(at_s)), ("webhook-signature", " ".join(made))]
