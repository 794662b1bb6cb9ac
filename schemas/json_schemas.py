"""The JSON Schema of everything that travels in a topic, made of the models that the services use."""

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import BaseModel

from schemas.audience_form import form_schema
from schemas.bots import Bot
from schemas.campaigns import Campaign, Launch
from schemas.charges import CHARGE, ROLLED_UP, Charge, RolledUp
from schemas.connectors import Connector
from schemas.definitions import Published
from schemas.events import Event
from schemas.experiment_documents import Experiment
from schemas.facts import Fact, Merged
from schemas.identity import Identity
from schemas.journeys import Brand, Journey
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from schemas.policies import Policy
from schemas.promo_pools import PromoPool
from schemas.rules import Rule
from schemas.segments import Segment
from schemas.subscriptions import Topic
from schemas.surveys import Survey
from schemas.templates import Template
from schemas.webhooks import WebhookEndpoint
from schemas.write_keys import WriteKey

DRAFT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: Mapping[str, type[msgspec.Struct]] = {
    "fact": Fact,
    "merged": Merged,
    "charge": Charge,
    "rolled_up": RolledUp,
    "membership": Membership,
    "intent": Intent,
    "decision": Decision,
    "definition": Published,
}
DOCUMENTS: Mapping[str, type[BaseModel]] = {
    "brand": Brand,
    "topic": Topic,
    "template": Template,
    "segment": Segment,
    "journey": Journey,
    "campaign": Campaign,
    "launch": Launch,
    "rule": Rule,
    "identity": Identity,
    "connector": Connector,
    "bot": Bot,
    "policy": Policy,
    "survey": Survey,
    "experiment": Experiment,
    "promo-pool": PromoPool,
    "event": Event,
    "webhook": WebhookEndpoint,
    "write_key": WriteKey,
}


def file_of(name: str) -> str:
    """Where the schema of a record or document lies, relative to the others."""
    return f"{name}.schema.json"


def schemas() -> dict[str, dict[str, Any]]:
    """File name -> schema."""
    found = {name: _of_struct(struct) for name, struct in RECORDS.items()}
    found["fact"] |= _said()
    found["definition"] |= _bodies()
    found |= {name: model.model_json_schema(by_alias=True) for name, model in DOCUMENTS.items()}
    found["condition"] = form_schema()
    return {file_of(name): {"$schema": DRAFT, "title": _title(name), **schema} for name, schema in found.items()}


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _of_struct(struct: type[msgspec.Struct]) -> dict[str, Any]:
    schema = msgspec.json.schema(_without_raw(struct))
    for one in schema["$defs"].values():  # newer Pythons strip the margin of docstrings, older ones keep it
        if "description" in one:
            one["description"] = inspect.cleandoc(one["description"])
    return schema


def _without_raw(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Bytes that are read later have no schema of msgspec's: to a reader they are an object."""
    fields = msgspec.structs.fields(struct)
    if not any(field.type is msgspec.Raw for field in fields):
        return struct
    plain = [
        (f.name, dict[str, Any], msgspec.field(default_factory=dict)) if f.type is msgspec.Raw else _as_it_is(f) for f in fields
    ]
    return msgspec.defstruct(struct.__name__, plain, namespace={"__doc__": struct.__doc__}, kw_only=True)


def _as_it_is(field: msgspec.structs.FieldInfo) -> Any:
    return (field.name, field.type) if field.required else (field.name, field.type, field.default)


def _said() -> dict[str, Any]:
    """What some facts say in their properties, by the field that tells them from others."""
    known = (("type", "profile.merged", "merged"), ("event", CHARGE, "charge"), ("event", ROLLED_UP, "rolled_up"))
    return {
        "allOf": [
            {
                "if": {"properties": {field: {"const": value}}, "required": [field]},
                "then": {"properties": {"properties": {"$ref": file_of(name)}}},
            }
            for field, value, name in known
        ]
    }


def _bodies() -> dict[str, Any]:
    """The body of a version is a document of its kind; a pointer to none has none."""
    return {
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind", "body"]},
                "then": {"properties": {"body": {"$ref": file_of(kind)}}},
            }
            for kind in DOCUMENTS
        ]
    }
