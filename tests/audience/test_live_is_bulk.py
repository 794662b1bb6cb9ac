"""Live is bulk is rebuilt (law.py): the leaves one by one and nested, over ties, late facts, merges and midnights that come every few milliseconds."""

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributes import date_ms
from schemas.audience import Anniversary
from schemas.audience_reading import parse
from schemas.zones import zone
from services.audience.store import windows
from services.audience.store.days import is_near
from services.audience.store.values import date_of
from services.segmenter.domain import recurring
from tests.audience import law
from tests.segmenter.unit.tiny_days import TinyZone, tiny_days

__all__ = ["tiny_days"]


@pytest.fixture
def tiny_days_in_bulk(tiny_days: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "zone", TinyZone)


@pytest.mark.parametrize("drawn", [law.older(), law.newer()], ids=["older", "newer"])
def test_live_is_bulk_is_rebuilt(drawn: Any, tiny_days_in_bulk: None) -> None:
    before, drawn_before = next(law.compared), next(law.pairs_drawn)
    law.holds(drawn, 10)
    assert next(law.compared) - before > 5_000, "the examples must be worth the name"
    pairs = next(law.pairs_drawn) - drawn_before
    assert pairs > 1_000, "2,000 pairs of a condition and a history in both"


def test_neither_counts_what_machines_did_with_letters(tiny_days_in_bulk: None) -> None:
    before = next(law.compared)
    law.holds(law.letters(), 4)
    assert next(law.compared) - before > 2_000


def did(event: str, advance: int = 1, **attributes: Any) -> dict[str, Any]:
    return {"who": 0, "event": event, "advance": advance, "late": 0, "held_up": 0, "properties": {}, "attributes": attributes, "identifiers": (), "bucket": None}  # fmt: skip


def test_edges_that_few_examples_meet(tiny_days_in_bulk: None) -> None:
    """The last instant of a date, what lies at the very first of a sequence, and two words of one instant."""
    sequence = {"kind": "sequence", "first": {"event": "a"}, "then": {"event": "b"}, "without": {"event": "c"}, "within": 9}
    conditions = {
        "date": {"kind": "date", "name": "ends", "until": 2}, "sequence": sequence,
        "word": {"kind": "attribute", "name": "said", "op": "eq", "value": "b"},
    }  # fmt: skip
    histories = [[did("x", ends=15)], [did("a"), did("c", 0), did("b")], [did("x", said="b"), did("x", 0, said="a")]]
    law.agree({key: parse(condition) for key, condition in conditions.items()}, histories)


digits = st.sampled_from(["00", "01", "09", "12", "23", "24", "29", "30", "31", "59", "60"])
years = st.sampled_from(["0000", "0001", "1969", "1970", "2024", "2026", "9999"])
dates = st.tuples(years, digits, digits).map("-".join)
clocks = st.builds(
    lambda head, hour, minute, tail, zone: f"{head}{hour}:{minute}{tail}{zone}",
    st.sampled_from(["T", " ", "t"]), digits, digits, st.sampled_from(["", ":00", ":59", ":60", ":10.5", ":10.123456", ":10.1234567", ":10."]),
    st.sampled_from(["", "Z", "z", "+03:00", "-11:30", "+23:59", "+24:00", "+3:00"]),
)  # fmt: skip


@settings(max_examples=30, deadline=None, derandomize=True)
@given(texts=st.lists(st.builds(str.__add__, dates, st.just("") | clocks) | st.text(max_size=12), min_size=20, max_size=60))
def test_texts_are_dates_in_sql_where_they_are_in_python(texts: list[str]) -> None:
    found = duckdb.connect().execute(f"SELECT v, {date_of('v')} FROM (SELECT unnest($1::VARCHAR[]) AS v)", [texts]).fetchall()
    assert found == [(one, date_ms(one)) for one in texts]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    born=st.sampled_from(["2024-02-29", "1990-12-31", "1990-01-01", "2001-03-25T01:30", "1990-06-15", "2026-06-15", "2027-01-02"]),
    before=st.sampled_from([0, 1, 30, 366, -1, -30, -366]),
    days=st.sampled_from([1, 2, 40, 366]),
    zone_name=st.sampled_from(["UTC", "Europe/Moscow", "Europe/London", "Pacific/Apia", "America/Sao_Paulo"]),
    now=st.integers(1_700_000_000_000, 1_900_000_000_000)
    | st.integers(0, 1500).map(lambda day: 1_735_689_600_000 + day * 86_400_000),
    year=st.sampled_from(["each", "own", None]),
)
def test_a_day_is_near_in_bulk_when_it_is_live(born: str, before: int, days: int, zone_name: str, now: int, year: Any) -> None:
    leaf = Anniversary(name="day", before=before, days=days, year=year, zone=zone_name)
    live = recurring.anniversary(born, zone(zone_name), before, days, now, own=year == "own") > 0
    assert is_near(leaf, date_ms(born), zone_name, now, plain=len(born) == 10) == live
