"""Codes as they come into a pool: what is taken of a file or a list, what is refused and why, and codes that are made."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.promo_pools import is_code, spelled
from services.orchestrator.domain import code_lists
from services.orchestrator.domain.code_lists import (
    ALPHABET,
    Generate,
    Line,
    Refused,
    Wrong,
    asked,
    made,
    of_list,
    of_text,
    sorted_out,
)


def read(body: bytes) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    good, refused = sorted_out(of_text(body))
    return [tuple(one) for one in good], [tuple(one) for one in refused]


def test_a_file_as_people_make_them():
    body = '\ufeffCode;for whom\r\nA-1;ann\r\n\r\n "B.2","x, y"\r\nСКИДКА_10\tz\n a-1 \nhas space\n-x\n'
    good, refused = read(body.encode() + b"\xff\xfe\n" + b"last")
    assert good == [(2, "A-1"), (4, "B.2"), (5, "СКИДКА_10"), (10, "last")]
    assert refused == [(6, "repeated"), (7, "characters"), (8, "characters"), (9, "encoding")]


def test_a_header_is_one_on_the_first_line_only():
    assert read(b"coupon\ncoupon\n") == ([(2, "coupon")], [])


def test_a_list_counts_its_places():
    good, refused = sorted_out(of_list(["A", " a ", "", "B" * 65, "B" * 64]))
    assert [one.line for one in good] == [1, 5]
    assert refused == [Refused(2, "repeated"), Refused(3, "characters"), Refused(4, "characters")]


@given(st.binary(max_size=300))
@example(b'"')
@example(b"\x00\n\r\n;\n")
def test_every_line_is_taken_or_refused_or_empty(body):
    good, refused = sorted_out(of_text(body))
    lines = [one.line for one in (*good, *refused)]
    assert len(set(lines)) == len(lines) and all(1 <= line <= body.count(b"\n") + 1 for line in lines)
    assert all(is_code(one.code) for one in good)
    assert len({spelled(one.code) for one in good}) == len(good)


def test_no_more_than_a_million(monkeypatch):
    monkeypatch.setattr(code_lists, "MOST", 3)
    assert len(sorted_out(Line(n, f"c{n}") for n in range(3))[0]) == 3
    with pytest.raises(Wrong, match="several requests"):
        sorted_out(Line(n, f"c{n}") for n in range(4))


def random(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@given(st.integers(1, 60), st.sampled_from(["BDAY-#####", "#####", "##########", "#" * 64, "я-######"]))
def test_codes_that_are_made_are_different_and_of_the_pattern(count, pattern):
    codes = made(Generate(pattern, count), random)
    assert len(set(codes)) == count and all(is_code(code) for code in codes)
    for code in codes:
        assert all(one in ALPHABET if wanted == "#" else one == wanted for one, wanted in zip(code, pattern, strict=True))
    assert made(Generate(pattern, count), random) == codes


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        (b"", "", "malformed_json"),
        (b'{"codes": ["A"', "", "malformed_json"),
        (b'{"codes": [1]}', "", "code_fields"),
        (b'{"codes": ["A"], "generate": {"pattern": "####", "count": 1}}', "", "code_fields"),
        (b"{}", "", "code_fields"),
        (b'{"generate": {"pattern": "##", "count": 2}}', "generate.pattern", "code_guessable"),
        (b'{"generate": {"pattern": "FIX", "count": 1}}', "generate.pattern", "code_guessable"),
        (b'{"generate": {"pattern": "#### ####", "count": 1}}', "generate.pattern", "code_characters"),
        (b'{"generate": {"pattern": "########", "count": 0}}', "generate.count", "code_count"),
        (b'{"generate": {"pattern": "########", "count": 1000001}}', "generate.count", "code_count"),
    ],
)
def test_what_cannot_be_done_says_why(body, path, code):
    with pytest.raises(Wrong) as told:
        asked(body)
    assert (told.value.path, told.value.code) == (path, code) and told.value.message
