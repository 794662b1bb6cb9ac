"""JSONL: dotted names, exact numbers, broken lines that cost only themselves."""

import json
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import Names, Objects
from services.ingest.domain.objects import MAX_NAMES

FILE = (
    '\ufeff{"mail": " ann@example.org ", "address": {"city": "Тверь", "geo": {"lat": 56.10}}, "phone": 79161234567}\n'
    '\n{"mail": "bob@example.org", broken\n'
    '{"mail": null, "address": null, "phone": 1e3, "tags": ["a", "б"], "vip": true, "a.b": "x"}\r\n'
    '["no", "object"]'
).encode()


def names_of(data: bytes, cuts=()):
    names, start = Names(), 0
    for end in [*sorted(cuts), len(data)]:
        names.feed(data[start:end])
        start = end
    names.feed(b"", final=True)
    return names.columns()


def rows_of(data: bytes, columns, cuts=(), decimal="."):
    reader, found, start = Objects(columns, decimal), [], 0
    for end in [*sorted(cuts), len(data)]:
        found += reader.feed(data[start:end], final=end == len(data))
        start = end
    return found


def test_nested_names_and_values():
    columns = names_of(FILE)
    assert columns == ("mail", "address.city", "address.geo.lat", "phone", "address", "tags", "vip", "a.b")
    rows = rows_of(FILE, columns)
    assert [(row.line, row.cells) for row in rows] == [
        (1, ["ann@example.org", "Тверь", "56.10", "79161234567", '{"city":"Тверь","geo":{"lat":56.1}}', "", "", ""]),
        (3, None),
        (4, ["", "", "", "1e3", "", '["a","б"]', "true", "x"]),
        (5, None),
    ]
    assert rows[1].why and rows[1].raw == '{"mail": "bob@example.org", broken'
    assert rows_of(FILE, columns, decimal=",")[0].cells[2] == "56,10"


LONG = b'{"a": "1"}\n{"b": "' + "я".encode() * 40_000 + b'"}\n' + b" " * 40_000 + b'{"c": 1}\n{"a": "2"}'


@given(st.sets(st.integers(1, len(LONG) - 1), max_size=5))
def test_a_line_that_is_too_long_costs_itself_wherever_pieces_end(cuts):
    assert names_of(LONG, cuts) == ("a",)
    rows = rows_of(LONG, ["a"], cuts)
    assert [(row.line, row.cells) for row in rows] == [(1, ["1"]), (2, None), (3, None), (4, ["2"])]
    assert rows == rows_of(LONG, ["a"])


def test_a_line_without_an_end_is_not_held():
    reader, names, piece = Objects(["a"], "."), Names(), b'"' + b"x" * 1_000_000
    tracemalloc.start()
    for _ in range(50):
        assert not list(reader.feed(piece))
        names.feed(piece)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000
    assert [row.why for row in reader.feed(b"", final=True)] == ["is longer than 32 KB"]


@given(st.sets(st.integers(1, len(FILE) - 1), max_size=5))
def test_pieces_change_nothing(cuts):
    assert names_of(FILE, cuts) == names_of(FILE)
    assert rows_of(FILE, names_of(FILE), cuts) == rows_of(FILE, names_of(FILE))


def test_what_is_too_long_too_deep_or_has_too_many_names_is_bounded():
    assert rows_of(json.dumps({"a": "x" * 40_000}).encode(), ["a"])[0].cells is None
    assert rows_of(b'{"a":' * 5_000, ["a"])[0].cells is None
    many = b"\n".join(json.dumps({f"n{line}-{n}": 1 for n in range(100)}).encode() for line in range(40))
    assert len(names_of(many)) == MAX_NAMES
