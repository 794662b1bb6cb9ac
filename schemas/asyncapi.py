"""All topics as one AsyncAPI 3.0 document: key, lane, payload and headers of what an installation reads and writes."""

from collections.abc import Mapping
from typing import Any

from schemas import topics
from schemas.json_schemas import file_of
from schemas.topics import Topic

FILE = "asyncapi.json"
FORMAT = "application/schema+json;version=2020-12"
BULK = frozenset((topics.FACTS_RAW_BULK.name, topics.FACTS_BULK.name))

# Message -> what the header `t` says of it, by which readers pass records undecoded.
HEADERS: Mapping[str, str] = {
    "fact": "the event's name, or the fact's type where it has none",
    "membership": "entered, left or mark",
    "decision": "sender or orchestrator: who decided",
    "intent": "",
    "definition": "the document's kind",
}


def document() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Otklik",
            "version": "1.0.0",
            "description": "The topics of an installation. Schemas only grow; fields that a reader does not know are passed on. "
            "A header `t` that begins with `replay:` addresses a mended dead letter to one service: all others pass it by.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in topics.ALL},
        "operations": {_operation(topic): _way(topic) for topic in topics.ALL},
        "components": {"messages": {name: _message(name) for name in HEADERS}},
    }


def message_of(topic: Topic) -> str:
    """The one kind of record in a topic."""
    if topic in topics.MESSAGES:
        return "intent"
    kinds = {topics.MEMBERSHIPS: "membership", topics.DECISIONS: "decision", topics.DEFINITIONS: "definition"}
    return kinds.get(topic, "fact")


def lane_of(topic: Topic) -> str:
    """`bulk` is read only while live is nearly empty, with a guaranteed tenth; intents go by their class."""
    if topic in topics.MESSAGES:
        return topic.name.rpartition(".")[2]
    return "bulk" if topic.name in BULK else "live"


def _channel(topic: Topic) -> dict[str, Any]:
    name = message_of(topic)
    kept = (
        {"cleanup.policy": ["compact"]} if topic.compacted else {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms}
    )
    return {
        "address": topic.name,
        "title": topic.what,
        "description": f"Written by {topic.written_by}. Key: {topic.key}. Order is kept per key.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "x-key": topic.key,
        "x-lane": lane_of(topic),
        "x-written-by": topic.written_by.split(", "),
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topics.PARTITIONS,
                "topicConfiguration": kept,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> str:
    return f"{'receive' if topic.open else 'send'}.{topic.name}"


def _way(topic: Topic) -> dict[str, Any]:
    """Seen from the installation: it receives what others may write too, and sends the rest."""
    action = "receive" if topic.open else "send"
    return {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}}


def _message(name: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": name,
        "contentType": "application/json",
        "payload": {"schemaFormat": FORMAT, "schema": {"$ref": file_of(name)}},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }
    if HEADERS[name]:
        told = {"type": "string", "description": HEADERS[name]}
        message["headers"] = {"type": "object", "properties": {"t": told}}
    return message
