"""The documents that are shipped to begin from can be published as they are, and their letters say what they should."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.journeys import Journey
from schemas.permission import tree
from schemas.steps import Purge
from schemas.unnamed import conditions
from services.gateway.domain.kinds import KINDS, brand_of, read
from services.gateway.domain.references import Standing, check, refs_of
from services.sender.content.templates import Parts, Template, TemplateSource, compile_template, render

ROOT = Path(__file__).parents[2]
PLACES = ("deploy/journeys/topics", "docs/mechanics/double-opt-in/double-opt-in", "docs/mechanics/dead-contacts/dead-contacts")
FILES = {Path(place).name: list(yaml.safe_load_all((ROOT / f"{place}.yaml").read_text(encoding="utf-8"))) for place in PLACES}
LETTERS = [one["body"] for documents in FILES.values() for one in documents if one["kind"] == "template"]


def document(file: str, kind: str, key: str) -> Any:
    body = next(one["body"] for one in FILES[file] if (one["kind"], one["body"]["key"]) == (kind, key))
    return read(KINDS[kind], key, body)


@pytest.mark.parametrize("file", FILES)
def test_all_of_a_file_can_be_published_in_its_order(file):
    world = {("brand", "shop"): Standing(1, "shop", frozenset())}
    for one in FILES[file]:
        kind, key = one["kind"], one["body"]["key"]
        made = read(KINDS[kind], key, one["body"])
        assert check(kind, key, made, world) == []
        world[kind, key] = Standing(1, brand_of(kind, made), refs_of(made), "email")


def test_there_are_six_topics_each_with_parts_and_names_in_both_languages():
    topics = [document("topics", "topic", one["body"]["key"]) for one in FILES["topics"]]
    lines = tree(topics)
    roots = [topic.key for topic in topics if topic.parent is None]
    assert roots == ["digest", "product-news", "sales", "careers", "events", "articles"]
    assert {line[-1] for line in lines.values() if len(line) == 2} >= {
        "digest",
        "product-news",
        "sales",
        "careers",
        "events",
        "articles",
    }
    assert all(topic.name.keys() == {"en", "ru"} for topic in topics)


@pytest.mark.parametrize("journey", [("double-opt-in", "double-opt-in"), ("dead-contacts", "dead-email")])
def test_who_has_bought_is_kept_by_both_journeys(journey):
    made: Journey = document(journey[0], "journey", journey[1])
    (step,) = [step for step in made.steps if isinstance(step, Purge)]
    asked = conditions(made, 1)[f"~journey.{made.key}.1.{step.id}"]
    assert {part.event for part in asked.of} >= {"Order Completed", "Order Paid", "Charge", "Charges Rolled Up"}


@pytest.mark.parametrize("body", LETTERS, ids=[body["key"] for body in LETTERS])
@pytest.mark.parametrize(
    ("language", "word"), [("ru", "подтвердите"), ("ru-RU", "подтвердите"), ("en", "confirm"), (None, "confirm")]
)
def test_the_letters_are_in_the_persons_language_with_the_link(body, language, word):
    template = compile_template(TemplateSource(body["key"], 1, body["subject"], body["text"]))
    assert isinstance(template, Template), template
    parts = render(template, {"profile": {}, "language": language, "confirm_url": "https://h/d/x"})
    assert isinstance(parts, Parts), parts
    assert word in parts.text.lower() and "\nhttps://h/d/x\n" in parts.text and parts.subject and "{" not in parts.subject
