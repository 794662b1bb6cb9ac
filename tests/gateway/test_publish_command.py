"""`otklik publish` against a gateway: the ready documents, for a brand of one's own; all of them or none."""

import asyncio
from pathlib import Path

import yaml

from deploy import cli
from tests.gateway.conftest import API_KEY, open_site

ROOT = Path(__file__).parents[2]
READY = ROOT / "deploy"
BRAND = {"key": "kettles", "name": "Kettles"}


async def command(site, *arguments: str) -> int:
    return await asyncio.to_thread(cli.main, ["publish", *arguments, "--url", str(site.http.base_url), "--key", API_KEY])


async def test_ready_documents_are_published_for_a_brand_of_ones_own(config, capsys):
    files = [str(file) for folder in ("journeys", "connectors") for file in sorted((READY / folder).glob("*.yaml"))]
    mechanics = [str(file) for file in sorted((ROOT / "docs/mechanics").glob("*/*.yaml"))]
    async with open_site(config) as site:
        await site.publish("brands", BRAND)
        assert await command(site, *files, "--brand", "kettles") == 0
        told = capsys.readouterr().out.splitlines()
        assert len(told) > 25 and all("version 1" in line for line in told)
        assert await command(site, *mechanics, "--brand", "kettles") == 0
        told = capsys.readouterr().out.splitlines()
        assert len(told) > 100 and [line.split()[:2] for line in told if "as it was" in line] == [["topic", "events"]]
        assert await command(site, *files, "--brand", "kettles") == 0
        assert all(line.endswith("as it was") for line in capsys.readouterr().out.splitlines())
        for bot in sorted((READY / "bots").glob("*.yaml")):
            assert await command(site, str(bot), "--brand", "kettles") == 0
        capsys.readouterr()
        tilda = (await site.http.get("/api/connectors/tilda")).json()
        assert tilda["brand"] == "kettles" and tilda["_meta"]["published_version"] == 1


async def test_a_fault_names_its_document_and_publishes_nothing(config, tmp_path, capsys):
    good = {"kind": "topic", "body": {"key": "news", "brand": "kettles", "name": {"en": "News"}}}
    bad = {"kind": "topic", "body": {"key": "more", "brand": "kettles"}}
    file = tmp_path / "both.yaml"
    async with open_site(config) as site:
        await site.publish("brands", BRAND)
        file.write_text(yaml.safe_dump_all([good, bad]))
        assert await command(site, str(file)) == 1
        assert "documents.1.body.name" in capsys.readouterr().err
        assert (await site.http.get("/api/topics/news")).status_code == 404
        for text, said in (("key: x", "no `kind` and `body`"), ("a: [", "cannot be read")):
            file.write_text(text)
            assert await command(site, str(file)) == 1
            assert said in capsys.readouterr().err
        assert await command(site, str(tmp_path / "none.yaml")) == 1
        assert "cannot be read" in capsys.readouterr().err
