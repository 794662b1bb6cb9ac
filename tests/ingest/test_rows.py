"""Rows become facts or are refused with a reason: every row is in exactly one of both."""

import csv
import io
import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import facts, ids
from schemas.facts import Fact
from services.ingest.domain import Arrival, Assembly, Malformed, Plan, Source, Table, bind, read_mapping

DATA = Path(__file__).parent / "data"
SHOP = json.loads((DATA / "online_retail_mapping.json").read_text())
SAMPLE = (DATA / "online_retail_sample.csv").read_bytes()
NOW = 1_795_341_600_000
CONTACTS = {"call": "identify", "identifiers": {"email": "mail", "phone": "tel"}, "attributes": {"name": "name"}}


def run(data: bytes | str, mapping, *, driven=False, portion=10**9, currency=None, region="GB", now=NOW, word=""):
    """Everything the file became, and the assembly's own account of it."""
    data = data.encode() if isinstance(data, str) else data
    table = Table("utf-8")
    rows = list(table.feed(data, final=True))
    plan = bind(read_mapping(json.dumps(mapping).encode()), table.columns)
    assert isinstance(plan, Plan), plan
    source = Source(brand="shop", name="till", lane="bulk", currency=mapping.get("currency") or currency, region=region)
    arrival = Arrival(source=source, now=now, driven=driven, kind=mapping.get("call", ""), lane="bulk", context={"import": "i"})
    assembly = Assembly(plan, word)
    closed = []
    for start in range(0, len(rows), portion):
        closed += assembly.push(rows[start : start + portion], arrival)
    closed += assembly.end(arrival)
    assert sum(one.rows for one in closed) == len(rows)
    for one in closed:
        assert all(facts.decode(made.value) == made.fact for made in one.made)
        assert len(one.refused) <= one.rows and (one.made or len(one.refused) == one.rows)
    return closed


def facts_of(closed) -> list[Fact]:
    return [made.fact for one in closed for made in one.made]


def refused_of(closed) -> list[tuple[int, str]]:
    return [(bad.line, bad.reason) for one in closed for bad in one.refused]


def test_the_shops_file():
    """Against a second reading of the same file that shares nothing with the first."""
    expected, dirt = defaultdict(list), {}
    for number, line in enumerate(csv.DictReader(io.StringIO(SAMPLE.decode())), start=2):
        cancelled, quantity = line["InvoiceNo"].startswith("C"), int(line["Quantity"])
        if not line["CustomerID"]:
            dirt[number] = "no customer"
        elif Decimal(line["UnitPrice"]) <= 0:
            dirt[number] = "price zero or less"
        elif not line["Description"]:
            dirt[number] = "no description"
        elif quantity < 0 and not cancelled:
            dirt[number] = "negative quantity outside a cancellation"
        else:
            expected[line["InvoiceNo"]].append(line)
    closed = run(SAMPLE, SHOP)
    assert dict(refused_of(closed)) == dirt
    found = {fact.properties["order_id"]: fact for fact in facts_of(closed)}
    assert found.keys() == expected.keys()
    for order, lines in expected.items():
        fact = found[order]
        sign = -1 if order.startswith("C") else 1
        assert fact.event == ("Order Cancelled" if sign < 0 else "Order Completed")
        assert fact.identifiers == (f"user_id:{lines[0]['CustomerID']}",)
        assert fact.id == ids.derive("till", f"order-{order}")
        total = sum(Decimal(line["UnitPrice"]) * int(line["Quantity"]) * sign for line in lines)
        assert fact.properties["revenue"] == {"minor": int(total * 100), "currency": "GBP"} and total > 0
        assert [(one["sku"], one["quantity"]) for one in fact.properties["products"]] == [
            (line["StockCode"], int(line["Quantity"]) * sign) for line in lines
        ]
        assert fact.context == {"import": "i"}
    first = next(iter(found.values()))
    assert first.occurred_at // 86_400_000 == 14_944  # 1 December 2010
    assert first.received_at == NOW


