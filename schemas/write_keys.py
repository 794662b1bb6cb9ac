"""Write keys: what a source shows to ingest.

Published on `definitions` (kind `write_key`, key = the hash); the key itself is kept by its owner alone.
"""

import hashlib
from typing import Literal

from pydantic import Field

from schemas.documents import Document


class WriteKey(Document):
    """The source behind a write key. source: unique, part of every fact's id. currency: ISO 4217, of amounts that name none.

    region: two letters of the country that a phone number without "+" belongs to. lane bulk: facts nobody waits for.
    """

    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    brand: str = Field(min_length=1)
    source: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")
    lane: Literal["live", "bulk"] = "live"
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    region: str = Field(default="", pattern=r"^([A-Z]{2})?$")


def hash_of(key: str) -> str:
    """The name under which a key is known. Plain sha256: a key has 192 random bits or more, so there is nothing to guess."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
