"""The history as the files that the warehouse writes of it. What facts look like there is said in SQL here, for 20 million of them; the
files, the manifest and the catalogue are made by the warehouse's own code.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from bench.seeded.history import BRAND, CURRENCY, SHARES, SOURCE, Drawn, History, call
from runtime.db import Connection
from runtime.kafka import Place
from runtime.lake import TABLES, column, quote
from schemas.facts import encode
from schemas.ids import NAMESPACE
from schemas.topics import FACTS
from services.ingest.domain import Accepted, Arrival, Source, normalise
from services.warehouse import store
from services.warehouse.domain import sheets
from services.warehouse.domain.sheets import Sheet
from services.warehouse.domain.walk import Stored
from services.warehouse.files import Files, Target, Written
from services.warehouse.handler import FULL

LEVEL = 5  # of files that are merged no more
ROWS = FULL  # of a file
LANE = "live"
_stored = msgspec.json.Decoder(Stored).decode

# Path of a property -> its kind, its value in a row of History.drawn, and the events that have it.
VALUES = {
    "product_id": ("string", "'p' || product", ("Product Viewed", "Product Added", "Product Reviewed")),
    "category": ("string", "'cat_' || category", ("Product Viewed", "Product Added", "Product Reviewed", "Order Completed")),
    "price.minor": ("int", "minor", ("Product Viewed",)),
    "price.currency": ("string", f"'{CURRENCY}'", ("Product Viewed",)),
    "currency": ("string", f"'{CURRENCY}'", ("Product Viewed", "Order Completed", "Checkout Started")),
    "path": ("string", "'/p/' || product", ("page",)),
    "campaign": ("string", "'c' || category", ("Email Sent", "Email Opened", "Email Link Clicked")),
    "quantity": ("int", "quantity::BIGINT", ("Product Added",)),
    "order_id": ("string", "'o' || i", ("Order Completed",)),
    "total.minor": ("int", "minor", ("Order Completed", "Checkout Started")),
    "total.currency": ("string", f"'{CURRENCY}'", ("Order Completed", "Checkout Started")),
    "rating": ("int", "quantity::BIGINT", ("Product Reviewed",)),
}
LINE = (
    """'{"properties":{"products":[{"product_id":"p' || product || '","category":"cat_' || category || '","quantity":' || quantity ||"""
    f""" ',"price":{{"minor":' || minor // quantity || ',"currency":"{CURRENCY}"}}}}]}}}}'"""
)
# Of schemas.ids.derive(SOURCE, "f" || i): sha1 with the marks of a uuid5.
DIGEST = f"sha1(from_hex('{NAMESPACE.hex}') || encode('{SOURCE}' || chr(31) || 'f' || i))"
UUID5 = "(h[1:8] || '-' || h[9:12] || '-5' || h[14:16] || '-' || '89ab'[1 + (('0x' || h[17])::INTEGER & 3)] || h[18:20] || '-' || h[21:32])::UUID"
FIELDS = {
    "id": UUID5,
    "profile": "profile",
    "type": "if(event = 'page', 'page', 'track')",
    "event": "if(event = 'page', 'Page Viewed', event)",
    "brand": f"'{BRAND}'",
    "source": f"'{SOURCE}'",
    "lane": f"'{LANE}'",
    "occurred_at": "make_timestamp_ms(moment)",
    "received_at": "make_timestamp_ms(moment)",
    "topic": f"'{FACTS.name}'",
    "kafka_partition": "part",
    "kafka_offset": "first + row_number() OVER (PARTITION BY part ORDER BY i) - 1",
    "cause": "NULL",
    "rest": f"if(event = 'Order Completed', {LINE}, NULL)::JSON::VARIANT",
    "home": "NULL",
    "kinds": "'user_id'",
}
FROM = "FROM (SELECT *, {digest} AS h FROM ({drawn})) JOIN whose USING (person) JOIN firsts USING (part)"


