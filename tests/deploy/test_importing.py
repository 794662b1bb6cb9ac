"""`otklik import`: what it sends for a preview, and what it says when the other side does not answer as it should."""

import io
import json
from functools import partial

import httpx
import pytest

from deploy import importing
from deploy.local.errors import LocalRunError
from services.ingest.domain import Mapping
from services.ingest.handler.previewing import preview
from services.ingest.handler.upload import PIECE, First
from tests.support.live import T0

MANY = "E-mail;Имя\n" + "".join(f"n{number}@example.org;Анна\n" for number in range(60_000))


class Door:
    """Keeps the file of the form that came."""

    def call(self, _method: str, _path: str, *, files) -> dict:
        self.content = files["file"][1]
        return {}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(MANY, "utf-8"), (MANY, "utf-16"), (MANY, "utf-16-be"), (MANY.replace("\n", "\r"), "utf-8"), (MANY[:10_000], "utf-8")],
)
async def test_a_preview_is_of_whole_rows_wherever_a_large_file_is_cut(tmp_path, text, encoding):
    """In UTF-16 half a letter may be a line feed, and a line feed half a letter; an old Mac's file has none."""
    file, door = tmp_path / "x.csv", Door()
    file.write_bytes((b"\xfe\xff" if encoding == "utf-16-be" else b"") + text.encode(encoding))
    importing._preview(door, file, None)
    first = First(io.BytesIO(), 500_000_000)
    await first.feed(door.content)
    given = Mapping(identifiers={"email": "E-mail"}, call="identify", brand="shop", source="till")
    told = await preview(first.piece, given, lambda mapping: mapping, (T0, False), cut=first.cut)
    assert first.cut == (file.stat().st_size > PIECE)
    assert (list(told["columns"]), told["errors"], told["bad"]) == (["E-mail", "Имя"], [], [])
    assert len(told["rows"]) == 20


def served(monkeypatch, answer) -> None:
    """The installation is what `answer` makes of a request."""
    monkeypatch.setattr(importing.httpx, "Client", partial(httpx.Client, transport=httpx.MockTransport(answer)))


PREVIEW = {
    **dict.fromkeys(("format", "encoding", "delimiter", "sheet", "note"), ""),
    "columns": [],
    "facts": [],
    "bad": [],
    "errors": [],
}
ENDED = {
    "id": "1",
    "offset": None,
    "state": "done",
    "error": "",
    **dict.fromkeys(("lines", "total", "rate", "facts", "repeats"), 1),
}


@pytest.mark.parametrize("lost", ["/preview", "/1", "/1/bad"])
@pytest.mark.parametrize("how", [httpx.ConnectError("gone"), httpx.Response(500, json={"detail": "no"})])
def test_what_goes_wrong_is_said_and_no_file_is_written_of_it(monkeypatch, tmp_path, lost, how):
    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/imports")
        if path == lost:
            if isinstance(how, Exception):
                raise how
            return how
        return httpx.Response(200, json=PREVIEW if path == "/preview" else {**ENDED, "refused": 1, "format": "csv"})

    served(monkeypatch, answer)
    (tmp_path / "x.csv").write_text(MANY[:100])
    (tmp_path / "m.yaml").write_text(json.dumps({"call": "identify"}))
    with pytest.raises(LocalRunError, match=r"^no|the same command again"):
        importing.run(tmp_path / "x.csv", tmp_path / "m.yaml", only_preview=False, url="http://there", key="k")
    assert not (tmp_path / "x.bad.csv").exists()


@pytest.mark.parametrize(("kind", "where"), [("csv", "import that file"), ("jsonl", "mend them in yours")])
def test_where_bad_rows_are_mended(monkeypatch, tmp_path, capsys, kind, where):
    """Those of JSONL come as texts in a CSV, which is no file to import."""
    told = {**ENDED, **PREVIEW, "refused": 1, "format": kind}
    served(monkeypatch, lambda _: httpx.Response(200, json=told))
    (tmp_path / "x.csv").write_text("x")
    (tmp_path / "m.yaml").write_text(json.dumps({"call": "identify"}))
    assert importing.run(tmp_path / "x.csv", tmp_path / "m.yaml", only_preview=False, url="http://there", key="k") == 1
    assert where in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "x.bad.csv").exists()
