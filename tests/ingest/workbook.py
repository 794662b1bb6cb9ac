"""Workbooks as spreadsheet programs write them, small: shared and inline texts, dates by style, formulas, several sheets."""

import io
import zipfile
from datetime import date, datetime
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="dd\\.mm\\.yyyy\\ hh:mm"/>'
    '<numFmt numFmtId="165" formatCode="[h]:mm"/></numFmts><cellStyleXfs count="1"><xf numFmtId="14"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>'
)


class Raw(str):
    """A cell's XML as it is, "{r}" standing for its place."""

    __slots__ = ()


def workbook(*rows, sheets=(), texts=None) -> bytes:
    """An XLSX file. rows: lists of cells (None: there is none) of the first sheet; sheets: (name, rows, state) of all, in its place."""
    shared: list[str] = []
    listed = sheets or (("Лист1", rows, "visible"),)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        names = "".join(
            f'<sheet name="{escape(name)}" sheetId="{n}" state="{state}" r:id="rId{n}"/>'
            for n, (name, _, state) in enumerate(listed, 1)
        )
        file.writestr("xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>{names}</sheets></workbook>')
        links = "".join(
            f'<Relationship Id="rId{n}" Type="{_REL}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(listed) + 1)
        )
        file.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{links}</Relationships>")
        file.writestr("xl/styles.xml", STYLES)
        for n, (_, content, _) in enumerate(listed, 1):
            file.writestr(f"xl/worksheets/sheet{n}.xml", _sheet(content, shared))
        items = "".join(f"<si><t>{escape(text)}</t></si>" for text in shared)
        file.writestr("xl/sharedStrings.xml", texts or f'<sst xmlns="{_MAIN}">{items}</sst>')
    return out.getvalue()


def _sheet(rows, shared: list[str]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(_cell(value, f"{_letters(at)}{number}", shared) for at, value in enumerate(row) if value is not None)
        lines.append(f'<row r="{number}">{cells}</row>')
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def _cell(value, place: str, shared: list[str]) -> str:
    if isinstance(value, Raw):
        return value.replace("{r}", place)
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, datetime):
        past = value - datetime(1899, 12, 30)  # noqa: DTZ001
        return f'<c r="{place}" s="2"><v>{past.days + past.seconds / 86_400!r}</v></c>'
    if isinstance(value, date):
        return f'<c r="{place}" s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    shared.append(value)
    return f'<c r="{place}" t="s"><v>{len(shared) - 1}</v></c>'


def _letters(index: int) -> str:
    letters, index = "", index + 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
