"""Ids and buckets derive from what they name, so that a rerun, a replay and a simulation give the same ones."""

import hashlib
import zlib
from hashlib import sha1
from uuid import UUID

NAMESPACE = UUID("6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11")
BUCKETS = 10_000
_VARIANT = {c: "89ab"[int(c, 16) & 3] for c in "0123456789abcdef"}


def derive(*parts: str | int) -> str:
    """The uuid5 of the parts, as text: `derive(source, message_id)` is a fact's id, `derive(fact_id, "0")` its first emit's."""
    name = "\x1f".join(map(str, parts)).encode()
    # What uuid.uuid5 answers, without making a UUID object: a third of its cost, and every fact needs one.
    h = sha1(NAMESPACE.bytes + name, usedforsecurity=False).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"


def partition_of(key: str, partitions: int) -> int:
    """The partition of a record by its key; the same for every topic, so that one worker owns a person everywhere.

    crc32 rather than Kafka's murmur2 because the standard library has it in C; consumers never need to know, and a backend that
    writes `facts.raw` itself may use any partitioner (order is promised per source key only).
    """
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % partitions


def bucket(salt: str, bucketing_id: str) -> int:
    """0..9999 for assignment to variants and control groups: sha256, as SQL engines have it built in (docs/metrics: assignment)."""
    digest = hashlib.sha256(f"{salt}:{bucketing_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * BUCKETS >> 64
