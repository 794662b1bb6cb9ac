"""The demo's documents: valid, complete among themselves, and letters that say what they should."""

import re

import pytest

from deploy.demo import stage
from schemas.journeys import Journey
from schemas.rules import Rule
from schemas.steps import Send
from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.references import references
from services.sender.content.templates import Parts, Template, TemplateSource, compile_template, render

DOCUMENTS = [(one["kind"], one["body"]) for one in stage.documents()]
TEMPLATES = {body["key"]: body for kind, body in DOCUMENTS if kind == "template"}
PERSON = {"profile": {"firstName": "Ada"}, "unsubscribe_url": "http://h/u/x", "now": 1_291_200_000_000, "language": "en"}
BASKET = {
    "cart_id": "536365",
    "products": [
        {"name": "WHITE LANTERN", "quantity": 6, "price": {"minor": 339, "currency": "GBP"}},
        {"name": "RED <MUG>", "quantity": 1, "price": {"minor": 1250, "currency": "GBP"}},
    ],
}


def test_every_document_is_valid_and_mentions_only_what_is_there():
    read_ = [(KINDS[kind], read(KINDS[kind], body["key"], body)) for kind, body in DOCUMENTS]
    names = {(kind.name, document.key) for kind, document in read_}
    assert len(names) == len(DOCUMENTS)
    assert {(one.kind, one.key) for _, document in read_ for one in references(document)} <= names


def test_the_rules_are_those_that_the_demo_tells_of():
    rule = next(Rule.model_validate(body) for kind, body in DOCUMENTS if kind == "rule")
    assert {(cap.message_class, cap.most, cap.per) for cap in rule.caps} == {("mass", 3, "week"), ("triggered", 1, "day")}
    assert set(rule.exclusive_day) == {"triggered", "mass"}
    assert (rule.quiet_hours.start, rule.quiet_hours.end) == ("21:00", "09:00")
    assert rule.global_control.share == 500


def test_there_are_the_three_chains_and_every_template_is_used():
    journeys = {body["key"]: Journey.model_validate(body) for kind, body in DOCUMENTS if kind == "journey"}
    assert {"welcome", "basket", "absent"} <= journeys.keys()
    assert journeys["absent"].trigger.segment == "absent_week"
    assert {step.template for j in journeys.values() for step in j.steps if isinstance(step, Send)} == TEMPLATES.keys()


def rendered(key: str, **variables) -> Parts:
    body = TEMPLATES[key]
    template = compile_template(TemplateSource(key, 1, body["subject"], body.get("text"), body["html"], body["blocks"]))
    assert isinstance(template, Template), template
    parts = render(template, {**PERSON, **variables})
    assert isinstance(parts, Parts), parts
    return parts


@pytest.mark.parametrize("key", sorted(TEMPLATES))
def test_every_letter_has_a_link_a_way_out_and_no_hole(key):
    parts = rendered(key, event=BASKET)
    assert parts.missing == ()
    assert "http://h/u/x" in parts.html and "http://h/u/x" in parts.text
    assert len(re.findall(r'href="https://shop\.example/', parts.html)) == 1


def test_the_basket_letter_names_the_person_and_the_goods_with_their_prices():
    parts = rendered("basket-left", event=BASKET)
    assert parts.subject == "Ada, your basket waits"
    assert "2 things" in parts.html
    assert "White lantern" in parts.html and "£3.39" in parts.html and "£12.50" in parts.html
    assert "<mug>" not in parts.html.lower()


def test_a_letter_to_somebody_without_a_name_is_whole():
    assert rendered("welcome-hello", profile={}).subject == "Welcome, friend"
