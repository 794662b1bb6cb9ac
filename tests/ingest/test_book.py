"""Workbooks: what people see in their cells, memory that is bounded, and files that are none."""

import io
import tracemalloc
import zipfile
from contextlib import suppress
from datetime import date, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.ingest.domain import Book, Malformed, book, sheet
from tests.ingest.workbook import Raw, workbook


def read(data: bytes, sheet: str = "", decimal: str = "."):
    found = Book(io.BytesIO(data), sheet)
    rows = [row for some in found.rows(decimal) for row in some]
    return found, rows


def refused(data: bytes, sheet: str = "") -> str:
    with pytest.raises(Malformed) as caught:
        read(data, sheet)
    assert caught.value.fault.message and caught.value.fault.mend
    return caught.value.fault.code


def test_cells_are_what_people_see():
    head = ["почта", "тел", "счёт", "рождение", "когда", "да", "доля", "стаж"]
    when = datetime(2026, 11, 27, 4, 30)  # noqa: DTZ001
    found, rows = read(
        workbook(
            head,
            [" ann@example.org ", 79161234567, 12.5, date(1990, 12, 31), when, True, 0.1 + 0.2, None],
            [],
            ["bob@example.org", 7.9161234567e10, -3.0, None, None, False, 1e-7, Raw('<c r="{r}" s="3"><v>1.5</v></c>')],
        )
    )
    assert found.columns == head
    assert [(row.line, row.cells) for row in rows] == [
        (2, ["ann@example.org", "79161234567", "12.5", "1990-12-31", "2026-11-27T04:30:00", "true", "0.3", ""]),
        (4, ["bob@example.org", "79161234567", "-3", "", "", "false", "0.0000001", "1.5"]),
    ]


def test_a_formula_is_its_cached_value_and_without_one_its_row_says_so():
    cached = Raw('<c r="{r}" t="str"><f>HYPERLINK("http://x","a")</f><v>=cmd|x</v></c>')
    _, rows = read(
        workbook(["a", "b"], [cached, 1], [Raw('<c r="{r}"><f>1+1</f></c>'), 2], [Raw('<c r="{r}" t="e"><v>#N/A</v></c>'), 3])
    )
    assert [row.cells for row in rows] == [["=cmd|x", "1"], None, ["#N/A", "3"]]
    assert "formula" in rows[1].why


def test_inline_and_rich_texts():
    rich = '<sst><si><r><t>An</t></r><r><t xml:space="preserve">n </t></r><rPh><t>read so</t></rPh></si></sst>'
    head = [Raw('<c r="{r}" t="inlineStr"><is><t>name</t></is></c>'), Raw('<c t="inlineStr"><is><t>two</t></is></c>')]
    found, rows = read(
        workbook(head, [Raw('<c r="{r}" t="s"><v>0</v></c>'), Raw('<c r="{r}" t="d"><v>2026-01-01</v></c>')], texts=rich)
    )
    assert found.columns == ["name", "two"]
    assert rows[0].cells == ["Ann", "2026-01-01"]


def test_a_decimal_comma_is_what_the_mapping_reads():
    assert read(workbook(["a"], [12.5]), decimal=",")[1][0].cells == ["12,5"]


def test_sheets():
    sheets = (("old", [["x"], ["1"]], "hidden"), ("News", [["a"], ["2"]], "visible"), ("More", [["b"], ["3"]], "visible"))
    data = workbook(sheets=sheets)
    found, rows = read(data)
    assert (found.sheet.name, found.others, rows[0].cells) == ("News", ["old", "More"], ["2"])
    assert read(data, "old")[1][0].cells == ["1"]
    assert refused(data, "none") == "sheet_missing"
    assert refused(workbook([], [])) == "header_missing"


def test_cells_beyond_the_header_are_seen_where_they_hold_something():
    _, rows = read(workbook(["a", "b"], ["1", "2", ""], ["3"], ["4", "5", "6"]))
    assert [row.cells for row in rows] == [["1", "2"], ["3", ""], ["4", "5", "6"]]


def test_a_broken_cell_costs_its_row_and_not_the_file():
    _, rows = read(
        workbook(["a"], [Raw('<c r="{r}"><v>many</v></c>')], [Raw('<c r="{r}" s="1"><v>9e99</v></c>')], ["x" * 40_000], [1])
    )
    assert [row.cells for row in rows] == [["many"], ["9e99"], None, ["1"]]


@pytest.mark.parametrize("cut", [30, 200, -100, -10])
def test_a_truncated_workbook(cut):
    assert refused(workbook(["a"], *[[f"x{n}"] for n in range(200)])[:cut]) == "file_broken"


def test_what_is_no_workbook():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", "a")
    assert refused(out.getvalue()) == "file_broken"
    assert refused(workbook(["a"], texts="<sst><si>")) == "file_broken"
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><sst><si><t>&b;</t></si></sst>'
    assert refused(workbook(["a"], texts=entities)) == "file_broken"


