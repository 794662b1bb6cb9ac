"""Keys of the API and write keys of sources: made, listed, revoked; shown once."""

import json
import secrets
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.ids import derive
from schemas.write_keys import WriteKey, hash_of
from services.gateway.domain.access import Key, NewKey, grantable
from services.gateway.domain.kinds import text_of
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.reading import faults_of
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.publishing import Publishing
from services.gateway.store import documents, keys

WRITE_KEY = "write_key"
M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], body: Any) -> M:
    """A small request body. Raises Problem `invalid` with every fault."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise Problem("invalid", faults_of(body, error)) from error


async def add(call: Call, body: Any) -> Answer:
    asked = validated(NewKey, body)
    grantable(call.key, asked.scopes, asked.brands)
    shown_once = f"ok_{secrets.token_urlsafe(32)}"
    hashed = hash_of(shown_once)
    key = Key(derive("api_key", hashed), asked.name, frozenset(asked.scopes), asked.brands)
    await keys.add(call.connection, key, hashed, call.now, asked.expires_at)
    await call.audit("add key", key.id, name=key.name, scopes=sorted(key.scopes), brands=list(key.brands))
    told = {"id": key.id, "name": key.name, "scopes": sorted(key.scopes), "brands": list(key.brands)}
    return Answer({**told, "expires_at": asked.expires_at, "key": shown_once}, 201)


async def revoke(call: Call, key_id: str) -> Answer:
    brands = await keys.brands_of(call.connection, key_id)
    if brands is None:
        raise Problem("not_found")
    grantable(call.key, (), brands)
    await keys.revoke(call.connection, key_id, call.now)
    await call.audit("revoke key", key_id)
    return Answer(status=204)


async def add_write_key(call: Call, body: Any) -> Answer:
    """Publish a new write key of a source; its brand is to be in force."""
    if not isinstance(body, dict):
        raise Problem("invalid", [Fault("", "object")])
    shown_once = f"wk_{secrets.token_urlsafe(32)}"
    asked = validated(WriteKey, {"hash": hash_of(shown_once), **body})
    if "hash" in body:
        raise Problem("invalid", [Fault("hash", "extra_forbidden")])
    await publish_write_key(call, asked)
    return Answer({**_told(asked), "key": shown_once}, 201)


async def publish_write_key(call: Call, write_key: WriteKey) -> None:
    call.key.needs_brand(write_key.brand)
    publishing = await Publishing.begin(call)
    text = json.dumps(text_of(write_key))
    await documents.save(call.connection, WRITE_KEY, write_key.hash, write_key.brand, text, call.now)
    draft = await documents.get(call.connection, WRITE_KEY, write_key.hash)
    assert draft is not None
    await publishing.publish(WRITE_KEY, write_key.hash, write_key, draft)
    await publishing.finish()


async def revoke_write_key(call: Call, hashed: str) -> Answer:
    publishing = await Publishing.begin(call)
    draft = await documents.get(call.connection, WRITE_KEY, hashed, lock=True)
    if draft is None or not call.key.sees(draft.brand):
        raise Problem("not_found")
    await publishing.withdraw(WRITE_KEY, hashed, draft.published_version or 0)
    await documents.delete(call.connection, WRITE_KEY, hashed)
    await publishing.finish()
    await call.audit("revoke write key", hashed)
    return Answer(status=204)


async def write_keys(call: Call, after: str, limit: int) -> list[dict[str, Any]]:
    rows = await documents.listed(call.connection, WRITE_KEY, after, limit, call.key.brands)
    found = [await documents.get(call.connection, WRITE_KEY, row["key"]) for row in rows]
    return [_told(WriteKey.model_validate(draft.body)) for draft in found if draft is not None]


def _told(write_key: WriteKey) -> dict[str, Any]:
    told = text_of(write_key)
    return {"id": told.pop("hash"), **told}
