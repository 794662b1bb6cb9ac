"""What a file would become: its first rows as facts, and what is wrong with them. Nothing of it is kept."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import msgspec

from services.ingest.domain import (
    Arrival,
    Assembly,
    Closed,
    Columns,
    Encoded,
    Mapping,
    Row,
    bind,
    suggest,
)
from services.ingest.handler.importer import source_of
from services.ingest.handler.reading import Pieces, look, turns

ROWS = 20


async def preview(
    pieces: Pieces, given: Mapping | None, complete: Callable[[Mapping], Mapping], moment: tuple[int, bool], *, cut: bool
) -> dict[str, Any]:
    """given: the mapping that was sent, else one is suggested. complete: with what the installation says where it says nothing; raises
    Malformed. moment: (now in ms, whether the clock is driven). cut: there is only the first part of the file.
    """
    shape = await look(pieces, given or Mapping(identifiers={}), cut=cut)
    ready, suggested = suggest(shape.columns)
    mapping = complete(given or suggested)
    rows = await _first(pieces, mapping, shape, cut=cut)
    plan = bind(mapping, shape.columns)
    closed: list[Closed] = []
    if not isinstance(plan, list):
        now, driven = moment
        arrival = Arrival(source=source_of(mapping), now=now, driven=driven, kind=mapping.call, lane="bulk", context={"import": ""})
        assembly = Assembly(plan)
        closed = [*assembly.push(rows, arrival), *assembly.end(arrival)]
    bad = [one for each in closed for one in each.refused]
    return {
        **{name: getattr(shape, name) for name in ("format", "encoding", "delimiter", "sheet", "note")},
        "columns": Columns(shape.columns).names,
        "lines": None if cut else shape.lines,
        "ready": None if given else ready,
        "mapping": _shown(given or suggested),
        "errors": [msgspec.structs.asdict(fault) for fault in plan] if isinstance(plan, list) else [],
        "rows": [{"line": row.line, "cells": row.cells, "bad": row.why} for row in rows],
        "facts": [_fact(made) for each in closed for made in each.made],
        "bad": [{"line": one.line, "column": one.column, "reason": one.reason} for one in bad],
        "left_out": [text for each in closed for text in each.left_out],
    }


async def _first(pieces: Pieces, mapping: Mapping, shape: Any, *, cut: bool) -> list[Row]:
    rows: list[Row] = []
    async with aclosing(turns(pieces, shape, mapping.decimal, cut=cut)) as found:
        async for turn in found:
            rows += turn.rows
            if len(rows) >= ROWS:
                break
    return rows[:ROWS]


def _fact(made: Encoded) -> dict[str, Any]:
    fact: dict[str, Any] = msgspec.to_builtins(made.fact)
    return {
        name: fact[name]
        for name in ("id", "type", "event", "brand", "occurred_at", "identifiers", "attributes", "properties")
        if name in fact
    }


def _shown(mapping: Mapping) -> dict[str, Any]:
    """What it says, without what it leaves to be found out or to the defaults."""
    said: dict[str, Any] = msgspec.to_builtins(mapping)
    plain: dict[str, Any] = msgspec.to_builtins(Mapping(identifiers={}))
    return {name: value for name, value in said.items() if name == "identifiers" or value != plain[name]}
