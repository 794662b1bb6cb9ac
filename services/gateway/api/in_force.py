"""A document as it is in force, for calls that are about it."""

from pydantic import BaseModel

from services.gateway.domain.access import Key
from services.gateway.domain.kinds import Kind, kept
from services.gateway.domain.problems import Problem
from services.gateway.handler.call import Call
from services.gateway.store import documents as store


async def in_force(call: Call, kind: Kind, key: str) -> BaseModel:
    """Raises Problem: none is in force, or it is of a brand that the API key does not reach."""
    body = await store.published(call.connection, kind.name, key)
    if body is None:
        raise Problem("document_not_found", kind=kind.name, key=key)
    document = kept(kind.name, body)
    reaches(call.key, document)
    return document


def reaches(asked: Key, document: BaseModel) -> None:
    if not asked.sees(getattr(document, "brand", None)):
        raise Problem("brand_forbidden", brands=", ".join(asked.brands))
