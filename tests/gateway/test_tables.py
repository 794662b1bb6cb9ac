"""What an export writes: the same people in each format, none of whose texts a spreadsheet takes for a formula."""

import csv
import io
import json

import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain import tables
from services.gateway.domain.tables import FIXED, Member, harmless, instant, joined, writer

T = 1_798_761_600_123
TOUCH = {"at": T - 5, "source": "site", "campaign": {"source": "vk", "medium": None, "name": "=spring"}}
ANN = Member(
    {"id": "a", "since": T, "why": "fact", "cause": "f", "version": 1, "first_touch": TOUCH, "last_touch": None},
    {
        "id": "a",
        "identifiers": ["email:a@x.example", "id.crm:7", "phone:+79161234567", "phone:+79161234568"],
        "attributes": {"plan": "gold", "spent.minor": 5, "vip": True, "odd": "=1+1", "rate": 1.5},
        "first_received_at": T - 9,
        "brands": ["shop", "club"],
        "consents": [{"brand": "shop", "channel": "email", "topic": "*", "state": "proven", "action": "granted", "at": T}],
    },
)
BOB = Member(
    {"id": "b", "since": T + 1, "why": "time", "cause": None, "version": 1, "first_touch": None, "last_touch": None},
    {"id": "b", "identifiers": [], "attributes": {"odd": 3, "unheard": 1}, "first_received_at": T, "brands": [], "consents": []},
)
KINDS = {"plan": "string", "spent.minor": "int", "vip": "bool", "odd": "string", "rate": "float"}


def written(form: tables.Format, *pieces: list[Member]) -> bytes:
    out = writer(form, KINDS)
    return b"".join([out.begin(), *(out.rows(piece) for piece in pieces), out.end()])


def test_csv_has_a_column_for_each_thing_and_no_formula():
    ann, bob = csv.DictReader(io.StringIO(written("csv", [ANN], [BOB]).decode("utf-8-sig")))
    assert list(ann)[: len(FIXED)] == [column.name for column in FIXED]
    assert (ann["profile"], ann["since"], ann["why"], ann["cause"], ann["brands"]) == ("a", instant(T), "fact", "f", "shop;club")
    assert (ann["email"], ann["phone"], ann["other_ids"]) == (
        "a@x.example",
        "+79161234567;+79161234568",
        "id.crm:7",
    )
    assert ann["attributes.odd"] == "'=1+1" and ann["first_touch_campaign_name"] == "'=spring"
    assert (ann["attributes.spent.minor"], ann["attributes.vip"], ann["attributes.rate"]) == ("5", "true", "1.5")
    assert (ann["first_touch_at"], ann["first_touch_source"], ann["last_touch_at"]) == (instant(T - 5), "site", "")
    assert json.loads(ann["consents"]) == ANN.person["consents"]
    assert (bob["cause"], bob["email"], bob["attributes.plan"], bob["attributes.odd"]) == ("", "", "", "3")
    assert "attributes.unheard" not in bob


def test_parquet_has_the_same_typed_whatever_the_pieces(monkeypatch):
    whole = parquet.read_table(io.BytesIO(written("parquet", [ANN, BOB]))).to_pylist()
    monkeypatch.setattr(tables, "GROUP", 1)
    assert parquet.read_table(io.BytesIO(written("parquet", [ANN], [BOB]))).to_pylist() == whole
    ann, bob = whole
    assert (ann["attributes.spent.minor"], ann["attributes.vip"], ann["attributes.odd"], bob["attributes.odd"]) == (
        5,
        True,
        "=1+1",
        "3",
    )
    assert instant(int(ann["since"].timestamp() * 1000)) == instant(T)
    assert bob["first_touch_at"] is None and bob["attributes.plan"] is None
    assert parquet.read_table(io.BytesIO(written("parquet"))).num_rows == 0


def test_json_lines_keep_all_as_it_is():
    ann, bob = map(json.loads, written("jsonl", [ANN, BOB]).splitlines())
    assert ann == {**ANN.person, "member": ANN.member} and bob["attributes"] == {"odd": 3, "unheard": 1}


@given(st.text(max_size=5))
def test_a_harmless_text_begins_with_no_mark_or_is_a_number(text):
    told = harmless(text)
    assert told in (text, f"'{text}")
    assert not told.startswith(("=", "-", "@", "\t", "\r")) and (not told.startswith("+") or set(told) <= set("+;0123456789"))


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [(("int", "int"), "int"), (("int", "float"), "float"), (("int", "string"), "string"), (("bool", "int"), "string")],
)
def test_kinds_of_pieces_are_joined(kinds, kind):
    assert joined(("n", one) for one in kinds) == {"n": kind}
