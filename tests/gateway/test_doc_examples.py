"""The documents that stand in docs/ as examples can be published as they are written there."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from pydantic import TypeAdapter

from schemas.audience import Condition
from schemas.forecast import Forecast
from schemas.identity import Identity
from schemas.journeys import Journey
from schemas.parameters import Instance, Pattern
from schemas.triggers import Trigger
from schemas.zones import zone
from services.gateway.domain.analyses import Analysis
from services.gateway.domain.forecast import forecast
from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.patterns import made_of
from services.profile.domain.rules import DEFAULT, compiled

DOCS = Path(__file__).parents[2] / "docs"


def examples(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "kind"),
    [("surveys", "survey"), ("bots", "bot"), ("connectors", "connector"), ("rules", "rule"), ("campaigns", "campaign")],
)
def test_a_document_of_docs_is_one(page, kind):
    text, *_ = examples(page, "yaml")
    body: dict[str, Any] = yaml.safe_load(text)
    made: Any = read(KINDS[kind], body["key"], body)
    assert made.key == body["key"]


def test_experiments_of_docs_are_experiments():
    found = [yaml.safe_load(text) for text in examples("experiments", "yaml")]
    made: list[Any] = [read(KINDS["experiment"], body["key"], body) for body in found]
    assert [one.of.kind for one in made] == ["variants", "split"] and made[1].primary.target.where[0].path == "step"


def test_journeys_of_docs_are_journeys():
    found = [yaml.safe_load(text) for text in examples("journeys", "yaml") if "kind: journey" in text]
    documents = [one for block in found for one in (block if isinstance(block, list) else [block])]
    assert len(documents) > 4
    for one in documents:
        read(KINDS[one["kind"]], one["body"]["key"], one["body"])
    by_key = {one["body"]["key"]: one["body"] for one in documents}
    for body in by_key.values():
        if "of" in body:
            made = read(KINDS["journey"], body["key"], body)
            whole = read(KINDS["journey"], body["of"], by_key[body["of"]])
            assert isinstance(made, Instance) and isinstance(whole, Pattern)
            Journey.model_validate(made_of(made, whole))


def test_triggers_of_docs_are_triggers():
    lines = [line for text in examples("journeys", "yaml") for line in text.splitlines() if line.startswith("trigger:")]
    assert len(lines) == 3
    for line in lines:
        TypeAdapter(Trigger).validate_python(yaml.safe_load(line)["trigger"])


def test_the_pool_and_the_steps_of_docs_are_some():
    pool, steps = (yaml.safe_load(text) for text in examples("promo-codes", "yaml"))
    assert read(KINDS["promo-pool"], "birthday", pool["body"])
    assert read(KINDS["journey"], "j", {"key": "j", "brand": "shop", "trigger": {"event": "Born"}, **steps})


def test_the_event_and_its_chains_of_docs_are_such():
    event, chains = (yaml.safe_load(text) for text in examples("events", "yaml"))
    assert read(KINDS["event"], "meetup", event["body"])
    assert all(read(KINDS["journey"], chain["body"]["key"], chain["body"]) for chain in chains) and len(chains) == 4


def test_the_endpoint_and_the_steps_of_docs_are_such():
    endpoint, journey = (yaml.safe_load(text) for text in examples("webhooks-out", "yaml"))
    assert read(KINDS["webhook"], "crm", endpoint["body"])
    assert read(KINDS["journey"], "j", {"brand": "shop", "trigger": {"event": "X"}, **journey})


def test_conditions_of_docs_are_conditions():
    lines = [line for text in examples("accounts", "yaml") for line in text.splitlines() if line.startswith("{")]
    assert len(lines) == 4
    for line in lines:
        TypeAdapter(Condition).validate_python(yaml.safe_load(line))


def test_the_rules_of_identity_that_are_in_force_without_any_stand_in_docs():
    (text,) = examples("identity", "json")
    assert compiled(Identity.model_validate(json.loads(text)), 0) == DEFAULT


def test_addresses_of_reports_in_docs_are_questions():
    """Each line `GET /api/reports/<name>?...` of the pages about ways is read without a fault, and the forecast is one."""
    lines = [
        line
        for page in ("attribution", "funnels")
        for text in examples(page, "")
        for line in text.splitlines()
        if line.startswith("GET ")
    ]
    asked = [urlsplit(line.removeprefix("GET ")) for line in lines]
    assert len(asked) >= 8
    for one in asked:
        query = dict(parse_qsl(one.query))
        Analysis(one.path.rpartition("/")[2], query).told(zone("UTC"), [])
    text, *_ = examples("attribution", "json")
    assert forecast(Forecast.model_validate_json(text))["stages"][0]["result"]["reading"] == "within"
