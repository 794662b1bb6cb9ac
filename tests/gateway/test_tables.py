"""What an export writes: the same people in each format, none of whose texts a spreadsheet takes for a formula."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.exports import AGREED, CAME, FIXED, LINE, NAMED, PROFILE, STANDING
from services.gateway.domain import tables
from services.gateway.domain.formats import Format, joined
from services.gateway.domain.tables import harmless, instants, writer

T = 1_798_761_600_123
KINDS = {"odd": "string", "plan": "string", "rate": "float", "spent.minor": "int", "vip": "bool"}
WORDS = '[{"brand":"shop","channel":"email"}]'
ANN = {
    "profile": "a", "since": T, "why": "fact", "cause": "f", "first_touch_at": T - 5, "first_touch_source": "site",
    "first_touch_campaign_source": "vk", "first_touch_campaign_name": "=spring", "email": "a@x.example",
    "phone": "+79161234567;+79161234568", "other_ids": "id.crm:7", "brands": "club;shop", "first_received_at": T - 9, "consents": WORDS,
    "attributes.plan": "gold", "attributes.spent.minor": 5, "attributes.vip": True, "attributes.odd": '=1+1,"x"', "attributes.rate": 1.5,
}  # fmt: skip
BOB = {"profile": "b", "since": T + 1, "why": "time", "brands": "", "first_received_at": T, "attributes.odd": "3"}
GONE = {"profile": "aa", "since": T, "why": "fact", "cause": "of one who is another by now"}
_ARROW = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "at": pa.int64()}


def batch(people: list[dict], *columns: tuple[str, str]) -> pa.RecordBatch:
    return pa.record_batch({name: pa.array([one.get(name) for one in people], _ARROW[kind]) for name, kind in columns})


def piece(members: list[dict], people: list[dict]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """As the warehouse and profile tell it."""
    attributes = [(f"attributes.{name}", kind) for name, kind in KINDS.items()]
    return batch(members, PROFILE, *STANDING, *CAME), batch(people, PROFILE, *NAMED, *AGREED, *attributes)


def written(form: Format, *pieces: tuple[pa.RecordBatch, pa.RecordBatch]) -> bytes:
    out = writer(form, KINDS)
    return b"".join([out.begin(), *(out.rows(*one) for one in pieces), out.end()])


def in_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_csv_has_a_column_for_each_thing_and_no_formula():
    ann, bob = in_csv(written("csv", piece([ANN, GONE], [ANN]), piece([BOB], [BOB])))
    assert list(ann)[: len(FIXED)] == [column.name for column in FIXED]
    assert (ann["profile"], ann["since"], ann["why"], ann["cause"], ann["brands"]) == ("a", iso(T), "fact", "f", "club;shop")
    assert (ann["email"], ann["phone"], ann["other_ids"]) == (
        "a@x.example",
        "+79161234567;+79161234568",
        "id.crm:7",
    )
    assert ann["attributes.odd"] == """'=1+1,"x\"""" and ann["first_touch_campaign_name"] == "'=spring"
    assert (ann["attributes.spent.minor"], ann["attributes.vip"], ann["attributes.rate"]) == ("5", "true", "1.5")
    assert (ann["first_touch_at"], ann["first_touch_source"], ann["last_touch_at"]) == (iso(T - 5), "site", "")
    assert ann["consents"] == WORDS
    assert (bob["cause"], bob["email"], bob["attributes.plan"], bob["attributes.odd"]) == ("", "", "", "3")


def test_parquet_has_the_same_typed_whatever_the_pieces(monkeypatch):
    whole = parquet.read_table(io.BytesIO(written("parquet", piece([ANN, GONE, BOB], [ANN, BOB])))).to_pylist()
    monkeypatch.setattr(tables, "GROUP", 1)
    assert parquet.read_table(io.BytesIO(written("parquet", piece([ANN], [ANN]), piece([BOB], [BOB])))).to_pylist() == whole
    ann, bob = whole
    assert (ann["attributes.spent.minor"], ann["attributes.vip"], ann["attributes.odd"], bob["attributes.odd"]) == (
        5,
        True,
        '=1+1,"x"',
        "3",
    )
    assert ann["since"] == datetime.fromtimestamp(T / 1000, UTC)
    assert bob["first_touch_at"] is None and bob["attributes.plan"] is None
    assert parquet.read_table(io.BytesIO(written("parquet"))).num_rows == 0


def test_json_lines_keep_all_as_it_is():
    members = [{"profile": one, LINE: json.dumps({"id": one, "since": T})} for one in ("a", "b", "c")]
    people = [{"profile": one, LINE: f'{{"id":"{one}","name":"Анна"'} for one in ("a", "c")]
    told = (PROFILE, (LINE, "string"))
    lines = written("jsonl", (batch(members, *told), batch(people, *told))).splitlines()
    assert [json.loads(one) for one in lines] == [
        {"id": one, "name": "Анна", "member": {"id": one, "since": T}} for one in ("a", "c")
    ]


@given(st.lists(st.none() | st.text(st.sampled_from("=+-@\t\r\n\",;' x7я"), max_size=6) | st.text(max_size=5), min_size=1))
def test_any_text_comes_back_from_csv_but_for_a_mark_before_formulas(texts):
    people = [{"profile": str(n), "attributes.odd": text} for n, text in enumerate(texts)]
    rows = in_csv(written("csv", piece(people, people)))
    for text, row in zip(texts, rows, strict=True):
        told, text = row["attributes.odd"], text or ""
        phones = re.fullmatch(r"\+[0-9]+(;\+[0-9]+)*", text)
        assert told == (f"'{text}" if text[:1] in tuple("=+-@\t\r") and not phones else text)


def test_names_of_columns_are_no_formulas_either():
    assert harmless(pa.array(["=a", "+7", "+7+", None, "a=b"])).to_pylist() == ["'=a", "+7", "'+7+", None, "a=b"]


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_instants_are_iso_texts(ms):
    second, rest = divmod(ms, 1000)
    day = datetime.fromtimestamp(0, UTC).toordinal() + second // 86_400
    clock = f"{second % 86_400 // 3600:02d}:{second % 3600 // 60:02d}:{second % 60:02d}.{rest:03d}Z"
    date = datetime.fromordinal(day)
    assert instants(pa.array([ms, None])).to_pylist() == [f"{date.year:04d}-{date.month:02d}-{date.day:02d}T{clock}", None]


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [(("int", "int"), "int"), (("int", "float"), "float"), (("int", "string"), "string"), (("bool", "int"), "string")],
)
def test_kinds_of_pieces_are_joined(kinds, kind):
    assert joined(("n", one) for one in kinds) == {"n": kind}
