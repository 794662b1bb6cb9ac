"""`otklik import` against a gateway: what is said before, bad rows beside the file, and a line that is cut."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from deploy import cli, importing
from deploy.local.errors import LocalRunError
from services.ingest.__main__ import service as ingest
from services.ingest.settings import IngestSettings
from tests.gateway.conftest import API_KEY, open_site
from tests.support.live import read

FILE = "E-mail;Имя;Любимый цвет\nann@example.org;Анна;синий\nnobody;=1+1;\nbob@example.org;Борис;\n"


async def command(site, *arguments: str) -> int:
    url = str(site.http.base_url)
    return await asyncio.to_thread(cli.main, ["import", *arguments, "--url", url, "--key", API_KEY])


async def test_a_file_is_shown_brought_in_and_its_bad_rows_come_back(config, tmp_path: Path, capsys):
    file = tmp_path / "customers.csv"
    file.write_text(FILE)
    async with open_site(config, ingest(IngestSettings(ingest_port=0, first_brand="shop"))) as site:
        assert await command(site, str(file)) == 0
        shown = capsys.readouterr().out
        assert "read as csv, utf-8, ;" in shown and "Любимый цвет" in shown and "line 3:" in shown
        assert await command(site, str(file), "--mapping", "contacts", "--preview") == 0
        assert await read(config, "facts.raw.bulk") == []
        assert await command(site, str(file), "--mapping", "contacts") == 1
        assert "done: 3 rows, 2 facts, 0 known before, 1 bad" in capsys.readouterr().out
        bad = tmp_path / "customers.bad.csv"
        assert "nobody,'=1+1," in bad.read_text(encoding="utf-8-sig")
        bad.write_text(bad.read_text(encoding="utf-8-sig").replace("nobody", "cyd@example.org"))
        assert await command(site, str(bad), "--mapping", "contacts") == 0
        assert await command(site, str(file), "--mapping", "contacts") == 1  # the same command: the same import
        assert len((await site.http.get("/api/imports")).json()["items"]) == 2
        assert await command(site, str(file), "--mapping", "none") == 1
        assert "ready ones: contacts" in capsys.readouterr().err
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text(json.dumps({"call": "identify", "identifiers": {"email": "mail"}, "attributes": {"x": "Цвет"}}))
        assert await command(site, str(file), "--mapping", str(wrong)) == 1
        assert "attributes.x" in capsys.readouterr().out
    assert len(await read(config, "facts.raw.bulk")) == 3


async def test_a_line_that_is_cut_costs_nothing_that_has_come(config, tmp_path: Path, monkeypatch, capsys):
    """The line breaks behind the second piece; the command goes on, and when it is gone for good the next command does."""
    file = tmp_path / "customers.csv"
    file.write_text("email\n" + "".join(f"c{n}@example.org\n" for n in range(500)))
    monkeypatch.setattr(importing, "PIECE", 1_000)
    monkeypatch.setattr(importing, "TRIES", 1)
    monkeypatch.setattr(importing.time, "sleep", lambda _: None)
    sent: list[str] = []
    whole = httpx.Client.request

    def cut(self, method, url, **more):
        if method == "PATCH":
            sent.append(more["headers"]["Upload-Offset"])
            if len(sent) in (3, 6, 7):
                raise httpx.ConnectError("gone")
        return whole(self, method, url, **more)

    monkeypatch.setattr(httpx.Client, "request", cut)
    async with open_site(config, ingest(IngestSettings(ingest_port=0, first_brand="shop"))) as site:
        with pytest.raises(LocalRunError, match="goes on from here"):
            await asyncio.to_thread(
                importing.run, file, Path("contacts"), only_preview=False, url=str(site.http.base_url), key=API_KEY
            )
        assert await command(site, str(file), "--mapping", "contacts") == 0
    assert sent[:9] == ["0", "1000", "2000", "2000", "3000", "4000", "4000", "4000", "5000"]
    assert len(await read(config, "facts.raw.bulk")) == 500
