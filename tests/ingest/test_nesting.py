"""One limit of nesting for both ways into `facts.raw`."""

import json

import pytest

from schemas.facts import encode
from schemas.nesting import MAX_DEPTH, too_deep
from services.ingest.domain import Accepted, Arrival, Malformed, Source, normalise, read_shared

FULL = MAX_DEPTH - 1  # levels that a field of an event may have: the event is one


def nested(levels: int, leaf: str = '"n":1') -> str:
    return '{"a":' * (levels - 1) + "{" + leaf + "}" + "}" * (levels - 1)


def record(properties: str) -> bytes:
    return b'{"event":"[[","properties":%b,"later":{"x":1}}' % properties.encode()


def test_the_limit_is_of_each_field_and_the_field_is_named():
    assert too_deep(record(nested(MAX_DEPTH))) is None
    assert too_deep(record(nested(MAX_DEPTH + 1))) == "properties"
    assert too_deep(b'{"properties":{"a":1},"later":%b}' % (b"[" * 100_000)) == "later"
    assert too_deep(b"[" * 100_000) == "the record"


def test_brackets_in_texts_and_side_by_side_are_not_depth():
    assert too_deep(json.dumps({"properties": {"text": "[" * 99 + '\\"{'}, "later": [[1], {}] * 99}).encode()) is None


# The last of these objects stands on level 32 of the event, and the price in it becomes one more object.
LINES = '"products":[{' * ((MAX_DEPTH - 2) // 2) + '"price":1.5' + "}]" * ((MAX_DEPTH - 2) // 2)


@pytest.mark.parametrize(
    "call",
    [
        f'"event":"e","type":"track","properties":{{{LINES}}}',
        f'"type":"identify","traits":{nested(FULL)}',
        f'"type":"group","groupId":"g","traits":{nested(FULL)}',
        f'"event":"e","type":"track","integrations":{nested(FULL)}',
        f'"event":"e","type":"track","context":{nested(FULL)}',
    ],
)
def test_profile_takes_whatever_ingest_takes(call):
    """An event at the limit makes a fact within it, though money and integrations come to stand one level deeper."""
    source = Source(name="site", brand="shop", currency="GBP")
    shared = read_shared(nested(FULL).encode(), "integrations")
    arrival = Arrival(
        source=source, now=1_700_000_000_000, context=read_shared(nested(FULL).encode(), "context"), integrations=shared
    )
    taken = normalise(f'{{"userId":"1",{call}}}'.encode(), arrival)
    assert isinstance(taken, Accepted), taken
    assert too_deep(encode(taken.fact)) is None


@pytest.mark.parametrize("path", ["context", "integrations"])
def test_what_the_events_of_a_batch_share_counts_where_it_stands_in_them(path):
    with pytest.raises(Malformed) as refused:
        read_shared(nested(FULL + 1).encode(), path)
    assert refused.value.fault.code == "nesting_too_deep"