def test_zip_bombs(monkeypatch):
    texts = "<sst>" + "<si><t>" + "x" * 3_000_000 + "</t></si></sst>"
    assert len(bomb := workbook(["a"], texts=texts)) < 10_000
    monkeypatch.setattr(book, "MAX_TEXTS", 1_000_000)
    assert refused(bomb) == "file_too_large"
    monkeypatch.setattr(book, "MAX_UNPACKED", 1_000)
    assert refused(workbook(["a"], *[["x"]] * 1_000)) == "file_too_large"


def test_a_zip_of_very_many_parts_is_not_laid_out():
    out = io.BytesIO(workbook(["a"], ["x"]))
    with zipfile.ZipFile(out, "a") as file:
        for number in range(20_000):
            file.writestr(f"{number}", "")
    assert refused(out.getvalue()) == "file_broken"


def test_cells_far_apart_take_no_memory():
    assert refused(workbook(["a"], [Raw('<c r="XFD2"><v>1</v></c>')])) == "file_broken"


@given(st.datetimes(datetime(1900, 3, 1), datetime(2199, 1, 1)).map(lambda at: at.replace(microsecond=0)))  # noqa: DTZ001
def test_moments_come_back_to_the_second(at):
    _, rows = read(workbook(["at"], [at]))
    assert datetime.fromisoformat(rows[0].cells[0]) == at


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_numbers_are_plain_digits_to_what_a_spreadsheet_keeps(number):
    _, rows = read(workbook(["n"], [Raw(f'<c r="{{r}}"><v>{number!r}</v></c>')]))
    text = rows[0].cells[0]
    assert "e" not in text.lower() and not text.endswith(".0")
    assert float(text) == float(f"{number:.15g}")


SMALL = workbook(["a", "b"], *[[f"x{n}", n] for n in range(20)])
damage = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=6)


def damaged(data: bytes, changes) -> bytes:
    out = bytearray(data)
    for place, byte in changes:
        out[place % len(out)] = byte
    return bytes(out)


def read_or_refused(data: bytes) -> None:
    with suppress(Malformed):
        read(data)


@settings(max_examples=600, deadline=None)
@given(damage)
@example([(SMALL.rindex(b"PK\x01\x02") + 45, 0xFF)])  # a part that lies before the file's begin
@example([(SMALL.rindex(b"PK\x05\x06") + 16, 0xFF)])
@example([(SMALL.index(b"xl/styles") + 6, 0xCE), (SMALL.index(b"PK\x03\x04") + 7, 0x08)])
def test_damaged_bytes_are_rows_or_a_refusal(changes):
    read_or_refused(damaged(SMALL, changes))


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(zipfile.ZipFile(io.BytesIO(SMALL)).namelist())), damage)
def test_a_damaged_document_within_is_rows_or_a_refusal(name, changes):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SMALL)) as whole, zipfile.ZipFile(out, "w") as file:
        for part in whole.namelist():
            file.writestr(part, damaged(whole.read(part), changes) if part == name else whole.read(part))
    read_or_refused(out.getvalue())


ENDLESS = {
    "a tag": '<x y="' + "y" * 2_000_000,
    "a comment": "<!--" + "y" * 2_000_000,
    "an instruction": "<?x " + "y" * 2_000_000,
    "elements": "<x>" * 100_000,
    "names": "".join(f"<x{n}/>" for n in range(50_000)),
    "attributes": "".join(f'<x y{n}=""/>' for n in range(50_000)),
}


@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.parametrize("name", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "xl/workbook.xml"])
def test_what_has_no_end_is_given_up_before_its_end(name, what):
    """Nothing is wrong with the document but its end, which is never asked for."""
    document = f"<r>{ENDLESS[what]}{' ' * 3_000_000}"
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SMALL)) as whole, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for part in whole.namelist():
            file.writestr(part, document if part == name else whole.read(part))
    with pytest.raises(Malformed) as caught:
        read(out.getvalue())
    assert isinstance(caught.value.__cause__, sheet.Broken)


def test_large_documents_are_none_without_an_end():
    texts = "<sst>" + "<si><t>ann</t></si>" * 100_000 + "<si><t>" + "x" * 1_500_000 + "</t></si></sst>" + "\n" * 2_000_000
    last = Raw('<c r="{r}" t="s"><v>99999</v></c>')
    _, rows = read(workbook(["a"], *[["é" * n] for n in range(1_000)], [last], texts=texts))
    assert rows[-1].cells == ["ann"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts_come_back(texts):
    held = sheet.Texts()
    for text in texts:
        held.append(text)
    assert [held[number] for number in range(len(held))] == texts


def test_short_texts_take_no_more_than_their_document():
    document = b"<sst>" + b"<si><t>ab</t></si>" * 200_000
    held = sheet.Texts()
    tracemalloc.start()
    sheet.StringsReader(held).feed(document)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(held), held[199_999]) == (200_000, "ab")
    assert taken < len(document)
