"""The segments that are shipped to begin from can be published as they are, and part people as they say."""

from pathlib import Path
from typing import Any

import pytest

from deploy import publishing
from schemas.segments import Segment
from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.references import Standing, check, refs_of

FOLDER = Path(__file__).parents[2] / "deploy/segments"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_all_of_a_file_can_be_published_in_its_order(file):
    world = {("brand", "shop"): Standing(1, "shop", frozenset())}
    for one in publishing.read(file, None):
        assert one["kind"] == "segment"
        made: Any = read(KINDS["segment"], one["body"]["key"], one["body"])
        assert isinstance(made, Segment) and made.name and check("segment", made.key, made, world) == []
        world["segment", made.key] = Standing(1, "shop", refs_of(made))


def test_no_two_files_have_a_segment_of_one_key():
    keys = [one["body"]["key"] for file in FILES for one in publishing.read(file, None)]
    assert len(keys) == len(set(keys)) > 40