def test_each_kind_of_dirt_in_the_shops_file():
    head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    when = "2010-12-01T08:26:00"
    lines = [
        f"1,A,Lamp,2,{when},2.55,17,UK",
        f"1,B,Cup,1,{when},0,17,UK",
        f"1,C,,1,{when},1.00,17,UK",
        f"2,A,Lamp,1,{when},1.00,,UK",
        f"3,A,Lamp,-1,{when},1.00,17,UK",
        f"C4,A,Lamp,-1,{when},1.00,17,UK",
        f"C4,B,Lamp,2,{when},1.00,17,UK",
        "5,A,Lamp,1,01/13/2010 8:26,1.00,17,UK",
        f"6,A,Lamp,many,{when},1.00,17,UK",
        f"7,A,Lamp,1,{when},1.00,17",
        f"8,A,Lamp,1,{when},1.00,17,UK",
        f"8,A,Lamp,1,{when},1.00,18,UK",
        f",A,Lamp,1,{when},1.00,18,UK",
        f"1,A,Late,1,{when},1.00,17,UK",
    ]
    closed = run("\n".join([head, *lines]), SHOP)
    assert dict(refused_of(closed)) == {
        3: "price zero or less", 4: "no description", 5: "no customer", 6: "negative quantity outside a cancellation",
        8: "negative quantity outside a cancellation", 9: "InvoiceDate is no time", 10: "Quantity is no number",
        11: "has 7 cells in place of 8", 13: "names another customer than the first row of its group",
        14: "InvoiceNo is empty", 15: "message id stood earlier in the file",
    }  # fmt: skip
    assert [fact.properties["order_id"] for fact in facts_of(closed)] == ["1", "C4", "8"]


def test_a_group_that_never_ends_is_bounded():
    """A wrong `by` makes one group of the whole file: it neither fills the memory nor goes unsaid."""
    head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    closed = run(head + "1,A,Lamp,1,2010-12-01T08:26:00,1.00,17,UK\n" * 12_000, SHOP)
    (fact,) = facts_of(closed)
    assert len(fact.properties["products"]) == 5_000
    assert Counter(reason for _, reason in refused_of(closed)) == {
        "group is too large": 5_000, "message id stood earlier in the file": 2_000,
    }  # fmt: skip


@given(st.integers(1, 60))
def test_portions_change_nothing(portion):
    data = SAMPLE.decode().splitlines(keepends=True)[:80]
    assert run("".join(data), SHOP, portion=portion) == run("".join(data), SHOP)


def test_the_same_file_gives_the_same_ids_and_a_mended_row_another():
    text = "mail,tel,name\nann@example.org,,Ann\nbob@example.org,,Bob\n"
    first, again = facts_of(run(text, CONTACTS)), facts_of(run(text, CONTACTS, now=NOW + 9))
    mended = facts_of(run(text.replace("Bob", "Rob"), CONTACTS))
    assert [one.id for one in first] == [one.id for one in again]
    assert [one.id == two.id for one, two in zip(first, mended, strict=True)] == [True, False]
    assert facts_of(run(text, {**CONTACTS, "attributes": {}}))[0].id != first[0].id


def test_a_row_without_a_moment_is_a_new_word_in_each_import_and_the_same_in_a_rerun():
    text = "mail,tel,name,at,no\nann@example.org,,Ann,2024-01-31,7\n"
    says = {**CONTACTS, "events": [{"event": "Seen"}], "consents": [{"answer": "withdrawn"}]}

    def ids_of(mapping, word):
        return [fact.id for fact in facts_of(run(text, mapping, word=word))]

    assert ids_of(says, "one") == ids_of(says, "one") and len(set(ids_of(says, "one"))) == 3
    assert set(ids_of(says, "one")).isdisjoint(ids_of(says, "two"))
    dated = {**says, "timestamp": "at"}
    assert ids_of(dated, "one") == ids_of(dated, "two"), "what has a moment of its own is said once"
    assert ids_of(dated, "one") == ids_of(dated, "")
    named = [{**one, "message_id": "{no}"} for key in ("events", "consents") for one in says[key]]
    told = {**CONTACTS, "message_id": "who-{no}", "events": named[:1], "consents": named[1:]}
    assert ids_of(told, "one") == ids_of(told, "two")


