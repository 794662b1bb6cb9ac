"""Takes a file in while it comes: sealed pieces in PostgreSQL, so that what has come stays whatever ends the line or the process."""

from typing import BinaryIO

from services.ingest.domain import Malformed, Sniffer
from services.ingest.store import Imports

PIECE = 1_000_000  # bytes


class Upload:
    """One file, or what follows of it. kept: bytes that are there; now: when more comes. `feed` it, then `flush`. Raises Malformed
    (nothing of what is refused is kept) and OffsetWrong.
    """

    def __init__(self, imports: Imports, job: str, max_bytes: int, now: int, kept: int = 0) -> None:
        self._imports, self._job, self._max, self._now = imports, job, max_bytes, now
        self._waiting = bytearray()
        self.kept = kept

    async def feed(self, data: bytes) -> None:
        if self.kept + len(self._waiting) + len(data) > self._max:
            raise too_large(self._max)
        self._waiting += data
        while len(self._waiting) >= PIECE:
            await self._keep(PIECE)

    async def flush(self) -> None:
        """Keep what is less than a piece."""
        if self._waiting:
            await self._keep(len(self._waiting))

    async def _keep(self, size: int) -> None:
        piece = bytes(self._waiting[:size])
        await self._imports.add_part(self._job, self.kept, piece, self._now)
        del self._waiting[:size]
        self.kept += size


class First:
    """As much of a file as shows what it is: of a workbook all, of text its first piece. `cut`: whether more has come."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self._file, self._max = file, max_bytes
        self._sniffer = Sniffer()
        self._come = self.size = 0

    async def feed(self, data: bytes) -> None:
        self._come += len(data)
        if self._come > self._max:
            raise too_large(self._max)
        self._sniffer.feed(data)
        wanted = data if self._sniffer.format() == "xlsx" else data[: max(0, PIECE - self.size)]
        self._file.write(wanted)
        self.size += len(wanted)

    @property
    def cut(self) -> bool:
        return self._come > self.size

    async def piece(self, number: int) -> bytes | None:
        self._file.seek(number * PIECE)
        return self._file.read(PIECE) or None


def too_large(most: int) -> Malformed:
    return Malformed("file", "file_too_large", f"The file is larger than {most} bytes.", "send it in parts")
