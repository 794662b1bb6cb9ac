"""Batches from service to service arrive as they were sent, however the network cuts them, and never half."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.batches import framed, frames, packed, unpacked


async def read(parts: list[bytes]) -> list[bytes]:
    async def arriving():
        for part in parts:
            yield part

    return [frame async for frame in frames(arriving())]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(ends)]


@given(st.lists(st.binary(max_size=20), max_size=5), st.lists(st.integers(0, 200), max_size=6))
async def test_frames_come_out_as_they_went_in(sent, places):
    assert await read(cut(b"".join(map(framed, sent)), places)) == sent


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3), st.integers(1, 8))
async def test_what_breaks_off_is_not_taken_for_the_end(sent, missing):
    with pytest.raises(ValueError, match="breaks off"):
        await read([b"".join(map(framed, sent))[:-missing]])


def test_a_batch_keeps_its_columns():
    batch = pa.record_batch({"a": pa.array([1, None]), "b": pa.array(["x", None])})
    assert unpacked(packed(batch)).equals(batch)
