"""What the machine decides without I/O: laws, on any input."""

import json
from collections import defaultdict
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import outbox, poison, watermark
from runtime.batch import At, Bad, Emit, Item, merge
from runtime.lane import Portion
from runtime.outbox import OutOfOrder, RecordTooLarge, pack
from runtime.settings import Settings
from runtime.watermark import Mark
from schemas.facts import Seq, extend
from schemas.ids import partition_of

Place = tuple[str, int]


def record(topic: str, partition: int, offset: int, value: bytes = b"{}", received_at: int = 0):
    return SimpleNamespace(
        topic=topic, partition=partition, offset=offset, timestamp=0, key=None, value=value, headers=[], received_at=received_at
    )


def decode_stub(record):
    if record.value == b"skip":
        return None
    if record.value == b"bad":
        raise ValueError("bad")
    return SimpleNamespace(received_at=record.received_at, src="a:x-0", seq=Seq(0, record.offset, 0))


values = st.sampled_from([b"{}", b"{}", b"{}", b"bad", b"skip"])
partitions = st.lists(
    st.lists(st.tuples(values, st.integers(0, 50), st.integers(1, 3)), min_size=1, max_size=12), min_size=1, max_size=4
)


def batches(shape) -> dict[Place, list]:
    """Partitions with growing offsets, gaps among them."""
    made = {}
    for partition, records in enumerate(shape):
        offset, made["facts", partition] = 0, []
        for value, received_at, step in records:
            offset += step
            made["facts", partition].append(record("facts", partition, offset, value, received_at))
    return made


@given(partitions)
def test_merge_keeps_each_partition_in_order_and_loses_nothing(shape):
    batch = batches(shape)
    items, ends = merge(batch, {"facts": decode_stub})
    for place, records in batch.items():
        assert [i.offset for i in items if i.place == place] == [r.offset for r in records if r.value != b"skip"]
        assert ends[place] == records[-1].offset + 1


@given(partitions)
def test_merge_takes_the_earliest_of_the_heads(shape):
    batch = batches(shape)
    items, _ = merge(batch, {"facts": decode_stub})
    waiting = defaultdict(list)
    for item in items:
        waiting[item.place].append(item)
    for item in items:
        assert item is waiting[item.place].pop(0)
        assert all(item.received_at <= rest[0].received_at for place, rest in waiting.items() if rest and place != item.place)


@given(partitions, st.data())
def test_halves_cover_the_same_offsets_exactly(shape, data):
    batch = batches(shape)
    items, ends = merge(batch, {"facts": decode_stub})
    firsts = {place: records[0].offset for place, records in batch.items()}
    whole = Portion(items, firsts, ends, dict.fromkeys(firsts, 7))
    index = data.draw(st.integers(0, len(items)))
    left, right = whole.halves(index)
    assert [*left.items, *right.items] == items
    for place, first in firsts.items():
        assert left.firsts[place] == first and right.ends[place] == ends[place]
        assert left.ends[place] == right.firsts[place]
        assert left.firsts[place] <= left.ends[place] <= right.ends[place]
    for half in (left, right):
        assert all(half.firsts[i.place] <= i.offset < half.ends[i.place] for i in half.items)
    assert set(left.prints.values()) == {0}  # what its last record is we do not know: never a wrong fingerprint


def item(offset: int, src: str | None = None, seq: Seq | None = None, place: Place = ("facts", 0), value=None) -> Item:
    return Item(place, offset, value or SimpleNamespace(), b"{}", src, seq, 0)


@given(st.integers(-1, 30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(0, 9)), max_size=30))
def test_unseen_passes_each_offset_and_each_seq_once_whatever_is_repeated(start, log):
    marks = {("facts", 0): Mark(start, 0, 0)}
    items = [item(offset, f"s{src}", Seq(0, n, 0)) for offset, src, n in log]
    fresh = watermark.unseen(items, marks)
    assert all(i.offset >= start for i in fresh)
    for src in range(3):
        places = [tuple(msgspec.structs.astuple(i.seq)) for i in fresh if i.src == f"s{src}"]
        assert places == sorted(set(places))
    assert watermark.unseen(items, marks) == []  # the same records once more


def test_unseen_takes_no_seq_from_an_open_topic():
    forged = record("facts.raw", 0, 5, b"{}")
    items, _ = merge({("facts.raw", 0): [forged]}, {"facts.raw": decode_stub})
    assert (items[0].src, items[0].seq) == (None, None)
    ours, _ = merge({("facts", 0): [record("facts", 0, 5)]}, {"facts": decode_stub})
    assert (ours[0].src, ours[0].seq) == ("a:x-0", Seq(0, 5, 0))


def test_gap_names_partitions_that_start_above_their_watermark():
    marks = {("f", 0): Mark(5, 0, 0), ("f", 1): Mark(5, 0, 0), ("f", 2): Mark(-1, 0, 0), ("f", 3): Mark(5, 0, 0)}
    assert watermark.gap({("f", 0): 6, ("f", 1): 5, ("f", 2): 9, ("f", 3): 2}, marks) == {("f", 0): 5}


# ---- pack

emits = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["facts", "decisions"]), st.text(max_size=3), st.integers(0, 300)), max_size=40
)


