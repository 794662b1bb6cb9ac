"""The file of order lines, read as it is: nothing is cleaned here."""

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("data") / "online_retail_2010-12.csv.gz"


class Line(NamedTuple):
    """One line of an invoice. price: GBP, as in the file; 0 or less, an empty name and a negative quantity occur."""

    sku: str
    name: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """at: UTC ms of its minute (in December London's time is UTC). customer: "" for nobody known."""

    number: str
    at: int
    customer: str
    country: str
    lines: Sequence[Line]

    @property
    def cancels(self) -> bool:
        return self.number.startswith("C")

    @property
    def sold(self) -> bool:
        """Whether anything was sold for money: the others are notes of the stock room ("?", "damaged", "amazon")."""
        return any(line.price > 0 for line in self.lines)

    @property
    def revenue(self) -> Decimal:
        return sum((line.price * line.quantity for line in self.lines), Decimal(0))


def read(packed: bytes) -> list[Invoice]:
    """Invoices of a gzipped CSV in the order of their instants. Raises KeyError for a missing column, ValueError for a broken number."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(gzip.decompress(packed).decode())):
        rows.setdefault(row["InvoiceNo"], []).append(row)
    return sorted((_invoice(number, lines) for number, lines in rows.items()), key=lambda one: (one.at, one.number))


def load() -> list[Invoice]:
    """The month that comes with the demo."""
    return read(FILE.read_bytes())


def _invoice(number: str, rows: Sequence[dict[str, str]]) -> Invoice:
    first = rows[0]
    at = datetime.fromisoformat(first["InvoiceDate"]).replace(tzinfo=UTC)
    lines = [Line(r["StockCode"], r["Description"], int(r["Quantity"]), Decimal(r["UnitPrice"])) for r in rows]
    return Invoice(number, round(at.timestamp() * 1000), first["CustomerID"], first["Country"], lines)
