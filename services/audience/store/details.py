"""What speaks for a leaf's truth about one person: how many facts, when, and which value."""
# ruff: noqa: S608 - names of ours

import json
from typing import Any

from schemas.audience import (
    Age,
    Anniversary,
    Attribute,
    Average,
    DateAttribute,
    Did,
    Distinct,
    Happening,
    Leaf,
    Sequence,
    Since,
    Total,
)
from services.audience.store.leaves import Leaves
from services.audience.store.windows import span_of

SHOWN = 10  # of the instants, the newest


def of_leaf(duck: Any, leaves: Leaves, leaf: Leaf, now: int) -> dict[str, Any]:
    """For `leaves` of one person's pieces. Instants are ms; a window that is each person's own is not looked at: `count` is of all facts
    that it may hold.
    """
    match leaf:
        case Attribute() | DateAttribute() | Anniversary():
            return _value(duck, leaves, leaf.name)
        case Did() | Age() | Distinct() | Total() | Average():
            where = "true" if isinstance(leaf, Age) else span_of(leaf, now, leaves.zones).simple
            amounts, listed = leaves.amounts(leaf) if isinstance(leaf, Total | Average) else ("NULL", False)
            amount = f"{f'list_sum({amounts})' if listed else amounts}::HUGEINT AS a"
            return _facts(duck, leaves, leaf, where, amount)
        case Sequence():
            named = {"first": leaf.first, "then": leaf.then, "without": leaf.without}
            return {name: _facts(duck, leaves, what) for name, what in named.items() if what is not None}
        case Since():
            return {"first": _facts(duck, leaves, leaf), "without": _facts(duck, leaves, leaf.without)}
        case _:
            return {}


def _value(duck: Any, leaves: Leaves, name: str) -> dict[str, Any]:
    rows = duck.execute(f"SELECT json, moment FROM {leaves.words(name)}").fetchall()
    return {"value": json.loads(rows[0][0]), "said_at": rows[0][1]} if rows else {}


def _facts(duck: Any, leaves: Leaves, what: Happening, where: str = "true", amount: str = "NULL::HUGEINT AS a") -> dict[str, Any]:
    rows = leaves.deeds(what, amount, where)
    query = f"SELECT count(*), min(moment), max(moment), sum(a)::VARCHAR, list(moment ORDER BY moment DESC)[1:{SHOWN}] FROM {rows}"
    count, first, last, total, newest = duck.execute(query).fetchall()[0]
    if not count:
        return {"count": 0}
    told = {"count": count, "first": first, "last": last, "newest": newest}
    return told if total is None else {**told, "sum": int(total)}