def test_contacts():
    mapping = {
        **CONTACTS,
        "decimal": ",",
        "currency": "RUB",
        "attributes": {
            "name": "name",
            "birthday": {"column": "born", "as": "date"},
            "points": {"column": "points", "as": "integer"},
            "spent": {"column": "spent", "as": "money"},
            "share": {"column": "share", "as": "number"},
            "subscribed": {"column": "news", "as": "boolean"},
        },
    }
    text = (
        "mail;tel;name;born;points;spent;share;news\n"
        'Ann@Example.org;"020 7946 0958"; Ann ;31.12.1990;1 200;1 234,505;0,5;Да\n'
        "not a mail;+79161234567;;;;;;\n"
        "not a mail;;Nobody;;;;;\n"
        "bob@example.org;;Bob;1990-02-30;;;;\n"
        "bob@example.org;;Bob;;1.5;;;\n"
        "bob@example.org;;Bob;;;;;maybe\n"
        "ann@example.org;;Ann;;;;;\n"
        "ann@example.org;;Ann;;;;;\n"
    )
    closed = run(text, mapping)
    ann, phone, again = facts_of(closed)
    assert ann.identifiers == ("email:ann@example.org", "phone:+442079460958")
    assert ann.attributes == {
        "email": "Ann@Example.org", "phone": "020 7946 0958", "name": "Ann", "birthday": "1990-12-31", "points": 1200,
        "spent": {"minor": 123451, "currency": "RUB"}, "share": 0.5, "subscribed": True,
    }  # fmt: skip
    assert (ann.type, ann.event, ann.properties, ann.occurred_at) == ("identify", "", {}, NOW)
    assert phone.identifiers == ("phone:+79161234567",)
    assert again.identifiers == ("email:ann@example.org",)
    assert [one.left_out for one in closed if one.left_out] == [("traits.email: It is no usable email.",)]
    assert [reason for _, reason in refused_of(closed)] == [
        "The event names nobody: no usable userId, anonymousId, email, phone or messenger id.",
        "born is no date",
        "points is no number",
        "news is neither yes nor no",
        "message id stood earlier in the file",
    ]


@pytest.mark.parametrize(
    ("text", "zone", "pattern", "expected"),
    [
        ("2010-12-01T08:26:00", "Europe/London", "", 1_291_191_960_000),
        ("2010-07-01 08:26", "Europe/London", "", 1_277_969_160_000),
        ("2010-12-01T08:26:00+03:00", "Europe/London", "", 1_291_181_160_000),
        ("01.12.2010 8:26", "Europe/Moscow", "", 1_291_181_160_000),
        ("12/1/2010 8:26", "UTC", "%m/%d/%Y %H:%M", 1_291_191_960_000),
        ("1291191960", "Europe/London", "", 1_291_191_960_000),
        ("2010-12-01", "UTC", "", 1_291_161_600_000),
        ("2090-01-01", "UTC", "", NOW),
        ("1970-01-01", "UTC", "", None),
        ("32.12.2010", "UTC", "", None),
        ("", "UTC", "", None),
        ("2010-12-01", "UTC", "%d.%m.%Y", None),
    ],
)
def test_times(text, zone, pattern, expected):
    mapping = {**CONTACTS, "timestamp": "at", "time_zone": zone, "timestamp_format": pattern}
    closed = run(f"mail,tel,name,at\nann@example.org,,Ann,{text}\n", mapping)
    assert [fact.occurred_at for fact in facts_of(closed)] == ([] if expected is None else [expected])
    assert len(refused_of(closed)) == (expected is None)


