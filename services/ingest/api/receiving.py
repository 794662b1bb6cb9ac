"""The body of a request that brings a file: a form with `mapping` and `file`, or the file itself with `?mapping=`."""

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request

from services.ingest.domain import Malformed, Mapping, read_mapping

from .multipart import Part, boundary_of, parts

_MAX_MAPPING = 65_536


async def received(request: Request, feed: Callable[[bytes], Awaitable[None]]) -> bytes:
    """Gives the file's bytes on; answers the mapping's. Raises Malformed."""
    asked = bytearray(request.query_params.get("mapping", "").encode())
    async for part in _pieces(request):
        if part.name == "mapping":
            asked += part.data
            if len(asked) > _MAX_MAPPING:
                raise Malformed("mapping", "mapping_wrong", "The mapping is larger than 64 KB.", "send a smaller one")
        elif part.name == "file":
            await feed(part.data)
    return bytes(asked)


def mapping_of(asked: bytes) -> Mapping:
    if not asked:
        raise Malformed("mapping", "mapping_missing", "There is no mapping.", "send the field `mapping` with JSON")
    return read_mapping(asked)


async def _pieces(request: Request) -> AsyncIterator[Part]:
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is not None:
        async for part in parts(request.stream(), boundary):
            yield part
    else:
        async for data in request.stream():
            yield Part("file", "", data)