@given(emits)
def test_pack_gives_growing_seqs_in_each_destination_and_keeps_order(shape):
    """Index counts the emits of one place across destinations, so no two are equal and a destination sees them grow."""
    given_emits = [
        Emit(topic, key, json.dumps({"n": n, "pad": "x" * pad}).encode(), At("s", 0, offset), "t")
        for n, (offset, topic, key, pad) in enumerate(sorted(shape))
    ]
    rows = pack(given_emits, 3)
    found = defaultdict(list)
    for topic, partition, count, records in rows:
        unpacked = outbox._unpack(records)
        assert len(unpacked) == count
        found[topic, partition].extend(json.loads(value) | {"key": key.decode()} for key, value, _ in unpacked)
    everything = [r for records in found.values() for r in records]
    assert sorted(r["n"] for r in everything) == list(range(len(given_emits)))
    assert len({tuple(r["seq"]) for r in everything}) == len(everything)
    for (topic, partition), records in found.items():
        assert [r["n"] for r in records] == sorted(r["n"] for r in records)
        assert [r["seq"] for r in records] == sorted(r["seq"] for r in records)
        for r in records:
            assert partition_of(r["key"], 3) == partition and given_emits[r["n"]].topic == topic


def test_pack_cuts_rows_by_size_and_refuses_what_no_record_may_be():
    big = b'{"x":"' + b"a" * 150_000 + b'"}'
    rows = pack([Emit("facts", "k", big, At("s", 0, n)) for n in range(5)], 4)
    assert [row[2] for row in rows] == [2, 2, 1]
    with pytest.raises(RecordTooLarge, match="facts"):
        pack([Emit("facts", "k", b'{"x":"' + b"a" * 900_000 + b'"}', At("s", 0, 0))], 4)
    with pytest.raises(RecordTooLarge):
        pack([Emit("facts", "k" * 900_000, b"{}", At("s", 0, 0))], 4)


def test_pack_refuses_emits_that_a_consumer_would_drop():
    with pytest.raises(OutOfOrder, match="3 after 4"):
        pack([Emit("facts", "k", b"{}", At("s", 0, 4)), Emit("facts", "k", b"{}", At("s", 0, 3))], 4)
    pack([Emit("facts", "k", b"{}", At("s", 0, 4)), Emit("facts", "k", b"{}", At("other", 0, 3))], 4)


# ---- extend

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=5), c, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=6), json_values, max_size=5),
    st.sampled_from([None, 1]),
    st.sampled_from(["", " ", "\n", "\t\r\n"]),
)
def test_extend_keeps_any_object_and_the_last_name_wins(data, indent, end):
    encoded = (json.dumps(data, indent=indent) + end).encode()
    for more in ({"src": "x"}, {"profile": {"a": [1]}, "seq": [1, 2, 3]}):
        added = json.dumps(more)[1:-1].encode()
        assert json.loads(extend(encoded, added)) == data | more
        assert msgspec.json.decode(extend(encoded, added)) == data | more


@pytest.mark.parametrize("record", [b"", b"[]", b"1", b'"}"', b"null", b"{} x"])
def test_extend_refuses_what_is_no_object(record):
    with pytest.raises(ValueError, match="not a JSON object"):
        extend(record, b'"a":1')


# ---- poison


def test_limit_in_a_row_counts_from_the_last_good_one():
    limit = poison.Limit(3, 1000, 1.0)
    for _ in range(5):
        for _ in range(3):
            limit.bad()
        limit.good(1)
    limit.good(0)  # nothing handled: the row goes on
    for _ in range(3):
        limit.bad()
    with pytest.raises(poison.TooMuchPoison, match="4 records in a row"):
        limit.bad()


@given(st.lists(st.integers(1, 400), max_size=60))
def test_limit_of_the_window_lets_rare_ones_pass_for_ever(goods):
    limit = poison.Limit(20, 1000, 0.5)
    for good in goods:
        limit.good(good)
        limit.bad()


def test_limit_of_the_window_stops_a_share():
    limit = poison.Limit(20, 1000, 0.01)
    for _ in range(10):
        limit.good(20)
        limit.bad()
    limit.good(20)
    with pytest.raises(poison.TooMuchPoison, match="11 of the last 231"):
        limit.bad()


@given(st.binary(max_size=300), st.text(max_size=20))
def test_vault_opens_what_it_sealed_and_nothing_else(data, name):
    vault = poison.Vault("secret")
    sealed = vault.seal(data, name)
    assert vault.open(sealed, name) == data and vault.seal(data, name) == sealed
    assert not data or len(data) < 4 or data not in sealed
    for other, its_name in ((vault, name + "x"), (poison.Vault("another"), name)):
        with pytest.raises(Exception, match=r"^$"):  # InvalidTag says no more
            other.open(sealed, its_name)


def test_as_bad_names_the_kind_of_error_alone():
    assert poison.as_bad(item(1), KeyError("x")).value == Bad("unhandled", "KeyError")


# ---- settings


def test_settings_come_from_the_environment_once(monkeypatch):
    monkeypatch.setenv("OTKLIK_KAFKA", "k:1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("OTKLIK_TOPIC_PREFIX", "p.")
    monkeypatch.setenv("OTKLIK_UNKNOWN", "1")
    settings = Settings()
    assert (settings.kafka, settings.database_url, settings.topic("facts")) == ("k:1", "postgresql://x", "p.facts")
    with pytest.raises(ValueError, match="frozen"):
        settings.kafka = "other"
