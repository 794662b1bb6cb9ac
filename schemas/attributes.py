"""What is said of a person, held as a last-write-wins map: the same in whatever order the facts come, once or many
times.

State: `{name: (at, value)}`, at = `occurred_at` in UTC milliseconds (of an attribute that goes by rule: `ranked`), value = any JSON value. The greater `at` wins;
on a tie the greater canonical JSON text wins. The value None deletes the attribute and stays, with its time, as a
tombstone: an older value that comes late must not bring it back. `merge` is therefore commutative, associative and
idempotent, and two profiles fold together with it too.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

SPAN = 10**13  # no value was said later than this (ms): the year 2286

Entry = tuple[int, Any]
Attributes = Mapping[str, Entry]

_PLAIN = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def canonical(value: Any) -> bytes:
    """The JSON text of a value with sorted keys:

    Equal texts mean equal values, types included (1, 1.0 and true differ).
    """
    return msgspec.json.encode(value, order="deterministic")


def stamp(attributes: Mapping[str, Any], at: int) -> dict[str, Entry]:
    """What one fact says (`fact.attributes`, its time in ms) in the shape that `merge` takes."""
    return {name: (at, value) for name, value in attributes.items()}


def ranked(at: int, rank: int, since: int) -> int:
    """The time of a value that goes by rule: of a greater `since` (the version of the rules that last changed it), else of a greater rank
    (0 to 9), else later. So a last-write-wins map keeps what the rule wants, wherever it is folded.
    """
    return (since * 10 + rank) * SPAN + at


def merge(state: Attributes, incoming: Attributes) -> tuple[Attributes, frozenset[str]]:
    """Fold `incoming` into `state`: the new state, and the names whose visible value is another than before.

    Gives back `state` itself when nothing in it moved; a newer time for an equal value moves it, but is no change of
    value.
    """
    moved: dict[str, Entry] = {}
    changed = []
    for name, entry in incoming.items():
        held = state.get(name)
        if held is None:
            moved[name] = entry
            if entry[1] is not None:
                changed.append(name)
        elif entry[0] >= held[0]:
            old, new = canonical(held[1]), canonical(entry[1])
            if entry[0] > held[0] or new > old:
                moved[name] = entry
                if new != old:
                    changed.append(name)
    return ({**state, **moved} if moved else state), frozenset(changed)


def date_ms(value: Any) -> int | None:
    """An instant in UTC ms from an integer of ms, an ISO date (its midnight in UTC) or an ISO date-time (without an
    offset: UTC).

    None for anything else, week dates and bare digits included: bulk evaluation must read the same texts, so only the
    plain forms `2026-03-31` and `2026-03-31T10:00[:00[.123]][Z|+03:00]` count.
    """
    if type(value) is int:
        return value
    if not isinstance(value, str) or _PLAIN.fullmatch(value) is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND
