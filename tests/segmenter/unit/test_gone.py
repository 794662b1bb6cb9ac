"""Segments that are asked about and not in force: deleted since, or on their way in another partition."""

from typing import Any

import msgspec

from schemas.definitions import Published
from services.segmenter.plans import defined

ASKS = {"kind": "segment", "key": "vip"}
VIP = {"kind": "attribute", "name": "vip", "op": "eq", "value": True}


def segment(key: str, condition: dict[str, Any], version: int = 1, pointer: bool = True) -> Published:
    body = msgspec.Raw(msgspec.json.encode({"key": key, "condition": condition}))
    return Published(kind="segment", key=key, version=version, body=body, pointer=pointer)


def test_a_deleted_segment_stops_nobody_else() -> None:
    found = defined([segment("~journey.j.1.audience", ASKS), segment("kazan", VIP), segment("vip", VIP, pointer=False)], 1)
    assert {"~journey.j.1.audience", "kazan"} <= found.conditions.keys()


def test_a_segment_that_has_not_come_yet_holds_nobody() -> None:
    found = defined([segment("~journey.j.1.audience", ASKS)], 1)
    assert "~journey.j.1.audience" in found.conditions
