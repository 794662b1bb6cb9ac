"""How the documents in force call what conditions mention."""

import json
from collections.abc import Mapping
from typing import Any

from schemas.audience_text import Language, Titles
from services.gateway.handler.call import Call
from services.gateway.store import documents


async def titles(call: Call, language: Language) -> Titles:
    """Of segments, topics and the answers to surveys, as far as the key sees them."""
    segments: dict[str, str] = {}
    topics: dict[str, str] = {}
    attributes: dict[tuple[str, str], str] = {}
    for row in await documents.named(call.connection):
        if not call.key.sees(row["brand"]):
            continue
        name = json.loads(row["name"] or "null")
        if row["kind"] == "segment":
            segments[row["key"]] = name or ""
        elif row["kind"] == "topic":
            topics[row["key"]] = _in(name, language)
        for question in json.loads(row["questions"] or "[]"):
            attributes[f"survey.{row['key']}.{question['id']}", ""] = _in(question["text"], language)
    return Titles(attributes=attributes, segments=segments, topics=topics)


def _in(texts: Mapping[str, Any], language: Language) -> str:
    """In the language, else in any."""
    return str(texts.get(language) or next(iter(texts.values()), ""))
