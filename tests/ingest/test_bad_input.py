"""Whatever arrives: nothing crashes, nothing good is lost, order is kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import facts
from services.ingest.domain import MAX_BODY, MAX_EVENT, Accepted, Arrival, Fault, Malformed, Source, normalise, split

ARRIVAL = Arrival(source=Source(brand="school", name="site"), now=1_795_341_600_000)


def good(number: int) -> bytes:
    return b'{"type":"track","event":"E","userId":"u","messageId":"good-%d"}' % number


def taken_of(body: bytes):
    return [normalise(bytes(raw), ARRIVAL) for raw in split(body, single=False).batch]


def between(bad: bytes) -> Accepted | Fault:
    """What became of a bad event between two good ones, which must be unharmed."""
    first, middle, last = taken_of(b'{"batch":[' + b",".join([good(1), bad, good(2)]) + b'],"sentAt":null}')
    assert [first, last] == [normalise(good(1), ARRIVAL), normalise(good(2), ARRIVAL)]
    assert isinstance(first, Accepted) and isinstance(last, Accepted)
    return middle


def track(properties: bytes) -> bytes:
    return b'{"type":"track","event":"E","userId":"u","properties":' + properties + b"}"


DEEP = 1_000
BAD = [
    (b"5", "", "wrong_type"),
    (b"null", "", "wrong_type"),
    (b"[]", "", "wrong_type"),
    (b'"text"', "", "wrong_type"),
    (track(rb'{"a":["x","\ud800"]}'), "properties.a[1]", "bad_text"),
    (track(rb'{"a":"\udc00\ud800"}'), "properties.a", "bad_text"),
    (track(rb'{"a":"\ud800\u0041"}'), "properties.a", "bad_text"),
    (track(rb'{"b":{"\udfff":1}}'), "properties.b", "bad_text"),
    (track(b'{"a":"\xed\xa0\x80"}'), "properties.a", "bad_text"),
    (track(b'{"a":"\xff"}'), "properties.a", "bad_text"),
    (track(rb'{"a":"x\u0000"}'), "properties.a", "bad_text"),
    (track(b'{"a":"x\x00"}'), "properties.a", "bad_text"),
    (track(rb'{"\u0000":1}'), "properties", "bad_text"),
    (b'{"userId":"u\\u0000","type":"identify"}', "userId", "bad_text"),
    (track(b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}"), "properties.a" + "[0]" * 30, "nesting_too_deep"),
    (track(b'{"a":' * DEEP + b"1" + b"}" * DEEP), "properties" + ".a" * 31, "nesting_too_deep"),
    (track(b'{"a":' * 100 + b"1" + b"}" * 100), "properties" + ".a" * 31, "nesting_too_deep"),
    (b"[" * DEEP + b"]" * DEEP, "[0]" * 32, "nesting_too_deep"),
    (track(json.dumps(dict.fromkeys(map(str, range(1_001)))).encode()), "properties", "too_many_fields"),
    (track(json.dumps(dict.fromkeys(map(str, range(10_000)))).encode()), "", "event_too_large"),
    (track(b'{"a":"' + b"x" * MAX_EVENT + b'"}'), "", "event_too_large"),
    (track(b'{"a":1e999}'), "properties.a", "number_out_of_range"),
    (track(b'{"a":[' + b"9" * 5_000 + b"]}"), "properties.a[0]", "number_out_of_range"),
    (track(b'{"a":9223372036854775808}'), "properties.a", "number_out_of_range"),
    (track(b'{"a":-99999999999999999999}'), "properties.a", "number_out_of_range"),
]


@pytest.mark.parametrize(("bad", "path", "code"), BAD, ids=[f"{number}-{code}" for number, (_, _, code) in enumerate(BAD)])
def test_one_bad_event(bad, path, code):
    fault = between(bad)
    assert isinstance(fault, Fault)
    assert (fault.path, fault.code) == (path, code)


@pytest.mark.parametrize(
    "properties",
    [
        rb'{"a":"\ud83d\ude00 \\u0000 \\ud800 \\"}',
        b'{"a":9223372036854775807,"b":-9223372036854775808,"c":"99999999999999999999"}',
        b'{"a":' * 31 + b"1" + b"}" * 31,
        json.dumps(dict.fromkeys(map(str, range(1_000)))).encode(),
        b'{"a":"' + b"x" * (MAX_EVENT - 68) + b'"}',
        b'{"a":"' + b"{[" * 50 + b'"}',
    ],
)
def test_what_only_looks_bad(properties):
    taken = between(track(properties))
    assert isinstance(taken, Accepted), taken
    assert facts.decode(facts.encode(taken.fact)).properties == json.loads(properties)


def test_several_bad_ones_of_every_kind_in_one_batch():
    bad = [one for one, _, _ in BAD if len(one) < 6_000]
    events = [event for number, one in enumerate(bad) for event in (good(number), one)]
    taken = taken_of(b'{"batch":[' + b",".join(events) + b"]}")
    assert [type(one) for one in taken] == [Accepted, Fault] * len(bad)
    assert taken[::2] == [normalise(good(number), ARRIVAL) for number in range(len(bad))]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json_broken"),
        (b"{", "json_broken"),
        (b'{"batch":[{"a":1}', "json_broken"),
        (b'{"batch":[{"a" 1}]}', "json_broken"),
        (b'{"batch":[1]} x', "json_broken"),
        (b'{"batch":[NaN]}', "json_broken"),
        (b'{"batch":["' + b'\\"' * 100_000, "json_broken"),
        (b'{"batch":' + b"[" * 200_000, "json_broken"),
        (b"[" * 200_000, "body_wrong"),
        (b"{}", "body_wrong"),
        (b"[]", "body_wrong"),
        (b'{"batch":{}}', "body_wrong"),
        (b'{"batch":null}', "body_wrong"),
        (b'{"batch":[' + b",".join([b"1"] * 2_501) + b"]}", "batch_too_long"),
        (b" " * (MAX_BODY + 1), "body_too_large"),
        (b'{"writeKey":"\xff","batch":[]}', "bad_text"),
    ],
)
def test_bodies_that_cannot_be_read(body, code):
    with pytest.raises(Malformed) as caught:
        split(body, single=False)
    assert caught.value.fault.code == code


@pytest.mark.parametrize("body", [b"[]", b"5", b"null"])
def test_a_single_call_is_an_object(body):
    with pytest.raises(Malformed) as caught:
        split(body, single=True)
    assert caught.value.fault.code == "body_wrong"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    "type",
    "userId",
    "anonymousId",
    "messageId",
    "timestamp",
    "sentAt",
    "event",
    "traits",
    "properties",
    "context",
    "integrations",
    "name",
    "category",
    "groupId",
    "previousId",
    "email",
    "phone",
    "telegram_id",
    "externalIds",
    "currency",
    "price",
    "products",
    "direct",
    "id",
]
known = st.sampled_from(["track", "identify", "alias", "group", "page", "u1", "2026-11-22", "a@example.org", "GBP", 1.5, {}])
calls = st.recursive(json_values | known, lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner, max_size=9), max_leaves=15)


@given(st.lists(calls | st.none(), max_size=6), st.booleans())
def test_good_events_survive_any_neighbours(batch, ascii_only):
    """None stands for a good event."""
    events = [good(number) if one is None else dumped(one, ascii_only) for number, one in enumerate(batch)]
    body = b'{"batch":[' + b",".join(events) + b"]}"
    if any(word in body for word in (b"NaN", b"Infinity")):  # not JSON; the words may stand in no text
        return
    taken = taken_of(body)
    assert len(taken) == len(batch)
    for number, (one, result) in enumerate(zip(batch, taken, strict=True)):
        if one is None:
            assert result == normalise(good(number), ARRIVAL)
        if isinstance(result, Accepted):
            text = facts.encode(result.fact)
            assert facts.decode(text) == result.fact
            assert b"\\u0000" not in text.replace(rb"\\", b"")


def dumped(value, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes(body, single):
    try:
        opened = split(body, single=single)
    except Malformed:
        return
    for raw in opened.batch:
        assert isinstance(normalise(bytes(raw), ARRIVAL), Accepted | Fault)


@given(st.binary(max_size=300))
def test_any_bytes_as_an_event(data):
    assert isinstance(normalise(data, ARRIVAL), Accepted | Fault)
