"""How deep a fact may be nested: JSON readers recurse, and each service stands on a stack of its own when it reads one."""

import re

MAX_DEPTH = 32  # levels of each field of a fact, the field's own object or list being the first
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)  # of JSON, as far as depth goes


def too_deep(record: bytes) -> str | None:
    """The first field of an encoded fact that is nested deeper than MAX_DEPTH, known to us or not; None: none is.

    Reads bytes, so that no nesting is too deep for it; what is no JSON gets some answer.
    """
    if record.count(b"{") + record.count(b"[") <= MAX_DEPTH:
        return None
    depth, field = 0, b""
    for found in TOKEN.finditer(record):
        mark = found[0]
        if mark in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH + 1:
                return field.strip(b'"').decode("utf-8", "replace") or "the record"
        elif mark in (b"}", b"]"):
            depth -= 1
        elif depth == 1:
            field = mark  # the last text before a bracket opens is the name of what it opens
    return None
