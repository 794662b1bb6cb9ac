"""What another service of the installation answers instead of what was asked is told with its reason."""

import httpx
import pytest

from runtime.neighbours import Neighbour, Unreachable


@pytest.mark.parametrize(("body", "why"), [
    (b'{"code":"no_lake"}', "segmenter answers 503: no_lake"), (b"<html>", "segmenter answers 503"), (b"[1]", "segmenter answers 503"),
])  # fmt: skip
async def test_why_it_does_not_answer_is_told(body: bytes, why: str) -> None:
    class Found(Neighbour):
        def __init__(self) -> None:
            self._service = "segmenter"
            self._client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503, content=body)))

        async def _address(self) -> str:
            return "http://segmenter"

    async with Found() as neighbour:
        with pytest.raises(Unreachable) as told:
            await neighbour.post("/flips", b"", 1)
    assert str(told.value) == why
