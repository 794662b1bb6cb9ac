"""Many rows from service to service: Arrow record batches over HTTP, each a stream of its own behind its length."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

MEDIA = "application/vnd.apache.arrow.stream"
_LENGTH = 8  # bytes, big-endian


def packed(batch: Any) -> bytes:
    """A record batch on its way."""
    import pyarrow as pa  # large, and not every process ever needs it

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def unpacked(data: bytes) -> Any:
    """The record batch of `packed`: a view of these bytes."""
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_next_batch()


def framed(data: bytes) -> bytes:
    """One of several in a row."""
    return len(data).to_bytes(_LENGTH, "big") + data


async def frames(parts: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """What was framed, one by one, of parts as they come. Raises ValueError where the last one is not whole."""
    held = bytearray()
    async for part in parts:
        held += part
        while len(held) >= _LENGTH and len(held) >= (end := _LENGTH + int.from_bytes(held[:_LENGTH], "big")):
            yield bytes(memoryview(held)[_LENGTH:end])
            del held[:end]
    if held:
        raise ValueError("it breaks off within a batch")
