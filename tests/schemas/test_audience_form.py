"""The schema of conditions that a form builder renders: it takes what conditions are, and every field has its words."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas.audience_form import form_schema
from schemas.audience_labels import CHOICES, FIELDS, NODES
from tests.schemas.conditions import leaves

SCHEMA = form_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
FOUND = [(node, field, said) for node, one in SCHEMA["$defs"].items() for field, said in one.get("properties", {}).items()]


def test_it_is_a_schema_and_takes_all_that_conditions_are():
    Draft202012Validator.check_schema(SCHEMA)
    for leaf in leaves():
        assert VALIDATOR.is_valid({"kind": "not", "of": {"kind": "all", "of": [leaf]}}), leaf


@pytest.mark.parametrize(
    "document",
    [{"kind": "nope"}, {"kind": "did"}, {"kind": "did", "event": "X", "typo": 1}, {"kind": "all", "of": {}}, {"kind": "age", "event": "X", "op": "ge", "age": 1}],
)  # fmt: skip
def test_it_refuses_what_is_no_condition(document):
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize("node", SCHEMA["$defs"])
def test_every_node_and_field_has_its_words_in_both_languages(node):
    told = SCHEMA["$defs"][node]
    fields = list(told["properties"].values())
    for one in (told, *fields):
        assert one["title"].isascii() and not one["title"].startswith("x-")
        assert ("description" in one) == ("x-description-ru" in one)
    assert told["x-group"] and told["description"].isascii() and not told["x-description-ru"].isascii()
    assert all(not one["x-title-ru"].isascii() and one["x-widget"] for one in fields)
    orders = [one["x-order"] for one in fields]
    assert len(set(orders)) == len(orders), "two fields of a form in one place"


@pytest.mark.parametrize(("node", "field", "said"), FOUND, ids=lambda part: part if isinstance(part, str) else "")
def test_every_choice_has_a_name(node, field, said):
    options = [one for part in (said, *said.get("anyOf", ())) for one in part.get("enum", ())]
    assert set(options) <= set(said.get("x-choices", {})), f"{node}.{field}"
    if said["x-widget"] == "choice" and field != "kind":
        assert said["x-choices"]


def test_no_label_is_of_something_that_is_not_there():
    assert NODES.keys() == SCHEMA["$defs"].keys()
    assert {name.rpartition(".")[2] for name in FIELDS} == {field for _, field, _ in FOUND}
    assert {name.partition(".")[0] for name in FIELDS if "." in name} <= NODES.keys()
    assert {name.rpartition(".")[2] for name in CHOICES} <= {field for _, field, _ in FOUND}


def test_it_lies_with_the_published_ones():
    path = Path(__file__).parents[2] / "schemas/json/condition.schema.json"
    published = json.loads(path.read_text(encoding="utf-8"))
    assert {name: part for name, part in published.items() if name != "$schema"} == SCHEMA
