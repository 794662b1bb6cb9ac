"""The documents that stand in docs/ as examples can be published as they are written there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from schemas.audience import Condition
from schemas.identity import Identity
from services.gateway.domain.kinds import KINDS, read
from services.profile.domain.rules import DEFAULT, compiled

DOCS = Path(__file__).parents[2] / "docs"


def examples(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "kind"), [("surveys", "survey"), ("bots", "bot"), ("connectors", "connector"), ("campaigns", "campaign")]
)
def test_a_document_of_docs_is_one(page, kind):
    text, *_ = examples(page, "yaml")
    body: dict[str, Any] = yaml.safe_load(text)
    made: Any = read(KINDS[kind], body["key"], body)
    assert made.key == body["key"]


def test_conditions_of_docs_are_conditions():
    lines = [line for text in examples("accounts", "yaml") for line in text.splitlines() if line.startswith("{")]
    assert len(lines) == 4
    for line in lines:
        TypeAdapter(Condition).validate_python(yaml.safe_load(line))


def test_the_rules_of_identity_that_are_in_force_without_any_stand_in_docs():
    (text,) = examples("identity", "json")
    assert compiled(Identity.model_validate(json.loads(text)), 0) == DEFAULT
