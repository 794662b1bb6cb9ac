"""Documents of conditions about windows, lines, values, sequences, birthdays and consent: read, written back, refused with a path."""

import json
from typing import Any

import pytest

from schemas import audience as a
from schemas.audience_reading import AudienceError, parse

BUYS = {"kind": "did", "event": "Order Completed"}
SUM = {"kind": "average", "event": "Order Completed", "of": "total.minor", "op": "ge", "value": 5}
VINYL = {"path": "products", "where": [{"path": "kind", "op": "eq", "value": "vinyl"}]}


@pytest.mark.parametrize(
    "document",
    [
        {**BUYS, "window": {"kind": "calendar", "unit": "week", "back": 2, "zone": "Europe/Moscow"}},
        {**BUYS, "window": {"kind": "between", "since": "2026-01-01", "until": 1_790_000_000_000}},
        {**BUYS, "window": {"kind": "around", "name": "tariff_end", "path": "at", "after": -5}, "lines": VINYL},
        {**SUM, "within": 5, "lines": {"path": "products"}},
        {"kind": "distinct", "event": "Product Viewed", "of": "category", "op": "lt", "value": 0},
        {
            "kind": "sequence",
            "first": {"event": "a"},
            "then": {"event": "b", "lines": VINYL},
            "within": 5,
            "without": {"event": "c"},
        },
        {"kind": "since", "event": "a", "without": {"event": "b"}, "after": 5, "within": 6},
        {"kind": "anniversary", "name": "birthday", "before": 7, "days": 14, "zone": "Asia/Tokyo"},
        {"kind": "consent", "channel": "email", "topic": "news", "state": "unproven", "brand": "shop"},
    ],
)
def test_a_document_reads_and_writes_back(document: dict[str, Any]) -> None:
    condition = parse({"kind": "not", "of": document})
    assert parse(json.loads(json.dumps(a.dump(condition)))) == condition
    assert hash(condition) == hash(parse({"kind": "not", "of": document}))


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        ({**BUYS, "within": 5, "window": {"kind": "calendar", "unit": "day"}}, {"window": "unexpected"}),
        ({**BUYS, "window": {"kind": "calendar", "unit": "days", "back": 61}}, {"window.unit": "literal_error", "window.back": "less_than_equal"}),
        ({**BUYS, "window": {"kind": "calendar", "unit": "day", "zone": "Mars/Olympus"}}, {"window.zone": "time_zone"}),
        ({**BUYS, "window": {"kind": "rolling"}}, {"window": "union_tag_invalid"}),
        ({**BUYS, "window": {"kind": "between"}}, {"window.since": "missing"}),
        ({**BUYS, "window": {"kind": "between", "since": "soon", "until": True}}, {"window.since": "date", "window.until": "date"}),
        ({**BUYS, "window": {"kind": "between", "since": "2026-01-02", "until": "2026-01-02"}}, {"window.until": "order"}),
        ({**BUYS, "window": {"kind": "around", "name": "x"}}, {"window.after": "missing"}),
        ({**BUYS, "window": {"kind": "around", "name": "x", "after": 5, "until": 5}}, {"window.until": "order"}),
        ({**BUYS, "lines": {"path": "", "where": [{"op": "eq"}]}}, {"lines.path": "string_too_short", "lines.where.0.path": "missing"}),
        ({**SUM, "value": 1.5}, {"value": "int_type"}),
        ({"kind": "distinct", "event": "x", "of": "y", "value": 1001}, {"value": "less_than_equal"}),
        ({"kind": "sequence", "first": BUYS, "then": {}, "within": 0}, {"first.kind": "extra_forbidden", "then.event": "missing", "within": "greater_than_equal"}),
        ({"kind": "since", "event": "a", "without": {"event": "b"}, "after": 5, "within": 5}, {"within": "order"}),
        ({"kind": "anniversary", "name": "x", "days": 367, "before": -367}, {"days": "less_than_equal", "before": "greater_than_equal"}),
        ({"kind": "consent", "channel": "", "state": "maybe"}, {"channel": "string_too_short", "state": "literal_error"}),
    ],
)  # fmt: skip
def test_every_fault_has_its_path(document: dict[str, Any], faults: dict[str, str]) -> None:
    with pytest.raises(AudienceError) as caught:
        parse({"kind": "not", "of": document})
    assert {fault.path.removeprefix("of."): fault.code for fault in caught.value.faults} == faults


def test_the_topics_of_a_condition() -> None:
    asked = [a.Consent(channel="email", topic=topic) for topic in ("news", "*", "sales")]
    assert a.topics(a.Not(of=a.All(of=tuple(asked)))) == {"news", "sales"}