def test_the_driven_clock():
    mapping = {**CONTACTS, "timestamp": "at"}
    (fact,) = facts_of(run("mail,tel,name,at\nann@example.org,,A,2010-12-01T08:26:00\n", mapping, driven=True))
    assert fact.occurred_at == fact.received_at == 1_291_191_960_000


def test_track_names_people_by_address_too():
    mapping = {"call": "track", "event": "Visited", "identifiers": {"email": "mail"}, "properties": {"page": "page"}}
    (fact,) = facts_of(run("mail,page\nann@example.org,/x\n", mapping))
    assert (fact.identifiers, fact.attributes, fact.properties) == (
        ("email:ann@example.org",), {"email": "ann@example.org"}, {"page": "/x"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"identifiers": {"mail": "mail"}}, ["identifiers.mail"]),
        ({"identifiers": {}}, ["identifiers"]),
        ({"attributes": {"a": "x", "b": {"column": "y", "as": "money"}}}, ["attributes.a", "attributes.b", "attributes.b"]),
        ({"time_zone": "Mars/Base", "currency": "pounds", "timestamp": "when"}, ["currency", "time_zone", "timestamp"]),
        ({"call": "track"}, ["event"]),
        ({"group": {"by": "mail", "products": {}}}, ["call"]),
        ({"message_id": "{x}-{mail}"}, ["message_id"]),
        ({"message_id": "{mail"}, ["message_id"]),
        ({"refuse": [{"column": "x", "is": "empty"}]}, ["refuse[0].column"]),
        ({"call": "track", "event": "E", "variants": [{"column": "mail", "starts_with": "", "event": "F"}]}, ["variants[0]"]),
    ],
)
def test_a_mapping_that_does_not_fit_says_all_at_once(change, paths):
    faults = bind(read_mapping(json.dumps({**CONTACTS, **change}).encode()), ["mail", "tel", "name"])
    assert isinstance(faults, list)
    assert sorted(fault.path for fault in faults) == sorted(paths)
    assert all(fault.message and fault.mend for fault in faults)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**CONTACTS, "colums": {}}, ""),
        ({**CONTACTS, "call": "page"}, "call"),
        ({**CONTACTS, "attributes": {"a": {"column": "x", "as": "colour"}}}, "attributes[...].as"),
        ([], ""),
    ],
)
def test_a_document_that_is_no_mapping(document, path):
    with pytest.raises(Malformed) as caught:
        read_mapping(json.dumps(document).encode())
    assert (caught.value.fault.path, caught.value.fault.code) == (path, "mapping_wrong")


cells = st.sampled_from(["", "1", "C1", "17", "2.5", "-3", "0", "x", "2010-12-01", '"a', "ann@example.org", "\x00", "9" * 25])


@given(st.lists(st.lists(cells, min_size=1, max_size=9), max_size=12))
def test_whatever_the_file_holds_every_row_is_accounted_for(lines):
    head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    closed = run(head + "\n".join(",".join(line) for line in lines), SHOP)
    numbers = Counter(line for line, _ in refused_of(closed))
    assert not numbers or max(numbers.values()) == 1


@pytest.mark.parametrize("call", ["identify", "track"])
def test_a_companys_own_numbers_name_people_too(call):
    mapping = {**CONTACTS, "call": call, "identifiers": {"email": "mail", "id.card": "card", "id.pass": "pass"}}
    if call == "track":
        mapping["event"] = "Card Shown"
    (fact, other) = facts_of(run("mail,card,pass,name\na@b.cd,12-34,7,Ann\n,55,,Bob\n", mapping))
    assert fact.identifiers == ("id.card:12-34", "id.pass:7", "email:a@b.cd") and other.identifiers == ("id.card:55",)
