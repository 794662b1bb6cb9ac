"""Posts the stream through an entry: several clients at once, each with keys of its own, each call again until it gets its 2xx."""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from runtime.clock import wall_ms
from tests.chaos.entry import Entry
from tests.chaos.stream import Call, Stream

CLIENTS = 4
WAITING = 4  # batches ahead of a client
FILE_ROWS, FILE_EVERY_S = 60, 3.0  # each makes every service read documents, and the segmenter look at everybody again


class Load:
    """Posts at least `facts` facts, spread over about `seconds`; `finish` ends the pacing. keys: message -> source key.

    It goes on until `finish` and until there are enough, whichever is later.
    """

    def __init__(self, stream: Stream, entry: Entry, file: Path, facts: int, seconds: float) -> None:
        self._stream, self._entry, self._facts = stream, entry, facts
        self._file = file.open("w", encoding="utf-8")
        self._rate = facts / seconds
        self._hurry = asyncio.Event()
        self._queues: list[asyncio.Queue[list[Call] | None]] = [asyncio.Queue(WAITING) for _ in range(CLIENTS)]
        self.accepted = 0
        self.keys: dict[str, str] = {}

    def finish(self) -> None:
        """Trouble is over: post what is missing of the wanted number at once, and end."""
        self._hurry.set()

    def enough(self) -> bool:
        """Whether the wanted number is accepted."""
        return self.accepted >= self._facts

    async def tell(self, calls: Sequence[Call]) -> tuple[int, int]:
        """Post calls beside the stream. When that began and when all were acknowledged (ms)."""
        posted = wall_ms()
        await self._until_kept(self._entry.post, calls)
        return posted, wall_ms()

    async def run(self) -> None:
        clients = [asyncio.create_task(self._client(queue)) for queue in self._queues]
        files = asyncio.create_task(self._files())
        try:
            loop = asyncio.get_running_loop()
            began = loop.time()
            for batch in self._stream.batches():
                for number, queue in enumerate(self._queues):
                    mine = [call for call in batch if zlib.crc32(call.key.encode()) % CLIENTS == number]
                    if mine:
                        await queue.put(mine)
                if self._hurry.is_set():
                    if self._stream.made >= self._facts:
                        break
                else:
                    await self._pause(began + self._stream.made / self._rate - loop.time())
            for queue in self._queues:
                await queue.put(None)
            await asyncio.gather(*clients, files)
        finally:
            for client in (*clients, files):
                client.cancel()
            self._file.close()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._hurry.wait(), max(0.0, seconds))
        except TimeoutError:
            return

    async def _files(self) -> None:
        """Files to import and new versions of documents, one after the other, until the end."""
        while not self._hurry.is_set():
            rows = self._stream.file(FILE_ROWS)
            await self._until_kept(self._entry.post_file, rows)
            await self._entry.publish_keys()
            await self._pause(FILE_EVERY_S)

    async def _client(self, queue: "asyncio.Queue[list[Call] | None]") -> None:
        """The order of a key holds because a client goes on only when all of its batch is acknowledged."""
        while (calls := await queue.get()) is not None:
            await self._until_kept(self._entry.post, calls)

    async def _until_kept(self, post: Callable[[Sequence[Call]], Awaitable[Sequence[Call]]], calls: Sequence[Call]) -> None:
        posted = wall_ms()
        while calls:
            done = await post(calls)
            self._note(done, posted)
            taken = set(map(id, done))
            calls = [call for call in calls if id(call) not in taken]
            if calls:
                await asyncio.sleep(0.3)

    def _note(self, done: Sequence[Call], posted: int) -> None:
        acked = wall_ms()
        for call in done:
            self._file.write(json.dumps({**call.line(), "posted_at": posted, "acked_at": acked}) + "\n")
            self.keys[call.message] = call.key
        self.accepted = len(self.keys)
        self._file.flush()
