"""Documents by their keys, as far as the caller's API key reaches. Everything here raises Problem."""

from pydantic import BaseModel

from services.gateway.domain.kinds import Kind, kept
from services.gateway.domain.problems import Problem
from services.gateway.handler.call import Call
from services.gateway.store import documents
from services.gateway.store.documents import Draft


async def seen(call: Call, kind: Kind, key: str, *, lock: bool = False) -> Draft:
    """The draft. One of a brand that the API key does not see is not there for it."""
    draft = await documents.get(call.connection, kind.name, key, lock=lock)
    if draft is None or not call.key.sees(draft.brand):
        raise Problem("document_not_found", kind=kind.name, key=key)
    return draft


async def mine(call: Call, kind: Kind, key: str) -> Draft:
    """The draft, locked, which the API key may change."""
    draft = await seen(call, kind, key, lock=True)
    call.key.needs_brand(draft.brand)
    return draft


async def ruling(call: Call, kind: Kind, key: str) -> BaseModel:
    """What is in force, of a brand for which the API key may act."""
    await seen(call, kind, key)
    body = await documents.published(call.connection, kind.name, key)
    document = kept(kind.name, body) if body is not None else None
    if not isinstance(document, kind.model):  # a journey with parameters is not in force by itself
        raise Problem("not_in_force", kind=kind.name, key=key)
    call.key.needs_brand(getattr(document, "brand", None))
    return document