class Lake(Files):
    """Files of the warehouse, with what happened put into them by the million."""

    def __init__(self, folder: Path, history: History, people: Sequence[tuple[str, int]]) -> None:
        """people: by number, (profile id, partition)."""
        super().__init__(folder, threads=2, memory="2GB")
        self._history = history
        ids, parts = [one for one, _ in people], [part for _, part in people]
        whose = pa.table({"person": pa.array(range(len(ids)), pa.int32()), "profile": ids, "part": pa.array(parts, pa.int32())})
        self._duck.register("given", whose)
        self._duck.execute("CREATE TABLE whose AS SELECT person, profile::UUID AS profile, part FROM given")
        self._duck.unregister("given")

    def spans(self) -> Iterator[tuple[int, int]]:
        """The numbers of the facts of each file."""
        for low in range(0, self._history.facts, ROWS):
            yield low, min(self._history.facts, low + ROWS)

    def put(self, low: int, high: int, number: int, firsts: dict[int, int]) -> Written:
        """The facts of a span as one file. firsts: partition -> the offset of its next row, brought up."""
        names = {name: FIELDS[name] for name, _ in TABLES["facts"]} | _columns()
        chosen = ", ".join(f"({value})::{kind} AS {quote(name)}" for name, (value, kind) in _typed(names).items())
        query = f"SELECT {chosen} {FROM.format(digest=DIGEST, drawn=self._history.drawn(low, high))}"
        with self._busy:
            self._duck.execute("CREATE OR REPLACE TABLE firsts (part INTEGER, first BIGINT)")
            self._duck.executemany("INSERT INTO firsts VALUES (?, ?)", list(firsts.items()))
            written = self._copy(f"FROM ({query}) ORDER BY event, type, occurred_at", "facts", Target(None, LEVEL, number))
        firsts.update({place[1]: last + 1 for place, (_, last) in written.offsets.items()})
        return written


def _columns() -> dict[str, str]:
    found = {}
    for path, (kind, value, events) in VALUES.items():
        found[column("properties", path, kind)] = f"if(event IN ({', '.join(map(repr, events))}), {value}, NULL)"
    return found


def _typed(names: dict[str, str]) -> dict[str, tuple[str, str]]:
    kinds = dict(TABLES["facts"]) | {
        column("properties", path, kind): {"int": "BIGINT"}.get(kind, "VARCHAR") for path, (kind, _, _) in VALUES.items()
    }
    return {name: (value, kinds[name]) for name, value in names.items()}


async def learn(connection: Connection, sheet: Sheet, now: int) -> None:
    """Register the columns and names of a sheet, as a batch of the warehouse does."""
    seen = {key: len(cells.rows) for key, cells in sheet.cells.items()}
    sheet.spill(await store.learn(connection, seen, now) if seen else ())
    if sheet.sights:
        await store.see(connection, sheet.sights, now)


def examples(until: int) -> Sheet:
    """One fact of each event: what the catalogue learns of all of them."""
    arrival = arriving(until)
    facts = []
    for number, event in enumerate(SHARES):
        told = normalise(encode(call(Drawn(number, 0, event, until, 100, 0, 0, 1))), arrival)
        assert isinstance(told, Accepted), told
        facts.append(told.fact)
    return sheet_of([(encode(fact), 0) for fact in facts], {(FACTS.name, 0): 0})


def arriving(until: int) -> Arrival:
    """How calls come to ingest, at an instant of the driven clock."""
    return Arrival(source=Source(brand=BRAND, name=SOURCE, currency=CURRENCY), now=until, driven=True)


def sheet_of(facts: Iterable[tuple[bytes, int]], firsts: dict[Place, int]) -> Sheet:
    """Facts (JSON and partition) as a batch of the warehouse. firsts: place -> offset of its next row, brought up."""
    rows: list[sheets.Row] = []
    for raw, partition in facts:
        place = FACTS.name, partition
        rows.append((*place, firsts[place], _stored(raw)))
        firsts[place] += 1
    return sheets.facts(rows)
