"""What is published of the topics holds: each schema takes what the services send and refuses what they would bury."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from schemas import generate, topics
from schemas.asyncapi import lane_of
from schemas.definitions import Published
from schemas.facts import encode
from schemas.json_schemas import DOCUMENTS, file_of
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from services.gateway.domain.kinds import KINDS
from tests.gateway.test_documents import DOCUMENTS as WRITTEN
from tests.gateway.test_documents import KEYS
from tests.support.live import fact

FILES = generate.files()
SCHEMAS = {name: content for name, content in FILES.items() if name.endswith(".schema.json")}
REGISTRY = Registry().with_resources((name, Resource.from_contents(content)) for name, content in SCHEMAS.items())
API = FILES["asyncapi.json"]
DEMO = Path(__file__).parents[2] / "deploy/demo/documents"

INTENT = Intent(
    id="i", brand="shop", profile="p", channel="email", message_class="mass", template="t", template_version=1,
    document="journey:welcome", version=1, step="mail", occurrence="f", not_after=2, received_at=1, data={"event": {"total": 1}},
)  # fmt: skip
JOURNEY = {"key": "k", "trigger": {"event": "E"}, "brand": "shop", "steps": [{"id": "a", "wait": "1d"}]}
SENT = [
    ("fact", fact("1", "user_id:1", properties={"price": {"minor": 1, "currency": "GBP"}})),
    ("fact", fact("2", type="profile.merged", properties={"winner": "a", "loser": "b"})),
    ("fact", fact("3", "user_id:1", event="Charge", properties={"product": "vm", "amount": {"minor": 1, "currency": "GBP"}})),
    ("membership", Membership(type="entered", received_at=1, profile="p", segment="vip", version=1, at=1, cause="f")),
    ("membership", Membership(type="mark", received_at=1, topic="facts", partition=3, offset=7, parts=(1, 2))),
    ("intent", INTENT),
    ("decision", Decision(id="d", brand="shop", profile="p", verdict="late", by="sender", received_at=1, detail={"a": [1]})),
    ("definition", Published(kind="journey", key="k", version=1, body=msgspec.Raw(json.dumps(JOURNEY).encode()), pointer=True)),
    ("definition", Published(kind="journey", key="k", version=1, pointer=True, deleted=True)),
]
REFUSED = [
    ("fact", {}, "'id' is a required property"),
    ("fact", {"properties": []}, "[] is not of type 'object'"),
    ("fact", {"type": "profile.merged", "properties": {"winner": "a"}}, "'loser' is a required property"),
    ("fact", {"event": "Charge", "properties": {"product": "vm"}}, "'amount' is a required property"),
    ("fact", {"event": "Charges Rolled Up", "properties": {"product": "vm"}}, "'count' is a required property"),
    ("membership", {"type": "joined", "received_at": 1}, "'joined' is not one of"),
    ("decision", {"verdict": "perhaps"}, "'perhaps' is not one of"),
    ("definition", {"kind": "journey", "key": "k", "version": 1, "body": {**JOURNEY, "steps": []}}, "non-empty"),
]


def validator(name):
    return Draft202012Validator(SCHEMAS[file_of(name)], registry=REGISTRY)


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_schema(name):
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize(("name", "record"), SENT)
def test_what_the_services_send_fits(name, record):
    validator(name).validate(json.loads(encode(record)))


@pytest.mark.parametrize(("name", "record", "why"), REFUSED)
def test_what_does_not_fit_is_told(name, record, why):
    faults = [error.message for error in validator(name).iter_errors(record)]
    assert any(why in fault for fault in faults), faults


@pytest.mark.parametrize("plural", WRITTEN)
def test_documents_as_they_are_written_fit(plural):
    name = next(kind.name for kind in KINDS.values() if kind.plural == plural)
    validator(name).validate({"key": KEYS.get(plural, "k"), **WRITTEN[plural]})


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.yaml")), ids=lambda path: path.stem)
def test_documents_of_the_demo_fit(path):
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        validator(document["kind"]).validate(document["body"])


def test_a_field_that_no_document_has_is_refused():
    for name in DOCUMENTS:
        assert any("'surprise' was unexpected" in error.message for error in validator(name).iter_errors({"surprise": 1}))


def test_every_topic_is_told_with_key_lane_payload_and_headers():
    assert API["asyncapi"] == "3.0.0" and {"title", "version"} <= API["info"].keys()
    assert list(API["channels"]) == [topic.name for topic in topics.ALL]
    for topic in topics.ALL:
        channel = API["channels"][topic.name]
        assert (channel["address"], channel["x-key"], channel["x-lane"]) == (topic.name, topic.key, lane_of(topic))
        ((name, message),) = channel["messages"].items()
        payload = resolved(message)["payload"]
        assert payload["schema"] == {"$ref": file_of(name)}
        assert "headers" in resolved(message) or topic in topics.MESSAGES
    lanes = {name: channel["x-lane"] for name, channel in API["channels"].items()}
    assert (lanes["facts.raw"], lanes["facts.raw.bulk"], lanes["messages.sms.mass"]) == ("live", "bulk", "mass")


def test_what_others_may_write_is_received_and_the_rest_is_sent():
    ways = {operation["channel"]["$ref"].rpartition("/")[2]: operation["action"] for operation in API["operations"].values()}
    assert ways == {topic.name: "receive" if topic.open else "send" for topic in topics.ALL}


@pytest.mark.parametrize("name", FILES)
def test_each_reference_leads_somewhere(name):
    found = list(references(FILES[name]))
    assert all(resolved({"$ref": reference}, FILES[name]) is not None for reference in found)
    assert found or name not in ("asyncapi.json", "fact.schema.json", "definition.schema.json")


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    for inner in node if isinstance(node, list) else ():
        yield from references(inner)


def resolved(node, document=API):
    """What a reference stands for: in the document, or a whole file beside it."""
    file, _, pointer = node["$ref"].partition("#")
    found = FILES[file] if file else document
    for part in filter(None, pointer.split("/")):
        found = found[part]
    return found
