"""A file is cut into the same rows wherever its pieces end."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import Malformed, Sniffer, Table

FILE = 'a;b\r\n1;"x\r\ny"\r\n\r\n;;\r\n2;"say ""hi"""\r\n3;я\u2028z\x0b.\n4;"a;b"'


def rows_of(data: bytes, cuts=(), encoding="utf-8", delimiter=""):
    table, found, start = Table(encoding, delimiter), [], 0
    for end in [*sorted(cuts), len(data)]:
        found += table.feed(data[start:end], final=end == len(data))
        start = end
        if end == len(data):
            break
    return table, found


def test_rows_have_their_line_and_text():
    table, found = rows_of(FILE.encode())
    assert table.columns == ["a", "b"]
    assert [(row.line, row.cells) for row in found] == [
        (2, ["1", "x\r\ny"]), (6, ["2", 'say "hi"']), (7, ["3", "я\u2028z\x0b."]), (8, ["4", "a;b"]),
    ]  # fmt: skip
    assert [row.raw for row in found][:2] == ['1;"x\r\ny"\r\n', '2;"say ""hi"""\r\n']


@given(st.sets(st.integers(0, len(FILE.encode()) - 1), max_size=6))
def test_pieces_change_nothing(cuts):
    assert rows_of(FILE.encode(), cuts)[1] == rows_of(FILE.encode())[1]


@pytest.mark.parametrize("inner", ["x", '""', "x,", 'x""y,'])
def test_a_line_that_is_too_long_costs_itself(inner):
    data = f'a,b\n1,"{inner * 700_000}"\n2,3\n'.encode()
    for cuts in ((), range(1_000_000, len(data), 1_000_000), (len(data) - 6,)):
        _, found = rows_of(data, cuts)
        assert [(row.line, row.cells) for row in found] == [(2, None), (3, ["2", "3"])]
        assert found[0].why


@pytest.mark.parametrize("inner", ["x", 'x"', '"\n",', '"', '"\n'])
def test_a_row_without_an_end_is_not_held(inner):
    table, piece, held = Table("utf-8", ","), (inner * (1_000_000 // len(inner))).encode(), []
    list(table.feed(b"a,b\n1,"))
    for _ in range(4):
        for _ in table.feed(piece):
            pass
        held.append(len(table._rest))
    assert max(held) <= 2_000_001


cell = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r"), max_size=8)


@given(
    st.lists(st.lists(cell, min_size=3, max_size=3), max_size=8), st.sampled_from(",;\t"), st.sets(st.integers(0, 200), max_size=4)
)
def test_what_a_csv_writer_writes_is_read(lines, delimiter, cuts):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["one", "two", "three"], *lines])
    data = out.getvalue().encode()
    _, found = rows_of(data, {cut for cut in cuts if cut < len(data)}, delimiter=delimiter)
    trimmed = [[text.strip() for text in line] for line in lines]
    assert [row.cells for row in found] == [line for line in trimmed if any(line)]
    text = out.getvalue()
    for row in found:  # the raw text stands where the line number says
        assert "".join(text.split("\n")[row.line - 1]).startswith(row.raw.split("\n")[0])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter):
    table, _ = rows_of(f'"a,;\tb"{delimiter}c\n'.encode())
    assert table.columns == ["a,;\tb", "c"]


def test_a_quote_that_is_never_closed_costs_only_what_it_swallowed():
    broken = 'a,b\n1,2\n3,"open\n' + "4,5\n" * 3
    _, found = rows_of(broken.encode())
    assert [row.cells for row in found] == [["1", "2"], None]
    assert "quote" in found[1].why
    assert found[1].raw == '3,"open\n' + "4,5\n" * 3
    long = 'a,b\n1,"open\n' + "4,5\n" * 60_000
    _, found = rows_of(long.encode(), range(0, len(long), 50_000))
    assert found[0].cells is None and found[-1].cells == ["4", "5"]
    assert 20_000 < sum(row.cells == ["4", "5"] for row in found) < 60_000


def test_a_row_that_is_too_long_is_none():
    _, found = rows_of(b"a,b\n1," + b"x" * 40_000 + b"\n3,4\n")
    assert [row.cells for row in found] == [None, ["3", "4"]]
    assert len(found[0].raw) < 40_000


@pytest.mark.parametrize("data", [b"", b"\n\n", b" \n;;\n"])
def test_a_file_without_a_header(data):
    with pytest.raises(Malformed) as caught:
        rows_of(data)
    assert caught.value.fault.code == "header_missing"


def sniffed(data: bytes, cut: int = 0) -> str:
    sniffer = Sniffer()
    sniffer.feed(data[:cut])
    sniffer.feed(data[cut:])
    return sniffer.encoding()


@pytest.mark.parametrize("cut", range(6))
def test_encodings(cut):
    assert sniffed("имя,город".encode(), cut) == "utf-8"
    assert sniffed("имя,город".encode("utf-8-sig"), cut) == "utf-8-sig"
    assert sniffed("имя,город".encode("cp1251"), cut) == "cp1251"
    assert sniffed(b"a,b", cut) == "utf-8"
    assert sniffed("я".encode()[:1], cut) == "cp1251"


def test_the_mark_of_utf8_is_no_part_of_the_header():
    assert rows_of("я,b\n".encode("utf-8-sig"), encoding="utf-8-sig")[0].columns == ["я", "b"]


def test_utf16_is_read_by_its_mark_and_refused_without_one():
    assert sniffed("имя,город\n".encode("utf-16")) == "utf-16"
    assert rows_of("имя,b\nАнна,1\n".encode("utf-16"), {3, 9}, encoding="utf-16")[1][0].cells == ["Анна", "1"]
    with pytest.raises(Malformed) as caught:
        sniffed("a,b\n1,2".encode("utf-16-le"))
    assert caught.value.fault.code == "encoding_unsupported"


def test_a_latin_file_is_not_taken_for_a_russian_one_and_both_are_said_to_be_guesses():
    for text, encoding in (("name,town\nRené,Besançon\nBjörn,Malmö\n", "cp1252"), ("имя,город\nАнна,Тверь\n", "cp1251")):
        sniffer = Sniffer()
        sniffer.feed(text.encode(encoding))
        assert (sniffer.encoding(), sniffer.guessed) == (encoding, True)
    sniffer = Sniffer()
    sniffer.feed("имя".encode())
    assert not sniffer.guessed


def test_one_nul_costs_its_row_and_not_the_file():
    assert sniffed(b"a,b\n1,\x002\n3,4\n" + b"5,6\n" * 10) == "utf-8"


def test_mixed_line_ends():
    _, found = rows_of(b"a,b\r\n1,2\n3,4\r\n5,6\r7,8\n9,0\n")
    assert [(row.line, row.cells) for row in found] == [(2, ["1", "2"]), (3, ["3", "4"]), (4, None), (5, ["9", "0"])]
    assert "carriage return" in found[2].why
    _, old = rows_of(b"a,b\r1,2\r3,4\r")
    assert [(row.line, row.cells) for row in old] == [(2, ["1", "2"]), (3, ["3", "4"])]


def test_what_a_download_has_made_harmless_is_read_as_it_was():
    _, found = rows_of(b"a,b\n'=1+1,'+79161234567\n'quoted',O'Hara\n")
    assert [row.cells for row in found] == [["=1+1", "+79161234567"], ["'quoted'", "O'Hara"]]
