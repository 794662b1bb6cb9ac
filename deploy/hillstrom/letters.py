"""The file as a CSV that can be imported, the mapping for it, and the experiment that it is. Nothing is cleaned; moments are made up.

A row of the file is a customer without a name and without a day. Its number becomes his user id; all were drawn and written to on one day,
who visited did so the day after, who bought two days after, and what he had spent in the year before stands as one order a month before.
"""

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "demo" / "data" / "hillstrom.csv.gz"
ARMS = {"No E-Mail": "control", "Mens E-Mail": "mens", "Womens E-Mail": "womens"}
SHARES = {"control": 33.34, "mens": 33.33, "womens": 33.33}
DOCUMENT = "campaign:hillstrom"
START = "2008-03-01T00:00:00Z"
AFTER = "2008-04-01T00:00:00Z"  # everything is over
DRAWN, SENT, VISITED, BOUGHT = (f"2008-03-{day}T12:00:00Z" for day in ("05", "06", "07", "08"))
BEFORE = "2008-02-05T12:00:00Z"
WINDOW, CAP = "14d", 20_000  # minor units: above it an amount counts as it
COLUMNS = ("customer", "arm", "letter", "drawn_at", "sent_at", "visited_at", "bought_at", "spend", "before_at", "history")

Row = dict[str, str]


def load() -> list[Row]:
    """All rows as the file has them, and `customer`, their number from 1 on."""
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as file:
        return [{"customer": str(number), **row} for number, row in enumerate(csv.DictReader(file), 1)]


def sample(rows: Sequence[Row], every: int = 32) -> list[Row]:
    """A fixed part of them: every so many-th (2,000 of 64,000)."""
    return list(rows[every - 1 :: every])


def csv_of(rows: Sequence[Row], prefix: str = "h") -> bytes:
    """What is imported. prefix: of the customers' ids."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_told(row, prefix) for row in rows)
    return text.getvalue().encode()


def _told(row: Row, prefix: str) -> tuple[str, ...]:
    arm = ARMS[row["segment"]]
    sent = arm != "control"
    bought = row["conversion"] == "1"
    return (f"{prefix}{row['customer']}", arm, arm if sent else "", DRAWN, SENT if sent else "", VISITED if row["visit"] == "1" else "",
            BOUGHT if bought else "", row["spend"] if bought else "", BEFORE, row["history"])  # fmt: skip


def mapping(brand: str, source: str) -> dict[str, Any]:
    """What each row becomes (docs/imports.md)."""
    money = {"as": "money"}
    document = {"value": DOCUMENT}
    return {
        "brand": brand, "source": source, "currency": "USD", "identifiers": {"user_id": "customer"},
        "events": [
            {"event": "Arm Assigned", "timestamp": "drawn_at", "message_id": "arm-{customer}",
             "properties": {"document": document, "arm": "arm", "channel": {"value": "email"}}},
            {"event": "Email Sent", "timestamp": "sent_at", "message_id": "letter-{customer}", "properties": {"document": document, "template": "letter"}},
            {"event": "Site Visited", "timestamp": "visited_at", "message_id": "visit-{customer}"},
            {"event": "Order Completed", "timestamp": "bought_at", "message_id": "order-{customer}", "properties": {"total": {"column": "spend", **money}}},
            {"event": "Order Completed", "timestamp": "before_at", "message_id": "before-{customer}",
             "properties": {"total": {"column": "history", **money}}},
        ],
    }  # fmt: skip


def experiment(brand: str, key: str) -> dict[str, Any]:
    """Visits decide; orders and revenue stand beside them."""
    order = {"event": "Order Completed", "window": WINDOW}
    return {
        "key": key, "brand": brand, "of": {"kind": "imported", "document": DOCUMENT}, "start": START, "control": "control",
        "arms": [{"name": name, "share": share} for name, share in SHARES.items()],
        "primary": {"key": "visit", "name": "visits", "target": {"event": "Site Visited", "window": WINDOW}},
        "secondary": [{"key": "order", "name": "orders", "target": order},
                      {"key": "revenue", "name": "revenue per person", "kind": "mean", "target": {**order, "value": "total", "currency": "USD"}}],
        "days": 7, "looks": {"kind": "fixed"}, "outliers": {"rule": "cap", "at": CAP}, "pre_period": "366d",
    }  # fmt: skip


def outcomes(brand: str) -> dict[str, str]:
    """The parameters of the report of what was sent."""
    return {"document": DOCUMENT, "brand": brand, "by": "variant", "event": "Order Completed", "value": "total", "window": WINDOW}
